"""The copy problem."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from cellsearch.tasks.base import EMBEDDING_SIZE, Array, Examples, Split, Task
from cellsearch.tasks.settings import MAX_STEPS, calibrated_loss, check_split, generator, whole
from cellsearch.tasks.stream import Stream, block_size

HELD_OUT = 512


@final
class CopyTask(Task):
    """Repeat, after a long pause, the symbols seen at the beginning.

    Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735, as Arjovsky, Shah
    & Bengio 2016 state it, https://arxiv.org/abs/1511.06464: `remember` symbols, ``length - 1``
    blanks, one delimiter, `remember` blanks, during which the symbols are to be said in order.
    They average the loss over all steps, where saying "blank" is nearly always right; here only
    the recall counts, so that the level of chance does not depend on the length.

    Chance, ln(symbols) nats a symbol: all are equally likely.
    Solved, the cross entropy of one who recalls 99 of 100 symbols and knows it: 0.0755 nats with
    8 symbols. That is below the tenth of chance that papers take as solved.

    Settings:
        length: the delay; a sequence has ``length + 2 * remember`` steps. 1 to 10000. Training
            needs thousands of steps even at 20, and at 1000 published LSTMs stay at chance.
        symbols: how many different ones there are, 2 to 128.
        remember: how many are shown, 1 to 1000.
    """

    name = "copy"
    input_size = EMBEDDING_SIZE
    readout = "masked"
    objective = "classification"
    unit = "accuracy"
    lower_is_better = False

    def __init__(self, *, length: int = 20, symbols: int = 8, remember: int = 10) -> None:
        self.length = whole(self.name, "length", length, 1, MAX_STEPS)
        self.symbols = whole(self.name, "symbols", symbols, 2, 128)
        self.remember = whole(self.name, "remember", remember, 1, 1000)
        self.vocabulary = self.symbols + 2  # the blank and the delimiter come after the symbols
        self.output_size = self.symbols
        self.chance = math.log(self.symbols)
        self.solved = calibrated_loss(0.99, self.symbols)
        self._label = (self.name, self.length, self.symbols, self.remember)
        self._stream = Stream(block_size(self.remember), self._draw, self._label)

    def training(self, seed: int, start: int, count: int) -> Examples:
        """Return a stretch of the stream; inputs, targets and mask are (count, steps)."""
        return self._examples(*self._stream.take(seed, start, count))

    def held_out(self, split: Split, seed: int) -> Examples:
        """Return the 512 examples that the seed and the split stand for."""
        rng = generator(seed, *self._label, check_split(self.name, split))
        return self._examples(*self._draw(rng, HELD_OUT))

    def describe(self) -> dict[str, Any]:
        """Return the name and the settings."""
        return {
            "name": self.name,
            "length": self.length,
            "symbols": self.symbols,
            "remember": self.remember,
        }

    def _draw(self, rng: np.random.Generator, count: int) -> tuple[Array]:
        return (rng.integers(0, self.symbols, size=(count, self.remember)),)

    def _examples(self, shown: Array) -> Examples:
        blank, delimiter = self.symbols, self.symbols + 1
        steps = self.length + 2 * self.remember
        inputs = np.full((len(shown), steps), blank, dtype=np.int64)
        inputs[:, : self.remember] = shown
        inputs[:, -self.remember - 1] = delimiter
        targets = np.zeros_like(inputs)
        targets[:, -self.remember :] = shown
        mask = np.zeros(inputs.shape, dtype=bool)
        mask[:, -self.remember :] = True
        return Examples(inputs, targets, mask=mask)
