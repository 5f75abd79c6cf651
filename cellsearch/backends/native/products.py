"""Matrix products of any size, made of blocks of tiles: C = D + A B, and C = A^T B."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from cellsearch.backends.native.code import INDEX, POINTER, Precision
from cellsearch.backends.native.tiles import DEPTH, define

BLOCK_ROWS = 120  # of A that are multiplied with all panels before the next: 120 KB of float32
OUTER_ROWS = 160  # that `outer` sums in registers before it adds to C
OUTER_VECTORS = 32  # in the rows of A that it packs at once: 160 KB


def round_up(size: int, multiple: int) -> int:
    """Return the least multiple that is not below a size."""
    return -(-size // multiple) * multiple


def panels_size(precision: Precision, k: int, n: int) -> int:
    """Return the elements of the panels of a matrix (k, n)."""
    return k * round_up(n, 2 * precision.lanes)


def outer_scratch_size(precision: Precision, n: int) -> int:
    """Return the elements that `outer` needs in its scratch: panels of B, and some of A."""
    return OUTER_ROWS * (round_up(n, 2 * precision.lanes) + OUTER_VECTORS * precision.lanes)


def write_multiply(
    module: ir.Module, precision: Precision, block: ir.Function, name: str, arguments: str
) -> ir.Function:
    """Write C (m, n) = D + A (m, k) B for packed B.

    A is row-major; n is whole vectors. D may be null for zeros, one row (stride 0), or C itself.
    """
    one = ir.Constant(INDEX, 1)
    code = define(module, precision, name, arguments, private=False)
    b = code.builder
    m, n, k, a, a_row_stride, panels, d, d_row_stride, c, c_row_stride = code.function.args
    nothing = b.icmp_unsigned("==", d, ir.Constant(POINTER, None))
    width = code.index(2 * precision.lanes)
    panel = b.mul(k, width)
    depth = code.index(DEPTH)
    with code.loop(0, m, BLOCK_ROWS, "row") as row:
        rows = code.least(b.sub(m, row), code.index(BLOCK_ROWS))
        a_there = code.at(a, b.mul(row, a_row_stride))
        c_there = code.at(c, b.mul(row, c_row_stride))
        d_there = b.select(nothing, d, code.at(d, b.mul(row, d_row_stride)))
        shape: list[Any] = [rows, n, code.least(k, depth)]
        factors: list[Any] = [a_there, a_row_stride, one, panels, panel]
        b.call(block, [*shape, *factors, d_there, d_row_stride, c_there, c_row_stride])
        with code.loop(depth, k, DEPTH, "k") as kk:
            shape = [rows, n, code.least(b.sub(k, kk), depth)]
            further = code.at(panels, b.mul(kk, width))
            factors = [code.at(a_there, kk), a_row_stride, one, further, panel]
            b.call(block, [*shape, *factors, c_there, c_row_stride, c_there, c_row_stride])
    b.ret_void()
    return code.function


def write_outer(
    module: ir.Module,
    precision: Precision,
    block: ir.Function,
    pack: ir.Function,
    name: str,
    arguments: str,
) -> ir.Function:
    """Write C (m, n) = A^T B for A (rows, m) and B (rows, n) row-major, of any sizes.

    C has whole vectors of columns: what lies past n becomes zeros, or NaN where a factor is none.
    """
    code = define(module, precision, name, arguments, private=False)
    b = code.builder
    m, n, rows, a, a_row_stride, bs, b_row_stride, c, c_row_stride, scratch = code.function.args
    lanes = precision.lanes
    zero, one, width = code.index(0), code.index(1), code.index(2 * lanes)
    padded = b.and_(b.add(n, code.index(lanes - 1)), code.index(-lanes))
    a_panels = scratch
    b_panels = code.at(scratch, code.index(OUTER_ROWS * OUTER_VECTORS * lanes))
    at_least_once = b.select(b.icmp_signed(">", rows, one), rows, one)
    with code.loop(0, at_least_once, OUTER_ROWS, "rows") as row:
        count = code.least(b.sub(rows, row), code.index(OUTER_ROWS))
        stride = b.mul(count, width)
        start = code.at(bs, b.mul(row, b_row_stride))
        b.call(pack, [start, b_row_stride, one, count, n, b_panels, zero, count])
        first = b.icmp_signed("==", row, zero)
        with code.loop(0, m, OUTER_VECTORS * lanes, "chunk") as chunk:
            some = code.least(b.sub(m, chunk), code.index(OUTER_VECTORS * lanes))
            start = code.at(a, b.add(b.mul(row, a_row_stride), chunk))
            b.call(pack, [start, a_row_stride, one, count, some, a_panels, zero, count])
            with code.loop(0, some, 2 * lanes, "m") as i:
                height = code.least(b.sub(some, i), width)
                a_panel = code.at(a_panels, b.mul(i, count))
                c_there = code.at(c, b.mul(b.add(chunk, i), c_row_stride))
                d_there = b.select(first, ir.Constant(POINTER, None), c_there)
                shape = [height, padded, count, a_panel, one, width, b_panels, stride]
                b.call(block, [*shape, d_there, c_row_stride, c_there, c_row_stride])
    b.ret_void()
    return code.function
