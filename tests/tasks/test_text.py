import hashlib
import math
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from cellsearch.errors import TaskError
from cellsearch.tasks import SPLITS, load_task
from cellsearch.tasks.text import MAX_BYTES, TextTask

# 6,000 different places: a de Bruijn-like text in which each window of 8 characters occurs once.
NUMBERED = "".join(f"{number:04d}," for number in range(1200))
WORDS = "the quick brown fox jumps over the lazy dog. " * 60


@pytest.fixture
def numbered(tmp_path: Path) -> Path:
    path = tmp_path / "numbered.txt"
    path.write_text(NUMBERED, encoding="utf-8")
    return path


def write(folder: Path, data: bytes | str) -> str:
    path = folder / "data.txt"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return str(path)


def read_back(task: TextTask, examples: object) -> list[str]:
    """Return each window with its last target, in characters."""
    return [
        "".join(task.symbols[i] for i in [*inputs, targets[-1]])
        for inputs, targets in zip(examples.inputs, examples.targets, strict=True)  # type: ignore[attr-defined]
    ]


def test_targets_are_the_inputs_one_step_later(numbered: Path) -> None:
    task = TextTask(path=str(numbered), length=8)
    for examples in (task.training(0, 0, 50), task.held_out("test", 0)):
        assert examples.inputs[:, 1:].tolist() == examples.targets[:, :-1].tolist()
        for window in read_back(task, examples):
            assert window in NUMBERED


def test_parts_are_contiguous_and_apart(numbered: Path) -> None:
    task = TextTask(path=str(numbered), length=8)
    cut, part = 4800, 400
    places = [NUMBERED.index(window) for window in read_back(task, task.training(1, 0, 2000))]
    assert min(places) < 8
    assert max(places) + 9 <= cut
    for number, split in enumerate(SPLITS):
        places = [NUMBERED.index(window) for window in read_back(task, task.held_out(split, 0))]
        assert min(places) == cut + number * part
        assert max(places) + 9 == cut + (number + 1) * part
        assert min(np.diff(places)) >= 8
        assert len(places) == (part - 1) // 8


def test_an_epoch_reads_the_training_part_once(numbered: Path) -> None:
    task = TextTask(path=str(numbered), length=50)
    windows = (4800 - 50) // 50
    for epoch in range(3):
        examples = task.training(7, epoch * windows, windows)
        places = sorted(NUMBERED.index(window) for window in read_back(task, examples))
        assert np.diff(places).tolist() == [50] * (windows - 1)
        assert 0 <= places[0] < 50


def test_long_parts_are_sampled_evenly_with_256_windows(tmp_path: Path) -> None:
    task = TextTask(path=write(tmp_path, WORDS * 100), length=20)
    examples = task.held_out("validation", 0)
    assert examples.inputs.shape == (256, 20)
    assert task.held_out("validation", 99).inputs.tolist() == examples.inputs.tolist()


def test_chance_is_the_entropy_of_the_training_characters(tmp_path: Path) -> None:
    text = WORDS + "Z" * 600  # beyond the training part there may be other characters
    task = TextTask(path=write(tmp_path, text), length=8)
    train = text[: len(text) * 8 // 10]
    shares = [count / len(train) for count in Counter(train).values()]
    assert task.chance == pytest.approx(-sum(share * math.log(share) for share in shares))
    assert task.solved == pytest.approx(task.chance * 1.3 / 4.03)
    assert "Z" not in task.symbols
    assert task.vocabulary == len(set(train)) + 1 == task.output_size
    assert (task.held_out("test", 0).inputs == len(set(train))).all()


def test_constant_answers_reach_chance_on_the_built_in_text() -> None:
    for alphabet in ("letters", "characters"):
        task = TextTask(alphabet=alphabet)
        said = task.training(0, 0, 5000).targets.ravel()
        log_shares = np.log(np.bincount(said, minlength=task.output_size) + 1e-9) - math.log(
            said.size
        )
        assert -log_shares[said].mean() == pytest.approx(task.chance, abs=0.01)


def test_the_metric_is_bits_per_character(numbered: Path) -> None:
    task = TextTask(path=str(numbered))
    examples = task.held_out("test", 0)
    assert task.metric(math.log(2) * 3, np.zeros(()), examples) == pytest.approx(3)


def test_letters_fold_the_text(tmp_path: Path) -> None:
    task = TextTask(path=write(tmp_path, "Äpfel, 12 Birnen!\n" * 100), alphabet="letters", length=8)
    assert task.vocabulary == 27
    assert read_back(task, task.training(0, 0, 1))[0] in "apfel birnen " * 100


def test_line_ends_and_byte_order_marks_do_not_matter(tmp_path: Path) -> None:
    plain = TextTask(path=write(tmp_path, "one\ntwo\n" * 100), length=8).training(0, 0, 9)
    other = TextTask(
        path=write(tmp_path, b"\xef\xbb\xbf" + b"one\r\ntwo\r\n" * 100), length=8
    ).training(0, 0, 9)
    assert plain.inputs.tolist() == other.inputs.tolist()


def test_the_description_holds_the_texts_digest(numbered: Path) -> None:
    description = TextTask(path=str(numbered)).describe()
    assert description["sha256"] == hashlib.sha256(NUMBERED.encode()).hexdigest()
    load_task(**description)
    numbered.write_text(NUMBERED + "more", encoding="utf-8")
    with pytest.raises(TaskError, match=r"numbered.txt. is not what it was"):
        load_task(**description)
    with pytest.raises(TaskError, match="the built-in text is not what it was"):
        load_task("text", sha256="0" * 64)


def test_a_relative_path_is_described_as_an_absolute_one(
    numbered: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(numbered.parent)
    assert load_task("text", path="numbered.txt").describe()["path"] == str(numbered)


@pytest.mark.parametrize(
    ("data", "settings", "expected"),
    [
        (b"\xff\xfe\x00a" * 1000, {}, r"is not UTF-8 text \(invalid start byte at byte 0\)"),
        (b"fine so far\x00" * 1000, {}, r"is binary, not text \(a zero byte at 11\)"),
        (b"", {}, "has 0 characters in the alphabet 'characters'"),
        (
            b"too short " * 9,
            {},
            "has 90 characters .* windows of 50 need about 3030; give a longer",
        ),
        (b"a" * 5000, {}, "are all the same one"),
        (
            "да, нет. " * 900,
            {"alphabet": "letters"},
            "for other than Latin script take 'characters'",
        ),
    ],
)
def test_unusable_texts_are_refused(
    tmp_path: Path, data: bytes | str, settings: dict[str, str], expected: str
) -> None:
    with pytest.raises(TaskError, match=expected) as caught:
        load_task("text", path=write(tmp_path, data), **settings)
    assert "\n" not in str(caught.value)
    assert "data.txt" in str(caught.value)


def test_the_length_that_is_said_to_be_needed_is_enough(tmp_path: Path) -> None:
    TextTask(path=write(tmp_path, "ab" * (3030 // 2)), length=50)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"nowhere.txt. does not exist"):
        load_task("text", path=str(tmp_path / "nowhere.txt"))
    with pytest.raises(TaskError, match="is a folder; name a file in it"):
        load_task("text", path=str(tmp_path))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TaskError, match="is not a regular file"):
        load_task("text", path=str(tmp_path / "pipe"))
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(TaskError, match=r"large.txt' has 64.0 MiB; at most 64 MiB are accepted"):
        load_task("text", path=str(tmp_path / "large.txt"))


@pytest.mark.parametrize(
    ("setting", "value", "expected"),
    [
        ("alphabet", "letter", "expected 'characters' or 'letters' .did you mean 'letters'"),
        ("alphabet", 27, "found 27"),
        ("length", 7, "from 8 to 10000"),
        ("path", 3, "expected the path of a file, found 3"),
        ("path", "", "expected the path of a file"),
        ("path", "a\0b", "expected the path of a file"),
        ("sha256", "abc", "64 hexadecimal digits"),
    ],
)
def test_wrong_settings_are_refused(setting: str, value: object, expected: str) -> None:
    with pytest.raises(TaskError, match=f"'text', setting '{setting}': .*{expected}"):
        load_task("text", **{setting: value})
