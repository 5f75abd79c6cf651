"""``cellsearch compare``: train cells side by side."""

from __future__ import annotations

import argparse
import json
import sys

from cellsearch.commands.options import add_task, positive, read_task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "cells", nargs="+", metavar="CELL", help="a cell file, known cell or RUN:best"
    )
    add_task(parser)
    parser.add_argument("--parameters", type=positive, default=10_000, metavar="N")
    parser.add_argument("--seeds", type=positive, default=5, metavar="K")
    parser.add_argument("--steps", type=positive, default=400, metavar="N", help="training steps")
    parser.add_argument("--json", action="store_true", help="plain JSON")


def run(options: argparse.Namespace) -> None:
    """Train, judge on the test split, show the table. The first cell is what gains refer to."""
    from cellsearch.commands.show import show_comparison
    from cellsearch.compare import compare
    from cellsearch.run import record_reading
    from cellsearch.settings import EvaluationTable
    from cellsearch.target import resolve

    targets = [resolve(text) for text in options.cells]
    task = read_task(options.task)
    watched = sys.stderr.isatty()
    found = compare(
        [(target.name, target.cell) for target in targets],
        task,
        evaluation=EvaluationTable(
            parameters=options.parameters,
            max_hidden_size=options.parameters,  # parameters are the limit, nothing else is
            max_operations=sys.maxsize,
            steps=options.steps,
            timeout=86_400.0,
        ),
        seeds=options.seeds,
        progress=lambda text: print(text, file=sys.stderr) if watched else None,
    )
    if options.json:
        print(json.dumps([one.to_json() for one in found], indent=2))
    else:
        show_comparison(found, task)
    for target in targets:
        if target.run is not None:
            scores = next(one.scores for one in found if one.cell == target.cell)
            reading = {"by": "compare", "cell_id": target.cell.id, "task": task.describe()}
            record_reading(target.run.folder, {**reading, "scores": list(scores)})
