"""The inside of a kernel: its sizes, its arrays, and where a row of them begins.

A kernel has two arguments. The first points to integers that depend on the shapes only: the sizes,
the offsets of the arrays in the workspaces, and for each step how many rows it has and where they
begin. The second points to addresses: the workspaces and all tensors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cellsearch.backends.native.code import INDEX, POINTER, Code
from cellsearch.backends.native.layout import SIZES, Panels, Scratch
from cellsearch.backends.native.storage import Array, Place
from cellsearch.shapes import HIDDEN, INPUT


@dataclass(frozen=True, slots=True)
class Span:
    """Some rows of one step, or of a stage that is done for all steps at once."""

    first: Any  # in arrays that hold all rows
    kept: Any  # in arrays that hold the rows of one step in inference
    count: Any


class Frame:
    """What the code of one kernel refers to; made at its beginning."""

    def __init__(
        self,
        code: Code,
        arrays: Sequence[tuple[str, Sequence[Array | Panels | Scratch]]],
        pointers: Sequence[str],
    ) -> None:
        self.code = code
        self.layout, self.addresses = code.function.args
        b = code.builder
        self.size = {name: self._integer(index) for index, name in enumerate(SIZES)}
        self.address = {name: self._address(index) for index, name in enumerate(pointers)}
        lanes = code.index(code.precision.lanes)
        self.padded = {
            width: b.mul(b.sdiv(b.add(self.size[width], b.sub(lanes, code.index(1))), lanes), lanes)
            for width in (INPUT, HIDDEN)
        }
        self.padded["scalar"] = lanes
        self._base: dict[Array | Panels | Scratch, Any] = {}
        position = len(SIZES)
        for workspace, members in arrays:
            for member in members:
                offset = self._integer(position)
                self._base[member] = code.at(self.address[workspace], offset)
                position += 1

    def base(self, array: Array | Panels | Scratch) -> Any:
        """Return the address of an array's first element."""
        return self._base[array]

    def stride(self, array: Array) -> Any:
        """Return the distance of an array's rows."""
        if array.blocks == 1:
            return self.padded[array.width]
        return self.code.builder.mul(self.padded[array.width], self.code.index(array.blocks))

    def block(self, place: Place) -> Any:
        """Return the address of a block in the first row."""
        base = self.base(place.array)
        if place.block == 0:
            return base
        offset = self.code.builder.mul(self.padded[place.array.width], self.code.index(place.block))
        return self.code.at(base, offset)

    def rows(self, place: Place, span: Span) -> Any:
        """Return the address of a block in the first row of a span."""
        first = {"all": span.first, "kept": span.kept}.get(place.array.rows)
        if first is None:
            return self.block(place)
        offset = self.code.builder.mul(first, self.stride(place.array))
        return self.code.at(self.block(place), offset)

    # ---- rows and steps --------------------------------------------------------------------------

    @contextmanager
    def chunks(self, rows: int) -> Iterator[Span]:
        """Write code that is done for all rows, some at a time so that they stay in the cache."""
        code = self.code
        total = self.size["rows"]
        with code.loop(0, total, rows, "chunk") as first:
            count = code.least(code.index(rows), code.builder.sub(total, first))
            yield Span(first, first, count)

    @contextmanager
    def steps(self, backwards: bool) -> Iterator[Span]:
        """Write code that is done step by step, in the direction of the layer or against it."""
        code, b = self.code, self.code.builder
        steps = self.size["steps"]
        with code.loop(0, steps, name="step") as position:
            mirrored = b.sub(b.sub(steps, code.index(1)), position)
            reverse = b.icmp_signed("!=", self.size["reverse"], code.index(0))
            pair = (position, mirrored) if backwards else (mirrored, position)
            step = b.select(reverse, *pair)
            row = b.add(self.size["table"], step)
            count, first = self._element(row), self._element(b.add(row, steps))
            yield Span(first, b.mul(first, self.size["keep"]), count)

    @contextmanager
    def given(self, *names: str) -> Iterator[None]:
        """Write code that is done if one of these addresses, if any, is not null."""
        if not names:
            yield
            return
        b = self.code.builder
        found = [b.ptrtoint(self.address[name], INDEX) for name in names]
        any_given = found[0]
        for other in found[1:]:
            any_given = b.or_(any_given, other)
        with b.if_then(b.icmp_signed("!=", any_given, self.code.index(0))):
            yield

    # ---- the arguments ---------------------------------------------------------------------------

    def _integer(self, position: int) -> Any:
        return self._element(self.code.index(position))

    def _element(self, position: Any) -> Any:
        b = self.code.builder
        return b.load(b.gep(self.layout, [position], source_etype=INDEX), typ=INDEX)

    def _address(self, position: int) -> Any:
        b = self.code.builder
        where = b.gep(self.addresses, [self.code.index(position)], source_etype=INDEX)
        return b.load(where, typ=POINTER)
