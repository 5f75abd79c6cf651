import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellsearch.errors import TaskError
from cellsearch.tasks import SPLITS, ArraysTask, Examples, Task, check_examples, load_task

RNG = np.random.Generator(np.random.PCG64(1))
COUNT = 100
# The first feature is the number of the sample: it says where an example came from.
X = np.concatenate(
    [
        np.broadcast_to(np.arange(COUNT)[:, None, None], (COUNT, 6, 1)),
        RNG.normal(50, 9, (COUNT, 6, 2)),
        np.full((COUNT, 6, 1), 0.1),
    ],
    axis=2,
)
LENGTHS = [1 + i % 6 for i in range(COUNT)]
RAGGED = [X[i, :length] for i, length in enumerate(LENGTHS)]
LABELS = np.array(["walk", "run", "rest", "run"] * 25)
QUANTITIES = np.stack([np.arange(COUNT) * 3.0, RNG.normal(7, 2, COUNT)], axis=1)


def parts_of(task: ArraysTask) -> dict[str, Examples]:
    parts: dict[str, Examples] = {split: task.held_out(split, 0) for split in SPLITS}
    parts["training"] = task.training(0, 0, COUNT - sum(map(len, parts.values())))
    return parts


def origins(parts: dict[str, Examples]) -> dict[str, list[int]]:
    """Return which samples the parts hold, from the order of the scaled first feature."""
    values = np.concatenate([part.inputs[:, 0, 0] for part in parts.values()])
    rank = {value: number for number, value in enumerate(np.sort(values).tolist())}
    assert len(rank) == COUNT  # no sample is in two parts
    return {name: [rank[v] for v in part.inputs[:, 0, 0].tolist()] for name, part in parts.items()}


def test_parts_are_disjoint_and_70_10_10_10() -> None:
    task = Task.from_arrays(X, LABELS)
    sizes = {name: len(numbers) for name, numbers in origins(parts_of(task)).items()}
    assert sizes == {"training": 70, "validation": 10, "selection": 10, "test": 10}


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=4, max_size=20).filter(lambda s: sum(s) >= 10),
    seed=st.integers(0, 1000),
)
def test_groups_stay_together_and_no_part_is_empty(sizes: list[int], seed: int) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.broadcast_to(groups[:, None, None], (len(groups), 1, 1)).astype(float)
    quantities = np.arange(len(groups)) * 1.0
    task = Task.from_arrays(rows, quantities, groups=[f"g{g}" for g in groups], seed=seed)
    held = [set(task.held_out(split, 0).inputs.ravel().tolist()) for split in SPLITS]
    count = len(groups) - sum(len(task.held_out(split, 0)) for split in SPLITS)
    held.append(set(task.training(0, 0, count).inputs.ravel().tolist()))
    assert all(held)
    assert sum(map(len, held)) == len(sizes)
    if len(held[-1]) > 1:  # else the number of the group does not vary in the training part
        assert len(set().union(*held)) == len(sizes)
    assert count >= max(len(task.held_out(split, 0)) for split in SPLITS)


def test_equal_groups_are_split_in_proportion() -> None:
    task = Task.from_arrays(X, LABELS, groups=np.arange(COUNT) // 5)
    places = origins(parts_of(task))
    assert sorted(map(len, places.values())) == [10, 10, 10, 70]
    groups = [{number // 5 for number in numbers} for numbers in places.values()]
    assert sum(map(len, groups)) == 20


def test_the_seed_moves_samples_between_the_parts() -> None:
    splits = {
        tuple(sorted(origins(parts_of(Task.from_arrays(X, LABELS, seed=s)))["test"]))
        for s in range(5)
    }
    assert len(splits) == 5


def test_features_are_scaled_by_the_training_part() -> None:
    task = Task.from_arrays(RAGGED, LABELS)
    parts = parts_of(task)
    places = origins(parts)
    for feature in range(3):
        seen = [v for i in places["training"] for v in RAGGED[i][:, feature].tolist()]
        mean = math.fsum(seen) / len(seen)
        deviation = math.sqrt(math.fsum((v - mean) ** 2 for v in seen) / len(seen))
        for name, part in parts.items():
            assert part.lengths is not None
            for number, row, length in zip(places[name], part.inputs, part.lengths, strict=True):
                assert length == LENGTHS[number]
                expected = [(v - mean) / deviation for v in RAGGED[number][:, feature].tolist()]
                assert row[:length, feature] == pytest.approx(expected, abs=1e-5)
                assert not row[length:].any()


def test_a_feature_that_does_not_vary_is_only_shifted() -> None:
    examples = Task.from_arrays(X, LABELS).training(0, 0, 70)
    assert np.abs(examples.inputs[:, :, 3]).max() < 1e-12


def test_labels_become_the_numbers_of_the_classes() -> None:
    task = Task.from_arrays(X, LABELS)
    assert task.classes == ("rest", "run", "walk")
    assert (task.objective, task.output_size, task.unit) == ("classification", 3, "accuracy")
    parts = parts_of(task)
    for name, numbers in origins(parts).items():
        assert [task.classes[t] for t in parts[name].targets] == LABELS[numbers].tolist()


@pytest.mark.parametrize(
    ("labels", "classes"),
    [([7, -3] * 50, (-3, 7)), ([True, False] * 50, (False, True)), (["b", "a"] * 50, ("a", "b"))],
)
def test_classes_are_plain_python(labels: list[object], classes: tuple[object, ...]) -> None:
    found = Task.from_arrays(X, labels).classes
    assert found == classes
    assert [type(c) for c in found] == [type(c) for c in classes]


def test_chance_of_classes_is_the_entropy_of_the_training_labels() -> None:
    task = Task.from_arrays(X, LABELS)
    counts = Counter(task.training(0, 0, 70).targets.tolist())
    expected = -sum(n / 70 * math.log(n / 70) for n in counts.values())
    assert task.chance == pytest.approx(expected)
    assert task.solved == 0


def test_quantities_are_scaled_and_the_mean_reaches_chance() -> None:
    task = Task.from_arrays(X, QUANTITIES)
    assert (task.objective, task.output_size, task.chance, task.solved) == ("regression", 2, 1, 0)
    targets = task.training(0, 0, 70).targets.astype(float)
    assert targets.mean(axis=0) == pytest.approx([0, 0], abs=1e-6)
    assert (targets**2).mean() == pytest.approx(task.chance, abs=1e-6)


def test_the_metric_of_quantities_is_in_their_own_unit() -> None:
    task = Task.from_arrays(X, QUANTITIES[:, 0])
    parts = parts_of(task)
    numbers, examples = origins(parts)["test"], parts["test"]
    always_the_mean = np.zeros((10, 1), np.float32)
    training = [QUANTITIES[i, 0] for i in origins(parts)["training"]]
    mean = sum(training) / len(training)
    expected = math.sqrt(sum((QUANTITIES[i, 0] - mean) ** 2 for i in numbers) / len(numbers))
    assert task.metric(9.9, always_the_mean, examples) == pytest.approx(expected, rel=1e-5)
    assert task.metric(9.9, examples.targets, examples) == 0
    assert task.lower_is_better


def test_steps_beyond_the_end_do_not_count_in_the_metric() -> None:
    labels = [[str(number % 2)] * length for number, length in enumerate(LENGTHS)]
    task = Task.from_arrays(RAGGED, labels, readout="each")
    assert task.classes == ("0", "1")
    examples = task.held_out("test", 0)
    predictions = np.zeros((10, 6, 2), np.float32)
    predictions[:, :, 1] = 1
    right = total = 0
    for row, length in zip(examples.targets.tolist(), examples.lengths.tolist(), strict=True):  # type: ignore[union-attr]
        right += sum(row[:length])
        total += length
    assert task.metric(9.9, predictions, examples) == pytest.approx(right / total)

    quantities = Task.from_arrays(RAGGED, [sample[:, 1] for sample in RAGGED], readout="each")
    examples = quantities.held_out("test", 0)
    predictions = examples.targets.copy()
    assert not predictions[~examples.counted()].any()
    predictions[~examples.counted()] = 100
    assert quantities.metric(9.9, predictions, examples) == 0


@pytest.mark.parametrize(
    ("inputs", "y", "readout", "groups"),
    [
        (X, LABELS, "last", None),
        (RAGGED, QUANTITIES, "last", [i // 3 for i in range(COUNT)]),
        (X.astype(np.float32), X[:, :, 1].astype(np.float32), "each", None),
        (
            RAGGED,
            [["a", "b", "c", "d", "e", "f"][: len(s)] for s in RAGGED],
            "each",
            list("abcde") * 20,
        ),
    ],
)
def test_a_saved_task_comes_back_bit_by_bit(
    tmp_path: Path, inputs: object, y: object, readout: str, groups: object
) -> None:
    task = Task.from_arrays(inputs, y, groups, readout, name="gait", seed=5)  # type: ignore[arg-type]
    description = task.save(str(tmp_path / "data.npz"))
    again = load_task(**description)
    assert isinstance(again, ArraysTask)
    assert again.describe() == description
    assert (again.name, again.seed, again.readout, again.classes) == (
        "gait",
        5,
        readout,
        task.classes,
    )
    by_path = load_task("arrays", path=str(tmp_path / "data.npz"))
    for other in (again, by_path):
        pairs = [(task.training(3, 10, 200), other.training(3, 10, 200))]
        pairs += [(task.held_out(split, 0), other.held_out(split, 0)) for split in SPLITS]
        for mine, theirs in pairs:
            check_examples(other, theirs)
            assert mine.inputs.tobytes() == theirs.inputs.tobytes()
            assert mine.targets.tobytes() == theirs.targets.tobytes()
            assert (mine.lengths is None) == (theirs.lengths is None)
            if mine.lengths is not None and theirs.lengths is not None:
                assert mine.lengths.tolist() == theirs.lengths.tolist()
        assert (task.chance, task.output_size) == (other.chance, other.output_size)
    assert again.save(str(tmp_path / "again.npz"))["sha256"] == description["sha256"]


def test_settings_go_before_what_the_file_says(tmp_path: Path) -> None:
    Task.from_arrays(X, X[:, :, 0], readout="each", seed=5).save(str(tmp_path / "data.npz"))
    task = load_task("arrays", path=str(tmp_path / "data.npz"), seed=6, label="mine")
    assert isinstance(task, ArraysTask)
    assert (task.seed, task.name, task.readout) == (6, "mine", "each")


def test_a_file_that_numpy_wrote_is_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "data.npz", X=X, y=LABELS, lengths=LENGTHS, groups=np.arange(COUNT) // 2)
    task = load_task("arrays", path=str(tmp_path / "data.npz"))
    same = Task.from_arrays(RAGGED, LABELS, groups=np.arange(COUNT) // 2)
    assert task.held_out("test", 0).inputs.tobytes() == same.held_out("test", 0).inputs.tobytes()
    np.savez_compressed(tmp_path / "small.npz", X=X, y=LABELS)
    load_task("arrays", path=str(tmp_path / "small.npz"))


def test_a_task_in_memory_says_how_to_describe_it() -> None:
    with pytest.raises(TaskError, match=r"lives in memory only; write it with task.save"):
        Task.from_arrays(X, LABELS).describe()


def test_a_changed_file_is_noticed(tmp_path: Path) -> None:
    description = Task.from_arrays(X, LABELS).save(str(tmp_path / "data.npz"))
    (tmp_path / "data.npz").unlink()
    Task.from_arrays(X + 1, LABELS).save(str(tmp_path / "data.npz"))
    with pytest.raises(TaskError, match=r"data.npz. is not what it was: its SHA-256"):
        load_task(**description)


@pytest.mark.parametrize(
    ("inputs", "y", "expected"),
    [
        (X, np.arange(COUNT), r"y has 100 different labels in 100 places.*y.astype\(float\)"),
        (X, np.zeros(COUNT, int), "all labels of the training part are 0; there must be at least"),
        (X, np.zeros(COUNT), "output 0 of y does not vary in the training part"),
        (X * [1, 1, 1e200, 1], LABELS, "feature 2 of X ranges too far to be scaled"),
        (X * [1, 1, 1, 1e-320], QUANTITIES * [1e160, 1], "output 0 of y ranges too far"),
    ],
)
def test_what_cannot_be_learned_from_is_refused(
    inputs: np.ndarray, y: np.ndarray, expected: str
) -> None:
    with pytest.raises(TaskError, match=expected):
        Task.from_arrays(inputs, y)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"seed": -1}, "'seed': expected a whole number from 0"),
        ({"seed": 1.0}, r"'seed': .* found 1.0 \(float\)"),
        ({"name": ""}, "'label': expected a name of 1 to 100 printable characters"),
        ({"name": "a\nb"}, "'label': expected a name"),
    ],
)
def test_wrong_settings_are_refused(arguments: dict[str, object], expected: str) -> None:
    with pytest.raises(TaskError, match=expected):
        Task.from_arrays(X, LABELS, **arguments)  # type: ignore[arg-type]


def test_a_path_or_samples_are_needed_and_not_both(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="needs the setting 'path'"):
        load_task("arrays")
    samples = Task.from_arrays(X, LABELS).samples
    with pytest.raises(TaskError, match="'samples': expected Samples, and no path beside them"):
        ArraysTask(path=str(tmp_path / "data.npz"), samples=samples)
    with pytest.raises(TaskError, match="'samples': expected Samples"):
        load_task("arrays", samples=[1])
