"""Strategies against random search on the table of the space `small`.

    python experiments/benchmarks/strategies.py [--seeds N] [--first N]
        [--processes N] [--only NAME] [--out FILE]

Every contender searches with the same seeds, as a run does (lag 16, duplicates free) and without a
control. A search sees one seed of the table; what it holds for the best after 30, 100 and 300
evaluations is judged by the mean of the others. Medians with intervals of 95 % that hold whatever
the distribution (order statistics), differences to random search seed by seed with intervals by
Student's t, curves as a picture. A further evaluation of a cell is refused, as its other seeds
judge; so what strategies do against luck, and grow's measure of noise, are not at work here.

Settings were chosen with other seeds than are reported (10000 to 10099), but on this table: how
many cells breed in genetic search (5, of 5, 7, 10 and 20), and the rungs of halving. Cells that
nothing was chosen on are those of searches.py.

Intervals are those of searches, not of trainings: all searches with one seed of the table are
judged by the same training of a cell.

Prints tables and writes FILE, strategies.json beside this, and a picture. What FILE holds already
is not measured again, but for the contenders of --only.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import timing
from matplotlib import rc_context
from matplotlib.figure import Figure
from recording import recorded, strategy_settings
from scipy.stats import binom

from cellsearch.known import zoo
from cellsearch.run.fixed_lag import End, FixedLag, copied
from cellsearch.seeds import derive
from cellsearch.space import load_space
from cellsearch.statistics import paired_difference
from cellsearch.strategies import load_strategy
from cellsearch.strategies.base import Evaluation
from cellsearch.table import Table, find_table, read_table, recall

HERE = Path(__file__)
TABLE = "small"
MARKS = (30, 100, 300)
DRAWN = range(10, MARKS[-1] + 1, 5)
"""Evaluations after which the picture has a point."""
STYLES = ("-", "--", ":", "-.")
KNOWN = ("gru", "gru_reset_before")
"""Cells whose scores are drawn as lines."""
FEWEST = 6
"""Seeds of which the least and the most bound the median with a confidence of 95 %."""
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
    "enumerate": Contender("enumerate"),
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


def measure(names: Sequence[str], seeds: Sequence[int], processes: int) -> dict[str, Any]:
    """Search with each contender and seed; return what is recorded of each contender."""
    jobs = [(name, seed) for name in names for seed in seeds]
    found: dict[str, list[Search]] = {name: [] for name in names}
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for name, one in pool.imap(_task, jobs, chunksize=4):
            found[name].append(one)
    return {name: _recorded(CONTENDERS[name], searches) for name, searches in found.items()}


def _recorded(contender: Contender, searches: Sequence[Search]) -> dict[str, Any]:
    return {
        **_made(contender),
        "steps": [one.steps[-1] for one in searches],
        "after": {str(mark): [one.judged[mark - 1] for one in searches] for mark in MARKS},
        "curve": [median_interval([one.judged[at - 1] for one in searches]) for at in DRAWN],
    }


def _made(contender: Contender) -> dict[str, Any]:
    """Return what a contender is, every default included."""
    return {
        "strategy": contender.strategy,
        "settings": strategy_settings(contender.strategy, contender.settings),
        "rungs": list(contender.rungs),
    }


def report(contenders: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Print and return medians, and gains, paired by seed: over random search, and of variants."""
    content: dict[str, Any] = {"median": {}, "gain over random": {}, "gain over the defaults": {}}
    for name, one in contenders.items():
        content["median"][name] = {mark: median_interval(one["after"][mark]) for mark in MARKED}
    _show("median of the best, judged by other seeds", content["median"])
    if "random" in contenders:
        random = contenders["random"]["after"]
        content["gain over random"] = {
            name: {mark: _gain(one["after"][mark], random[mark]) for mark in MARKED}
            for name, one in contenders.items()
            if name != "random"
        }
        _show("mean gain over random", content["gain over random"])
    content["gain over the defaults"] = {
        name: {mark: _gain(one["after"][mark], usual["after"][mark]) for mark in MARKED}
        for name, one in contenders.items()
        if (usual := contenders.get(name.partition(", ")[0])) and usual is not one
    }
    _show("mean gain of variants over the defaults", content["gain over the defaults"])
    if {"random", "random, halving"} <= set(contenders):
        content["halving"] = _halving(contenders["random"], contenders["random, halving"])
        for key, value in content["halving"].items():
            print(f"halving: {key}: {value}")
    return content


MARKED = tuple(map(str, MARKS))


def _gain(mine: Sequence[float], theirs: Sequence[float]) -> list[float]:
    found = paired_difference(theirs, mine)
    return [found.mean, found.low, found.high]


def _halving(full: Mapping[str, Any], halved: Mapping[str, Any]) -> dict[str, Any]:
    """Compare halving with full training: paired differences against a margin stated beforehand.

    The margin is a tenth of the distance between the median cell and the best. A comparison at
    equal steps is that with random search after a third of the evaluations.
    """
    table, _ = read_table(find_table(TABLE))
    ends = [statistics.fmean(s) for s in _end_scores(table)]
    margin = (statistics.median(ends) - min(ends)) / 10
    middle, last = MARKED[1:]
    worse = paired_difference(halved["after"][last], full["after"][last])
    return {
        "margin": margin,
        "worse by": [worse.mean, worse.low, worse.high],
        "share of the steps": statistics.fmean(halved["steps"]) / statistics.fmean(full["steps"]),
        "holds": worse.high < margin,
        "gain over as many steps of full training": _gain(
            halved["after"][last], full["after"][middle]
        ),
    }


def _end_scores(table: Table) -> list[list[float]]:
    tasks = list(table.levels)
    return [
        [table.open_shares(cell, seed, tasks)[-1] for seed in range(table.seeds)]
        for cell in table.cells
        if all(training.status == "ok" for training in cell.trainings)
    ]


def _show(title: str, rows: Mapping[str, Mapping[str, Sequence[float]]]) -> None:
    print(f"\n{title:34}" + "".join(f"{mark:>28}" for mark in MARKED))
    for name, marks in rows.items():
        cells = (f"{a:.4f} ({b:.4f} to {c:.4f})" for a, b, c in marks.values())
        print(f"{name:34}" + "".join(f"{cell:>28}" for cell in cells))


def _draw(contenders: Mapping[str, Mapping[str, Any]], path: Path) -> None:
    """Draw medians: a colour for each strategy, shaded with its interval; variants are broken."""
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    strategies = list(dict.fromkeys(one["strategy"] for one in contenders.values()))
    variants = dict.fromkeys(strategies, 0)
    for name, one in contenders.items():
        strategy = one["strategy"]
        colour, style = f"C{strategies.index(strategy)}", STYLES[variants[strategy] % len(STYLES)]
        middle, low, high = zip(*one["curve"], strict=True)
        axes.plot(DRAWN, middle, label=name, color=colour, linestyle=style, linewidth=1.6)
        if not variants[strategy]:
            axes.fill_between(DRAWN, low, high, color=colour, alpha=0.15, linewidth=0)
        variants[strategy] += 1
    table, _ = read_table(find_table(TABLE))
    for known in KNOWN:
        level = judge(table, zoo[known].id, seen=table.seeds)
        axes.axhline(level, color="grey", linewidth=0.8)
        axes.annotate(f" {known}", (DRAWN[0], level), va="bottom", color="grey")
    axes.set(
        xscale="log",
        xlabel="evaluations",
        ylabel="score of the best cell found, lower is better",
        xlim=(DRAWN[0], DRAWN[-1]),
    )
    axes.set_xticks([DRAWN[0], *MARKS], [str(mark) for mark in (DRAWN[0], *MARKS)])
    axes.minorticks_off()
    axes.legend(loc="upper right", bbox_to_anchor=(1.0, 0.95))
    axes.grid(alpha=0.3)
    with rc_context({"svg.hashsalt": HERE.stem}):  # equal results, equal files
        figure.savefig(path, metadata={"Date": None})


def main() -> None:
    """Measure what was asked for, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seeds", type=int, default=200)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", action="append", choices=CONTENDERS, help="measured anew")
    parser.add_argument("--out", type=Path, default=HERE.with_suffix(".json"))
    asked = parser.parse_args()
    if asked.seeds < FEWEST:
        parser.error(f"--seeds is {asked.seeds}; expected {FEWEST} or more")
    made = {
        "table": read_table(find_table(TABLE))[1],
        "seeds": [asked.first, asked.seeds],
        "lag": LAG,
        "keep": KEEP,
    }
    before: dict[str, Any] = recorded(asked.out, "strategies", made).get("contenders", {})
    seeds = range(asked.first, asked.first + asked.seeds)
    for name, contender in CONTENDERS.items():
        made_so = before.get(name, {}).items() >= _made(contender).items()
        if name in asked.only if asked.only else not made_so:
            before |= measure([name], seeds, asked.processes)
            timing.write(asked.out, {"strategies": {"settings": made, "contenders": before}})
    contenders = {name: before[name] for name in CONTENDERS if name in before}
    content = {"settings": made, **report(contenders), "contenders": contenders}
    timing.write(asked.out, {"strategies": content})
    _draw(contenders, asked.out.with_suffix(".svg"))


if __name__ == "__main__":
    main()
