"""One's own data."""

from __future__ import annotations

from typing import Any, final

import numpy as np

from cellsearch.errors import TaskError
from cellsearch.tasks import archive
from cellsearch.tasks.base import Array, Examples
from cellsearch.tasks.finite import FiniteTask
from cellsearch.tasks.parts import deal
from cellsearch.tasks.samples import Samples
from cellsearch.tasks.settings import (
    check_digest,
    digest,
    entropy,
    file_path,
    read_file,
    refuse,
    whole,
)

MAX_SEED = 2**63 - 1
LARGEST = 1e30  # of a scaled number; far inside what float32 holds


@final
class ArraysTask(FiniteTask):
    """Learn what arrays show: a class or quantities for each sequence, or for each step.

    `Task.from_arrays` makes one from arrays in memory; the setting `path` from an .npz file. In
    memory it cannot be described to another process: `save` writes the file that can.

    Groups of samples, or else single samples, are dealt to training (70 %), validation, selection
    and test (10 % each) in an order that the seed draws; no split stays empty. Features, and
    quantities to predict, are scaled to mean 0 and standard deviation 1 of the training part
    (beyond a sample's length inputs stay zero).

    Chance: for classes the entropy of the training labels, in nats; for quantities 1, the
    variance after scaling. Both are what the best constant answer gives.
    Solved, 0: nothing is known of the data, so only an answer without any error is all there is.

    Metric: the share of right answers, or the root mean squared error in y's own unit (over all
    outputs, where there are several).

    Settings:
        path: an .npz file of at most 1 GiB with the arrays X (count, steps, features) and y, and
            possibly groups (count,) and lengths (count,), for sequences padded with zeros.
        readout: "last" (y for each sample) or "each" (y for each step).
        seed: of the splits, a whole number from 0.
        label: how results call the task.
        sha256: what the file must be, to make sure of it; a description always says it.
        samples: arrays in memory, in place of a file.
    `readout`, `seed` and `label` are by default what `save` put into the file, else "last", 0
    and "arrays".

    Attributes:
        classes: the labels in the order of the outputs; empty for quantities.
    """

    def __init__(
        self,
        *,
        path: str | None = None,
        readout: str | None = None,
        seed: int | None = None,
        label: str | None = None,
        sha256: str | None = None,
        samples: Samples | None = None,
    ) -> None:
        kept: dict[str, Any] = {}
        self.path = None if path is None else file_path("arrays", "path", path)
        self.sha256 = digest("arrays", "sha256", sha256)
        if samples is None:
            if self.path is None:
                raise TaskError(
                    "task 'arrays' needs the setting 'path': an .npz file with the arrays X and y"
                )
            where = repr(str(self.path))
            data = read_file("arrays", self.path, archive.MAX_BYTES)
            self.sha256 = check_digest("arrays", where, data, self.sha256)
            arrays, kept = archive.read(where, data)
            samples = Samples.of(
                arrays["X"],
                arrays["y"],
                groups=arrays.get("groups"),
                lengths=arrays.get("lengths"),
                readout=kept.get("readout", "last") if readout is None else readout,
            )
        elif not isinstance(samples, Samples) or path is not None:
            refuse("arrays", "samples", "Samples, and no path beside them", samples)
        self.samples = samples
        self.readout = "last" if samples.readout == "last" else "each"
        self.seed = whole("arrays", "seed", _first(seed, kept.get("seed"), 0), 0, MAX_SEED)
        self.name = _name(_first(label, kept.get("label"), "arrays"))

        count = len(samples.inputs)
        groups = np.arange(count) if samples.groups is None else samples.groups
        self._share_out(deal(groups, self.seed), ("arrays", self.seed))
        self.input_size = samples.inputs.shape[2]
        counted = samples.counted()
        self._mean, self._scale = _scaling(samples.inputs, counted, self._rows["training"], "X")
        scaling = {"input_mean": _listed(self._mean), "input_scale": _listed(self._scale)}
        if samples.labelled:
            self._learn_classes(counted)
            self.encoding = {**scaling, "classes": list(self.classes)}
        else:
            mean = self._learn_quantities(counted)
            target = {"target_mean": _listed(mean), "target_scale": _listed(self._target_scale)}
            self.encoding = {**scaling, **target}

    def metric(self, loss: float, predictions: Array, examples: Examples) -> float:
        """Return the share of right answers, or the root mean squared error in y's own unit."""
        if self.objective == "classification":
            return super().metric(loss, predictions, examples)
        errors = (predictions.astype(np.float64) - examples.targets) * self._target_scale
        if self.readout == "each":
            errors = errors[examples.counted()]
        return float(np.sqrt(np.mean(errors**2)))

    def describe(self) -> dict[str, Any]:
        """Return the settings, of which `path` says where the arrays are.

        Raises TaskError for a task that lives in memory only.
        """
        if self.path is None:
            raise TaskError(
                f"task {self.name!r} lives in memory only; write it with "
                f"task.save('data.npz') and use what that returns: task=task.save('data.npz')"
            )
        return {"name": "arrays", "path": str(self.path), **self._kept(), "sha256": self.sha256}

    def save(self, path: str) -> dict[str, Any]:
        """Write the arrays and settings to an .npz file; return the description of the task there.

        ``load_task(**task.save(path))`` is this task: it gives the same examples, bit by bit.
        Raises TaskError if there is a file that holds anything else: a run may be of its data.
        """
        to = file_path("arrays", "path", path)
        data = archive.write(to, self.samples, self._kept())
        sha256 = check_digest("arrays", repr(str(to)), data, None)
        return {"name": "arrays", "path": str(to), **self._kept(), "sha256": sha256}

    def _kept(self) -> dict[str, Any]:
        return {"readout": self.readout, "seed": self.seed, "label": self.name}

    def _learn_classes(self, counted: Array) -> None:
        """Number the labels, and set what follows from how often each occurs."""
        labels = self.samples.targets
        real = counted if self.readout == "each" else np.ones(len(labels), dtype=bool)
        known, numbers = np.unique(labels[real], return_inverse=True)
        if len(known) > 2 and 2 * len(known) > real.sum():
            raise TaskError(
                f"task {self.name!r}: y has {len(known)} different labels in {real.sum()} places, "
                f"too many to learn classes from; if they are quantities, give y.astype(float)"
            )
        self._targets = np.zeros(labels.shape, dtype=np.int64)
        self._targets[real] = numbers
        self.classes: tuple[Any, ...] = tuple(known.tolist())
        training = self._rows["training"]
        counts = np.bincount(self._targets[training][real[training]], minlength=len(known))
        if np.count_nonzero(counts) < 2:
            only = self.classes[int(counts.argmax())]
            raise TaskError(
                f"task {self.name!r}: all labels of the training part are {only!r}; "
                f"there must be at least two classes"
            )
        self.objective = "classification"
        self.output_size = len(known)
        self.chance, self.solved = entropy(counts), 0.0
        self.unit, self.lower_is_better = "accuracy", False

    def _learn_quantities(self, counted: Array) -> Array:
        """Scale the quantities to predict, and set what follows; return their mean."""
        values = self.samples.targets
        real = counted if self.readout == "each" else np.ones(len(values), dtype=bool)
        mean, self._target_scale = _scaling(values, real, self._rows["training"], "y")
        self._targets = ((values - mean) / self._target_scale).astype(np.float32)
        self._targets[~real] = 0
        self.classes = ()
        self.objective = "regression"
        self.output_size = values.shape[-1]
        self.chance, self.solved = 1.0, 0.0
        self.unit, self.lower_is_better = "root mean squared error", True
        return mean

    def _examples(self, rows: Array) -> Examples:
        samples = self.samples
        inputs = ((samples.inputs[rows] - self._mean) / self._scale).astype(np.float32)
        lengths = None if samples.lengths is None else samples.lengths[rows]
        if lengths is not None:
            inputs[np.arange(inputs.shape[1]) >= lengths[:, None]] = 0
        return Examples(inputs, self._targets[rows], lengths=lengths)


def _first(*values: Any) -> Any:
    return next(value for value in values if value is not None)


def _name(label: object) -> str:
    if isinstance(label, str) and label.isprintable() and 0 < len(label) <= 100:
        return label
    refuse("arrays", "label", "a name of 1 to 100 printable characters", label)


def _scaling(values: Array, real: Array, rows: Array, what: str) -> tuple[Array, Array]:
    """Return mean and standard deviation over the training rows, of each feature or output.

    A feature that does not vary there is only shifted; an output that does not is an error.
    """
    known = values[rows][real[rows]].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        mean, deviation = known.mean(axis=0), known.std(axis=0)
        flat = ~(deviation > 1e-9 * np.abs(mean))
        if what == "y" and flat.any():
            raise TaskError(
                f"task 'arrays': output {np.flatnonzero(flat)[0]} of y does not vary in the "
                f"training part, so there is nothing to learn"
            )
        scale = np.where(flat, 1.0, deviation)
        largest = (np.abs(values[real]) / scale).max(axis=0) + np.abs(mean) / scale
    bad = np.flatnonzero(~(np.isfinite(scale) & (largest < LARGEST)))
    if bad.size:
        raise TaskError(
            f"task 'arrays': {'feature' if what == 'X' else 'output'} {bad[0]} of {what} ranges "
            f"too far to be scaled (to {np.abs(values[real])[:, bad[0]].max():.3g}); clip it, or "
            f"take its logarithm"
        )
    return mean, scale


def _listed(values: Array) -> list[float]:
    return [float(value) for value in np.ravel(values)]
