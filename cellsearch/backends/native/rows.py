"""Routines over rows: copying between torch's layout and the workspace's, and layer_norm."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from cellsearch.backends.native.code import INDEX, POINTER, VOID, Code, Precision
from cellsearch.backends.native.packing import below
from cellsearch.backends.native.tiles import define
from cellsearch.operators import LAYER_NORM_EPSILON


def write_copy(module: ir.Module, precision: Precision, name: str, arguments: str) -> None:
    """Write the copying of rows; from `columns` to `padded` the target's rows become zero."""
    code = define(module, precision, name, arguments, private=False)
    b = code.builder
    rows, columns, source, source_stride, target, target_stride, padded = code.function.args
    dense = b.and_(
        b.icmp_signed("==", source_stride, columns),
        b.and_(b.icmp_signed("==", target_stride, columns), b.icmp_signed("==", padded, columns)),
    )
    with b.if_else(dense) as (at_once, by_row):
        with at_once:
            _memory(code, "memcpy", target, source, b.mul(rows, columns))
        with by_row, code.loop(0, rows, name="row") as row:
            there = code.at(target, b.mul(row, target_stride))
            _memory(code, "memcpy", there, code.at(source, b.mul(row, source_stride)), columns)
            _memory(code, "memset", code.at(there, columns), None, b.sub(padded, columns))
    b.ret_void()


def write_clear_panels(module: ir.Module, precision: Precision, name: str, arguments: str) -> None:
    """Write the filling of the panels of a matrix (depth, n) with zeros."""
    code = define(module, precision, name, arguments, private=False)
    b = code.builder
    depth, n, panels = code.function.args
    width = 2 * precision.lanes
    columns = b.and_(b.add(n, code.index(width - 1)), code.index(-width))
    _memory(code, "memset", panels, None, b.mul(depth, columns))
    b.ret_void()


def write_sum_lanes(module: ir.Module, precision: Precision, name: str, arguments: str) -> None:
    """Write the sum of one vector's lanes into one number."""
    code = define(module, precision, name, arguments, private=False)
    source, target = code.function.args
    total = _across(code, code.load_vector(source, code.index(0)))
    code.store(total, target, code.index(0))
    code.builder.ret_void()


def write_normalise(module: ir.Module, precision: Precision, name: str, arguments: str) -> None:
    """Write (a - mean) / deviation for each row, and the reciprocal of its deviation."""
    code = define(module, precision, name, arguments, private=False)
    b = code.builder
    rows, n, source, source_stride, normal, normal_stride, deviation, deviation_stride = (
        code.function.args
    )
    count = b.sitofp(n, precision.scalar)
    with code.loop(0, rows, name="row") as row:
        a = code.at(source, b.mul(row, source_stride))
        there = code.at(normal, b.mul(row, normal_stride))
        mean = code.spread(b.fdiv(_sum(code, n, lambda at: code.load_vector(a, at)), count))

        def square(at: Any, a: Any = a, mean: Any = mean) -> Any:
            centred = b.fsub(code.load_vector(a, at), mean)
            return b.fmul(centred, centred)

        variance = b.fdiv(_sum(code, n, square), count)
        shifted = b.fadd(variance, ir.Constant(precision.scalar, LAYER_NORM_EPSILON))
        one = ir.Constant(precision.scalar, 1.0)
        reciprocal = b.fdiv(one, _square_root(code, shifted))
        code.store(reciprocal, deviation, b.mul(row, deviation_stride))
        factor = code.spread(reciprocal)
        with code.loop(0, n, precision.lanes) as at:
            code.store(b.fmul(b.fsub(code.load_vector(a, at), mean), factor), there, at)
    b.ret_void()


def write_normalise_back(
    module: ir.Module, precision: Precision, name: str, arguments: str
) -> None:
    """Write the gradient of what was normalised, added to what is there if `more` is not 0."""
    code = define(module, precision, name, arguments, private=False)
    b = code.builder
    args = code.function.args
    rows, n, (normal, deviation, gradient, target) = args[0], args[1], args[2:10:2]
    strides, more = args[3:10:2], args[10]
    count = b.sitofp(n, precision.scalar)
    adds = b.icmp_signed("!=", more, code.index(0))
    with code.loop(0, rows, name="row") as row:
        y, scale, g, there = (
            code.at(pointer, b.mul(row, stride))
            for pointer, stride in zip((normal, deviation, gradient, target), strides, strict=True)
        )

        def along(at: Any, y: Any = y, g: Any = g) -> Any:
            return b.fmul(code.load_vector(y, at), code.load_vector(g, at))

        mean = _sum(code, n, lambda at, g=g: code.load_vector(g, at))
        mean = code.spread(b.fdiv(mean, count))
        share = code.spread(b.fdiv(_sum(code, n, along), count))
        factor = code.spread(code.load(scale, code.index(0)))
        with code.loop(0, n, precision.lanes) as at:
            inner = b.fsub(
                b.fsub(code.load_vector(g, at), mean), b.fmul(code.load_vector(y, at), share)
            )
            result = b.fmul(inner, factor)
            before = b.select(adds, code.load_vector(there, at), code.number(0.0))
            # Products read whole vectors, and in the padding may stand what division made of it.
            real = below(code, b.sub(n, at))
            total = b.select(real, b.fadd(before, result), code.number(0.0))
            code.store(total, there, at)
    b.ret_void()


def _sum(code: Code, n: Any, values: Any) -> Any:
    """Return the sum of values(position) over n features; pads are left out."""
    b, precision = code.builder, code.precision
    with b.goto_entry_block():  # in a loop, the stack would grow
        total = b.alloca(precision.vector)
    b.store(code.number(0.0), total)
    with code.loop(0, n, precision.lanes) as at:
        real = b.select(below(code, b.sub(n, at)), values(at), code.number(0.0))
        b.store(b.fadd(b.load(total, typ=precision.vector), real), total)
    return _across(code, b.load(total, typ=precision.vector))


def _across(code: Code, vector: Any) -> Any:
    """Return the sum of a vector's lanes, pair by pair."""
    b = code.builder
    parts = [
        b.extract_element(vector, ir.Constant(ir.IntType(32), lane))
        for lane in range(code.precision.lanes)
    ]
    while len(parts) > 1:
        parts = [
            b.fadd(first, second) for first, second in zip(parts[::2], parts[1::2], strict=True)
        ]
    return parts[0]


def _square_root(code: Code, value: Any) -> Any:
    name = f"llvm.sqrt.{code.precision.name}"
    scalar = code.precision.scalar
    function = code.module.globals.get(name)
    if function is None:
        function = ir.Function(code.module, ir.FunctionType(scalar, [scalar]), name)
    return code.builder.call(function, [value])


def _memory(code: Code, what: str, target: Any, source: Any, elements: Any) -> None:
    """Copy elements (memcpy), or set them to zero (memset)."""
    byte, flag = ir.IntType(8), ir.IntType(1)
    given = POINTER if what == "memcpy" else byte
    name = "llvm.memcpy.p0.p0.i64" if what == "memcpy" else "llvm.memset.p0.i64"
    function = code.module.globals.get(name)
    if function is None:
        kind = ir.FunctionType(VOID, [POINTER, given, INDEX, flag])
        function = ir.Function(code.module, kind, name)
    count = code.builder.mul(elements, code.index(code.precision.bytes))
    value = source if what == "memcpy" else ir.Constant(byte, 0)
    code.builder.call(function, [target, value, count, ir.Constant(flag, 0)])
