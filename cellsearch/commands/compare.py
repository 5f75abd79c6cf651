"""``cellsearch compare``: train cells side by side."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from cellsearch.commands.options import add_task, positive, read_task

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellsearch.run import Run
    from cellsearch.settings import EvaluationTable
    from cellsearch.target import Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "cells", nargs="+", metavar="CELL", help="a cell file, known cell or RUN:best"
    )
    add_task(parser)
    parser.add_argument("--seeds", type=positive, default=5, metavar="K")
    settings = parser.add_argument_group("training", "by default as in the first RUN that is named")
    settings.add_argument("--parameters", type=positive, metavar="N", help="at most so many")
    settings.add_argument("--steps", type=positive, metavar="N", help="training steps")
    settings.add_argument(
        "--learning-rates", type=_rates, metavar="R,R", help="each cell takes the best"
    )
    parser.add_argument("--json", action="store_true", help="plain JSON")


def run(options: argparse.Namespace) -> None:
    """Train, judge on the test split, show the table. The first cell is what gains refer to."""
    from cellsearch.commands.show import show_comparison
    from cellsearch.compare import compare
    from cellsearch.run import record_reading

    targets = _told_apart(options.cells)
    task = read_task(options.task)
    watched = sys.stderr.isatty()
    source = next((target.run for target in targets if target.run is not None), None)
    evaluation = _evaluation(options, source)
    found = compare(
        [(target.name, target.cell) for target in targets],
        task,
        evaluation=evaluation,
        seeds=options.seeds,
        progress=lambda text: print(text, file=sys.stderr) if watched else None,
    )
    if options.json:
        print(json.dumps([one.to_json() for one in found], indent=2))
    else:
        origin = "trained alike" if source is None else f"trained as in {source.folder}"
        show_comparison(found, task, evaluation, origin)
    for target in targets:
        if target.run is not None:
            scores = next(one.scores for one in found if one.cell == target.cell)
            reading = {"by": "compare", "cell_id": target.cell.id, "task": task.describe()}
            record_reading(target.run.folder, {**reading, "scores": list(scores)})


def _told_apart(texts: Sequence[str]) -> list[Target]:
    """Return what is to be trained, each under a name of its own.

    Those of several runs are called by run and candidate; where that is not enough, as they were
    typed. Raises CellSearchError if one was typed twice.
    """
    from cellsearch.errors import CellSearchError
    from cellsearch.target import resolve

    for text, count in Counter(texts).items():
        if count > 1:
            raise CellSearchError(f"{text} is named {count} times; expected different cells")
    targets = [resolve(text) for text in texts]
    if len({one.run.folder for one in targets if one.run is not None}) > 1:
        targets = [
            replace(one, name=f"{one.run.folder.name}:{one.name}") if one.run is not None else one
            for one in targets
        ]
    names = Counter(one.name for one in targets)
    return [
        replace(one, name=text) if names[one.name] > 1 else one
        for text, one in zip(texts, targets, strict=True)
    ]


def _evaluation(options: argparse.Namespace, run: Run | None) -> EvaluationTable:
    """Return how to train: as the run did that is named first, unless an option says else."""
    from cellsearch.settings import EvaluationTable

    base = EvaluationTable() if run is None else run.experiment.evaluation
    given = {
        "parameters": options.parameters,
        "steps": options.steps,
        "learning_rates": options.learning_rates,
    }
    changed = {key: value for key, value in given.items() if value is not None}
    if run is None or "parameters" in changed:  # then parameters are the limit, nothing else is
        changed["max_hidden_size"] = changed.get("parameters", base.parameters)
    # It is the user who waits.
    return base.model_copy(update={**changed, "max_operations": sys.maxsize, "timeout": 86_400.0})


def _rates(text: str) -> tuple[float, ...]:
    try:
        rates = tuple(float(part) for part in text.split(","))
    except ValueError:
        rates = ()
    if not 1 <= len(rates) <= 16 or not all(0 < rate < math.inf for rate in rates):
        raise argparse.ArgumentTypeError(f"expected numbers such as 0.003,0.01, found {text!r}")
    return tuple(dict.fromkeys(rates))
