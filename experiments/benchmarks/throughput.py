"""How many candidates a minute does a search evaluate, with compiled cells and with eager ones?

Runs the search phase of the quickstart, by the default strategy and by one whose cells are larger,
with each backend in turn, each time in a fresh folder, and stops before the finals. The clock runs
from the moment when the baselines are done, so that the workers are there and warm, to the moment
when the last candidate is. Prints tables and writes throughput.json beside itself.

    python experiments/benchmarks/throughput.py [--strategies grow,genetic] [--candidates 40]
        [--workers 2] [--repeat 3]

Busy: the candidates' own seconds, summed, over the workers' seconds between first and last. The two
backends round differently, so a strategy that learns may propose other cells to one than to the
other; hence also the seconds of those cells that both trained, by the same number of steps.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from timing import claim, table, write

import cellsearch
from cellsearch.errors import CellSearchError
from cellsearch.run.machine import cpu_count
from cellsearch.run.progress import Progress
from cellsearch.run.run import Run

THRESHOLDS: dict[str, tuple[str, float]] = {  # of the claims, by name
    "genetic, native against eager": ("at least", 2.5),
    "grow, native busy": ("at least", 0.9),
    "genetic, native busy": ("at least", 0.9),
}


class SearchDoneError(Exception):
    """The search is over; what comes after it is not measured."""


class Clock:
    """Watches a run and notes when its search begins and when the last candidate ends."""

    def __init__(self) -> None:
        self.begin = self.end = 0.0
        self.done = 0

    def __call__(self, progress: Progress) -> None:
        if progress.phase == "finals":
            raise SearchDoneError
        if progress.phase != "search":
            return
        now = time.perf_counter()
        if not self.begin:
            self.begin = now
        if progress.done > self.done:
            self.done, self.end = progress.done, now


def measure(asked: argparse.Namespace, strategy: str, backend: str) -> dict[str, Any]:
    """Search once by a strategy with a backend and return what it came to."""
    overrides = [
        f"strategy.name={strategy}",
        f"budget.candidates={asked.candidates}",
        f"evaluation.backend={backend}",
    ]
    clock = Clock()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "run"
        with suppress(SearchDoneError):
            cellsearch.search(
                asked.experiment,
                run=folder,
                workers=asked.workers,
                overrides=[*asked.set, *overrides],
                progress=clock,
            )
        run = cellsearch.open_run(folder)
    return {"backend": backend, **summary(run, clock.end - clock.begin, max(1, asked.workers))}


def summary(run: Run, span: float, workers: int) -> dict[str, Any]:
    """Return the numbers of one search, and for each cell its steps and seconds."""
    found = [one for one in run.candidates if one.result.status != "duplicate"]
    seconds = sum(one.result.seconds for one in found)
    steps = sum(one.result.steps for one in found)
    return {
        "candidates": len(found),
        "duplicates": len(run.candidates) - len(found),
        "statuses": dict(Counter(one.result.status for one in found)),
        "span": span,
        "per minute": 60 * len(found) / span,
        "steps per minute": 60 * steps / span,
        "busy": seconds / (workers * span),
        "baselines": {one.name: one.evaluation.seconds for one in run.baselines},
        "cells": [[one.cell_id, one.result.steps, one.result.seconds] for one in found],
    }


def shared_ratio(theirs: dict[str, Any], ours: dict[str, Any]) -> tuple[int, float]:
    """Return how many cells both trained by the same number of steps, and the seconds' ratio."""
    times = {(cell, steps): seconds for cell, steps, seconds in ours["cells"]}
    pairs = [
        (seconds, times[cell, steps])
        for cell, steps, seconds in theirs["cells"]
        if steps and (cell, steps) in times
    ]
    if not pairs:
        return 0, float("nan")
    return len(pairs), sum(pair[0] for pair in pairs) / sum(pair[1] for pair in pairs)


def report(
    strategy: str, runs: Sequence[dict[str, Any]], backends: Sequence[str]
) -> dict[str, Any]:
    """Print all runs of a strategy and how the backends compare; return it as plain JSON."""
    keys = ("candidates", "span", "per minute", "steps per minute", "busy")
    table(
        f"Search phase by {strategy} (busy: share of the workers' time)",
        ("backend", *keys),
        [(run["backend"], *(run[key] for key in keys)) for run in runs],
    )
    found: dict[str, Any] = {"claims": []}

    def state(name: str, text: str, value: float, unit: str = "") -> None:
        said = claim(text, value, THRESHOLDS.get(f"{strategy}, {name}"), unit)
        found["claims"].append({"name": name, **said})

    by_backend = {name: [run for run in runs if run["backend"] == name] for name in backends}
    for name, own in by_backend.items():
        rate = statistics.median(run["per minute"] for run in own)
        state(f"{name} per minute", f"{name}: candidates per minute", rate)
        busy = statistics.median(run["busy"] for run in own)
        state(f"{name} busy", f"{name}: share of time in which workers were busy", busy)
    ours, *others = backends
    for other in others:
        pairs = list(zip(by_backend[ours], by_backend[other], strict=True))
        ratio = statistics.median(a["per minute"] / b["per minute"] for a, b in pairs)
        state(f"{ours} against {other}", f"{ours} against {other}, candidates per minute:", ratio)
        shares = [shared_ratio(theirs, mine) for mine, theirs in pairs]
        count = min(count for count, _ in shares)
        if count:
            text = f"{ours} against {other}, seconds of cells that both trained ({count} or more):"
            ratio = statistics.median(share for _, share in shares)
            state(f"{ours} against {other}, same cells", text, ratio)
    return found


def main() -> None:
    """Measure what was asked for, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--experiment", default="quickstart", help="a name or a file (quickstart)")
    parser.add_argument("--strategies", default="grow,genetic", help="searched by in turn")
    parser.add_argument("--candidates", type=int, default=40, help="per search (40)")
    parser.add_argument("--workers", type=int, default=cpu_count(), help="one a core")
    parser.add_argument("--repeat", type=int, default=1, help="searches with each backend (1)")
    parser.add_argument("--backends", default="native,eager", help="the first against the others")
    parser.add_argument("--set", action="append", default=[], help="a setting, as of search")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_suffix(".json"))
    asked = parser.parse_args()
    backends = asked.backends.split(",")
    settings = {"experiment": asked.experiment, "workers": asked.workers, "set": asked.set}
    for strategy in asked.strategies.split(","):
        runs = []
        try:
            for backend in backends * asked.repeat:
                runs.append(measure(asked, strategy, backend))
                rate = runs[-1]["per minute"]
                print(f"{strategy}, {backend}: {rate:.1f} candidates a minute", flush=True)
        except CellSearchError as error:
            sys.exit(f"throughput: {error}")
        content = {"options": settings, **report(strategy, runs, backends), "runs": runs}
        write(asked.out, {f"search phase by {strategy}": content})


if __name__ == "__main__":
    main()
