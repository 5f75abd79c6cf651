"""Endless training streams that do not depend on how they are cut into batches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from cellsearch.errors import TaskError
from cellsearch.tasks.base import Array
from cellsearch.tasks.settings import generator

KEPT = 2
"""Blocks a stream remembers: a batch touches the current one and at most begins the next."""

Draw = Callable[[np.random.Generator, int], tuple[Array, ...]]


class Stream:
    """An endless seeded stream, drawn block by block.

    Row k depends on the seed and on ``k // size`` only, so that any stretch can be had without
    what comes before it, and two stretches side by side equal the long one. For finite data a
    block is an epoch and its rows are a permutation; for synthetic data it is a bulk of fresh
    draws, which costs far less than drawing one by one.

    `draw(rng, size)` gives a block, as arrays of `size` rows; `label` (names and settings) keeps
    the streams of different tasks apart.
    """

    def __init__(self, size: int, draw: Draw, label: tuple[int | str, ...]) -> None:
        self._size = size
        self._draw = draw
        self._label = label
        self._kept: tuple[tuple[tuple[int, int], tuple[Array, ...]], ...] = ()

    def take(self, seed: int, start: int, count: int) -> tuple[Array, ...]:
        """Return rows `start`..`start + count - 1` of each array of the seed's stream, as copies.

        Raises TaskError for a stretch that does not exist.
        """
        if start < 0 or count < 1:
            raise TaskError(
                f"training examples are numbered from 0 and come one or more at a time; "
                f"found start={start}, count={count}"
            )
        stop = start + count
        parts = []
        for number in range(start // self._size, (stop - 1) // self._size + 1):
            first = number * self._size
            block = self._block(seed, number)
            parts.append([rows[max(start - first, 0) : stop - first] for rows in block])
        return tuple(np.concatenate(column) for column in zip(*parts, strict=True))

    def _block(self, seed: int, number: int) -> tuple[Array, ...]:
        key = (seed, number)
        for known, block in self._kept:
            if known == key:
                return block
        block = self._draw(generator(seed, *self._label, "training", number), self._size)
        # Replaced as a whole, never changed in place: safe when threads share the task.
        self._kept = ((key, block), *self._kept)[:KEPT]
        return block


def block_size(numbers_per_example: int) -> int:
    """Return how many synthetic examples make a block: 8 MiB of numbers at most, 1024 if short."""
    return max(16, min(1024, 2**20 // numbers_per_example))


def permutation(rng: np.random.Generator, size: int) -> tuple[Array, ...]:
    """Draw one epoch: the order in which its examples come."""
    return (rng.permutation(size),)


def span(count: int, length: int, most: int) -> np.ndarray[Any, Any]:
    """Return the starts of at most `most` disjoint stretches, spread evenly over `count` places."""
    stretches = min(most, count // length)
    return np.arange(stretches) * (count - length) // max(stretches - 1, 1)
