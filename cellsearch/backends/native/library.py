"""The routines that kernels call: compiled once per process and precision.

All sizes and strides count elements; L is the number of elements in a vector. Each routine gives
the same bits whenever it gets the same numbers.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from cellsearch.backends.native.code import Precision
from cellsearch.backends.native.direct import write_column_sums, write_direct
from cellsearch.backends.native.engine import Engine, hold_in_fork, publish
from cellsearch.backends.native.packing import write_pack
from cellsearch.backends.native.products import write_multiply, write_outer
from cellsearch.backends.native.rows import (
    write_clear_panels,
    write_copy,
    write_normalise,
    write_normalise_back,
    write_sum_lanes,
)
from cellsearch.backends.native.tiles import signature, write_block

# The arguments of each routine in order; those with an asterisk are pointers, the others i64.
SIGNATURES = {
    "pack": "source* row_stride column_stride k n panels* first_column depth",
    "multiply": "m n k a* a_row_stride panels* d* d_row_stride c* c_row_stride",
    "outer": "m n rows a* a_row_stride b* b_row_stride c* c_row_stride scratch*",
    "direct": "m n k a* a_row_stride w* w_row_stride d* d_row_stride c* c_row_stride",
    "column_sums": "rows n a* a_row_stride c*",
    "copy": "rows columns source* source_stride target* target_stride padded",
    "clear_panels": "depth n panels*",
    "sum_lanes": "source* target*",
    "normalise": "rows n source* source_stride normal* normal_stride deviation* deviation_stride",
    "normalise_back": "rows n normal* normal_stride deviation* deviation_stride "
    "gradient* gradient_stride target* target_stride more",
}


class Library:
    """The compiled routines of one precision."""

    def __init__(self, precision: Precision) -> None:
        self.precision = precision
        self._engine = Engine(write_library(precision))
        for name in SIGNATURES:
            symbol = symbol_of(precision, name)
            publish(symbol, self._engine.address(symbol))

    def routine(self, name: str) -> Callable[..., Any]:
        """Return a routine for Python to call."""
        symbol = symbol_of(self.precision, name)
        return self._engine.function(symbol, len(SIGNATURES[name].split()))


_LOCK = threading.Lock()
hold_in_fork(_LOCK)
_libraries: dict[Precision, Library] = {}  # for ever: compiled kernels hold their addresses


def library(precision: Precision) -> Library:
    """Return the routines of a precision; the first call compiles and publishes them."""
    with _LOCK:  # two threads would publish two copies, and one of them would be freed
        if precision not in _libraries:
            _libraries[precision] = Library(precision)
        return _libraries[precision]


def symbol_of(precision: Precision, name: str) -> str:
    """Return the name under which kernels call a routine."""
    return f"cellsearch_{precision.name}_{name}"


def declare(module: ir.Module, precision: Precision, name: str) -> ir.Function:
    """Return a routine for a module to call, compiling the library where nobody has yet."""
    library(precision)
    symbol = symbol_of(precision, name)
    declared = module.globals.get(symbol)
    return declared or ir.Function(module, signature(SIGNATURES[name]), symbol)


def write_library(precision: Precision) -> ir.Module:
    """Write the module of all routines of a precision."""
    module = ir.Module(name=f"cellsearch_library_{precision.name}")

    def head(name: str) -> tuple[str, str]:
        return symbol_of(precision, name), SIGNATURES[name]

    pack = write_pack(module, precision, *head("pack"))
    block = write_block(module, precision)
    write_multiply(module, precision, block, *head("multiply"))
    write_outer(module, precision, block, pack, *head("outer"))
    write_direct(module, precision, *head("direct"))
    write_column_sums(module, precision, *head("column_sums"))
    write_copy(module, precision, *head("copy"))
    write_clear_panels(module, precision, *head("clear_panels"))
    write_sum_lanes(module, precision, *head("sum_lanes"))
    write_normalise(module, precision, *head("normalise"))
    write_normalise_back(module, precision, *head("normalise_back"))
    return module
