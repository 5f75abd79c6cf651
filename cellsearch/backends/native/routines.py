"""Calls of the routines that are compiled once per process, from the code of a kernel."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from cellsearch.backends.native.code import POINTER
from cellsearch.backends.native.frame import Frame
from cellsearch.backends.native.library import declare
from cellsearch.backends.native.storage import Place


class Routines:
    """Calls of the compiled routines, at the place where a frame's code is being written."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.code = frame.code

    def call(self, name: str, *args: Any) -> None:
        """Call a routine; integers may be plain numbers, None is the null pointer."""
        function = declare(self.code.module, self.code.precision, name)
        values = [self._value(arg) for arg in args]
        self.code.builder.call(function, values)

    def _value(self, arg: Any) -> Any:
        if arg is None:
            return ir.Constant(POINTER, None)
        return self.code.index(arg) if isinstance(arg, int) else arg

    def copy_in(self, rows: Any, width: str, source: Any, target: Place) -> None:
        """Copy rows as torch has them into a block of an array; pads become zero."""
        frame, size = self.frame, self.frame.size.get(width, self.code.index(1))
        stride, padded = frame.stride(target.array), frame.padded[width]
        self.call("copy", rows, size, source, size, frame.block(target), stride, padded)

    def copy_out(self, rows: Any, width: str, source: Any, stride: Any, target: Any) -> None:
        """Copy rows of a workspace to rows as torch has them."""
        size = self.frame.size.get(width, self.code.index(1))
        self.call("copy", rows, size, source, stride, target, size, size)
