import numpy as np
import pytest

from cellsearch.errors import TaskError
from cellsearch.tasks import Task
from cellsearch.tasks.samples import Samples

X = np.arange(12 * 5 * 2, dtype=float).reshape(12, 5, 2)
LABELS = np.array([0, 1] * 6)
RAGGED = [X[i, : 1 + i % 5] for i in range(12)]


def test_ragged_samples_are_padded_with_zeros() -> None:
    samples = Samples.of(RAGGED, LABELS)
    assert samples.lengths is not None
    assert samples.lengths.tolist() == [len(sample) for sample in RAGGED]
    for row, sample in zip(samples.inputs, RAGGED, strict=True):
        assert row.tolist() == sample.tolist() + [[0, 0]] * (5 - len(sample))


def test_samples_of_one_length_need_no_lengths() -> None:
    assert Samples.of(list(X), LABELS).lengths is None
    assert Samples.of(X, LABELS, lengths=[5] * 12).lengths is None


def test_an_array_of_objects_is_a_list_of_samples() -> None:
    array = np.empty(12, dtype=object)
    array[:] = RAGGED
    assert Samples.of(array, LABELS).inputs.tolist() == Samples.of(RAGGED, LABELS).inputs.tolist()


def test_what_lies_beyond_a_length_does_not_matter() -> None:
    dirty = X.copy()
    dirty[3, 2:] = np.nan
    y = X[:, :, 0].copy()
    y[3, 2:] = np.inf
    lengths = [5, 5, 5, 2, *[5] * 8]
    samples = Samples.of(dirty, y, lengths=lengths, readout="each")
    assert samples.inputs[3, 2:].tolist() == [[0, 0]] * 3
    assert samples.targets[3, :, 0].tolist() == [*X[3, :2, 0].tolist(), 0, 0, 0]
    assert np.isnan(dirty[3, 2:]).all()  # the caller's array is as it was
    assert np.isinf(y[3, 2:]).all()


def test_later_changes_of_the_callers_arrays_do_not_reach_the_samples() -> None:
    for dtype in (np.float32, np.float64):
        inputs, targets = X.astype(dtype), np.arange(12, dtype=dtype)
        samples = Samples.of(inputs, targets)
        inputs[:] = 7
        targets[:] = 7
        assert samples.inputs.tolist() == X.tolist()
        assert samples.targets.ravel().tolist() == list(range(12))


def test_single_precision_is_kept_and_all_else_becomes_double() -> None:
    assert Samples.of(X.astype(np.float32), LABELS).inputs.dtype == np.float32
    assert Samples.of(X.astype(np.int16), LABELS).inputs.dtype == np.float64
    assert Samples.of(X.astype(np.float16), LABELS).inputs.dtype == np.float64


@pytest.mark.parametrize(
    ("y", "labelled"),
    [
        (LABELS, True),
        (LABELS.astype(bool), True),
        (["a", "b"] * 6, True),
        (np.array(["a", "b"] * 6, dtype=object), True),
        (LABELS.astype(float), False),
        (LABELS.astype(np.float32)[:, None], False),
    ],
)
def test_floats_are_quantities_and_all_else_labels(y: object, labelled: bool) -> None:
    samples = Samples.of(X, y)
    assert samples.labelled is labelled
    assert samples.targets.shape == ((12,) if labelled else (12, 1))


def test_targets_of_each_step_may_be_given_sample_by_sample() -> None:
    labels = Samples.of(RAGGED, [["up"] * len(s) for s in RAGGED], readout="each").targets
    assert labels.shape == (12, 5)
    assert labels[1].tolist() == ["up", "up", "", "", ""]
    quantities = Samples.of(RAGGED, [s * 2 for s in RAGGED], readout="each").targets
    assert quantities.shape == (12, 5, 2)
    assert quantities[1].tolist() == [[20, 22], [24, 26], [0, 0], [0, 0], [0, 0]]


def with_value(value: float) -> np.ndarray:
    changed = X.copy()
    changed[7, 3, 1] = value
    return changed


@pytest.mark.parametrize(
    ("inputs", "expected"),
    [
        (X[:, :, 0], r"X has the shape \(12, 5\); expected \(count, steps, features\); .* X\["),
        (X[:9], "X has 9 samples; at least 10 are needed"),
        ([], "X has 0 samples"),
        (X[:, :0], r"X has the shape \(12, 0, 2\): no steps"),
        (X[:, :, :0], r"X has the shape \(12, 5, 0\): no features"),
        (with_value(np.nan), r"X is nan at sample 7, step 3, feature 1; fill in or drop"),
        (with_value(-np.inf), "X is -inf at sample 7, step 3, feature 1"),
        ("no", r"X holds strings; expected numbers"),
        (X.astype(complex), "X holds complex128; expected numbers"),
        ([*RAGGED[:11], np.zeros((3, 4))], r"X\[11\] has 4 features, X\[0\] has 2"),
        ([*RAGGED[:11], np.zeros((0, 2))], r"X\[11\] has no steps; drop it"),
        (
            [*RAGGED[:11], np.zeros(3)],
            r"X\[11\] has the shape \(3,\); expected \(steps, features\)",
        ),
        ([*RAGGED[:11], [[1, 2], [3]]], r"X\[11\] is not an array"),
        ([*RAGGED[:11], [["a", "b"]]], r"X\[11\] holds strings"),
    ],
)
def test_unusable_inputs_are_refused(inputs: object, expected: str) -> None:
    with pytest.raises(TaskError, match=expected) as caught:
        Task.from_arrays(inputs, LABELS[: len(inputs)])  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("y", "readout", "expected"),
    [
        (LABELS[:11], "last", "X has 12 samples, y has 11"),
        (3, "last", r"X has 12 samples, y has a single value, 3 \(int\)"),
        (
            LABELS[:, None],
            "last",
            r"y has the shape \(12, 1\); expected \(count,\); .* y.ravel\(\)",
        ),
        (X, "last", r"y has the shape \(12, 5, 2\); expected \(count,\), or \(count, outputs\)"),
        (np.array([None] * 12), "last", "y holds object; expected numbers, or strings"),
        (np.full(12, np.nan), "last", "y is nan at sample 0; drop samples without a target"),
        (np.zeros((12, 0)), "last", "no outputs"),
        (LABELS, "each", r"y has the shape \(12,\); expected \(count, steps\)"),
        (X[:, :4, 0], "each", "y has 4 steps, X has 5"),
        (with_value(np.nan), "each", "y is nan at sample 7, step 3"),
        ([[0] * 5] * 11, "each", "X has 12 samples, y has 11"),
        ([[0] * 5] * 11 + [[0] * 4], "each", r"y\[11\] has 4, X\[11\] has 5 steps"),
        ([[0] * 5] * 11 + [3], "each", r"y\[11\] has a single value"),
        ([[0] * 5] * 11 + [["a"] * 5], "each", "y mixes strings and numbers"),
        (
            [[0] * 5] * 11 + [[[0]] * 5],
            "each",
            r"y\[11\] has the shape \(5, 1\), y\[0\] has \(5,\)",
        ),
        (LABELS, "lost", "'readout': expected 'last' or 'each' .did you mean 'last'"),
        (LABELS, "masked", "the readout 'masked' needs a mask"),
    ],
)
def test_unusable_targets_are_refused(y: object, readout: str, expected: str) -> None:
    with pytest.raises(TaskError, match=expected) as caught:
        Task.from_arrays(X, y, readout=readout)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        ([1] * 11, r"groups are int64 of the shape \(11,\); .* for each of the 12 samples"),
        (np.ones(12), "groups are float64"),
        ([1, 2, 3] * 4, "there are 3 groups; at least 4 are needed"),
    ],
)
def test_unusable_groups_are_refused(groups: object, expected: str) -> None:
    with pytest.raises(TaskError, match=expected):
        Task.from_arrays(X, LABELS, groups=groups)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("inputs", "lengths", "expected"),
    [
        (X, [5] * 11, r"lengths are int64 of the shape \(11,\)"),
        (X, np.full(12, 5.0), "lengths are float64"),
        (X, [5] * 11 + [6], r"lengths\[11\] is 6; X is padded to 5, so 1 to 5"),
        (X, [0] + [5] * 11, r"lengths\[0\] is 0"),
        (RAGGED, [5] * 12, "lengths go with a padded array"),
    ],
)
def test_unusable_lengths_are_refused(inputs: object, lengths: object, expected: str) -> None:
    with pytest.raises(TaskError, match=expected):
        Samples.of(inputs, LABELS, lengths=lengths)
