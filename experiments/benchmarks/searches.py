"""Strategies against random search where every cell is trained, in the space `gated`.

    python experiments/benchmarks/searches.py [--runs FOLDER] [--seeds N]
        [--processes N] [--out FILE]

Each contender searches with its defaults, on letters, adding and temporal order together, until the
same number of training steps is spent, super-networks and replicates included. Its best five cells
are trained anew from three seeds. What is compared with random search, seed by seed, is the mean of
these five and the one that was best in the search; effects have intervals of 95 % by Student's t.
Temporal order was used for no setting: those of grow and genetic were chosen on the table `small`
(copy, digits, letters), those of prune on letters and adding, with other seeds.

A run is a folder in FOLDER; broken off, it goes on. Each is recorded in FILE, searches.json beside
this, and what is recorded is not searched again; so a long measurement can be made bit by bit.
Prints tables of the seeds that all contenders have searched with.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timing

import cellsearch as cs
from cellsearch.run import machine
from cellsearch.run.finalist import Finalist
from cellsearch.run.run import Run
from cellsearch.seeds import derive
from cellsearch.statistics import paired_difference

HERE = Path(__file__)
CONTENDERS = ("random", "genetic", "grow", "prune")
STEPS = 60_000
FIRST = 100
"""The first seed; the others follow."""
LENGTH = 20
HELD_OUT = "temporal-order.npz"
SAMPLES = 6_000
"""Sequences of the temporal order task; a tenth of them validates."""


def temporal_order() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return sequences of symbols, one at a time, and which two signals came in which order.

    Two of the symbols are signals, at one step of the first half and one of the second, either one
    at either; four others are noise. The class is which were where, of four: what came first has to
    be kept (Hochreiter and Schmidhuber, 1997, "Long short-term memory", experiment 6a,
    https://doi.org/10.1162/neco.1997.9.8.1735; there with longer gaps).
    """
    rng = np.random.default_rng(derive("temporal order", 0))
    symbols = rng.integers(4, size=(SAMPLES, LENGTH))
    signals = rng.integers(2, size=(SAMPLES, 2))
    rows, half = np.arange(SAMPLES), LENGTH // 2
    for place in range(2):
        at = rng.integers(place * half, (place + 1) * half, size=SAMPLES)
        symbols[rows, at] = 4 + signals[:, place]
    return np.eye(6, dtype=np.float32)[symbols], 2 * signals[:, 0] + signals[:, 1]


def experiment(folder: Path, name: str, seed: int, steps: int) -> dict[str, Any]:
    """Return the experiment of one contender and seed."""
    return {
        "experiment": {"name": name, "seed": seed},
        "space": {"name": "gated"},
        "strategy": {"name": name},
        "task": [
            {"name": "text", "alphabet": "letters", "length": LENGTH},
            {"name": "adding", "length": LENGTH},
            {"name": "arrays", "path": str(folder / HELD_OUT), "readout": "last", "label": "order"},
        ],
        "evaluation": {
            "parameters": 10_000,
            "steps": 200,
            "learning_rates": [0.01, 0.03],
            "timeout": 900.0,
        },
        "fidelity": {"rungs": [80, 200], "keep": 0.34},
        "budget": {
            "total_steps": steps,
            "control": 0.0,
            "baselines": ["rnn", "lstm", "gru", "mingru"] if name == "random" else [],
        },
        "final": {"candidates": 5, "replicates": 3},
        "run": {"lag": 1},  # so that no budget is overspent by more than one training
    }


def settings(steps: int) -> dict[str, Any]:
    """Return what the runs of all contenders and seeds have in common."""
    common = experiment(Path(), "", 0, steps)
    return {key: common[key] for key in ("evaluation", "fidelity", "budget", "final", "run")}


def recorded(path: Path, section: str, made: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file of results holds already, if it was measured in the same way."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text())[section]
    if found["settings"] != made:
        sys.exit(f"{path} was recorded with other settings; move it away, or choose another --out")
    return found


def search(folder: Path, name: str, seed: int, steps: int) -> Run:
    """Search once, or go on with a search that was broken off."""
    tables = experiment(folder, name, seed, steps)
    return cs.search(tables, run=folder / f"{name}-{seed}", workers=0)


def prepared(folder: Path) -> Path:
    """Return the folder of runs, with the file of the task that all of them share in it."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    x, y = temporal_order()
    cs.Task.from_arrays(x, y, readout="last", name="order").save(str(folder / HELD_OUT))
    return folder


def _figures_of(job: tuple[Path, str, int]) -> tuple[str, int, dict[str, Any]]:
    folder, name, seed = job
    return name, seed, figures(search(folder, name, seed, STEPS))


def figures(run: Run) -> dict[str, Any]:
    """Return what one run came to: the scores of its finalists, in all and by task, and cost."""
    by_name = {one.name: one for one in run.finalists}
    ranked = sorted(run.candidates, key=lambda one: (one.result.rank_key, one.index))
    names = (f"candidate-{one.index}" for one in ranked)
    found = [by_name[name] for name in names if name in by_name]
    return {
        "finalists": {
            "score": [one.mean for one in found],
            **{
                task: [_on_task(one, run.levels[task], task) for one in found]
                for task in run.levels
            },
        },
        "cells": [one.text for one in found],
        "processor": machine.cpu_type(),
        "baselines": {one.name: one.mean for one in run.finalists if one.index is None},
        "candidates": len(run.candidates),
        "super-networks": sum(one.is_super_network for one in run.candidates),
        "statuses": Counter(one.result.status for one in run.candidates),
        "steps": sum(one.result.steps for one in run.candidates),
        "operations": sum(one.result.operations for one in run.candidates),
    }


def _on_task(one: Finalist, level: Mapping[str, Any], task: str) -> float:
    """Return a finalist's mean score on one task: 0 is solved, 1 is chance or a failure."""
    span = level["chance"] - level["solved"]
    return statistics.fmean(
        min(1.0, max(0.0, (e.losses[task] - level["solved"]) / span)) if e.status == "ok" else 1.0
        for e in one.evaluations
    )


KINDS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean of the finalists": statistics.fmean,
    "best of the search": lambda scores: scores[0],
}
"""What is compared; finalists come in the order of the search, so that none was chosen by how well
it came out when it was trained anew."""


def compared(
    mine: Sequence[Mapping[str, Any]], randoms: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return, for all tasks and each, what a contender reached and by how much it was lower."""
    found: dict[str, Any] = {}
    for on in mine[0]["finalists"]:
        for kind, pick in KINDS.items():
            own, other = ([pick(run["finalists"][on]) for run in runs] for runs in (mine, randoms))
            found[f"{kind}, {on}"] = gain(own, other)
    return found


def gain(mine: Sequence[float], theirs: Sequence[float]) -> dict[str, float]:
    """Return both means, and by how much mine is lower, paired."""
    found = paired_difference(theirs, mine)
    return {
        "mean": statistics.fmean(mine),
        "against": statistics.fmean(theirs),
        "gain": found.mean,
        "low": found.low,
        "high": found.high,
    }


def show(title: str, gains: Mapping[str, Mapping[str, float]]) -> None:
    """Print gains as a table."""
    columns = ("mean", "against", "gain", "low", "high")
    rows = [(name, *(one[key] for key in columns)) for name, one in gains.items()]
    timing.table(title, ("", *columns), rows)


def report(runs: Mapping[str, Mapping[str, dict[str, Any]]]) -> dict[str, Any]:
    """Print how the contenders stand to random search, and return it as plain JSON."""
    seeds = [seed for seed in runs["random"] if all(seed in runs[name] for name in CONTENDERS)]
    print(f"seeds that all contenders have searched with: {', '.join(seeds) or 'none'}")
    if len(seeds) < 2:
        return {}
    content = {}
    randoms = [runs["random"][seed] for seed in seeds]
    for name in CONTENDERS[1:]:
        content[name] = compared([runs[name][seed] for seed in seeds], randoms)
        show(f"{name} against random search, trained anew (a gain: lower)", content[name])
    for name in CONTENDERS:
        own = [runs[name][seed] for seed in seeds]
        spent = (statistics.fmean(run[what] for run in own) for what in ("steps", "operations"))
        print("{}: {:,.0f} training steps, {:.3g} operations".format(name, *spent))
    for known in randoms[0]["baselines"]:
        print(f"{known:8} {statistics.fmean(run['baselines'][known] for run in randoms):.3f}")
    return {"seeds": seeds, "contenders": content}


def options(said: str, script: Path, seeds: int) -> argparse.Namespace:
    """Return what the command line asks of a measurement that is recorded seed by seed."""
    parser = argparse.ArgumentParser(description=said.partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs") / script.stem)
    parser.add_argument("--seeds", type=int, default=seeds)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--out", type=Path, default=script.with_suffix(".json"))
    return parser.parse_args()


def main() -> None:
    """Search with what is not recorded yet, and report."""
    asked = options(__doc__, HERE, seeds=6)
    made = settings(STEPS)
    runs: dict[str, dict[str, Any]] = {
        **{name: {} for name in CONTENDERS},
        **recorded(asked.out, "searches", made).get("runs", {}),
    }
    seeds = range(FIRST, FIRST + asked.seeds)
    folder = prepared(asked.runs)
    jobs = [
        (folder, name, seed) for seed in seeds for name in CONTENDERS if str(seed) not in runs[name]
    ]
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        for name, seed, found in pool.imap_unordered(_figures_of, jobs):
            runs[name][str(seed)] = found
            timing.write(asked.out, {"searches": {"settings": made, "runs": runs}})
    content = {"settings": made, **report(runs), "runs": runs}
    timing.write(asked.out, {"searches": content})


if __name__ == "__main__":
    main()
