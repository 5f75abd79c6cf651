"""A run of fakes: cells that are words, a strategy that learns, pools that answer out of order."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from fake_evaluation import evaluate

from cellsearch.cell import Cell
from cellsearch.experiment import Experiment, load_experiment
from cellsearch.run import Run
from cellsearch.run.launch import execute
from cellsearch.run.pool import Crash, Job, Pool, Result
from cellsearch.run.serial import SerialPool
from cellsearch.run.setup import Setup
from cellsearch.run.signals import Signals
from cellsearch.run.worker import attempt
from cellsearch.strategies.base import Evaluation, Proposal, Strategy


@dataclass(frozen=True)
class Word:
    """Stands for a cell: a text and an id made of it."""

    text: str

    @property
    def id(self) -> str:
        return "c1-" + hashlib.sha256(self.text.encode()).hexdigest()[:20]

    def __str__(self) -> str:
        return self.text


def word(text: str) -> Cell:
    """Return a stand-in for a cell."""
    return cast(Cell, Word(text))


class Learner(Strategy):
    """Proposes words near the best it was told; now and then one again, or a new replicate."""

    def __init__(self, seed: int = 0, prefix: str = "w", words: int = 10_000) -> None:
        self._rng = random.Random(seed)
        self._prefix, self._words = prefix, words
        self._told: list[tuple[int, Proposal, Evaluation]] = []
        self._asked = 0

    def ask(self) -> Proposal | None:
        self._asked += 1
        ranked = sorted(self._told, key=lambda one: (one[2].rank_key, one[0]))
        if ranked and self._rng.random() < 0.7:
            ordinal, parent, result = ranked[0]
            if self._rng.random() < 0.2:
                return Proposal(cell=parent.cell, replicate=parent.replicate + 1, note="again")
            number = int(str(parent.cell).split()[1]) + self._rng.randrange(1, 4)
            number = (number + round(1000 * (result.score or 0))) % self._words
            return Proposal(cell=word(f"{self._prefix} {number}"), parents=(ordinal,), note="child")
        return Proposal(cell=word(f"{self._prefix} {self._rng.randrange(self._words)}"))

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        self._told.append((len(self._told), proposal, evaluation))


class Listed(Strategy):
    """Proposes the given texts in order, then is finished."""

    def __init__(self, texts: list[str]) -> None:
        self._texts = list(texts)

    def ask(self) -> Proposal | None:
        return Proposal(cell=word(self._texts.pop(0))) if self._texts else None

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        pass


def experiment(*overrides: str) -> Experiment:
    """Return a small experiment on one task, with a rung."""
    tables: dict[str, Any] = {
        "experiment": {"name": "fake"},
        "task": [{"name": "echo"}],
        "evaluation": {"steps": 100, "timeout": 60.0},
        "fidelity": {"rungs": [30, 100]},
        "budget": {"candidates": 12, "baselines": ["lstm", "gru"]},
        "final": {"candidates": 2, "replicates": 2},
        "run": {"lag": 4},
    }
    return load_experiment(tables, overrides)


def setup(
    settings: Experiment | None = None,
    strategy: Callable[[], Strategy] = Learner,
    **changes: Any,
) -> Setup:
    """Return a setup of fakes around an experiment."""
    settings = settings or experiment()
    values: dict[str, Any] = {
        "experiment": settings,
        "space": {"name": "words"},
        "tasks": [{"name": "echo"}],
        "levels": {"echo": {"chance": 1.0, "solved": 0.0, "unit": "loss"}},
        "baselines": {name: word(f"{name} 0") for name in settings.budget.baselines},
        "strategy": strategy,
        "control": lambda: Learner(seed=99, prefix="c"),
        "contains": lambda cell: None,
    }
    return Setup(**(values | changes))


def run(
    folder: Path,
    settings: Setup | None = None,
    make_pool: Callable[[], Pool] | None = None,
    **options: Any,
) -> Run:
    """Execute a run of fakes, serially unless told otherwise."""
    signals = Signals()
    serial = lambda: SerialPool(evaluate, signals.stopped)  # noqa: E731
    return execute(settings or setup(), folder, make_pool or serial, signals, **options)


def table(found: Run) -> dict[str, Any]:
    """Return all of a run that must not depend on how it was computed."""
    data = found.to_json()
    for section in ("candidates", "baselines", "finalists"):
        for row in data[section]:
            del row["seconds"]
            row.pop("weights", None)
    kept = {key: data["run"][key] for key in ("experiment", "seed", "status", "counts", "verdict")}
    return {**data, "run": kept}


class ShuffledPool(Pool):
    """Answers in an order drawn from a seed; evaluates at once."""

    capacity = 4

    def __init__(self, seed: int, answer: Callable[[Job], Result | Crash] | None = None) -> None:
        self._rng = random.Random(seed)
        self._answer = answer or (lambda job: attempt(job, evaluate))
        self._jobs: dict[str, Job] = {}

    def start(self, key: str, job: Job) -> None:
        self._jobs[key] = job

    def wait(self) -> tuple[str, Result | Crash]:
        key = self._rng.choice(sorted(self._jobs))
        return key, self._answer(self._jobs.pop(key))

    def close(self) -> None:
        self._jobs.clear()


def scored(**values: Any) -> Mapping[str, Any]:
    """Return the JSON of an evaluation that ended well."""
    return {
        "status": "ok",
        "score": 0.5,
        "rung_scores": [0.5, 0.5],
        "losses": {"echo": 0.5},
    } | values
