"""Comparing cells: equal parameters, several seeds, paired data, intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellsearch.cell import Cell
from cellsearch.errors import CellError, CellSearchError
from cellsearch.evaluation import evaluate
from cellsearch.settings import EvaluationTable
from cellsearch.statistics import Interval, interval, paired_difference
from cellsearch.strategies.base import Evaluation
from cellsearch.tasks import Task
from cellsearch.width import fit_hidden_size

_TIMEOUT = 86_400.0  # seconds: here it is the user who waits, not a search


@dataclass(frozen=True, slots=True)
class Contestant:
    """A cell in a comparison; `scores`, lower is better, have one entry per seed.

    `metric` is the mean in the task's own unit; a training that failed scores 1. `gain` is the
    paired difference to the first contestant's scores, positive where this one is better.
    """

    name: str
    cell: Cell
    scores: tuple[float, ...]
    interval: Interval
    metric: float | None
    parameters: int
    hidden_size: int
    learning_rate: float | None
    failures: int
    gain: Interval | None

    def to_json(self) -> dict[str, Any]:
        """Return the contestant as plain JSON."""
        return {
            "name": self.name,
            "cell_id": self.cell.id,
            "cell": self.cell.text,
            "score": self.interval.mean,
            "scores": list(self.scores),
            "interval": self.interval.to_json(),
            "metric": self.metric,
            "parameters": self.parameters,
            "hidden_size": self.hidden_size,
            "learning_rate": self.learning_rate,
            "failures": self.failures,
            "gain": None if self.gain is None else [self.gain.mean, *self.gain.to_json()],
        }


def compare(
    cells: Sequence[tuple[str, Cell]],
    task: Task,
    *,
    evaluation: EvaluationTable | None = None,
    seeds: int = 5,
    seed: int = 0,
    progress: Callable[[str], None] = lambda text: None,
) -> list[Contestant]:
    """Train every cell from several seeds and judge it on the test split, best first.

    Learning rates are chosen for each cell on the validation split, in a training of its own;
    then all cells see the same data, seed by seed. Raises CellSearchError if a cell cannot be
    built within the limits.
    """
    if seeds < 1:
        raise CellSearchError(f"seeds is {seeds}; expected at least 1")
    settings = (evaluation or EvaluationTable(timeout=_TIMEOUT)).model_dump(mode="json")
    for name, cell in cells:
        try:
            fit_hidden_size(
                cell,
                task,
                settings["parameters"],
                settings["max_hidden_size"],
                settings["layers"],
            )
        except CellError as error:
            raise CellSearchError(f"{name}: {error}") from None
    first: tuple[float, ...] | None = None
    found: list[Contestant] = []
    for name, cell in cells:
        progress(f"{name}: choosing the learning rate")
        tuned = _train(cell, task, settings, "search", seed, 0, None)
        runs = []
        for replicate in range(seeds):
            progress(f"{name}: seed {replicate + 1} of {seeds}")
            rates = tuned.learning_rates
            # A cell that failed at every learning rate has failed; it is not trained again.
            again = tuned.status == "ok"
            runs.append(
                _train(cell, task, settings, "compare", seed, replicate, rates) if again else tuned
            )
        contestant = _contestant(name, cell, task, tuned, runs, first)
        first = first or contestant.scores
        found.append(contestant)
    return sorted(found, key=lambda one: one.interval.mean)


def _train(
    cell: Cell,
    task: Task,
    settings: Mapping[str, Any],
    kind: str,
    seed: int,
    replicate: int,
    learning_rates: Mapping[str, float] | None,
) -> Evaluation:
    rung = max(1, int(settings["steps"] * 0.3))
    answer = evaluate(
        {
            "kind": kind,
            "index": 0,
            "cell": cell.text,
            "seed": seed,
            "replicate": replicate,
            "tasks": [task.describe()],
            "settings": settings,
            "rungs": [rung] if learning_rates is None else [],
            "thresholds": [None],
            "learning_rates": learning_rates,
            "split": "validation" if learning_rates is None else "test",
            "measure": [],
            "keep_weights": False,
        }
    )
    return Evaluation.from_json(answer["evaluation"])


def _contestant(
    name: str,
    cell: Cell,
    task: Task,
    tuned: Evaluation,
    runs: Sequence[Evaluation],
    first: tuple[float, ...] | None,
) -> Contestant:
    scores = tuple(1.0 if one.status != "ok" or one.score is None else one.score for one in runs)
    metrics = [one.metrics[task.name] for one in runs if one.status == "ok"]
    return Contestant(
        name=name,
        cell=cell,
        scores=scores,
        interval=interval(scores),
        metric=sum(metrics) / len(metrics) if metrics else None,
        parameters=tuned.parameters[task.name],
        hidden_size=tuned.hidden_size[task.name],
        learning_rate=tuned.learning_rates.get(task.name),
        failures=sum(one.status != "ok" for one in runs),
        gain=None if first is None else paired_difference(first, scores),
    )
