"""Strategies against random search where every cell is trained, in the space `gated`.

    python experiments/benchmarks/searches.py [--runs FOLDER] [--seeds N] [--first N]
        [--processes N] [--only NAME] [--steps N]

Each contender searches with its defaults, on letters, adding and temporal order together, until the
same number of training steps is spent, super-networks and replicates included. Its best five cells
are trained anew from three seeds. What is compared with random search, seed by seed, is the mean of
these five and the best of them; effects have intervals of 95 % by Student's t. Temporal order was
used for no setting: those of grow and genetic were chosen on the table `small` (copy, digits,
letters), those of prune on letters and adding, with other seeds.

A run is a folder in FOLDER; broken off, it goes on. Prints tables and writes searches.json beside
itself; with --only, --seeds, --first or --steps it writes nothing.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timing

import cellsearch as cs
from cellsearch.run.finalist import Finalist
from cellsearch.run.run import Run
from cellsearch.seeds import derive
from cellsearch.statistics import paired_difference

HERE = Path(__file__)
CONTENDERS = ("random", "genetic", "grow", "prune")
STEPS = 60_000
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
        "run": {"lag": 4},
    }


def search(job: tuple[Path, str, int, int]) -> tuple[str, int]:
    """Search once, or go on with a search that was broken off."""
    folder, name, seed, _ = job
    cs.search(experiment(*job), run=folder / f"{name}-{seed}", workers=0)
    return name, seed


def search_all(
    folder: Path, names: Sequence[str], seeds: Sequence[int], steps: int, processes: int
) -> dict[str, list[Run]]:
    """Make the runs that are not yet in the folder; return those of each contender, by seed."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    x, y = temporal_order()
    cs.Task.from_arrays(x, y, readout="last", name="order").save(str(folder / HELD_OUT))
    jobs = [(folder, name, seed, steps) for seed in seeds for name in names]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for name, seed in pool.imap_unordered(search, jobs):
            print(f"{name}, seed {seed}: done", flush=True)
    return {name: [cs.open_run(folder / f"{name}-{seed}") for seed in seeds] for name in names}


def figures(run: Run) -> dict[str, Any]:
    """Return what one run came to: the scores of its finalists, in all and by task, and cost."""
    found = [one for one in run.finalists if one.index is not None]
    return {
        "finalists": {
            "score": [one.mean for one in found],
            **{
                task: [_on_task(one, run.levels[task], task) for one in found]
                for task in run.levels
            },
        },
        "cells": [one.text for one in found],
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


def report(names: Sequence[str], runs: Mapping[str, Sequence[dict[str, Any]]]) -> dict[str, Any]:
    """Print how the contenders stand to random search, and return it as plain JSON."""
    content: dict[str, Any] = {"contenders": {}}
    for name in names:
        own, against = runs[name], runs.get("random", ())
        content["contenders"][name] = {
            what: {kind: _compared(own, against, what, pick) for kind, pick in KINDS.items()}
            for what in own[0]["finalists"]
        }
    for kind in KINDS:
        rows = []
        for name, whats in content["contenders"].items():
            for what, kinds in whats.items():
                mean, gain = kinds[kind]["mean"], kinds[kind]["gain over random"]
                rows.append((name, what, mean, *(gain or ("", "", ""))))
        header = ("strategy", "on", "mean", "gain over random", "low", "high")
        timing.table(f"{kind}, trained anew (a gain: lower than random's)", header, rows)
    names_of_baselines = runs["random"][0]["baselines"] if "random" in runs else {}
    for known in names_of_baselines:
        print(
            f"{known:12} {statistics.fmean(run['baselines'][known] for run in runs['random']):.3f}"
        )
    return content


KINDS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean of the finalists": statistics.fmean,
    "best finalist": min,
}


def _compared(
    own: Sequence[dict[str, Any]],
    against: Sequence[dict[str, Any]],
    what: str,
    pick: Callable[[Sequence[float]], float],
) -> dict[str, Any]:
    mine, theirs = ([pick(run["finalists"][what]) for run in runs] for runs in (own, against))
    gain = None
    if theirs and own is not against:
        found = paired_difference(theirs, mine)
        gain = [found.mean, found.low, found.high]
    return {"mean": statistics.fmean(mine), "runs": mine, "gain over random": gain}


def main() -> None:
    """Search what was asked for, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=Path, default=Path("runs/searches"))
    parser.add_argument("--seeds", type=int, default=6)
    parser.add_argument("--first", type=int, default=100)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", action="append", choices=CONTENDERS)
    parser.add_argument("--steps", type=int, default=STEPS)
    asked = parser.parse_args()
    names = asked.only or list(CONTENDERS)
    seeds = range(asked.first, asked.first + asked.seeds)
    runs = search_all(asked.runs, names, seeds, asked.steps, asked.processes)
    found = {name: [figures(run) for run in own] for name, own in runs.items()}
    content = report(names, found)
    if names == list(CONTENDERS) and (asked.seeds, asked.first, asked.steps) == (6, 100, STEPS):
        settings = {"first": asked.first, "seeds": asked.seeds, "steps": asked.steps}
        timing.write(
            HERE.with_suffix(".json"), {"searches": {**settings, **content, "runs": found}}
        )


if __name__ == "__main__":
    main()
