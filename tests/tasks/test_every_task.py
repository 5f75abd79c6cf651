"""What holds for every task, with every kind of readout, objective and input."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellsearch.errors import TaskError
from cellsearch.tasks import SPLITS, Examples, Task, check_examples, check_task, load_task

TEXT = "".join(f"{i * i}. Sei x = {i}; dann gilt: x² ≥ 0.\n" for i in range(400))


def make_arrays(folder: Path, **settings: object) -> Task:
    """Return a saved task on ragged sequences of 40 samples."""
    rng = np.random.Generator(np.random.PCG64(5))
    ragged = [rng.integers(-9, 9, (1 + i % 4, 2)).astype(float) for i in range(40)]
    if settings.get("readout") == "each":
        y: object = [sample[:, 0] * 2.0 for sample in ragged]
    else:
        y = [i % 3 for i in range(40)]
    path = str(folder / "arrays.npz")
    return load_task(**Task.from_arrays(ragged, y, **settings).save(path))  # type: ignore[arg-type]


def make_text(folder: Path, **settings: object) -> Task:
    path = folder / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return load_task("text", path=str(path), **settings)


MAKERS: dict[str, Callable[[Path], Task]] = {
    "adding": lambda folder: load_task("adding", length=20),
    "copy": lambda folder: load_task("copy", length=5, remember=3),
    "digits": lambda folder: load_task("digits"),
    "pixels": lambda folder: load_task("digits", by="pixel"),
    "characters": lambda folder: make_text(folder, length=20),
    "letters": lambda folder: make_text(folder, alphabet="letters", length=12),
    "classes": lambda folder: make_arrays(folder),
    "quantities": lambda folder: make_arrays(folder, readout="each", seed=4),
}

PINNED = {
    "adding": "ee510cb5ada9ad53",
    "copy": "e7309a1429c75d72",
    "digits": "ec13de9575a7ff29",
    "pixels": "ef3ecb1fe0ad5702",
    "characters": "f6273e7beb514356",
    "letters": "a8e9ea65b95b78b7",
    "classes": "78ebc51ff4c06527",
    "quantities": "66e3ee1d29e42a47",
}


@pytest.fixture(scope="module", params=list(MAKERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def task(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Task:
    return MAKERS[kind](tmp_path_factory.mktemp(kind))


def arrays(examples: Examples) -> list[np.ndarray]:
    every = (examples.inputs, examples.targets, examples.lengths, examples.mask)
    return [array for array in every if array is not None]


def same(one: Examples, other: Examples) -> bool:
    return len(arrays(one)) == len(arrays(other)) and all(
        a.dtype == b.dtype and a.tobytes() == b.tobytes()
        for a, b in zip(arrays(one), arrays(other), strict=True)
    )


def fingerprint(task: Task) -> str:
    """Return a digest of a stretch of training, of a held-out set and of the levels."""
    digest = hashlib.sha256(f"{task.chance:.9g} {task.solved:.9g}".encode())
    for examples in (task.training(1, 50, 30), task.held_out("selection", 2)):
        for array in arrays(examples):
            digest.update(f"{array.dtype.str}{array.shape}".encode())
            digest.update(array.tobytes())
    return digest.hexdigest()[:16]


def test_what_it_says_and_gives_fits_together(task: Task) -> None:
    check_task(task)
    check_examples(task, task.training(3, 7, 33))
    assert len(task.training(3, 7, 33)) == 33
    for split in SPLITS:
        check_examples(task, task.held_out(split, 3))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    start=st.integers(0, 3000),
    counts=st.lists(st.integers(1, 150), min_size=1, max_size=3),
    seed=st.integers(0, 2**63 - 1),
)
def test_the_stream_does_not_depend_on_how_it_is_cut(
    task: Task, start: int, counts: list[int], seed: int
) -> None:
    whole = task.training(seed, start, sum(counts))
    for count in counts:
        part = task.training(seed, start, count)
        begin = len(whole) - sum(counts)
        for long, short in zip(arrays(whole), arrays(part), strict=True):
            assert long[begin : begin + count].tolist() == short.tolist()
        start, counts = start + count, counts[1:]


def test_seeds_give_different_streams(task: Task) -> None:
    streams = {tuple(a.tobytes() for a in arrays(task.training(seed, 0, 64))) for seed in range(4)}
    assert len(streams) == 4


def test_stretches_of_a_stream_differ(task: Task) -> None:
    assert not same(task.training(0, 0, 64), task.training(0, 64, 64))


def test_held_out_sets_are_fixed_and_differ(task: Task) -> None:
    sets = [task.held_out(split, 0) for split in SPLITS]
    assert all(same(a, task.held_out(split, 0)) for a, split in zip(sets, SPLITS, strict=True))
    assert not any(same(sets[i], sets[j]) for i, j in ((0, 1), (0, 2), (1, 2)))


def test_only_synthetic_held_out_sets_depend_on_the_seed(kind: str, task: Task) -> None:
    depends = not same(task.held_out("test", 0), task.held_out("test", 1))
    assert depends == (kind in ("adding", "copy"))


def test_synthetic_training_and_held_out_sets_are_drawn_apart() -> None:
    task = load_task("adding", length=20)
    training = {row.tobytes() for row in task.training(0, 0, 3000).inputs}
    held_out = [row.tobytes() for split in SPLITS for row in task.held_out(split, 0).inputs]
    assert len(held_out) == len(set(held_out)) == 3 * 512
    assert not training & set(held_out)


def test_what_is_given_may_be_changed(task: Task) -> None:
    gets: list[Callable[[], Examples]] = [
        lambda: task.training(0, 0, 8),
        lambda: task.held_out("test", 0),
    ]
    for get in gets:
        before = get()
        changed = get()
        for array in arrays(changed):
            assert array.flags.c_contiguous
            array[:] = 0
        assert same(before, get())


def test_a_description_is_json_and_rebuilds_the_task(task: Task) -> None:
    description = json.loads(json.dumps(task.describe(), allow_nan=False))
    again = load_task(**description)
    assert type(again) is type(task)
    assert again.describe() == task.describe()
    assert fingerprint(again) == fingerprint(task)


@pytest.mark.parametrize("split", ["training", "tests", None])
def test_other_splits_are_refused(task: Task, split: str) -> None:
    with pytest.raises(TaskError, match="there are validation, selection, test"):
        task.held_out(split, 0)  # type: ignore[arg-type]


def test_examples_are_the_pinned_ones(kind: str, task: Task) -> None:
    assert fingerprint(task) == PINNED[kind]


def test_another_process_gives_the_same_examples(tmp_path: Path) -> None:
    task = make_arrays(tmp_path)
    code = (
        "import sys, json; from cellsearch.tasks import load_task\n"
        "task = load_task(**json.loads(sys.argv[1]))\n"
        "print(hash('a'), task.training(3, 5, 50).inputs.tobytes().hex())"
    )
    seen = set()
    for hash_seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", code, json.dumps(task.describe())],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        seen.add(tuple(done.stdout.split()))
    expected = task.training(3, 5, 50).inputs.tobytes().hex()
    assert {examples for _, examples in seen} == {expected}
    assert len(seen) == 2  # the processes did hash differently


@pytest.mark.parametrize("name", ["adding", "copy", "digits", "text"])
def test_docstrings_say_source_chance_and_solved(name: str) -> None:
    text = type(load_task(name)).__doc__ or ""
    assert "https://" in text
    assert "Chance" in text
    assert "Solved" in text
