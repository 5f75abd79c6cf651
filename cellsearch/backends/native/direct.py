"""Products with unpacked weights, for the few rows of a single step, and sums of columns."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from cellsearch.backends.native.code import POINTER, Code, Precision
from cellsearch.backends.native.packing import below, load_some, sums_across
from cellsearch.backends.native.tiles import define

TOGETHER = 8  # dot products that are summed at the same time
BLOCK_ROWS = 64  # rows whose sum is made before it is added to the total
_DOTS = "k a* w* w_row_stride last d* c* count"


def write_direct(module: ir.Module, precision: Precision, name: str, arguments: str) -> ir.Function:
    """Write C (m, n) = D + A (m, k) W^T for W (n, k) as it lies, every size exact."""
    dots = _write_dots(module, precision)
    code = define(module, precision, name, arguments, private=False)
    b = code.builder
    m, n, k, a, a_row_stride, w, w_row_stride, d, d_row_stride, c, c_row_stride = code.function.args
    nothing = _is_null(code, d)
    with code.loop(0, n, TOGETHER, "column") as column:
        rest = b.sub(n, column)
        count = code.least(rest, code.index(TOGETHER))
        w_there = code.at(w, b.mul(column, w_row_stride))
        with code.loop(0, m, 1, "row") as row:
            a_there = code.at(a, b.mul(row, a_row_stride))
            there = code.at(d, b.add(b.mul(row, d_row_stride), column))
            d_there = b.select(nothing, ir.Constant(POINTER, None), there)
            c_there = code.at(c, b.add(b.mul(row, c_row_stride), column))
            last = b.sub(count, code.index(1))
            b.call(dots, [k, a_there, w_there, w_row_stride, last, d_there, c_there, count])
    b.ret_void()
    return code.function


def _is_null(code: Code, pointer: Any) -> Any:
    return code.builder.icmp_unsigned("==", pointer, ir.Constant(POINTER, None))


def _write_dots(module: ir.Module, precision: Precision) -> ir.Function:
    """Write c[j] = d[j] + a . W[j] for j below count, at most TOGETHER."""
    code = define(module, precision, "dots", _DOTS)
    b = code.builder
    k, a, w, w_row_stride, last, d, c, count = code.function.args
    lanes = precision.lanes
    sums = [b.alloca(precision.vector) for _ in range(TOGETHER)]
    results = b.alloca(precision.vector, size=TOGETHER // lanes)
    # Past the last row of W the last one is read again; those results are not kept.
    rows = [
        code.at(w, b.mul(code.least(code.index(j), last), w_row_stride)) for j in range(TOGETHER)
    ]
    for part in sums:
        b.store(code.number(0), part)

    def add(x: Any, ys: list[Any]) -> None:
        for part, y in zip(sums, ys, strict=True):
            b.store(code.multiply_add(x, y, b.load(part, typ=precision.vector)), part)

    whole = b.and_(k, code.index(-lanes))
    with code.loop(0, whole, lanes, "k") as kk:
        add(code.load_vector(a, kk), [code.load_vector(row, kk) for row in rows])
    with b.if_then(b.icmp_signed("<", whole, k)):
        mask = below(code, b.sub(k, whole))
        add(load_some(code, a, whole, mask), [load_some(code, row, whole, mask) for row in rows])

    totals = [b.load(part, typ=precision.vector) for part in sums]
    vectors = [sums_across(code, totals[j : j + lanes]) for j in range(0, TOGETHER, lanes)]
    nothing = _is_null(code, d)
    with b.if_else(b.icmp_signed("==", count, code.index(TOGETHER))) as (full, part_of_it):
        with full, b.if_else(nothing) as (alone, added):
            with alone:
                for i, vector in enumerate(vectors):
                    code.store(vector, c, code.index(i * lanes))
            with added:
                for i, vector in enumerate(vectors):
                    there = code.index(i * lanes)
                    code.store(b.fadd(code.load_vector(d, there), vector), c, there)
        with part_of_it:
            for i, vector in enumerate(vectors):
                code.store(vector, results, code.index(i * lanes))
            with code.loop(0, count, 1, "column") as j:
                value = code.load(results, j)
                with b.if_else(nothing) as (alone, added):
                    with alone:
                        code.store(value, c, j)
                    with added:
                        code.store(b.fadd(code.load(d, j), value), c, j)
    b.ret_void()
    return code.function


def write_column_sums(
    module: ir.Module, precision: Precision, name: str, arguments: str
) -> ir.Function:
    """Write c[j] = the sum of A[:, j] over all rows, block by block; n is whole vectors."""
    widths = {v: _write_column_block(module, precision, v) for v in (8, 1)}
    code = define(module, precision, name, arguments, private=False)
    b = code.builder
    rows, n, a, a_row_stride, c = code.function.args
    with code.loop(0, n, precision.lanes, "column") as column:
        code.store(code.number(0), c, column)
    with code.loop(0, rows, BLOCK_ROWS, "block") as first:
        count = code.least(b.sub(rows, first), code.index(BLOCK_ROWS))
        block = code.at(a, b.mul(first, a_row_stride))
        start: Any = code.index(0)
        for vectors, add in widths.items():
            width = vectors * precision.lanes
            stop = b.add(start, b.and_(b.sub(n, start), code.index(-width)))
            with code.loop(start, stop, width, "column") as column:
                b.call(add, [count, code.at(block, column), a_row_stride, code.at(c, column)])
            start = stop
    b.ret_void()
    return code.function


def _write_column_block(module: ir.Module, precision: Precision, vectors: int) -> ir.Function:
    """Write c[j] += the sum of the rows of a block, for some vectors of columns."""
    code = define(module, precision, f"columns_{vectors}", "rows a* a_row_stride c*")
    b = code.builder
    rows, a, a_row_stride, c = code.function.args
    sums = [b.alloca(precision.vector) for _ in range(vectors)]
    for part in sums:
        b.store(code.number(0), part)
    with code.loop(0, rows, 1, "row") as row:
        here = code.at(a, b.mul(row, a_row_stride))
        for v, part in enumerate(sums):
            value = code.load_vector(here, code.index(v * precision.lanes))
            b.store(b.fadd(b.load(part, typ=precision.vector), value), part)
    for v, part in enumerate(sums):
        there = code.index(v * precision.lanes)
        total = b.fadd(code.load_vector(c, there), b.load(part, typ=precision.vector))
        code.store(total, c, there)
    b.ret_void()
    return code.function
