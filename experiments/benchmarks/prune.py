"""Is it the saliency that prunes well? Cells it leaves, against cells left by chance.

    python experiments/benchmarks/prune.py [--runs FOLDER] [--seeds N] [--processes N] [--out FILE]

In the space `gated`, on the tasks of searches.py, with fewer training steps and other seeds; once
with prune's defaults, once slowly: half of the connections a round, not seven tenths, of the better
of two super-networks. The cells that a run of prune ends in are trained anew, all to the end, and
beside each, two others with as many parameters at one width, within a tenth. The one is left of the
same full cell by the same prunings where chance decides which connections go; the other is drawn
from the space. Of the cells kept, the one that was best in the search is put beside gru and lstm,
trained alike. All are inside the space, so that h reacts to x. Chance leaves small cells: where it
left none of a size, that pair is missing, and it is said how many are. (Trained, all have the same
number of parameters, as the width is chosen.) Then finalists of prune against those of random
search after as many training steps, and beside gru and lstm. Effects are means of differences, one
for each seed, with intervals of 95 % by Student's t. Each seed is recorded in FILE, prune.json
beside this, and what is recorded is not done again.
"""

from __future__ import annotations

import math
import multiprocessing
import random
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import searches
import timing
from recording import recorded
from scipy.optimize import linear_sum_assignment

from cellsearch.cell import Cell
from cellsearch.evaluation import evaluate
from cellsearch.known import zoo
from cellsearch.run.records import Candidate
from cellsearch.run.run import Run
from cellsearch.run.setup import prepare
from cellsearch.seeds import derive
from cellsearch.space import load_space
from cellsearch.strategies.base import Evaluation, Proposal
from cellsearch.strategies.prune import Prune

HERE = Path(__file__)
CELLS = 8
"""Cells of each run that are trained anew."""
POOL = 700
"""Cells pruned at random, and as many drawn, of which those with as many parameters are taken."""
NEAR = 1.1
"""The largest ratio of two numbers of parameters that counts as equal."""
CHANCE = 0.999
"""A mean score from which on a cell counts as one that learned nothing."""
REPLICATES = 2
STEPS = 25_000
"""Enough for several searches of prune."""
FIRST = 200
"""The first seed; the others follow."""
KNOWN = ("gru", "lstm")
WAYS: Mapping[str, Mapping[str, Any]] = {
    "prune": searches.CONTENDERS["prune"],
    "prune, slowly": {"name": "prune", "drop": 0.5, "competitors": 2},
}
"""How is pruned; the first are the defaults."""
RANDOM = searches.CONTENDERS["random"]
CONTROLS = ("left by chance", "drawn")


def kept(run: Run) -> list[Candidate]:
    """Return the first cells that searches ended in, each by saliency alone: no variations."""
    found = {
        one.cell_id: one
        for one in run.candidates
        if re.fullmatch(r"what search \d+ left", one.note) and one.result.status != "duplicate"
    }
    return list(found.values())[:CELLS]


def best(found: Sequence[Candidate]) -> int:
    """Return the place of the one that was best in the search."""
    return min(range(len(found)), key=lambda place: found[place].result.rank_key)


def left_by_chance(way: str, seed: int) -> list[Cell]:
    """Return cells that are left of the full cell where chance decides which connections go."""
    given = {key: value for key, value in WAYS[way].items() if key != "name"}
    chance = {"saliency": "random", "variations": 0, "replicates": 1}
    strategy = Prune(
        load_space("gated"), seed=derive("left by chance", seed), **{**given, **chance}
    )
    pool: dict[str, Cell] = {}
    while len(pool) < POOL and (proposal := strategy.ask()) is not None:
        if proposal.width_of is None:
            pool[proposal.cell.id] = proposal.cell
        strategy.tell(proposal, _made_up(proposal))
    return list(pool.values())


def _made_up(proposal: Proposal) -> Evaluation:
    """Return a result that says nothing; which connections go is not read from it."""
    gates = [node.name for node in proposal.cell.nodes if node.op == "scale"]
    return Evaluation(
        status="ok", score=0.5, measured={f"{gate}.weight": 1.0 for gate in gates}, steps=1
    )


def drawn(seed: int) -> list[Cell]:
    """Return cells drawn from the space."""
    space, rng = load_space("gated"), random.Random(derive("drawn", seed))
    return [space.draw(rng) for _ in range(POOL)]


def matched(cells: Sequence[Cell], pool: Sequence[Cell]) -> dict[int, Cell]:
    """Return for each cell, by its place, another one of the pool with as many parameters.

    As many as possible get one, and the nearest.
    """
    far = [[abs(math.log(parameters(a) / parameters(b))) for b in pool] for a in cells]
    near = math.log(NEAR)
    cost = [
        [distance if distance <= near else len(cells) * near for distance in row] for row in far
    ]
    pairs = zip(*linear_sum_assignment(cost), strict=True)
    return {int(a): pool[b] for a, b in pairs if far[a][b] <= near}


def parameters(cell: Cell) -> int:
    """Return the number of parameters at one width."""
    return cell.parameters(input_size=8, hidden_size=32)


def inputs(cell: Cell) -> int:
    """Return how many values the operators of a cell see, about one for each connection."""
    return sum(len(node.args) for node in cell.normal.nodes)


def score(run: Run, cell: Cell) -> float:
    """Train a cell as the run does, to the end and from seeds that it did not use.

    Return the mean score; a training that failed counts as 1.
    """
    setup = prepare(run.experiment)
    found = [
        evaluate(setup.job("search", 0, str(cell), replicate=1000 + number))["evaluation"]
        for number in range(REPLICATES)
    ]
    return statistics.fmean(one["score"] if one["status"] == "ok" else 1.0 for one in found)


def connections(run: Run) -> int:
    """Return how many connections the full cell has."""
    notes = (re.search(r" of (\d+) connections", one.note) for one in run.candidates)
    return next(int(note[1]) for note in notes if note is not None)


def measure(job: tuple[Path, str, int]) -> tuple[str, int, dict[str, Any]]:
    """Search with one seed, train what is to be compared, and return all that is recorded."""
    folder, way, seed = job
    run = searches.search(folder, way, WAYS[way], seed, STEPS)
    other = searches.search(folder, "random", RANDOM, seed, STEPS)
    left = kept(run)
    cells = [one.cell for one in left]
    pools = zip(CONTROLS, (left_by_chance(way, seed), drawn(seed)), strict=True)
    partners = {name: matched(cells, pool) for name, pool in pools}
    found = {
        "connections": connections(run),
        "cells": [
            {
                "cell": str(cell),
                "parameters": parameters(cell),
                "score": score(run, cell),
                **{
                    name: {
                        "cell": str(found[place]),
                        "parameters": parameters(found[place]),
                        "score": score(run, found[place]),
                    }
                    for name, found in partners.items()
                    if place in found
                },
            }
            for place, cell in enumerate(cells)
        ],
        "best": best(left),
        "known": {name: score(run, zoo[name]) for name in KNOWN},
        "prune": searches.figures(run),
        "random": searches.figures(other),
    }
    return way, seed, found


def report(way: str, seeds: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Print and return the effects of one way to prune."""
    if len(seeds) < 2:
        return {}
    found, gains = list(seeds.values()), {}
    for control in CONTROLS:
        pairs = [
            [(one["score"], one[control]["score"]) for one in seed["cells"] if control in one]
            for seed in found
        ]
        means = [tuple(map(statistics.fmean, zip(*own, strict=True))) for own in pairs if own]
        name = f"cells {control}, {sum(map(len, pairs))} pairs"
        if len(means) > 1:
            gains[name] = searches.gain([a for a, _ in means], [b for _, b in means])
    kept_best = [seed["cells"][seed["best"]]["score"] for seed in found]
    for known in KNOWN:
        beside = [seed["known"][known] for seed in found]
        gains[f"{known}, the best of these cells"] = searches.gain(kept_best, beside)
    prune, randoms = ([one[name] for one in found] for name in ("prune", "random"))
    against = searches.compared(prune, randoms)
    for kind, pick in searches.KINDS.items():
        gains[f"random search, {kind}"] = against[f"{kind}, score"]
        mine = [pick(run["finalists"]["score"]) for run in prune]
        for known in KNOWN:
            beside = [run["baselines"][known] for run in randoms]
            gains[f"{known}, {kind}"] = searches.gain(mine, beside)
    searches.show(f"{way} against ..., {len(found)} seeds, trained anew (a gain: lower)", gains)
    full = found[0]["connections"]
    most = max(inputs(Cell.parse(one["cell"])) for seed in found for one in seed["cells"])
    print(f"the full cell has {full} connections; operators of a cell see at most {most} values")
    chance = at_chance(found)
    for name, (dead, count) in chance.items():
        print(f"{name}: {dead} of {count} cells at chance, or failed")
    return {"gains": gains, "most values seen in a cell": most, "at chance": chance}


def at_chance(seeds: Sequence[Mapping[str, Any]]) -> dict[str, tuple[int, int]]:
    """Return, of cells kept and of each control, how many learned nothing, and of how many."""
    cells = [one for seed in seeds for one in seed["cells"]]
    found = {"kept": [one["score"] for one in cells]}
    found |= {name: [one[name]["score"] for one in cells if name in one] for name in CONTROLS}
    return {
        name: (sum(score >= CHANCE for score in scores), len(scores))
        for name, scores in found.items()
    }


def main() -> None:
    """Measure what is not recorded yet, and report."""
    asked = searches.options(__doc__, HERE, seeds=10)
    made = searches.settings(STEPS, {**WAYS, "random": RANDOM})
    before: dict[str, Any] = recorded(asked.out, "prune", made).get("ways", {})
    done = {way: before.get(way, {}).get("seeds", {}) for way in WAYS}
    folder = searches.prepared(asked.runs)
    seeds = range(FIRST, FIRST + asked.seeds)
    jobs = [(folder, way, seed) for way in WAYS for seed in seeds if str(seed) not in done[way]]
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        for way, seed, found in pool.imap_unordered(measure, jobs):
            done[way][str(seed)] = found
            ways: dict[str, Any] = {one: {"seeds": own} for one, own in done.items()}
            timing.write(asked.out, {"prune": {"settings": made, "ways": ways}})
    ways = {way: {**report(way, own), "seeds": own} for way, own in done.items()}
    timing.write(asked.out, {"prune": {"settings": made, "ways": ways}})


if __name__ == "__main__":
    main()
