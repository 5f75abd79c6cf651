"""One's own sequences and what they stand for, checked once, as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from cellsearch.errors import TaskError
from cellsearch.tasks.base import Array
from cellsearch.tasks.settings import choice, shown

FEWEST = 10
READOUTS = ("last", "each")

NO_MASK = (
    "the readout 'masked' needs a mask, which arrays do not have; "
    "take 'last' or 'each', or write a Task of your own"
)


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """Samples as they were given, not yet scaled or split.

    Shapes:
        inputs: (count, steps, features) float32 or float64, zero beyond a sample's length
        targets: readout "last": (count,) labels or (count, outputs) floats;
            "each": (count, steps) labels or (count, steps, outputs) floats
        lengths: (count,) int64, None where all samples are full
        groups: (count,) numbers of the groups from 0 on, None where each sample is its own
    """

    inputs: Array
    targets: Array
    lengths: Array | None
    groups: Array | None
    readout: str

    @property
    def labelled(self) -> bool:
        """Whether the targets are classes rather than quantities."""
        return self.targets.dtype.kind != "f"

    def counted(self) -> Array:
        """Return which steps belong to a sample, (count, steps) bool."""
        count, steps = self.inputs.shape[:2]
        if self.lengths is None:
            return np.ones((count, steps), dtype=bool)
        return np.asarray(np.arange(steps) < self.lengths[:, None])

    @classmethod
    def of(
        cls,
        inputs: object,
        targets: object,
        *,
        groups: object = None,
        lengths: object = None,
        readout: object = "last",
    ) -> Samples:
        """Check the arrays and bring them into one form, copied.

        Raises TaskError that says what is wrong and where; `inputs` are called X, `targets` y.
        """
        if readout == "masked":
            raise TaskError(f"task 'arrays': {NO_MASK}")
        readout = choice("arrays", "readout", readout, READOUTS)
        rows, sizes = _inputs(inputs, lengths)
        count, steps = rows.shape[:2]
        if count < FEWEST:
            _fail(f"X has {count} samples; at least {FEWEST} are needed, better hundreds")
        full = bool((sizes == steps).all())
        values = _targets(targets, sizes, steps, readout)
        return cls(rows, values, None if full else sizes, _groups(groups, count), readout)


def _fail(message: str) -> NoReturn:
    raise TaskError(f"task 'arrays': {message}")


def _array(what: str, data: object) -> Array:
    """Return the data as an array of numbers, booleans or strings."""
    try:
        array = np.asarray(data)
    except (ValueError, TypeError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise TaskError(f"task 'arrays': {what} is not an array ({reason})") from None
    if array.dtype.kind == "O" and array.size and all(isinstance(v, str) for v in array.flat):
        array = array.astype(str)
    if array.dtype.kind not in "fiubU":
        _fail(f"{what} holds {array.dtype}; expected numbers" + (", or strings" * (what[0] == "y")))
    return array


def _numbers(what: str, data: object) -> Array:
    """Return a copy of the data as floats: those of float32 as they are, all else as float64."""
    array = _array(what, data)
    if array.dtype.kind == "U":
        _fail(f"{what} holds strings; expected numbers")
    return array.astype(np.float32 if array.dtype == np.float32 else np.float64)


def _inputs(data: object, lengths: object) -> tuple[Array, Array]:
    """Return the inputs, padded to the longest with zeros, and the length of each."""
    if isinstance(data, np.ndarray) and data.dtype.kind == "O" and data.ndim == 1:
        data = list(data)
    if isinstance(data, list | tuple):
        if lengths is not None:
            _fail("lengths go with a padded array; a list of samples has lengths of its own")
        rows, sizes = _padded([_numbers(f"X[{i}]", sample) for i, sample in enumerate(data)])
    else:
        rows = _numbers("X", data)
        if rows.ndim != 3:
            hint = "; for a single feature use X[:, :, None]" if rows.ndim == 2 else ""
            _fail(f"X has the shape {rows.shape}; expected (count, steps, features){hint}")
        sizes = _lengths(lengths, *rows.shape[:2])
    count, steps, features = rows.shape
    if count and (steps == 0 or features == 0):
        _fail(f"X has the shape {rows.shape}: no {'features' if steps else 'steps'}")
    rows[np.arange(steps) >= sizes[:, None]] = 0
    bad = ~np.isfinite(rows)
    if bad.any():
        sample, step, feature = np.argwhere(bad)[0]
        others = int(bad.sum()) - 1
        more = f" (and at {others} other place{'s' if others > 1 else ''})" if others else ""
        _fail(
            f"X is {rows[sample, step, feature]} at sample {sample}, step {step}, feature "
            f"{feature}{more}; fill in or drop missing values"
        )
    return rows, sizes


def _padded(samples: Sequence[Array]) -> tuple[Array, Array]:
    """Return samples of different lengths as one array, and their lengths."""
    if not samples:
        _fail(f"X has 0 samples; at least {FEWEST} are needed, better hundreds")
    for number, sample in enumerate(samples):
        if sample.ndim != 2:
            _fail(f"X[{number}] has the shape {sample.shape}; expected (steps, features)")
        if sample.shape[1] != samples[0].shape[1]:
            _fail(
                f"X[{number}] has {sample.shape[1]} features, X[0] has {samples[0].shape[1]}; "
                f"all samples need the same ones"
            )
        if len(sample) == 0:
            _fail(f"X[{number}] has no steps; drop it")
    sizes = np.array([len(sample) for sample in samples], dtype=np.int64)
    kind = np.result_type(*{sample.dtype for sample in samples})
    rows = np.zeros((len(samples), sizes.max(), samples[0].shape[1]), dtype=kind)
    for row, sample in zip(rows, samples, strict=True):
        row[: len(sample)] = sample
    return rows, sizes


def _lengths(lengths: object, count: int, steps: int) -> Array:
    if lengths is None:
        return np.full(count, steps, dtype=np.int64)
    sizes = _array("lengths", lengths)
    if sizes.dtype.kind not in "iu" or sizes.shape != (count,):
        _fail(
            f"lengths are {sizes.dtype} of the shape {sizes.shape}; expected a whole number for "
            f"each of the {count} samples"
        )
    wrong = np.flatnonzero((sizes < 1) | (sizes > steps))
    if wrong.size:
        _fail(f"lengths[{wrong[0]}] is {sizes[wrong[0]]}; X is padded to {steps}, so 1 to {steps}")
    return sizes.astype(np.int64)


def _targets(data: object, sizes: Array, steps: int, readout: str) -> Array:
    """Return the labels or quantities in the shape that the readout asks for."""
    if readout == "each" and isinstance(data, list | tuple):
        data = _joined(data, sizes, steps)
    values = _array("y", data)
    if len(values.shape) == 0 or len(values) != len(sizes):
        found = len(values) if values.ndim else f"a single value, {shown(values.item())}"
        _fail(f"X has {len(sizes)} samples, y has {found}; expected one for each sample")
    quantities = values.dtype.kind == "f"
    wanted = "(count,)" if readout == "last" else "(count, steps)"
    fixed = 1 if readout == "last" else 2
    if values.ndim != fixed and not (quantities and values.ndim == fixed + 1):
        more = f", or {wanted[:-1].rstrip(',')}, outputs)" if quantities else ""
        column = readout == "last" and values.shape == (len(sizes), 1)
        hint = "; for a column use y.ravel()" if column else ""
        _fail(f"y has the shape {values.shape}; expected {wanted}{more}{hint}")
    if readout == "each" and values.shape[1] != steps:
        _fail(f"y has {values.shape[1]} steps, X has {steps}; expected a target for each")
    if not quantities:
        return values.copy()
    values = _numbers("y", values)
    values = values[..., None] if values.ndim == fixed else values
    if readout == "each":
        values[np.arange(steps) >= sizes[:, None]] = 0
    if values.shape[-1] == 0:
        _fail(f"y has the shape {values.shape}: no outputs")
    bad = ~np.isfinite(values)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        _fail(
            f"y is {values[place]} at sample {place[0]}"
            + (f", step {place[1]}" if readout == "each" else "")
            + "; drop samples without a target"
        )
    return values


def _joined(parts: Sequence[Any], sizes: Array, steps: int) -> Array:
    """Return the targets of each step, given sample by sample, padded to the longest."""
    if len(parts) != len(sizes):
        _fail(f"X has {len(sizes)} samples, y has {len(parts)}; expected one for each sample")
    arrays = [_array(f"y[{number}]", part) for number, part in enumerate(parts)]
    for number, (array, size) in enumerate(zip(arrays, sizes, strict=True)):
        if array.ndim == 0 or len(array) != size:
            found = len(array) if array.ndim else "a single value"
            _fail(f"y[{number}] has {found}, X[{number}] has {size} steps; expected one for each")
        if array.shape[1:] != arrays[0].shape[1:]:
            _fail(f"y[{number}] has the shape {array.shape}, y[0] has {arrays[0].shape}")
    kinds = {array.dtype.kind for array in arrays}
    if "U" in kinds and len(kinds) > 1:
        _fail("y mixes strings and numbers")
    joined = np.zeros(
        (len(sizes), steps, *arrays[0].shape[1:]),
        dtype=np.result_type(*{array.dtype for array in arrays}),
    )
    for row, array in zip(joined, arrays, strict=True):
        row[: len(array)] = array
    return joined


def _groups(groups: object, count: int) -> Array | None:
    """Return the groups numbered from 0 on."""
    if groups is None:
        return None
    array = _array("groups", groups)
    if array.dtype.kind not in "iubU" or array.shape != (count,):
        _fail(
            f"groups are {array.dtype} of the shape {array.shape}; expected a whole number or a "
            f"string for each of the {count} samples"
        )
    return np.asarray(np.unique(array, return_inverse=True)[1])
