"""Is it the saliency that prunes well? Cells it leaves, against cells left by chance.

    python experiments/benchmarks/prune.py [--runs FOLDER] [--seeds N] [--first N]
        [--processes N] [--steps N]

In the space `gated`, on the tasks of searches.py, whose runs of prune and of random search are
taken from FOLDER or made there. Of each run of prune, the first cells that it ended in are trained
anew, all to the end; so are as many that the same prunings leave where chance decides which
connections go: inside the space too, so that h reacts to x, and those with the most nearly equal
numbers of parameters at one width, of a larger number that were pruned so. (Trained, all have the
same number of parameters, as the width is chosen.) Then finalists of prune against those of random
search after as many training steps, and beside gru and lstm. Effects are paired by seed, with
intervals of 95 % by Student's t. Prints tables and writes prune.json beside itself; with --seeds,
--first or --steps it writes nothing.
"""

from __future__ import annotations

import argparse
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
from cellsearch.statistics import paired_difference
from cellsearch.strategies.base import Evaluation, Proposal
from cellsearch.strategies.prune import Prune

HERE = Path(__file__)
CELLS = 8
"""Cells of each run that are trained anew."""
POOL = 64
"""Cells pruned at random that as many are chosen from, by their parameters."""
REPLICATES = 2
SEEDS = 10
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


def train(job: Mapping[str, Any]) -> float:
    """Return the score of one training, 1 for one that failed."""
    found = evaluate(dict(job))["evaluation"]
    return float(found["score"]) if found["status"] == "ok" else 1.0


def jobs(run: Run, cells: Sequence[Cell]) -> list[dict[str, Any]]:
    """Return the trainings of some cells, as the run trains, from seeds that it did not use."""
    setup = prepare(run.experiment)
    return [
        setup.job("search", index, str(cell), replicate=1000 + replicate)
        for index, cell in enumerate(cells)
        for replicate in range(REPLICATES)
    ]


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


def compare(runs: Sequence[Run], processes: int) -> dict[str, Any]:
    """Train what saliency and what chance left, and return the effect."""
    groups: list[list[Cell]] = []
    for run in runs:
        groups += [kept(run), pruned_at_random(run.experiment.seed, kept(run))]
    work = [jobs(runs[place // 2], cells) for place, cells in enumerate(groups)]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        scores = pool.map(train, [job for group in work for job in group], chunksize=1)
    given = iter(scores)
    found = [
        [statistics.fmean(next(given) for _ in range(REPLICATES)) for _ in cells]
        for cells in groups
    ]
    saliency, chance = found[::2], found[1::2]
    content: dict[str, Any] = {
        "connections": [left(run) for run in runs],
        "parameters": [statistics.fmean(map(size, cells)) for cells in groups],
        "saliency": saliency,
        "chance": chance,
        "cells": [[str(cell) for cell in cells] for cells in groups],
    }
    for kind, pick in searches.KINDS.items():
        name = kind.replace("finalists", "cells").replace("finalist", "cell")
        content[f"gain over chance, {name}"] = gain(
            list(map(pick, saliency)), list(map(pick, chance))
        )
    return content


def gain(mine: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return both means, and by how much mine is lower."""
    found = paired_difference(theirs, mine)
    return {
        "mean": statistics.fmean(mine),
        "against": statistics.fmean(theirs),
        "gain": found.mean,
        "low": found.low,
        "high": found.high,
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/searches"))
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--steps", type=int, default=searches.STEPS)
    asked = parser.parse_args()
    seeds = range(asked.first, asked.first + asked.seeds)
    runs = searches.search_all(asked.runs, ("prune", "random"), seeds, asked.steps, asked.processes)
    content = compare(runs["prune"], asked.processes)
    prune, chance = ([searches.figures(run) for run in runs[name]] for name in ("prune", "random"))
    for kind, pick in searches.KINDS.items():
        mine, theirs = ([pick(one["finalists"]["score"]) for one in own] for own in (prune, chance))
        content[f"gain over random search, {kind}"] = gain(mine, theirs)
    best = [min(one["finalists"]["score"]) for one in prune]
    for known in KNOWN:
        content[f"gain over {known}, best finalist"] = gain(
            best, [one["baselines"][known] for one in chance]
        )
    gains = {name: one for name, one in content.items() if name.startswith("gain")}
    columns = ("mean", "against", "gain", "low", "high")
    timing.table(
        "Cells that prune left, trained anew (a gain: lower)",
        ("of", *columns),
        [
            (name.removeprefix("gain over "), *(one[key] for key in columns))
            for name, one in gains.items()
        ],
    )
    print("connections of the full cell, and of the last super-network:", content["connections"])
    if (asked.seeds, asked.first, asked.steps) == (SEEDS, 100, searches.STEPS):
        timing.write(HERE.with_suffix(".json"), {"prune": content})


if __name__ == "__main__":
    main()
