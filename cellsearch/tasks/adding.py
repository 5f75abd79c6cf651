"""The adding problem."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from cellsearch.tasks.base import Array, Examples, Split, Task
from cellsearch.tasks.settings import MAX_STEPS, check_split, generator, whole
from cellsearch.tasks.stream import Stream, block_size

HELD_OUT = 512


@final
class AddingTask(Task):
    """Say, at the end of a long sequence, the sum of the two numbers that were marked.

    Hochreiter & Schmidhuber 1997, "Long short-term memory",
    https://doi.org/10.1162/neco.1997.9.8.1735, in the variant of Arjovsky, Shah & Bengio 2016,
    "Unitary evolution recurrent neural networks", https://arxiv.org/abs/1511.06464: a step is
    (u, mark) with u uniform in 0..1; one mark lies in each half of the sequence.

    Chance, 1/6: the variance of the sum of two uniform numbers, reached by always saying 1.
    Solved, 0.0004: answers that are off by 1 % of their range (0..2), root mean square. The usual
    0.01 is looser, as is Hochreiter and Schmidhuber's tolerance of 4 % (0.0064); at short lengths
    any gated cell passes those within a few hundred steps, which would make them all equal.

    Settings:
        length: steps of a sequence, 2 to 10000.
    """

    name = "adding"
    input_size = 2
    output_size = 1
    readout = "last"
    objective = "regression"
    chance = 1 / 6
    solved = 0.0004
    unit = "mean squared error"

    def __init__(self, *, length: int = 100) -> None:
        self.length = whole(self.name, "length", length, 2, MAX_STEPS)
        self._label = (self.name, self.length)
        self._stream = Stream(block_size(2 * self.length), self._draw, self._label)

    def training(self, seed: int, start: int, count: int) -> Examples:
        """Return a stretch of the stream: inputs (count, length, 2), targets (count, 1)."""
        return Examples(*self._stream.take(seed, start, count))

    def held_out(self, split: Split, seed: int) -> Examples:
        """Return the 512 examples that the seed and the split stand for."""
        rng = generator(seed, *self._label, check_split(self.name, split))
        return Examples(*self._draw(rng, HELD_OUT))

    def describe(self) -> dict[str, Any]:
        """Return the name and the length."""
        return {"name": self.name, "length": self.length}

    def _draw(self, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        half = self.length // 2
        row = np.arange(count)
        first = rng.integers(0, half, size=count)
        second = rng.integers(half, self.length, size=count)
        inputs = np.zeros((count, self.length, 2), dtype=np.float32)
        inputs[:, :, 0] = rng.random((count, self.length), dtype=np.float32)
        inputs[row, first, 1] = 1
        inputs[row, second, 1] = 1
        return inputs, (inputs[row, first, 0] + inputs[row, second, 0])[:, None]
