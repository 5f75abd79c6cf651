from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from cellsearch.errors import TaskError
from cellsearch.tasks import Examples, Task, check_examples, check_task, load_task


@pytest.mark.parametrize(
    ("attribute", "value", "expected"),
    [
        ("name", "", "expected a string that says something, found ''"),
        ("input_size", 0, "expected a whole number above 0, found 0"),
        ("input_size", None, "expected a whole number above 0, found None"),
        ("vocabulary", 0, "expected a number above 0, or None"),
        ("output_size", True, "expected a whole number above 0, found True"),
        ("readout", "first", "expected one of last, each, masked"),
        ("objective", "ranking", "expected one of classification, regression"),
        ("chance", float("nan"), "expected a finite number"),
        ("solved", 0.2, "expected less than chance"),
        ("unit", 3, "expected a string"),
        ("lower_is_better", 1, "expected True or False"),
    ],
)
def test_attributes_must_make_sense(attribute: str, value: object, expected: str) -> None:
    task = load_task("adding", length=4)
    check_task(task)
    setattr(task, attribute, value)
    with pytest.raises(TaskError, match=f"AddingTask.{attribute}: {expected}"):
        check_task(task)


def test_an_attribute_that_was_never_set_is_named() -> None:
    class Bare(Task):
        def training(self, seed: int, start: int, count: int) -> Examples:
            raise NotImplementedError

        held_out = training  # type: ignore[assignment]

        def describe(self) -> dict[str, Any]:
            return {}

    with pytest.raises(TaskError, match=r"Bare.name: expected a string .*, found None"):
        check_task(Bare())


FLOATS = np.zeros((3, 4, 2), np.float32)


@pytest.mark.parametrize(
    ("name", "change", "expected"),
    [
        ("adding", {"inputs": FLOATS.astype(float)}, "inputs: expected float32 .*, found float64"),
        ("adding", {"inputs": FLOATS[:, :, :1]}, r"inputs: expected float32 \(3, 4, 2\)"),
        ("adding", {"inputs": FLOATS[:0]}, "inputs: expected"),
        ("adding", {"inputs": FLOATS + np.float32(np.nan)}, "inputs: expected finite numbers"),
        ("adding", {"targets": np.zeros(3, np.float32)}, r"targets: expected float32 \(3, 1\)"),
        ("adding", {"targets": np.full((3, 1), np.inf, np.float32)}, "targets: expected finite"),
        ("adding", {"lengths": np.array([1, 2])}, r"lengths: expected int64 \(3,\)"),
        ("adding", {"lengths": np.array([1, 2, 5])}, r"lengths: expected 1..4"),
        ("adding", {"lengths": np.array([1, 0, 4])}, r"lengths: expected 1..4"),
        ("adding", {"mask": np.ones((3, 4), bool)}, "mask: expected None for the readout 'last'"),
        ("copy", {"mask": None}, "mask: expected bool .*, found None"),
        ("copy", {"mask": np.zeros((3, 6), bool)}, "mask: expected steps that count, found none"),
        ("copy", {"inputs": np.full((3, 6), 10)}, r"inputs: expected 0..9"),
        ("copy", {"targets": np.full((3, 6), 8)}, r"targets: expected 0..7"),
        ("copy", {"targets": np.zeros((3, 6), np.int32)}, "targets: expected int64"),
    ],
)
def test_examples_must_fit_their_task(name: str, change: dict[str, Any], expected: str) -> None:
    settings = {"adding": {"length": 4}, "copy": {"length": 2, "remember": 2}}[name]
    task = load_task(name, **settings)
    examples = task.training(0, 0, 3)
    check_examples(task, examples)
    with pytest.raises(TaskError, match=f"task '{name}': {expected}") as caught:
        check_examples(task, replace(examples, **change))
    assert "\n" not in str(caught.value)


def test_counted_steps_are_real_and_masked() -> None:
    inputs = np.zeros((2, 4, 1), np.float32)
    lengths = np.array([2, 4])
    mask = np.array([[False, True, True, True]] * 2)
    assert Examples(inputs, inputs).counted().all()
    assert Examples(inputs, inputs, lengths).counted().tolist() == [[1, 1, 0, 0], [1, 1, 1, 1]]
    assert Examples(inputs, inputs, lengths, mask).counted().tolist() == [
        [0, 1, 0, 0],
        [0, 1, 1, 1],
    ]
