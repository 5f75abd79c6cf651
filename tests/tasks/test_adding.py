import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellsearch.errors import TaskError
from cellsearch.tasks import load_task
from cellsearch.tasks.adding import AddingTask


def looked_up(sequence: np.ndarray) -> tuple[list[int], float]:
    """Return where the marks are, and the sum they ask for, found step by step."""
    marks, total = [], 0.0
    for step, (number, mark) in enumerate(sequence.tolist()):
        assert mark in (0.0, 1.0)
        assert 0 <= number < 1
        if mark == 1.0:
            marks.append(step)
            total += number
    return marks, total


@settings(max_examples=25, deadline=None)
@given(length=st.integers(2, 40), seed=st.integers(0, 2**62))
def test_the_target_is_the_sum_of_the_two_marked_numbers(length: int, seed: int) -> None:
    task = AddingTask(length=length)
    examples = task.training(seed, 5, 20)
    assert examples.inputs.shape == (20, length, 2)
    for sequence, target in zip(examples.inputs, examples.targets, strict=True):
        marks, total = looked_up(sequence)
        first, second = marks
        assert first < length // 2 <= second
        assert target == pytest.approx([total], abs=1e-6)


def test_marks_and_numbers_are_spread_over_all_their_places() -> None:
    inputs = AddingTask(length=6).training(0, 0, 6000).inputs
    # Each place of a half is marked with probability 1/3: within 5 standard errors of it.
    assert inputs[:, :, 1].mean(axis=0) == pytest.approx(1 / 3, abs=5 * (2 / 9 / 6000) ** 0.5)
    assert inputs[:, :, 0].mean() == pytest.approx(0.5, abs=5 * (1 / 12 / 36000) ** 0.5)
    assert inputs[:, :, 0].var() == pytest.approx(1 / 12, abs=0.002)


def test_saying_one_reaches_chance() -> None:
    targets = AddingTask(length=4).training(3, 0, 20_000).targets.astype(float)
    errors = (targets - 1) ** 2
    standard_error = errors.std() / len(errors) ** 0.5
    assert errors.mean() == pytest.approx(AddingTask.chance, abs=4 * standard_error)


def test_the_metric_is_the_loss() -> None:
    task = AddingTask(length=4)
    examples = task.held_out("test", 0)
    assert task.metric(0.25, np.zeros((512, 1), np.float32), examples) == 0.25


@pytest.mark.parametrize("length", [1, 10_001, 20.0, "20", True, None])
def test_a_wrong_length_is_refused(length: object) -> None:
    expected = r"'adding', setting 'length': expected a whole number from 2 to 10000, found"
    with pytest.raises(TaskError, match=expected):
        load_task("adding", length=length)
