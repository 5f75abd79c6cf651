"""Tasks of so many examples and no more."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping

from cellsearch.tasks.base import Array, Examples, Split, Task
from cellsearch.tasks.settings import check_split
from cellsearch.tasks.stream import Stream, permutation


class FiniteTask(Task):
    """A task whose examples are numbered, each split having numbers of its own.

    A subclass calls `_share_out` in its constructor and gives `_examples`.
    """

    def _share_out(self, rows: Mapping[str, Array], label: tuple[int | str, ...]) -> None:
        """Take the numbers of the examples of "training" and of every split."""
        self._rows = dict(rows)
        self._stream = Stream(len(rows["training"]), permutation, label)

    @abstractmethod
    def _examples(self, rows: Array) -> Examples:
        """Return the examples of these numbers."""

    def training(self, seed: int, start: int, count: int) -> Examples:
        """Return a stretch of the stream, epoch by epoch in seeded permutations."""
        (order,) = self._stream.take(seed, start, count)
        return self._examples(self._rows["training"][order])

    def held_out(self, split: Split, seed: int) -> Examples:
        """Return the examples of the split; they do not depend on the seed."""
        del seed
        return self._examples(self._rows[check_split(self.name, split)])
