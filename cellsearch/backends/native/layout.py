"""How large the workspaces of a kernel are for given shapes, and where their arrays begin."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from cellsearch.backends.native.code import Precision
from cellsearch.backends.native.products import outer_scratch_size, panels_size
from cellsearch.backends.native.storage import Array
from cellsearch.shapes import HIDDEN, INPUT, SCALAR

# The integers at the beginning; "table" is where those of the steps begin.
SIZES = ("steps", "batch", INPUT, HIDDEN, "rows", "keep", "reverse", "direct", "table")
_ALIGNMENT = 64  # bytes, a cache line


@dataclass(frozen=True, slots=True)
class Panels:
    """A matrix packed for products: `depth` is summed over, `columns` stand side by side.

    Each is a width and how many blocks of it, padded to whole vectors each if `padded`.
    """

    name: str
    depth: tuple[str, int]
    columns: tuple[str, int]
    padded: bool


@dataclass(frozen=True, slots=True)
class Scratch:
    """What `outer` needs for a second factor of this width."""

    width: str


class Shape(NamedTuple):
    """The shapes of one call: sizes, rows of each step, direction, and what is kept."""

    input_size: int
    hidden_size: int
    batch: int
    batch_sizes: tuple[int, ...]
    reverse: bool
    keep: bool
    direct: bool  # products straight from the weights: they are used too seldom to pack them

    @property
    def rows(self) -> int:
        return sum(self.batch_sizes)


@dataclass(frozen=True, slots=True)
class Layout:
    """The integers that a kernel reads, and the elements that each workspace needs."""

    integers: ctypes.Array[ctypes.c_int64]
    address: int  # of the integers
    elements: tuple[int, ...]
    shape: Shape


def make_layout(
    shape: Shape, workspaces: Sequence[Sequence[Array | Panels | Scratch]], precision: Precision
) -> Layout:
    """Return the layout of a call."""
    widths = {SCALAR: 1, INPUT: shape.input_size, HIDDEN: shape.hidden_size}
    lanes = precision.lanes
    padded = {width: -(-size // lanes) * lanes for width, size in widths.items()}
    largest = max(shape.batch_sizes, default=0)
    rows = {
        "all": shape.rows,
        "kept": shape.rows if shape.keep else largest,
        "step": largest,
        "batch": shape.batch,
        "one": 1,
    }
    offsets: list[int] = []
    elements: list[int] = []
    for members in workspaces:
        position = 0
        for member in members:
            offsets.append(position)
            if isinstance(member, Array):
                size = rows[member.rows] * member.blocks * padded[member.width]
            elif isinstance(member, Scratch):
                size = outer_scratch_size(precision, widths[member.width])
            elif shape.direct:
                size = 0
            else:
                (deep, depths), (wide, columns) = member.depth, member.columns
                depth = depths * (padded if member.padded else widths)[deep]
                size = panels_size(precision, depth, columns * padded[wide])
            position += -(-size * precision.bytes // _ALIGNMENT) * _ALIGNMENT // precision.bytes
        elements.append(position)
    starts = [0]
    for size in shape.batch_sizes:
        starts.append(starts[-1] + size)
    header = (
        len(shape.batch_sizes),
        shape.batch,
        shape.input_size,
        shape.hidden_size,
        shape.rows,
        int(shape.keep),
        int(shape.reverse),
        int(shape.direct),
        len(SIZES) + len(offsets),
    )
    integers = [*header, *offsets, *shape.batch_sizes, *starts[:-1]]
    array = (ctypes.c_int64 * len(integers))(*integers)
    return Layout(array, ctypes.addressof(array), tuple(elements), shape)
