"""The evaluation of one candidate: width, training, rungs, outcome. Plain JSON in and out."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import safetensors.torch

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.levels import open_share
from cellsearch.model import make_network
from cellsearch.seeds import derive
from cellsearch.strategies.base import MEASURES, Evaluation
from cellsearch.tasks import Split, Task, load_task
from cellsearch.trained import describe_weights
from cellsearch.training import Diverged, HeldOut, Training, one_thread
from cellsearch.width import fit_hidden_size, model_parameters, step_operations


class _Stop(Exception):  # noqa: N818 - an outcome, not an error
    """The evaluation ends early with this status."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status = status


def evaluate(job: Mapping[str, Any]) -> dict[str, Any]:
    """Train a candidate and return {"evaluation": plain JSON, "weights": {task: safetensors}}.

    A candidate's own failure (divergence, lack of memory or time, a width that cannot be) is a
    status in the result. `weights` is empty unless the job keeps them.
    """
    evaluator = _Evaluator(job)
    with one_thread():
        status, message = evaluator.run()
    evaluation = evaluator.result(status, message)
    weights = evaluator.weights() if job["keep_weights"] and status == "ok" else {}
    return {"evaluation": evaluation.to_json(), "weights": weights}


def data_seed(seed: int, kind: str, task: str, replicate: int) -> int:
    """Return the seed of a training stream: the same for every cell, so that results are paired."""
    return derive("data", seed, _stage(kind), task, replicate)


def held_out_seed(seed: int, task: str) -> int:
    """Return the seed of a task's held-out examples: one for the whole run."""
    return derive("held out", seed, task)


def _stage(kind: str) -> str:
    return "search" if kind in ("search", "baseline") else kind


@lru_cache(maxsize=32)
def _load_task(description: str) -> Task:
    return load_task(**json.loads(description))


@dataclass(slots=True)
class _OnTask:
    """A candidate on one task: its trainings, one per learning rate until the best is chosen."""

    task: Task
    hidden_size: int
    trainings: list[Training]
    held_out: HeldOut | None = None
    rung_losses: list[float] = field(default_factory=list)
    discarded_steps: int = 0
    discarded_sequence_steps: int = 0

    def discard(self, kept: Training) -> None:
        """Go on with one training only."""
        for training in self.trainings:
            if training is not kept:
                self.discarded_steps += training.steps
                self.discarded_sequence_steps += training.sequence_steps
        self.trainings = [kept]

    @property
    def steps(self) -> int:
        return self.discarded_steps + sum(training.steps for training in self.trainings)

    @property
    def sequence_steps(self) -> int:
        running = sum(training.sequence_steps for training in self.trainings)
        return self.discarded_sequence_steps + running


class _Evaluator:
    def __init__(self, job: Mapping[str, Any]) -> None:
        self.job = job
        self.settings: Mapping[str, Any] = job["settings"]
        self.cell = Cell.parse(job["cell"])
        width_of = job.get("width_of")
        self.wide: Cell | None = Cell.parse(width_of) if width_of else None
        self.split: Split = job["split"]
        self.begin = time.perf_counter()
        self.deadline = time.monotonic() + float(self.settings["timeout"])
        self.on: dict[str, _OnTask] = {}
        self.rung_scores: list[float] = []
        self.score: float | None = None
        self.measured: dict[str, float] = {}

    def run(self) -> tuple[str, str]:
        """Return status and message."""
        try:
            self._build()
            status = self._train()
            if status == "ok":
                self._measure()
            return status, ""
        except _Stop as stop:
            return stop.status, str(stop)
        except Diverged as outcome:
            return "diverged", str(outcome)
        except CellError as error:
            return "rejected", str(error)
        except (MemoryError, RuntimeError) as error:
            if isinstance(error, RuntimeError) and "alloc" not in str(error):
                raise
            return "out_of_memory", f"needs more than {self.settings['memory']} bytes of memory"

    def _build(self) -> None:
        """Choose the width for every task and build the models."""
        unknown = set(self.job["measure"]) - set(MEASURES)
        if unknown:
            raise _Stop("rejected", f"cannot measure {', '.join(unknown)}; known: {MEASURES[0]}")
        layers = int(self.settings["layers"])
        for description in self.job["tasks"]:
            task = _load_task(json.dumps(description, sort_keys=True))
            size = self.job.get("hidden_size") or fit_hidden_size(
                self.wide or self.cell,
                task,
                self.settings["parameters"],
                self.settings["max_hidden_size"],
                layers,
            )
            operations = step_operations(self.cell, task, size, layers)
            if operations > self.settings["max_operations"]:
                raise _Stop(
                    "rejected",
                    f"{operations} operations a step on task {task.name!r}; "
                    f"evaluation.max_operations is {self.settings['max_operations']}",
                )
            rates = self._learning_rates(task)
            trainings = [self._training(task, size, layers, rate) for rate in rates]
            self.on[task.name] = _OnTask(task, size, trainings)

    def _learning_rates(self, task: Task) -> Sequence[float]:
        given = self.job["learning_rates"] or {}
        known = task.name in given
        return [given[task.name]] if known else self.settings["learning_rates"]

    def _training(self, task: Task, size: int, layers: int, rate: float) -> Training:
        seed, kind, replicate = self.job["seed"], self.job["kind"], self.job["replicate"]
        weights = derive("weights", seed, _stage(kind), self.cell.id, task.name, replicate)
        return Training(
            make_network(self.cell, task, size, layers, weights, self.settings["backend"]),
            task,
            rate,
            self.settings["batch_size"],
            self.settings["gradient_clip"],
            data_seed(seed, kind, task.name, replicate),
        )

    def _train(self) -> str:
        """Train from rung to rung; return "ok", or "stopped" where a threshold is missed."""
        rungs, end = list(self.job["rungs"]), int(self.settings["steps"])
        for checkpoint in sorted({*rungs, end}):
            for on in self.on.values():
                self._advance(on, checkpoint)
            score = sum(self._score(on) for on in self.on.values()) / len(self.on)
            self.score = score
            if checkpoint in rungs:
                self.rung_scores.append(score)
                for on in self.on.values():
                    on.rung_losses.append(_known(on.held_out).loss)
                threshold = self.job["thresholds"][len(self.rung_scores) - 1]
                if checkpoint < end and threshold is not None and score > threshold:
                    return "stopped"
        return "ok"

    def _advance(self, on: _OnTask, checkpoint: int) -> None:
        """Train to a checkpoint and go on with the best learning rate.

        A learning rate is always chosen on the validation split, whatever split the job is for.
        """
        choosing = len(on.trainings) > 1
        split: Split = "validation" if choosing else self.split
        found: list[tuple[float, int, Training, HeldOut]] = []
        problem: Diverged | None = None
        for position, training in enumerate(on.trainings):
            try:
                while training.steps < checkpoint:
                    if time.monotonic() > self.deadline:
                        raise _Stop("timeout", f"longer than {self.settings['timeout']} seconds")
                    training.step()
                held_out = training.held_out(split, self._held_out_seed(on.task))
                found.append((held_out.loss, position, training, held_out))
            except Diverged as outcome:
                problem = outcome
        if not found:
            self.score = None
            raise problem or Diverged(on.task.name)
        _, _, best, on.held_out = min(found, key=lambda entry: entry[:2])
        on.discard(best)
        if choosing and self.split != split:
            on.held_out = best.held_out(self.split, self._held_out_seed(on.task))

    def _held_out_seed(self, task: Task) -> int:
        return held_out_seed(self.job["seed"], task.name)

    def _score(self, on: _OnTask) -> float:
        level = {"chance": on.task.chance, "solved": on.task.solved}
        return open_share(_known(on.held_out).loss, level)

    def _measure(self) -> None:
        if "saliency" in self.job["measure"]:
            for on in self.on.values():
                found = on.trainings[0].saliency(self.split, self._held_out_seed(on.task))
                for name, value in found.items():
                    self.measured[name] = self.measured.get(name, 0.0) + value / len(self.on)

    def result(self, status: str, message: str) -> Evaluation:
        """Return what the evaluation gave."""
        finished = status in ("ok", "stopped")
        known = {name: on.held_out for name, on in self.on.items() if on.held_out is not None}
        layers = int(self.settings["layers"])
        return Evaluation(
            status=status,
            score=self.score if finished else None,
            rung_scores=tuple(self.rung_scores),
            rung_losses={name: tuple(on.rung_losses) for name, on in self.on.items()},
            losses={name: held.loss for name, held in known.items()},
            metrics={name: held.metric for name, held in known.items()},
            parameters={
                name: model_parameters(self.cell, on.task, on.hidden_size, layers)
                for name, on in self.on.items()
            },
            hidden_size={name: on.hidden_size for name, on in self.on.items()},
            learning_rates={
                name: on.trainings[0].learning_rate
                for name, on in self.on.items()
                if len(on.trainings) == 1
            },
            operations=sum(
                on.sequence_steps * step_operations(self.cell, on.task, on.hidden_size, layers)
                for on in self.on.values()
            ),
            steps=sum(on.steps for on in self.on.values()),
            seconds=time.perf_counter() - self.begin,
            measured=self.measured,
            message=message,
        )

    def weights(self) -> dict[str, bytes]:
        """Return the trained weights for each task, as safetensors that say what they belong to."""
        found: dict[str, bytes] = {}
        for name, on in self.on.items():
            metadata = describe_weights(
                self.cell, on.task, on.hidden_size, int(self.settings["layers"])
            )
            tensors = on.trainings[0].model.state_dict()
            found[name] = safetensors.torch.save(tensors, metadata)
        return found


def _known(held_out: HeldOut | None) -> HeldOut:
    if held_out is None:
        raise RuntimeError("a score needs an evaluation on held-out examples")
    return held_out
