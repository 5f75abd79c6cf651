"""Vectors of numbers and masks of truth values: Python computes in them, LLVM IR is written."""

from __future__ import annotations

from typing import Any, NoReturn

from llvmlite import ir

from cellsearch.backends.native.code import Code

FUSABLE = ("contract",)
"""Flags of +, - and *: the CPU may round a * b + c once. Nothing else may change."""


class Vector:
    """One LLVM vector of the code's precision, with Python's arithmetic.

    The other operand may be a Python number; it then stands in every lane.
    """

    __slots__ = ("code", "value")

    def __init__(self, code: Code, value: ir.Value) -> None:
        self.code = code
        self.value = value

    def __add__(self, other: Any) -> Vector:
        return self._arithmetic("fadd", self, other)

    def __radd__(self, other: Any) -> Vector:
        return self._arithmetic("fadd", other, self)

    def __sub__(self, other: Any) -> Vector:
        return self._arithmetic("fsub", self, other)

    def __rsub__(self, other: Any) -> Vector:
        return self._arithmetic("fsub", other, self)

    def __mul__(self, other: Any) -> Vector:
        if is_number(other) and other == 1:
            return self
        if is_number(other) and other == -1:
            return -self
        return self._arithmetic("fmul", self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Vector:
        if is_number(other) and other == 1:
            return self
        return self._arithmetic("fdiv", self, other)

    def __rtruediv__(self, other: Any) -> Vector:
        return self._arithmetic("fdiv", other, self)

    def __neg__(self) -> Vector:
        return Vector(self.code, self.code.builder.fneg(self.value))

    def __lt__(self, other: Any) -> Mask:
        return self._comparison("<", other)

    def __le__(self, other: Any) -> Mask:
        return self._comparison("<=", other)

    def __gt__(self, other: Any) -> Mask:
        return self._comparison(">", other)

    def __ge__(self, other: Any) -> Mask:
        return self._comparison(">=", other)

    def __eq__(self, other: Any) -> Mask:  # type: ignore[override]
        return self._comparison("==", other)

    def __ne__(self, other: Any) -> Mask:  # type: ignore[override]
        return ~self._comparison("==", other)  # NaN differs from everything

    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> NoReturn:
        raise TypeError("a vector has no single truth value; use m.where")

    def _arithmetic(self, name: str, left: Any, right: Any) -> Vector:
        if not (is_operand(left) and is_operand(right)):
            return NotImplemented  # type: ignore[no-any-return]
        write = getattr(self.code.builder, name)
        operands = (lifted(self.code, left), lifted(self.code, right))
        flags = () if name == "fdiv" else FUSABLE
        return Vector(self.code, write(*operands, flags=flags))

    def _comparison(self, name: str, other: Any) -> Mask:
        if not is_operand(other):
            return NotImplemented  # type: ignore[no-any-return]
        write = self.code.builder.fcmp_ordered
        return Mask(self.code, write(name, self.value, lifted(self.code, other)))


class Mask:
    """A truth value in every lane of a vector."""

    __slots__ = ("code", "value")

    def __init__(self, code: Code, value: ir.Value) -> None:
        self.code = code
        self.value = value

    def __and__(self, other: Mask) -> Mask:
        return Mask(self.code, self.code.builder.and_(self.value, other.value))

    def __or__(self, other: Mask) -> Mask:
        return Mask(self.code, self.code.builder.or_(self.value, other.value))

    def __invert__(self) -> Mask:
        return Mask(self.code, self.code.builder.not_(self.value))

    def __bool__(self) -> NoReturn:
        raise TypeError("a mask has no single truth value; use m.where")


def is_number(a: object) -> bool:
    """Tell whether an operand is a Python number."""
    return isinstance(a, int | float)


def is_operand(a: object) -> bool:
    """Tell whether a vector can be computed from this."""
    return isinstance(a, Vector) or is_number(a)


def lifted(code: Code, a: Vector | float) -> ir.Value:
    """Return the LLVM value of an operand; a number is put into every lane."""
    return a.value if isinstance(a, Vector) else code.number(a)
