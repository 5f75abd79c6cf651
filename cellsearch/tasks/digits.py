"""Handwritten digits, read a row or a pixel at a time."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from cellsearch.errors import TaskError
from cellsearch.tasks.base import SPLITS, Array, Examples
from cellsearch.tasks.finite import FiniteTask
from cellsearch.tasks.settings import calibrated_loss, choice, generator


@final
class DigitsTask(FiniteTask):
    """Name the handwritten digit that is shown row by row, or pixel by pixel.

    Alpaydin & Kaynak 1998, "Optical recognition of handwritten digits",
    https://doi.org/10.24432/C50P49: the 1797 images of 8 by 8 pixels that scikit-learn carries.
    Le, Jaitly & Hinton 2015, https://arxiv.org/abs/1504.00941, made reading digits in pieces a
    benchmark of recurrent cells. Pixels are scaled to 0..1. Of each digit 70 % are for training,
    and about 10 % for each held-out split, the same ones whatever the seed.

    Chance, ln 10 nats: ten classes of nearly equal size.
    Solved, 0.0466 nats: the cross entropy of one who gets all but one of 180 images right, about
    as many as a split has, and knows it. Smaller differences a split cannot show.

    Settings:
        by: "row" (8 steps of 8 pixels) or "pixel" (64 steps of 1).
    """

    name = "digits"
    output_size = 10
    readout = "last"
    objective = "classification"
    chance = math.log(10)
    solved = calibrated_loss(179 / 180, 10)
    unit = "accuracy"
    lower_is_better = False

    def __init__(self, *, by: str = "row") -> None:
        self.by = choice(self.name, "by", by, ("row", "pixel"))
        self.input_size = 8 if self.by == "row" else 1
        images, self._labels = _load()
        self._images = images.reshape(len(images), -1, self.input_size)
        self._share_out(_split(self._labels), (self.name,))

    def describe(self) -> dict[str, Any]:
        """Return the name and how the images are read."""
        return {"name": self.name, "by": self.by}

    def _examples(self, rows: Array) -> Examples:
        return Examples(self._images[rows], self._labels[rows])


def _load() -> tuple[Array, Array]:
    """Return the images, (1797, 8, 8) float32 in 0..1, and their digits."""
    try:
        from sklearn.datasets import load_digits
    except ImportError:
        raise TaskError(
            "task 'digits' reads the images from scikit-learn, which is missing; "
            "install it with: pip install scikit-learn"
        ) from None
    data = load_digits()
    return (data.images / 16).astype(np.float32), data.target.astype(np.int64)


def _split(labels: Array) -> dict[str, Array]:
    """Return the rows of each split; every digit is shared out in the same proportions."""
    rng = generator("digits", "split")
    rows: dict[str, list[Array]] = {split: [] for split in ("training", *SPLITS)}
    for digit in range(10):
        mine = rng.permutation(np.flatnonzero(labels == digit))
        cuts = [round(len(mine) * share) for share in (0.7, 0.8, 0.9)]
        for split, part in zip(rows, np.split(mine, cuts), strict=True):
            rows[split].append(part)
    return {split: np.sort(np.concatenate(parts)) for split, parts in rows.items()}
