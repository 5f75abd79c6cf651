"""Strategies against random search where every cell is trained, in the space `gated`.

    python experiments/benchmarks/searches.py [--runs FOLDER] [--seeds N]
        [--processes N] [--out FILE]

Each contender searches with its defaults but for what its name says, on letters, adding and
temporal order together, until the same number of training steps is spent, super-networks and
replicates included. Every result is told before the next cell is asked for, so that no budget is
overspent; where many workers train at a time, strategies learn a little later. The best five cells
of a search are trained anew from three seeds. What is compared with random search, seed by seed, is
their mean (where one has fewer, that of as many) and the one that was best in the search; effects
have intervals of 95 % by Student's t. The mean of the five is what counts; all else, the tasks one
by one too, is to look at, and among so many intervals some miss zero by chance. Temporal order was
used for no setting: that of genetic (`population`) was chosen on the table `small` (copy, digits,
letters), those of prune on letters and adding, with seeds 0 to 2 and 300 to 304, after former ones
had come out badly on the first six seeds here, which it therefore does not search with; and those
of grow are the first that were written down.

A run is a folder in FOLDER; broken off, it goes on. Each is recorded in FILE, searches.json beside
this, and what is recorded is not searched again; so a long measurement can be made bit by bit.
Prints tables of the seeds that both of two contenders have searched with.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import timing
from recording import recorded, strategy_settings

import cellsearch as cs
from cellsearch.levels import open_share
from cellsearch.run import machine
from cellsearch.run.finalist import Finalist
from cellsearch.run.finals import choose
from cellsearch.run.run import Run
from cellsearch.seeds import derive
from cellsearch.statistics import paired_difference

HERE = Path(__file__)
CONTENDERS: Mapping[str, Mapping[str, Any]] = {
    "random": {"name": "random"},
    "genetic": {"name": "genetic"},
    "grow": {"name": "grow"},
    "prune": {"name": "prune"},
    "grow, never stopping": {"name": "grow", "stop": False},
}
PAIRS = (
    *((name, "random") for name in CONTENDERS if name != "random"),
    ("grow", "genetic"),
    ("grow", "grow, never stopping"),
)
"""Who is compared with whom."""
KNOWN = ("rnn", "lstm", "gru", "mingru")
COSTS = ("steps", "operations")
STEPS = 60_000
FIRST = 100
"""The first seed; the others follow."""
FRESH: Mapping[str, int] = {"prune": 106}
"""First seeds of those whose settings were chosen after earlier ones had been looked at."""
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


def experiment(folder: Path, strategy: Mapping[str, Any], seed: int, steps: int) -> dict[str, Any]:
    """Return the experiment of one strategy and seed."""
    return {
        "experiment": {"name": strategy["name"], "seed": seed},
        "space": {"name": "gated"},
        "strategy": dict(strategy),
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
            "baselines": list(KNOWN) if strategy["name"] == "random" else [],
        },
        "final": {"candidates": 5, "replicates": 3},
        "run": {"lag": 1},  # so that no budget is overspent by more than one training
    }


def settings(steps: int, contenders: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return what makes the runs of all seeds what they are, every default included."""
    common = experiment(Path(), CONTENDERS["random"], 0, steps)
    strategies = {name: strategy_settings(one["name"], one) for name, one in contenders.items()}
    parts = ("space", "task", "evaluation", "fidelity", "budget", "final", "run")
    made = {**{key: common[key] for key in parts}, "samples": SAMPLES, "strategies": strategies}
    plain: dict[str, Any] = json.loads(json.dumps(made))  # as it is read again
    return plain


def search(folder: Path, name: str, strategy: Mapping[str, Any], seed: int, steps: int) -> Run:
    """Search once, or go on with a search that was broken off."""
    tables = experiment(folder, strategy, seed, steps)
    return cs.search(tables, run=folder / f"{name.replace(', ', '-')}-{seed}", workers=0)


def prepared(folder: Path) -> Path:
    """Return the folder of runs, with the file of the task that all of them share in it."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    x, y = temporal_order()
    cs.Task.from_arrays(x, y, readout="last", name="order").save(str(folder / HELD_OUT))
    return folder


def _figures_of(job: tuple[Path, str, int]) -> tuple[str, int, dict[str, Any]]:
    folder, name, seed = job
    return name, seed, figures(search(folder, name, CONTENDERS[name], seed, STEPS))


def figures(run: Run) -> dict[str, Any]:
    """Return what one run came to: the scores of its finalists, in all and by task, and cost.

    Finalists come in the order of the search, the best by all evaluations first.
    """
    by_name = {one.name: one for one in run.finalists}
    entries = choose(run.candidates, (), run.experiment.final.candidates)
    found = [by_name[entry.name] for entry in entries]
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
    return statistics.fmean(
        open_share(e.losses[task], level) if e.status == "ok" else 1.0 for e in one.evaluations
    )


KINDS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "mean of the finalists": statistics.fmean,
    "best of the search": lambda scores: scores[0],
}
"""What is compared; finalists come in the order of the search, so that none was chosen by how well
it came out when it was trained anew."""


def compared(
    mine: Sequence[Mapping[str, Any]], theirs: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Return, for all tasks and each, what a contender reached and by how much it was lower."""
    found: dict[str, Any] = {}
    for on in mine[0]["finalists"]:
        scores = [[run["finalists"][on] for run in runs] for runs in (mine, theirs)]
        pairs = [(a[: len(b)], b[: len(a)]) for a, b in zip(*scores, strict=True)]
        for kind, pick in KINDS.items():
            own, other = zip(*((pick(a), pick(b)) for a, b in pairs), strict=True)
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
    """Print how the contenders stand to each other, and return it as plain JSON."""
    content: dict[str, Any] = {}
    for name, other in PAIRS:
        seeds = [seed for seed in runs[other] if seed in runs[name]]
        if len(seeds) > 1:
            found = compared(*([runs[one][seed] for seed in seeds] for one in (name, other)))
            show(f"{name} against {other}, {len(seeds)} seeds, trained anew (a gain: lower)", found)
            content[f"{name} against {other}"] = {"seeds": seeds, "gains": found}
    for name, own in runs.items():
        if own:
            spent = (statistics.fmean(run[of] for run in own.values()) for of in COSTS)
            print("{}: {:,.0f} training steps, {:.3g} operations".format(name, *spent))
    for known in KNOWN:
        score = statistics.fmean(run["baselines"][known] for run in runs["random"].values())
        print(f"{known:8} {score:.3f}")
    return content


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
    asked = options(__doc__, HERE, seeds=12)
    made = settings(STEPS, CONTENDERS)
    runs: dict[str, dict[str, Any]] = {
        **{name: {} for name in CONTENDERS},
        **recorded(asked.out, "searches", made).get("runs", {}),
    }
    seeds = range(FIRST, FIRST + asked.seeds)
    folder = prepared(asked.runs)
    jobs = [
        (folder, name, seed)
        for seed in seeds
        for name in CONTENDERS
        if seed >= FRESH.get(name, FIRST) and str(seed) not in runs[name]
    ]
    with multiprocessing.get_context("spawn").Pool(asked.processes) as pool:
        for name, seed, found in pool.imap_unordered(_figures_of, jobs):
            runs[name][str(seed)] = found
            timing.write(asked.out, {"searches": {"settings": made, "runs": runs}})
    content = {"settings": made, "compared": report(runs), "runs": runs}
    timing.write(asked.out, {"searches": content})


if __name__ == "__main__":
    main()
