"""Strategies against random search on the table of the space `small`.

    python experiments/benchmarks/strategies.py [--seeds N] [--first N]
        [--processes N] [--only NAME]

Every contender searches with the same seeds, as a run does (lag 16, duplicates free) and without a
control. A search sees one seed of the table; what it holds for the best after 30, 100 and 300
evaluations is judged by the mean of the others. Medians with intervals of 95 % that hold whatever
the distribution (order statistics), curves as a picture. Prints tables and writes strategies.json
and strategies.svg beside itself; with --only, --seeds or --first it writes nothing.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scipy.stats import binom

from cellsearch.run.fixed_lag import End, FixedLag, copied
from cellsearch.seeds import derive
from cellsearch.space import load_space
from cellsearch.strategies import load_strategy
from cellsearch.strategies.base import Evaluation
from cellsearch.table import Table, find_table, read_table, recall

HERE = Path(__file__)
TABLE = "small"
MARKS = (30, 100, 300)
LAG = 16
RUNGS, KEEP = (54, 162), 0.32


@dataclass(frozen=True, slots=True)
class Contender:
    """A strategy with its settings, or with rungs at which candidates are stopped."""

    strategy: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    rungs: tuple[int, ...] = ()


CONTENDERS = {
    "random": Contender("random"),
    "random, halving": Contender("random", rungs=RUNGS),
    "genetic": Contender("genetic"),
    "genetic, mutation only": Contender("genetic", {"crossover": 0.0}),
    "genetic, plain crossover": Contender("genetic", {"recombination": "subtree"}),
    "grow": Contender("grow"),
    "grow, random order": Contender("grow", {"order": "random"}),
    "grow, beam of 1": Contender("grow", {"beam": 1}),
    "grow, never stopping": Contender("grow", {"stop": False}),
}


@dataclass(frozen=True, slots=True)
class Search:
    """One search: after each evaluation the judged score of its best, and the steps spent."""

    judged: list[float]
    steps: list[int]


def search(contender: Contender, seed: int, evaluations: int = MARKS[-1]) -> Search:
    """Search the table once."""
    table, _ = read_table(find_table(TABLE))
    tasks, seen = list(table.levels), table.order(seed)[0]
    strategy = load_strategy(
        contender.strategy,
        load_space(TABLE),
        derive("strategies", seed),
        contender.settings,
    )
    lag = FixedLag(
        strategy,
        strategy,
        share=0,
        lag=LAG,
        rungs=contender.rungs,
        keep=KEEP,
        steps=table.moments[-1],
        candidates=evaluations,
    )
    results: dict[int, Evaluation] = {}
    found = Search([], [])
    best: tuple[tuple[int, float], float] = ((2_000_000, 0.0), 1.0)
    spent = 0
    while not isinstance(step := lag.advance(results), End):
        if not isinstance(step, tuple):
            raise RuntimeError(f"{contender}: waits for {step}, though all results are there")
        candidate, proposal = step
        if candidate.original is not None:
            results[candidate.index] = copied(results[candidate.original])
            continue
        cell = table.places.get(candidate.cell_id)
        if cell is None or candidate.replicate or proposal.measure:
            results[candidate.index] = Evaluation(status="rejected")
        else:
            results[candidate.index] = recall(
                table,
                cell,
                seen,
                tasks=tasks,
                steps=table.moments[-1],
                rungs=contender.rungs,
                thresholds=candidate.thresholds,
            )
        result = results[candidate.index]
        spent += result.steps
        if cell is not None and result.rank_key < best[0]:
            best = (result.rank_key, judge(table, candidate.cell_id, seen))
        found.judged.append(best[1])
        found.steps.append(spent)
    missing = evaluations - len(found.judged)  # a strategy that has finished keeps what it has
    return Search(found.judged + [best[1]] * missing, found.steps + [spent] * missing)


def judge(table: Table, cell_id: str, seen: int) -> float:
    """Return a cell's mean score over the seeds that the search did not see; failures are 1."""
    cell, scores = table.places[cell_id], []
    for seed in range(table.seeds):
        if seed != seen:
            ok = cell.trainings[seed].status == "ok"
            scores.append(table.open_shares(cell, seed, list(table.levels))[-1] if ok else 1.0)
    return statistics.fmean(scores)


def median_interval(values: Sequence[float], confidence: float = 0.95) -> list[float]:
    """Return the median and the narrowest order statistics around it that have the confidence."""
    ordered, count = sorted(values), len(values)
    below = int(binom.ppf((1 - confidence) / 2, count, 0.5))
    return [statistics.median(ordered), ordered[max(0, below - 1)], ordered[count - max(1, below)]]


def _task(job: tuple[str, int]) -> tuple[str, Search]:
    return job[0], search(CONTENDERS[job[0]], job[1])


def main(names: Sequence[str], first: int, seeds: int, processes: int, write: bool) -> None:
    """Measure and report."""
    jobs = [(name, seed) for name in names for seed in range(first, first + seeds)]
    found: dict[str, list[Search]] = {name: [] for name in names}
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for name, one in pool.imap(_task, jobs, chunksize=4):
            found[name].append(one)
    table, digest = read_table(find_table(TABLE))
    report: dict[str, Any] = {
        "table": digest,
        "seeds": [first, seeds],
        "lag": LAG,
        "contenders": {},
    }
    for name in names:
        searches = found[name]
        report["contenders"][name] = {
            "strategy": CONTENDERS[name].strategy,
            "settings": dict(CONTENDERS[name].settings),
            "rungs": list(CONTENDERS[name].rungs),
            "after": {m: median_interval([s.judged[m - 1] for s in searches]) for m in MARKS},
            "steps": statistics.fmean(s.steps[-1] for s in searches),
            "curve": [
                median_interval([s.judged[place] for s in searches]) for place in range(MARKS[-1])
            ],
        }
    if "random" in found and "random, halving" in found:
        report["halving"] = _halving(table, found["random"], found["random, halving"])
    _show(report)
    if write:
        HERE.with_suffix(".json").write_text(json.dumps(report) + "\n")
        _draw(report, HERE.with_suffix(".svg"))


def _halving(table: Table, full: Sequence[Search], halved: Sequence[Search]) -> dict[str, Any]:
    """Compare halving with full training: paired differences against a margin stated beforehand.

    The margin is a tenth of the distance between the median cell and the best.
    """
    from cellsearch.statistics import interval

    ends = [statistics.fmean(s) for s in _end_scores(table)]
    margin = (statistics.median(ends) - min(ends)) / 10
    pairs = zip(full, halved, strict=True)
    worse = interval([b.judged[-1] - a.judged[-1] for a, b in pairs])
    share = statistics.fmean(s.steps[-1] for s in halved) / statistics.fmean(
        s.steps[-1] for s in full
    )
    return {
        "margin": margin,
        "worse by": [worse.mean, worse.low, worse.high],
        "share of the steps": share,
        "holds": worse.high < margin,
    }


def _end_scores(table: Table) -> list[list[float]]:
    tasks = list(table.levels)
    return [
        [table.open_shares(cell, seed, tasks)[-1] for seed in range(table.seeds)]
        for cell in table.cells
        if all(training.status == "ok" for training in cell.trainings)
    ]


def _show(report: Mapping[str, Any]) -> None:
    print(f"{'median best, judged by other seeds':34}" + "".join(f"{m:>26}" for m in MARKS))
    for name, one in report["contenders"].items():
        figures = (one["after"][mark] for mark in MARKS)
        cells = (f"{a:.4f} ({b:.4f}..{c:.4f})" for a, b, c in figures)
        print(f"{name:34}" + "".join(f"{cell:>26}" for cell in cells) + f"  {one['steps']:9.0f}")
    for key, value in report.get("halving", {}).items():
        print(f"halving: {key}: {value}")


def _draw(report: Mapping[str, Any], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 5))
    for name, one in report["contenders"].items():
        middle, low, high = zip(*one["curve"], strict=True)
        places = range(1, len(middle) + 1)
        (line,) = axes.plot(places, middle, label=name, linewidth=1.4)
        axes.fill_between(places, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(
        xscale="log",
        xlabel="evaluations",
        ylabel="median score of the best, by seeds not seen (lower is better)",
        xlim=(10, MARKS[-1]),
    )
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", action="append", choices=CONTENDERS)
    given = parser.parse_args()
    whole = given.only is None and (given.seeds, given.first) == (200, 0)
    main(given.only or list(CONTENDERS), given.first, given.seeds, given.processes, whole)
