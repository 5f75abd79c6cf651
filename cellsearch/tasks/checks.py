"""Checks of what a task says of itself and gives: the one place where its shapes are verified."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, get_args

import numpy as np

from cellsearch.errors import TaskError
from cellsearch.tasks.base import Array, Examples, Objective, Readout, Task
from cellsearch.tasks.settings import shown


def _positive(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _level(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


_ATTRIBUTES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: isinstance(value, str) and value != "", "a string that says something"),
    "input_size": (_positive, "a whole number above 0"),
    "vocabulary": (lambda value: value is None or _positive(value), "a number above 0, or None"),
    "output_size": (_positive, "a whole number above 0"),
    "readout": (get_args(Readout).__contains__, f"one of {', '.join(get_args(Readout))}"),
    "objective": (get_args(Objective).__contains__, f"one of {', '.join(get_args(Objective))}"),
    "chance": (_level, "a finite number"),
    "solved": (_level, "a finite number"),
    "unit": (lambda value: isinstance(value, str), "a string"),
    "lower_is_better": (lambda value: isinstance(value, bool), "True or False"),
}


def check_task(task: Task) -> None:
    """Raise TaskError unless the task's attributes are there and make sense together."""
    for attribute, (fits, expected) in _ATTRIBUTES.items():
        value = getattr(task, attribute, None)
        if not fits(value):
            raise TaskError(
                f"{type(task).__name__}.{attribute}: expected {expected}, found {shown(value)}"
            )
    if not task.solved < task.chance:
        raise TaskError(
            f"{type(task).__name__}.solved: expected less than chance ({task.chance:.6g}), "
            f"found {task.solved:.6g}"
        )


def check_examples(task: Task, examples: Examples) -> None:
    """Raise TaskError unless the examples have the shapes and types that the task declares."""

    def need(right: bool, what: str, expected: str, found: Any) -> None:
        if not right:
            raise TaskError(f"task {task.name!r}: {what}: expected {expected}, found {found}")

    def kind(what: str, array: Array | None, dtype: type, shape: tuple[int, ...]) -> None:
        found = None if array is None else f"{array.dtype} {array.shape}"
        right = array is not None and array.dtype == dtype and array.shape == shape
        need(right, what, f"{np.dtype(dtype)} {shape}", found)

    inputs, targets = examples.inputs, examples.targets
    need(inputs.ndim >= 2 and inputs.size > 0, "inputs", "(count, steps, ...)", inputs.shape)
    count, steps = inputs.shape[:2]
    if task.vocabulary is None:
        kind("inputs", inputs, np.float32, (count, steps, task.input_size))
        need(bool(np.isfinite(inputs).all()), "inputs", "finite numbers", "others")
    else:
        kind("inputs", inputs, np.int64, (count, steps))
        low, high = inputs.min(), inputs.max()
        need(
            low >= 0 and high < task.vocabulary, "inputs", f"0..{task.vocabulary - 1}", (low, high)
        )

    if examples.lengths is not None:
        kind("lengths", examples.lengths, np.int64, (count,))
        low, high = examples.lengths.min(), examples.lengths.max()
        need(low >= 1 and high <= steps, "lengths", f"1..{steps}", (low, high))
    if task.readout == "masked":
        kind("mask", examples.mask, np.bool_, (count, steps))
        need(bool(examples.counted().any()), "mask", "steps that count", "none")
    else:
        need(examples.mask is None, "mask", f"None for the readout {task.readout!r}", "an array")

    places = (count,) if task.readout == "last" else (count, steps)
    real = np.ones(count, dtype=bool) if task.readout == "last" else examples.counted()
    if task.objective == "classification":
        kind("targets", targets, np.int64, places)
        low, high = targets.min(), targets.max()
        right = low >= 0 and high < task.output_size
        need(right, "targets", f"0..{task.output_size - 1}", (low, high))
    else:
        kind("targets", targets, np.float32, (*places, task.output_size))
        need(bool(np.isfinite(targets[real]).all()), "targets", "finite numbers", "others")
