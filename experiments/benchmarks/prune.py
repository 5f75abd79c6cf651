"""Is it the saliency that prunes well? Cells it leaves, against cells left by chance.

    python experiments/benchmarks/prune.py [--runs FOLDER] [--seeds N] [--processes N] [--out FILE]

In the space `gated`, on the tasks of searches.py, with fewer training steps and other seeds. The
cells that a run of prune ends in are trained anew, all to the end; so are as many that the same
prunings leave where chance decides which connections go: inside the space too, so that h reacts to
x, and, of a larger number that were pruned so, those with the most nearly equal numbers of
parameters at one width. (Trained, all have the same number, as the width is chosen.) Then finalists
of prune against those of random search after as many training steps, and beside gru and lstm.
Effects are paired by seed, with intervals of 95 % by Student's t. Each seed is recorded in FILE,
prune.json beside this, and what is recorded is not done again.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import re
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import searches
import timing

from cellsearch.cell import Cell
from cellsearch.evaluation import evaluate
from cellsearch.run.run import Run
from cellsearch.run.setup import prepare
from cellsearch.seeds import derive
from cellsearch.space import load_space
from cellsearch.strategies.base import Evaluation, Proposal
from cellsearch.strategies.prune import Prune

HERE = Path(__file__)
CELLS = 8
"""Cells of each run that are trained anew."""
POOL = 64
"""Cells pruned at random that as many are chosen from, by their parameters."""
REPLICATES = 2
STEPS = 25_000
"""Enough for two searches of prune, one after the other in each round."""
FIRST = 200
"""The first seed; the others follow."""
KNOWN = ("gru", "lstm")


def kept(run: Run) -> list[Cell]:
    """Return the first cells that a run of prune ended in."""
    found = {
        one.cell_id: one.cell
        for one in run.candidates
        if not one.is_super_network and one.result.status != "duplicate"
    }
    return list(found.values())[:CELLS]


def pruned_at_random(seed: int, like: Sequence[Cell]) -> list[Cell]:
    """Return for each cell one that chance left of the full cell, with most nearly its size."""
    strategy = Prune(
        load_space("gated"), seed=derive("pruned at random", seed), saliency="random", replicates=1
    )
    pool: dict[str, Cell] = {}
    while len(pool) < POOL and (proposal := strategy.ask()) is not None:
        if proposal.width_of is None:
            pool[proposal.cell.id] = proposal.cell
        strategy.tell(proposal, _made_up(proposal))
    chosen = []
    for cell in like:
        nearest = min(pool.values(), key=lambda one: (abs(size(one) - size(cell)), one.id))
        chosen.append(pool.pop(nearest.id))
    return chosen


def size(cell: Cell) -> int:
    """Return the number of parameters at one width."""
    return cell.parameters(input_size=8, hidden_size=32)


def _made_up(proposal: Proposal) -> Evaluation:
    """Return a result that says nothing; which connections go is not read from it."""
    gates = [node.name for node in proposal.cell.nodes if node.op == "scale"]
    return Evaluation(
        status="ok", score=0.5, measured={f"{gate}.weight": 1.0 for gate in gates}, steps=1
    )


def left(run: Run) -> tuple[int, int]:
    """Return connections of the full cell, and the most that a last super-network had."""
    last: dict[str, int] = {}
    every = 0
    for one in run.candidates:
        said = re.fullmatch(r"search (\d+), round \d+: (\d+) of (\d+) connections", one.note)
        if said:
            last[said[1]], every = int(said[2]), int(said[3])
    ended = {
        m[1] for one in run.candidates if (m := re.fullmatch(r"what search (\d+) left", one.note))
    }
    return every, max(last[number] for number in ended)


def measure(job: tuple[Path, int]) -> tuple[int, dict[str, Any]]:
    """Search with one seed, train what is to be compared, and return all that is recorded."""
    folder, seed = job
    run = searches.search(folder, "prune", seed, STEPS)
    other = searches.search(folder, "random", seed, STEPS)
    own = kept(run)
    chance = pruned_at_random(seed, own)
    return seed, {
        "connections": left(run),
        "saliency": trained(run, own),
        "chance": trained(run, chance),
        "prune": searches.figures(run),
        "random": searches.figures(other),
    }


def trained(run: Run, cells: Sequence[Cell]) -> dict[str, Any]:
    """Train cells as the run trains, to the end and from seeds that it did not use."""
    setup = prepare(run.experiment)
    scores = []
    for index, cell in enumerate(cells):
        found = [
            evaluate(setup.job("search", index, str(cell), replicate=1000 + number))["evaluation"]
            for number in range(REPLICATES)
        ]
        scores.append(
            statistics.fmean(one["score"] if one["status"] == "ok" else 1.0 for one in found)
        )
    return {
        "scores": scores,
        "parameters at one width": [size(cell) for cell in cells],
        "cells": [str(cell) for cell in cells],
    }


def report(seeds: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Print and return the effects."""
    if len(seeds) < 2:
        return {}
    found = list(seeds.values())
    saliency, chance = ([one[by]["scores"] for one in found] for by in ("saliency", "chance"))
    prune, randoms = ([one[name] for one in found] for name in ("prune", "random"))
    best = [run["finalists"]["score"][0] for run in prune]
    gains = {
        "chance, mean of the cells": searches.gain(
            list(map(statistics.fmean, saliency)), list(map(statistics.fmean, chance))
        ),
        "chance, best cell": searches.gain(list(map(min, saliency)), list(map(min, chance))),
    }
    for kind, pick in searches.KINDS.items():
        mine, theirs = (
            [pick(run["finalists"]["score"]) for run in runs] for runs in (prune, randoms)
        )
        gains[f"random search, {kind}"] = searches.gain(mine, theirs)
    for known in KNOWN:
        theirs = [run["baselines"][known] for run in randoms]
        gains[f"{known}, best finalist"] = searches.gain(best, theirs)
    searches.show(f"prune against ..., {len(found)} seeds, trained anew (a gain: lower)", gains)
    most = max(one["connections"][1] for one in found)
    print(f"of {found[0]['connections'][0]} connections, at most {most} were left at the end")
    return {"gains": gains}


def main() -> None:
    """Measure what is not recorded yet, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/prune"))
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE.with_suffix(".json"))
    asked = parser.parse_args()
    done: dict[str, Any] = {}
    if asked.out.exists():
        done = json.loads(asked.out.read_text())["prune"]["seeds"]
    folder = searches.prepared(asked.runs)
    jobs = [(folder, FIRST + n) for n in range(asked.seeds) if str(FIRST + n) not in done]
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        for seed, found in pool.imap_unordered(measure, jobs):
            done[str(seed)] = found
            timing.write(asked.out, {"prune": {"steps": STEPS, "seeds": done}})
    timing.write(asked.out, {"prune": {"steps": STEPS, **report(done), "seeds": done}})


if __name__ == "__main__":
    main()
