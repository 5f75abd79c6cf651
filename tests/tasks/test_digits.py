import math
import sys
from collections import Counter

import numpy as np
import pytest
from sklearn.datasets import load_digits

from cellsearch.errors import TaskError
from cellsearch.tasks import SPLITS, Examples, load_task
from cellsearch.tasks.digits import DigitsTask


@pytest.fixture(scope="module")
def rows() -> DigitsTask:
    return DigitsTask()


def everything(task: DigitsTask) -> dict[str, list[tuple[bytes, int]]]:
    """Return the images, as bytes, and the digits of each part."""
    parts: dict[str, Examples] = {split: task.held_out(split, 0) for split in SPLITS}
    count = 1797 - sum(len(part) for part in parts.values())
    parts["training"] = task.training(0, 0, count)
    return {
        name: [(image.tobytes(), int(d)) for image, d in zip(p.inputs, p.targets, strict=True)]
        for name, p in parts.items()
    }


def test_the_parts_are_all_images_once(rows: DigitsTask) -> None:
    data = load_digits()
    expected = Counter(
        (np.array([[p / 16 for p in row] for row in image], np.float32).tobytes(), int(digit))
        for image, digit in zip(data.images.tolist(), data.target, strict=True)
    )
    parts = everything(rows)
    assert sum(map(Counter, parts.values()), Counter()) == expected
    assert [len(part) for part in parts.values()] == [
        pytest.approx(share * 1797, abs=5) for share in (0.1, 0.1, 0.1, 0.7)
    ]


def test_every_digit_has_its_share_in_every_part(rows: DigitsTask) -> None:
    total = Counter(load_digits().target.tolist())
    for name, part in everything(rows).items():
        share = 0.7 if name == "training" else 0.1
        for digit, count in Counter(digit for _, digit in part).items():
            assert abs(count - share * total[digit]) <= 1


def test_pixels_are_the_rows_read_on(rows: DigitsTask) -> None:
    pixels = DigitsTask(by="pixel")
    assert (rows.input_size, pixels.input_size) == (8, 1)
    by_row, by_pixel = rows.training(4, 10, 5), pixels.training(4, 10, 5)
    assert by_pixel.inputs.shape == (5, 64, 1)
    assert by_pixel.inputs.reshape(5, 8, 8).tolist() == by_row.inputs.tolist()
    assert by_pixel.targets.tolist() == by_row.targets.tolist()


def test_a_guess_reaches_chance(rows: DigitsTask) -> None:
    labels = rows.held_out("test", 0).targets
    shares = np.bincount(labels, minlength=10) / len(labels)
    assert -(shares * np.log(shares)).sum() == pytest.approx(rows.chance, abs=1e-3)
    assert rows.chance == pytest.approx(math.log(10))
    assert 0.04 < rows.solved < 0.05


def test_the_metric_is_accuracy(rows: DigitsTask) -> None:
    examples = rows.held_out("selection", 0)
    predictions = np.eye(10, dtype=np.float32)[examples.targets]
    assert rows.metric(0.0, predictions, examples) == 1.0
    predictions[0] = predictions[0, ::-1]  # d becomes 9 - d, another one
    assert rows.metric(0.0, predictions, examples) == pytest.approx(1 - 1 / len(examples))


@pytest.mark.parametrize(("by", "hint"), [("rows", "did you mean 'row'"), (8, "found 8")])
def test_another_way_of_reading_is_refused(by: object, hint: str) -> None:
    with pytest.raises(
        TaskError, match=f"'digits', setting 'by': expected 'row' or 'pixel'.*{hint}"
    ):
        load_task("digits", by=by)


def test_without_scikit_learn_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(TaskError, match="pip install scikit-learn"):
        DigitsTask()
