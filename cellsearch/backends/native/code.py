"""Writing LLVM IR: a function being built, with counted loops and whole vectors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from llvmlite import ir

VECTOR_BYTES = 32

INDEX = ir.IntType(64)
POINTER = ir.PointerType()
VOID = ir.VoidType()


@dataclass(frozen=True, slots=True)
class Precision:
    """A floating-point type: how the kernels of one dtype are written."""

    name: str  # "f32" or "f64"; also the suffix of intrinsics
    bits: int

    @property
    def bytes(self) -> int:
        return self.bits // 8

    @property
    def lanes(self) -> int:
        """Elements of a vector."""
        return VECTOR_BYTES // self.bytes

    @property
    def scalar(self) -> ir.Type:
        return ir.FloatType() if self.bits == 32 else ir.DoubleType()

    @property
    def vector(self) -> ir.VectorType:
        return ir.VectorType(self.scalar, self.lanes)

    @property
    def integers(self) -> ir.VectorType:
        """The vector of integers of the same width."""
        return ir.VectorType(ir.IntType(self.bits), self.lanes)


SINGLE = Precision("f32", 32)
DOUBLE = Precision("f64", 64)


class Code:
    """An IRBuilder at the place where code is being written, and what is said often."""

    def __init__(self, function: ir.Function, precision: Precision) -> None:
        self.function = function
        self.module: ir.Module = function.module
        self.precision = precision
        self.builder = ir.IRBuilder(function.append_basic_block("entry"))

    # ---- integers and control --------------------------------------------------------------------

    def index(self, value: int) -> ir.Constant:
        """Return a constant index."""
        return ir.Constant(INDEX, value)

    def least(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Return the smaller of two indices."""
        return self.builder.select(self.builder.icmp_signed("<", a, b), a, b)

    @contextmanager
    def loop(self, start: Any, stop: Any, step: int = 1, name: str = "i") -> Iterator[ir.Value]:
        """Repeat what is written inside for start, start + step, ... below stop."""
        b = self.builder
        start = self.index(start) if isinstance(start, int) else start
        stop = self.index(stop) if isinstance(stop, int) else stop
        before = b.block
        head = b.append_basic_block(f"{name}.head")
        body = b.append_basic_block(f"{name}.body")
        end = b.append_basic_block(f"{name}.end")
        b.branch(head)
        b.position_at_end(head)
        position = b.phi(INDEX, name)
        position.add_incoming(start, before)
        b.cbranch(b.icmp_signed("<", position, stop), body, end)
        b.position_at_end(body)
        yield position
        position.add_incoming(b.add(position, self.index(step)), b.block)
        b.branch(head)
        b.position_at_end(end)

    # ---- memory ----------------------------------------------------------------------------------

    def at(self, pointer: ir.Value, index: ir.Value) -> ir.Value:
        """Return the address of an element, counted in elements of the precision."""
        return self.builder.gep(pointer, [index], source_etype=self.precision.scalar)

    def load(self, pointer: ir.Value, index: ir.Value) -> ir.Value:
        """Load one element."""
        return self._load(self.precision.scalar, pointer, index)

    def load_vector(self, pointer: ir.Value, index: ir.Value) -> ir.Value:
        """Load a vector of elements, aligned as an element is."""
        return self._load(self.precision.vector, pointer, index)

    def _load(self, kind: ir.Type, pointer: ir.Value, index: ir.Value) -> ir.Value:
        address = self.at(pointer, index)
        return self.builder.load(address, align=self.precision.bytes, typ=kind)

    def store(self, value: ir.Value, pointer: ir.Value, index: ir.Value) -> None:
        """Store an element or a vector."""
        self.builder.store(value, self.at(pointer, index), align=self.precision.bytes)

    # ---- vectors ---------------------------------------------------------------------------------

    def number(self, value: float) -> ir.Constant:
        """Return a vector that holds one number in every lane."""
        return ir.Constant(self.precision.vector, [float(value)] * self.precision.lanes)

    def spread(self, scalar: ir.Value) -> ir.Value:
        """Return a vector with a scalar in every lane."""
        vector = self.precision.vector
        first = self.builder.insert_element(
            ir.Constant(vector, ir.Undefined), scalar, ir.Constant(ir.IntType(32), 0)
        )
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), self.precision.lanes), None)
        return self.builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)

    def multiply_add(self, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
        """Return a * b + c, rounded once where the CPU can."""
        return self.intrinsic("llvm.fmuladd", a, b, c)

    def intrinsic(self, name: str, *args: ir.Value) -> ir.Value:
        """Call an intrinsic whose arguments and result are vectors of the precision."""
        full = f"{name}.v{self.precision.lanes}{self.precision.name}"
        vector = self.precision.vector
        function = self.module.globals.get(full)
        if function is None:
            kind = ir.FunctionType(vector, [vector] * len(args))
            function = ir.Function(self.module, kind, full)
        return self.builder.call(function, args)
