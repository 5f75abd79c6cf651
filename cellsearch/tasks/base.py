"""What a task is: `Examples`, and the abstract `Task` that gives them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from cellsearch.tasks.arrays import ArraysTask

Array = npt.NDArray[Any]
Split = Literal["validation", "selection", "test"]
Readout = Literal["last", "each", "masked"]
Objective = Literal["classification", "regression"]

SPLITS: tuple[Split, ...] = ("validation", "selection", "test")
EMBEDDING_SIZE = 16
"""What a symbol is embedded to before the cell sees it; equal for all tasks, hence not counted."""


@dataclass(frozen=True, slots=True, eq=False)
class Examples:
    """Some sequences and what should be said about them.

    Shapes:
        inputs: (count, steps, input_size) float32, or (count, steps) int64 symbols
        targets: readout "last": (count,) int64 or (count, output_size) float32;
            "each" and "masked": (count, steps) int64 or (count, steps, output_size) float32
        lengths: (count,) int64, each 1..steps, for ragged sequences; None: all are full
        mask: (count, steps) bool, readout "masked" only: the steps that count
    """

    inputs: Array
    targets: Array
    lengths: Array | None = None
    mask: Array | None = None

    def __len__(self) -> int:
        return len(self.inputs)

    def counted(self) -> Array:
        """Return which steps count for the readouts "each" and "masked", (count, steps) bool."""
        counted = np.ones(self.inputs.shape[:2], dtype=bool)
        if self.lengths is not None:
            counted &= np.arange(self.inputs.shape[1]) < self.lengths[:, None]
        if self.mask is not None:
            counted &= self.mask
        return counted


class Task(ABC):
    """A kind of sequence to learn, with the levels that make losses of different tasks comparable.

    A subclass sets the attributes below, has its settings as keyword arguments of its constructor,
    and gives `training`, `held_out` and `describe`; `metric` only where the default does not fit.
    What it gives depends on its settings and the seeds alone, and what it returns is the
    caller's: arrays are fresh and writable.

    Attributes:
        name: how results call the task.
        input_size: how many numbers the cell sees at a step.
        vocabulary: how many symbols there are, each embedded to `input_size` numbers; None where
            inputs are numbers already.
        output_size: how many numbers the fully connected layer gives.
        readout: what of a sequence is read: its last step, each step, or the masked ones.
        objective: "classification" (cross entropy in nats) or "regression" (mean squared error).
        chance: the loss of the best constant answer.
        solved: the loss at which nothing worth having is left; below `chance`.
        unit: the unit of `metric`.
        lower_is_better: whether a lower metric is better.
        encoding: plain JSON that tells a user of the trained network how raw data become its
            inputs and its outputs become answers, such as scaling, classes or symbols.
    """

    name: str
    input_size: int
    vocabulary: int | None = None
    output_size: int
    readout: Readout
    objective: Objective
    chance: float
    solved: float
    unit: str
    lower_is_better: bool = True
    encoding: Mapping[str, Any] = MappingProxyType({})

    @abstractmethod
    def training(self, seed: int, start: int, count: int) -> Examples:
        """Return examples `start`..`start + count - 1` of this seed's endless training stream.

        How the stream is cut into calls does not change it. Finite data come in seeded
        permutations, epoch by epoch.
        """

    @abstractmethod
    def held_out(self, split: Split, seed: int) -> Examples:
        """Return the fixed examples of a split; training never gives one of them."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return plain JSON with which ``load_task(**description)`` builds an equal task."""

    def metric(self, loss: float, predictions: Array, examples: Examples) -> float:
        """Return the result in the task's own unit.

        By default the share of right answers for classification, and the loss for regression.
        `predictions` is what the fully connected layer gave: (count, output_size) for the readout
        "last", else (count, steps, output_size).
        """
        if self.objective == "regression":
            return float(loss)
        right = predictions.argmax(axis=-1) == examples.targets
        return float(np.mean(right if self.readout == "last" else right[examples.counted()]))

    @staticmethod
    def from_arrays(
        X: Array | Sequence[Array],  # noqa: N803 (scikit-learn's name for it)
        y: Array | Sequence[Any],
        groups: Array | Sequence[Any] | None = None,
        readout: str = "last",
        name: str = "arrays",
        seed: int = 0,
    ) -> ArraysTask:
        """Return a task made of one's own data.

        `X` is (count, steps, features), or a list of (steps_i, features) arrays where sequences
        differ in length. Whole numbers, booleans and strings in `y` are classes; floats are
        quantities to predict. Samples with the same entry in `groups` (a patient, a machine, a
        recording) stay in one split. With ``readout="each"`` there is a `y` for each step.
        Raises TaskError for anything that cannot be learned from, saying what and where.
        """
        # Both modules build on this one, hence imported only when they are needed.
        from cellsearch.tasks.arrays import ArraysTask
        from cellsearch.tasks.samples import Samples

        samples = Samples.of(X, y, groups=groups, readout=readout)
        return ArraysTask(samples=samples, label=name, seed=seed)
