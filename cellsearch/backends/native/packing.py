"""Packing matrices into panels, and the shuffles that transpose and sum vectors."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from cellsearch.backends.native.code import INDEX, POINTER, Code, Precision
from cellsearch.backends.native.tiles import define


def halves(code: Code, x: Any, y: Any, span: int) -> tuple[Any, Any]:
    """Return the first and the second halves of all groups of 2 * span lanes, x's beside y's.

    With span 2, x = abcdABCD and y = efghEFGH give abefABEF and cdghCDGH.
    """
    lanes = code.precision.lanes
    groups = range(0, lanes, 2 * span)
    first = [g + part + i for g in groups for part in (0, lanes) for i in range(span)]
    return _shuffle(code, x, y, first), _shuffle(code, x, y, [i + span for i in first])


def _shuffle(code: Code, x: Any, y: Any, lanes: list[int]) -> Any:
    kind = ir.VectorType(ir.IntType(32), len(lanes))
    return code.builder.shuffle_vector(x, y, ir.Constant(kind, lanes))


def transpose(code: Code, rows: list[Any]) -> list[Any]:
    """Return the columns of a square of lanes: first its quarters change places, then theirs."""
    rows = list(rows)
    span = code.precision.lanes // 2
    while span:
        for i in range(len(rows)):
            if not i & span:
                rows[i], rows[i + span] = halves(code, rows[i], rows[i + span], span)
        span //= 2
    return rows


def sums_across(code: Code, vectors: list[Any]) -> Any:
    """Return the vector of the sums of the lanes of as many vectors as it has lanes."""
    span = code.precision.lanes // 2
    while span:
        pairs = [halves(code, vectors[i], vectors[i + span], span) for i in range(span)]
        vectors = [code.builder.fadd(*pair) for pair in pairs]
        span //= 2
    return vectors[0]


def below(code: Code, count: Any) -> Any:
    """Return the mask of the lanes whose number is less than count (which may be negative)."""
    b = code.builder
    lanes = code.precision.lanes
    kind = code.precision.integers
    many = code.least(count, code.index(lanes))
    bound = many if kind.element == INDEX else b.trunc(many, kind.element)
    first = b.insert_element(ir.Constant(kind, ir.Undefined), bound, ir.Constant(INDEX, 0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), lanes), None)
    bounds = b.shuffle_vector(first, ir.Constant(kind, ir.Undefined), zeros)
    return b.icmp_signed("<", ir.Constant(kind, list(range(lanes))), bounds)


def load_some(code: Code, pointer: Any, index: Any, mask: Any) -> Any:
    """Load the lanes of a vector that a mask names; memory of the others is not touched."""
    precision = code.precision
    name = f"llvm.masked.load.v{precision.lanes}{precision.name}.p0"
    function = code.module.globals.get(name)
    if function is None:
        one = ir.IntType(32)
        masks = ir.VectorType(ir.IntType(1), precision.lanes)
        kind = ir.FunctionType(precision.vector, [POINTER, one, masks, precision.vector])
        function = ir.Function(code.module, kind, name)
    align = ir.Constant(ir.IntType(32), precision.bytes)
    return code.builder.call(function, [code.at(pointer, index), align, mask, code.number(0)])


_STRIP = "source* row_stride column_stride k n target*"


def write_pack(module: ir.Module, precision: Precision, name: str, arguments: str) -> ir.Function:
    """Write the packing of a matrix B (k, n) into panels, vector of columns by vector of columns.

    The panels have `depth` rows, k where B is all that stands in them.

    B[kk][j] is source[kk * row_stride + j * column_stride]; columns from n to whole vectors become
    zeros.
    """
    rowwise = _write_rowwise(module, precision)
    columnwise = _write_columnwise(module, precision)
    strided = _write_strided(module, precision)
    code = define(module, precision, name, arguments, private=False)
    b = code.builder
    _, row_stride, column_stride, *_ = code.function.args
    one = code.index(1)
    with b.if_else(b.icmp_signed("==", column_stride, one)) as (then, otherwise):
        with then:
            _pack_strips(code, rowwise, 8)
        with (
            otherwise,
            b.if_else(b.icmp_signed("==", row_stride, one)) as (then_too, at_last),
        ):
            with then_too:
                _pack_strips(code, columnwise, 64)
            with at_last:
                _pack_strips(code, strided, 64)
    b.ret_void()
    return code.function


def _pack_strips(code: Code, pack_strip: ir.Function, together: int) -> None:
    """Pack some rows of all columns, then the next rows, as what is read is laid out by rows."""
    b = code.builder
    source, row_stride, column_stride, k, n, panels, first_column, depth = code.function.args
    lanes = code.precision.lanes
    with code.loop(0, k, together, "row") as row, code.loop(0, n, lanes, "column") as column:
        rows = code.least(b.sub(k, row), code.index(together))
        at = b.add(first_column, column)
        whole = b.and_(at, code.index(-2 * lanes))  # the panel's first column
        here = b.add(
            b.mul(whole, depth), b.add(b.mul(row, code.index(2 * lanes)), b.sub(at, whole))
        )
        there = b.add(b.mul(row, row_stride), b.mul(column, column_stride))
        left = b.sub(n, column)
        start, target = code.at(source, there), code.at(panels, here)
        b.call(pack_strip, [start, row_stride, column_stride, rows, left, target])


def _write_rowwise(module: ir.Module, precision: Precision) -> ir.Function:
    """Write the packing of one vector of columns that lie beside each other."""
    code = define(module, precision, "pack_rowwise", _STRIP)
    b = code.builder
    source, row_stride, _, k, n, target = code.function.args
    width = code.index(2 * precision.lanes)
    with b.if_else(b.icmp_signed(">=", n, code.index(precision.lanes))) as (whole, part):
        with whole, code.loop(0, k, 1, "row") as row:
            vector = code.load_vector(source, b.mul(row, row_stride))
            code.store(vector, target, b.mul(row, width))
        with part:
            mask = below(code, n)
            with code.loop(0, k, 1, "row") as row:
                vector = load_some(code, source, b.mul(row, row_stride), mask)
                code.store(vector, target, b.mul(row, width))
    b.ret_void()
    return code.function


def _write_columnwise(module: ir.Module, precision: Precision) -> ir.Function:
    """Write the packing of one vector of columns, each of which lies in one piece."""
    code = define(module, precision, "pack_columnwise", _STRIP)
    b = code.builder
    source, _, column_stride, k, n, target = code.function.args
    lanes = precision.lanes
    width = 2 * lanes
    columns = [code.at(source, b.mul(code.index(j), column_stride)) for j in range(lanes)]
    square = b.alloca(precision.vector, size=lanes)
    whole = b.and_(k, code.index(-lanes))
    whole = b.select(b.icmp_signed(">=", n, code.index(lanes)), whole, code.index(0))
    with code.loop(0, whole, lanes, "row") as row:
        loaded = [code.load_vector(column, row) for column in columns]
        for i, vector in enumerate(transpose(code, loaded)):
            code.store(vector, target, b.mul(b.add(row, code.index(i)), code.index(width)))
    # At the edges what lies outside is not read, and what was not read is zero.
    with code.loop(whole, k, lanes, "edge") as row:
        left = b.sub(k, row)
        loaded = []
        for j, column in enumerate(columns):
            there = b.icmp_signed(">", n, code.index(j))
            mask = below(code, b.select(there, left, code.index(0)))
            loaded.append(load_some(code, column, row, mask))
        for i, vector in enumerate(transpose(code, loaded)):
            code.store(vector, square, code.index(i * lanes))
        with code.loop(0, code.least(left, code.index(lanes)), 1, "copy") as i:
            vector = code.load_vector(square, b.mul(i, code.index(lanes)))
            code.store(vector, target, b.mul(b.add(row, i), code.index(width)))
    b.ret_void()
    return code.function


def _write_strided(module: ir.Module, precision: Precision) -> ir.Function:
    """Write the packing of one vector of columns with any strides, element by element."""
    code = define(module, precision, "pack_strided", _STRIP)
    b = code.builder
    source, row_stride, column_stride, k, n, target = code.function.args
    lanes = code.index(precision.lanes)
    with code.loop(0, k, 1, "row") as row:
        here = b.mul(row, code.index(2 * precision.lanes))
        code.store(code.number(0), target, here)
        with code.loop(0, code.least(n, lanes), 1, "column") as j:
            there = b.add(b.mul(row, row_stride), b.mul(j, column_stride))
            code.store(code.load(source, there), target, b.add(here, j))
    b.ret_void()
    return code.function
