"""Matrix products on packed panels: register tiles, and the strips and blocks made of them.

The blocking is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication"
(2008): a panel of B, two vectors wide and at most DEPTH deep, stays in the first-level cache while
tiles of A's rows pass by, and a tile of C stays in registers while k runs.

A panel holds its columns row by row, so panel p of B (k, N) starts at element p * k * 2L and row kk
of it at kk * 2L, for vectors of L elements. The last panel is as wide, even if N ends halfway.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from cellsearch.backends.native.code import INDEX, POINTER, VOID, Code, Precision

DEPTH = 256  # of a panel that a tile passes at once: 16 KB, half of a usual first-level cache
UNROLL = 4  # steps of k in the body of a tile's loop, if the tile has enough sums to gain by it
ENOUGH = 8
MOST_ROWS = 6  # of a tile: 6 rows of 2 vectors, 2 vectors of B and one of A are 15 registers
# With few rows a tile is wider, for enough sums to be under way at once: vectors -> most rows.
WIDTHS = {8: 1, 4: 3, 2: MOST_ROWS, 1: MOST_ROWS}


def define(
    module: ir.Module, precision: Precision, name: str, arguments: str, *, private: bool = True
) -> Code:
    """Begin a function of named arguments; the names of pointers end in an asterisk."""
    function = ir.Function(module, signature(arguments), name)
    for argument, said in zip(function.args, arguments.split(), strict=True):
        argument.name = said.rstrip("*")
    if private:
        function.linkage = "internal"
        function.attributes.add("noinline")  # else compiling takes long, and registers run out
    return Code(function, precision)


def signature(arguments: str) -> ir.FunctionType:
    """Return the type of a function of such arguments, as `define` reads them."""
    kinds = [POINTER if said.endswith("*") else INDEX for said in arguments.split()]
    return ir.FunctionType(VOID, kinds)


# C = D + A B, where A[i][kk] is a[i * a_row_stride + kk * a_step], and D may have the row stride 0.
_TILE = "k a* a_row_stride a_step panels* panel_stride d* d_row_stride c* c_row_stride"


def write_tile(module: ir.Module, precision: Precision, rows: int, vectors: int) -> ir.Function:
    """Write the kernel of some rows and vectors of columns: k products, all sums in registers.

    The sums start from zero and D is added last, so that a long sum is made of short ones.
    """
    code = define(module, precision, f"tile_{rows}x{vectors}", _TILE)
    b = code.builder
    k, a, a_row_stride, a_step, panels, panel_stride, *results = code.function.args
    d, d_row_stride, c, c_row_stride = results
    lanes = precision.lanes
    # Registers hold the sums, and a column of A or a row of B: the shorter; the other passes.
    spots = [(i, v) for i in range(rows) for v in range(vectors)]
    if vectors > rows:
        spots.sort(key=lambda spot: spot[1])
    a_rows = [b.mul(code.index(i), a_row_stride) for i in range(rows)]
    starts = [code.at(panels, b.mul(code.index(v // 2), panel_stride)) for v in range(vectors)]

    def add(kk: Any, sums: list[Any]) -> list[Any]:
        """Return the sums with the products of one more k."""
        b_row = b.mul(kk, code.index(2 * lanes))
        columns = [
            code.load_vector(code.at(start, b_row), code.index(v % 2 * lanes))
            for v, start in enumerate(starts)
        ]
        a_column = code.at(a, b.mul(kk, a_step))
        factors = [code.spread(code.load(a_column, row)) for row in a_rows]
        return [
            code.multiply_add(factors[i], columns[v], total)
            for (i, v), total in zip(spots, sums, strict=True)
        ]

    done = code.index(0)
    sums: list[Any] = [code.number(0)] * len(spots)
    if len(spots) >= ENOUGH:
        whole = b.and_(k, code.index(-UNROLL))
        sums = _sum_loop(code, done, whole, UNROLL, sums, add)
        done = whole
    sums = _sum_loop(code, done, k, 1, sums, add)
    for (i, v), total in zip(spots, sums, strict=True):
        column = code.index(v * lanes)
        old = code.load_vector(code.at(d, b.mul(code.index(i), d_row_stride)), column)
        code.store(b.fadd(old, total), code.at(c, b.mul(code.index(i), c_row_stride)), column)
    b.ret_void()
    return code.function


def _sum_loop(
    code: Code,
    start: Any,
    stop: Any,
    together: int,
    sums: list[Any],
    add: Callable[[Any, list[Any]], list[Any]],
) -> list[Any]:
    """Repeat `add`, some indices together in the loop's body, and return the last sums."""
    b = code.builder
    before = b.block
    head, body, end = (b.append_basic_block(name) for name in ("head", "body", "end"))
    b.branch(head)
    b.position_at_end(head)
    position = b.phi(INDEX)
    position.add_incoming(start, before)
    phis = [b.phi(code.precision.vector) for _ in sums]
    b.cbranch(b.icmp_signed("<", position, stop), body, end)
    b.position_at_end(body)
    following = list(phis)
    for u in range(together):
        following = add(b.add(position, code.index(u)), following)
    for phi, first, last in zip(phis, sums, following, strict=True):
        phi.add_incoming(first, before)
        phi.add_incoming(last, body)
    position.add_incoming(b.add(position, code.index(together)), body)
    b.branch(head)
    b.position_at_end(end)
    return phis


def write_strip(
    module: ir.Module, precision: Precision, vectors: int, most_rows: int
) -> ir.Function:
    """Write the product of m rows of A with one strip of columns, a tile's width."""
    tiles = [write_tile(module, precision, rows, vectors) for rows in range(1, most_rows + 1)]
    code = define(module, precision, f"strip_{vectors}", "m " + _TILE)
    b = code.builder
    m, k, a, a_row_stride, a_step, panels, panel_stride, *results = code.function.args
    d, d_row_stride, c, c_row_stride = results
    entry = b.block
    head, after, end = (b.append_basic_block(name) for name in ("head", "after", "end"))
    b.branch(head)
    b.position_at_end(head)
    row = b.phi(INDEX, "row")
    row.add_incoming(code.index(0), entry)
    # Six rows at a time; the last seven to eleven are halved, so that no tile is thin.
    left = b.sub(m, row)
    half = b.lshr(b.add(left, code.index(1)), code.index(1))
    most = b.select(b.icmp_signed("<=", left, code.index(MOST_ROWS)), left, half)
    rows = code.least(most, code.index(MOST_ROWS))
    d_there = code.at(d, b.mul(row, d_row_stride))
    c_there = code.at(c, b.mul(row, c_row_stride))
    arguments = [k, code.at(a, b.mul(row, a_row_stride)), a_row_stride, a_step]
    arguments += [panels, panel_stride, d_there, d_row_stride, c_there, c_row_stride]
    choice = b.switch(rows, end)
    for count, tile in enumerate(tiles, start=1):
        block = b.append_basic_block(f"rows_{count}")
        choice.add_case(code.index(count), block)
        b.position_at_end(block)
        b.call(tile, arguments)
        b.branch(after)
    b.position_at_end(after)
    following = b.add(row, rows)
    row.add_incoming(following, after)
    b.cbranch(b.icmp_signed("<", following, m), head, end)
    b.position_at_end(end)
    b.ret_void()
    return code.function


def write_block(module: ir.Module, precision: Precision) -> ir.Function:
    """Write the product of m rows of A with all n columns, k at most DEPTH; no D means zeros."""
    strips = {v: write_strip(module, precision, v, rows) for v, rows in WIDTHS.items()}
    code = define(module, precision, "block", "m n " + _TILE)
    b = code.builder
    m, n, k, a, a_row_stride, a_step, panels, panel_stride, *results = code.function.args
    d, d_row_stride, c, c_row_stride = results
    lanes = precision.lanes
    zeros = _zeros(module, precision)
    nothing = b.icmp_unsigned("==", d, ir.Constant(POINTER, None))
    d_row_stride = b.select(nothing, code.index(0), d_row_stride)
    start: Any = code.index(0)
    for vectors, most_rows in WIDTHS.items():
        width = vectors * lanes
        stop = b.add(start, b.and_(b.sub(n, start), code.index(-width)))
        if most_rows < MOST_ROWS:
            stop = b.select(b.icmp_signed("<=", m, code.index(most_rows)), stop, start)
        with code.loop(start, stop, width, "column") as column:
            # All strips start with a panel.
            panel = b.lshr(column, code.index((2 * lanes).bit_length() - 1))
            there = code.at(panels, b.mul(panel, panel_stride))
            d_there = b.select(nothing, zeros, code.at(d, column))
            arguments = [m, k, a, a_row_stride, a_step, there, panel_stride]
            arguments += [d_there, d_row_stride, code.at(c, column), c_row_stride]
            b.call(strips[vectors], arguments)
        start = stop
    b.ret_void()
    return code.function


def _zeros(module: ir.Module, precision: Precision) -> Any:
    """Return a row of zeros, as wide as the widest tile."""
    kind = ir.ArrayType(precision.scalar, max(WIDTHS) * precision.lanes)
    zeros = ir.GlobalVariable(module, kind, "zeros")
    zeros.linkage = "internal"
    zeros.global_constant = True
    zeros.initializer = ir.Constant(kind, None)
    return zeros
