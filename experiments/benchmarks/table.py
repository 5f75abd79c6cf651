"""What the table of the space `small` says, as one describes a benchmark.

    python experiments/benchmarks/table.py             # the table that is here
    python experiments/benchmarks/table.py RUN_FOLDER  # makes it anew from a run of `table` first

Cells, cost, how far two seeds of a cell differ, how tasks and moments agree, where known cells
stand and the ten best. Prints tables and writes table.json beside itself.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections import Counter
from itertools import combinations
from pathlib import Path
from typing import Any

from cellsearch.cell import Cell
from cellsearch.errors import CellSearchError
from cellsearch.known import zoo
from cellsearch.run import open_run
from cellsearch.run.tabulate import tabulate
from cellsearch.space.enumeration import size
from cellsearch.statistics import rank_correlation
from cellsearch.table import Table, TableCell, find_table, read_table

NAME = "small"
FILE = Path(__file__).parents[1] / "tables" / f"{NAME}.json.gz"
BEST = 10


def main() -> None:
    """Make the table if a run is given, and describe it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("run", nargs="?", help="the folder of a run of `table`; it is made anew")
    asked = parser.parse_args()
    if asked.run is not None:
        try:
            made = tabulate(open_run(asked.run), NAME)
        except CellSearchError as error:
            sys.exit(str(error))
        FILE.parent.mkdir(exist_ok=True)
        made.write(FILE)
    table, digest = read_table(find_table(NAME))
    report = {"sha256": digest, **describe(table)}
    Path(__file__).with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    show(report)


def describe(table: Table) -> dict[str, Any]:
    """Return all that is said of a table."""
    tasks = list(table.levels)
    whole = [cell for cell in table.cells if all(t.status == "ok" for t in cell.trainings)]
    last = len(table.moments) - 1
    scores = {cell.id: _scores(table, cell, tasks, last) for cell in whole}
    means = {cell: statistics.fmean(found) for cell, found in scores.items()}
    order = sorted(whole, key=lambda cell: means[cell.id])
    ranks = {cell.id: rank for rank, cell in enumerate(order, start=1)}
    by_task = {
        task: {cell.id: _scores(table, cell, [task], last) for cell in whole} for task in tasks
    }
    return {
        "space": table.space["name"],
        "cells": len(table.cells),
        "operators": dict(sorted(Counter(size(Cell.parse(c.cell)) for c in table.cells).items())),
        "tasks": [dict(task) for task in table.tasks],
        "seeds": table.seeds,
        "moments": list(table.moments),
        "status": dict(Counter(t.status for cell in table.cells for t in cell.trainings)),
        "hours of one worker": round(table.seconds / 3600, 2),
        "seconds a training of all tasks": table.seconds / (len(table.cells) * table.seeds),
        "machines": sorted({str(machine["cpu"]) for machine in table.machines}),
        "score": _spread(list(means.values())),
        "noise": {
            "all tasks": _noise(list(scores.values()), order, scores),
            **{task: _noise(list(f.values()), order, f) for task, f in by_task.items()},
        },
        "rank correlation of two seeds": {
            "all tasks": _between_seeds(list(scores.values())),
            **{task: _between_seeds(list(found.values())) for task, found in by_task.items()},
        },
        "rank correlation of two tasks": {
            f"{a}, {b}": rank_correlation(
                [statistics.fmean(by_task[a][cell.id]) for cell in whole],
                [statistics.fmean(by_task[b][cell.id]) for cell in whole],
            )
            for a, b in combinations(tasks, 2)
        },
        "rank correlation of a moment with the end of another seed": {
            moment: _with_the_end(table, whole, tasks, place)
            for place, moment in enumerate(table.moments)
        },
        "known cells": {
            name: {
                "rank": ranks[zoo[name].id],
                "score": means[zoo[name].id],
                **{task: statistics.fmean(by_task[task][zoo[name].id]) for task in tasks},
            }
            for name in sorted(
                (name for name in zoo if zoo[name].id in ranks), key=lambda n: ranks[zoo[n].id]
            )
        },
        "best": [
            {
                "cell": cell.cell,
                "scores": scores[cell.id],
                **{task: statistics.fmean(by_task[task][cell.id]) for task in tasks},
            }
            for cell in order[:BEST]
        ],
    }


def _scores(table: Table, cell: TableCell, tasks: list[str], place: int) -> list[float]:
    return [table.open_shares(cell, seed, tasks)[place] for seed in range(table.seeds)]


def _spread(values: list[float]) -> dict[str, float]:
    points = statistics.quantiles(values, n=100)
    return {
        "best": min(values),
        **{f"{share} %": points[share - 1] for share in (1, 5, 25, 50, 75, 95)},
    }


def _noise(
    found: list[list[float]], order: list[TableCell], scores: dict[str, list[float]]
) -> dict[str, float]:
    """Return standard deviations: between seeds of a cell, of all cells and of the best tenth; and
    between cells, whose scores are means over the seeds.
    """
    best = [scores[cell.id] for cell in order[: len(order) // 10]]
    return {
        "seeds": _pooled(found),
        "seeds, best tenth": _pooled(best),
        "cells": statistics.stdev(map(statistics.fmean, found)),
    }


def _pooled(found: list[list[float]]) -> float:
    return statistics.fmean(statistics.variance(one) for one in found) ** 0.5


def _between_seeds(found: list[list[float]]) -> float | None:
    return rank_correlation([one[0] for one in found], [one[1] for one in found])


def _with_the_end(
    table: Table, cells: list[TableCell], tasks: list[str], place: int
) -> dict[str, float | None]:
    """Return how a moment of the first seed ranks cells as the end of the second does."""
    now = [table.open_shares(cell, 0, tasks)[place] for cell in cells]
    end = [table.open_shares(cell, 1, tasks)[-1] for cell in cells]
    tenth = sorted(range(len(cells)), key=end.__getitem__)[: len(cells) // 10]
    return {
        "all": rank_correlation(now, end),
        "best tenth": rank_correlation([now[i] for i in tenth], [end[i] for i in tenth]),
        "of the best tenth, in the best third then": len(
            set(tenth) & set(sorted(range(len(cells)), key=now.__getitem__)[: len(cells) // 3])
        )
        / len(tenth),
    }


def show(value: Any, indent: int = 0) -> None:
    """Print nested tables of figures."""
    for key, found in value.items():
        if isinstance(found, dict):
            print(f"{' ' * indent}{key}")
            show(found, indent + 2)
        elif key == "best" and isinstance(found, list):
            for one in found:
                print("\nbest", {k: v for k, v in one.items() if k != "cell"})
                print(one["cell"])
        else:
            text = f"{found:.4g}" if isinstance(found, float) else found
            print(f"{' ' * indent}{key:{44 - indent}} {text}")


if __name__ == "__main__":
    main()
