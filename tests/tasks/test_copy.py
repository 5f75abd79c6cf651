import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellsearch.errors import TaskError
from cellsearch.tasks import load_task
from cellsearch.tasks.copy import CopyTask


@settings(max_examples=25, deadline=None)
@given(
    length=st.integers(1, 30),
    symbols=st.integers(2, 12),
    remember=st.integers(1, 12),
    seed=st.integers(0, 2**62),
)
def test_the_recall_repeats_the_beginning(
    length: int, symbols: int, remember: int, seed: int
) -> None:
    task = CopyTask(length=length, symbols=symbols, remember=remember)
    examples = task.training(seed, 3, 8)
    assert examples.mask is not None
    for inputs, targets, mask in zip(
        examples.inputs.tolist(), examples.targets.tolist(), examples.mask.tolist(), strict=True
    ):
        shown = inputs[:remember]
        assert all(0 <= symbol < symbols for symbol in shown)
        rest = [symbols] * (length - 1) + [symbols + 1] + [symbols] * remember
        assert inputs[remember:] == rest
        assert [step for step, counts in enumerate(mask) if counts] == list(
            range(length + remember, length + 2 * remember)
        )
        assert [t for t, counts in zip(targets, mask, strict=True) if counts] == shown


def test_the_published_recipe_is_the_default_but_for_the_delay() -> None:
    task = CopyTask(length=100)
    assert task.training(0, 0, 1).inputs.shape == (1, 120)
    assert (task.vocabulary, task.output_size) == (10, 8)


def test_a_guess_reaches_chance_and_99_of_100_reaches_solved() -> None:
    task = CopyTask(length=2)
    examples = task.training(0, 0, 2000)
    said = examples.targets[examples.mask]
    shares = np.bincount(said, minlength=8) / len(said)
    assert -(shares * np.log(shares)).sum() == pytest.approx(task.chance, abs=1e-3)
    assert task.chance == pytest.approx(math.log(8))
    right, wrong = 0.99, 0.01 / 7  # each of the other seven
    assert task.solved == pytest.approx(-(0.99 * math.log(right) + 0.01 * math.log(wrong)))


def test_the_metric_is_the_share_of_recalled_symbols_that_are_right() -> None:
    task = CopyTask(length=2, remember=4)
    examples = task.held_out("validation", 0)
    predictions = np.zeros((512, 10, 8), np.float32)
    predictions[:, :, 3] = 1  # always says symbol 3
    threes = sum(symbol == 3 for row in examples.targets.tolist() for symbol in row[-4:])
    assert task.metric(9.9, predictions, examples) == pytest.approx(threes / (512 * 4))
    assert not task.lower_is_better


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("length", 0, "from 1 to 10000, found 0"),
        ("symbols", 1, "from 2 to 128, found 1"),
        ("symbols", "8", r"from 2 to 128, found '8' \(str\)"),
        ("remember", 1001, "from 1 to 1000, found 1001"),
    ],
)
def test_wrong_settings_are_refused(setting: str, value: object, expected: str) -> None:
    with pytest.raises(TaskError, match=f"'copy', setting '{setting}': .* {expected}"):
        load_task("copy", **{setting: value})
