"""The elementary functions of the operator table, written as LLVM vector code.

Every function gives what numpy gives for NaN, infinities, signed zeros and results that overflow or
are denormal, and is elsewhere within 3 units in the last place. The text of each function stands
once in a module, however often it is used.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from llvmlite import ir

from cellsearch.backends.native.code import Code
from cellsearch.backends.native.constants import DOUBLE_CONSTANTS, SINGLE_CONSTANTS
from cellsearch.backends.native.vector import Mask, Vector, lifted

__all__ = ["Mask", "Vector", "VectorMath"]

Number = Vector | float


class VectorMath:
    """The namespace `m` of the operator table's formulas, for the vectors of one code."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.constants = SINGLE_CONSTANTS if code.precision.bits == 32 else DOUBLE_CONSTANTS

    # ---- the namespace ---------------------------------------------------------------------------

    def exp(self, a: Number) -> Vector:
        return self._call("exp", _exp, a)

    def log(self, a: Number) -> Vector:
        return self._call("log", _log, a)

    def log1p(self, a: Number) -> Vector:
        return self._call("log1p", _log1p, a)

    def tanh(self, a: Number) -> Vector:
        return self._call("tanh", _tanh, a)

    def sin(self, a: Number) -> Vector:
        return self._call("sin", _sin, a, inline=False)

    def cos(self, a: Number) -> Vector:
        return self._call("cos", _cos, a, inline=False)

    def erf(self, a: Number) -> Vector:
        return self._call("erf", _erf, a)

    def sqrt(self, a: Number) -> Vector:
        return Vector(self.code, self.code.intrinsic("llvm.sqrt", lifted(self.code, a)))

    def abs(self, a: Number) -> Vector:
        return Vector(self.code, self.code.intrinsic("llvm.fabs", lifted(self.code, a)))

    def maximum(self, a: Number, b: Number) -> Vector:
        a, b = self.vector(a), self.vector(b)
        return self.where(a != a, a, self.where(a > b, a, b))  # NaN if either is

    def minimum(self, a: Number, b: Number) -> Vector:
        a, b = self.vector(a), self.vector(b)
        return self.where(a != a, a, self.where(a < b, a, b))

    def where(self, condition: Mask | bool, a: Number, b: Number) -> Vector:
        if isinstance(condition, bool):  # two numbers were compared
            return self.vector(a if condition else b)
        choices = (lifted(self.code, a), lifted(self.code, b))
        return Vector(self.code, self.code.builder.select(condition.value, *choices))

    # ---- what the functions are written with -----------------------------------------------------

    def vector(self, a: Number) -> Vector:
        """Return a vector for a vector or a number."""
        return Vector(self.code, lifted(self.code, a))

    def at_most(self, a: Vector, limit: float) -> Vector:
        """Return a where it is below a limit or NaN, else the limit; one instruction."""
        return self.where(a > limit, limit, a)

    def at_least(self, a: Vector, limit: float) -> Vector:
        """Return a where it is above a limit or NaN, else the limit; one instruction."""
        return self.where(a < limit, limit, a)

    def polynomial(self, x: Vector, coefficients: Sequence[float]) -> Vector:
        """Return c0 + c1 x + c2 x^2 + ..., by Horner's rule."""
        result = self.vector(coefficients[-1])
        for coefficient in reversed(coefficients[:-1]):
            result = result * x + coefficient
        return result

    def rounding(self, bias: int = 0) -> float:
        """Return the number that, added to a small one, rounds it to an integer.

        The sum is so large that its last bit counts one: the integer, plus the bias, stands in the
        low bits. Less the same number, it is the integer as a float.
        """
        return 1.5 * 2.0**self.constants.mantissa + bias

    def with_exponent(self, field: ir.Value) -> Vector:
        """Return the powers of two whose exponent fields are the low bits of integers."""
        shifted = self.code.builder.shl(field, self.integer(self.constants.mantissa))
        return self.from_bits(shifted)

    def with_sign(self, a: Vector, sign: Vector) -> Vector:
        """Return a, negated where another vector has a minus sign."""
        b = self.code.builder
        sign_bit = self.integer(1 << (self.code.precision.bits - 1))
        return self.from_bits(b.xor(self.bits(a), b.and_(self.bits(sign), sign_bit)))

    def bits(self, a: Vector) -> ir.Value:
        """Return the bits of a vector as integers."""
        return self.code.builder.bitcast(a.value, self.code.precision.integers)

    def from_bits(self, bits: ir.Value) -> Vector:
        """Return the vector that has these bits."""
        return Vector(self.code, self.code.builder.bitcast(bits, self.code.precision.vector))

    def integer(self, value: int) -> ir.Constant:
        """Return an integer in every lane."""
        return ir.Constant(self.code.precision.integers, [value] * self.code.precision.lanes)

    def _call(
        self,
        name: str,
        write: Callable[[VectorMath, Vector], Vector],
        a: Number,
        inline: bool = True,
    ) -> Vector:
        """Call a function of this module, which is written when first called.

        Without `inline` it stays a function; that is for long ones, and those that call libm.
        """
        precision = self.code.precision
        full = f"cellsearch.{name}.{precision.name}"
        function = self.code.module.globals.get(full)
        if function is None:
            kind = ir.FunctionType(precision.vector, [precision.vector])
            function = ir.Function(self.code.module, kind, full)
            function.linkage = "internal"
            function.attributes.add("alwaysinline" if inline else "noinline")
            inner = Code(function, precision)
            result = write(VectorMath(inner), Vector(inner, function.args[0]))
            inner.builder.ret(result.value)
        return Vector(self.code, self.code.builder.call(function, [lifted(self.code, a)]))


def _exp(m: VectorMath, x: Vector) -> Vector:
    """exp(x) = 2**n exp(r) with x = n ln 2 + r and |r| <= ln(2) / 2.

    2**n is multiplied in as two factors: by itself it may overflow, or be denormal.
    """
    c, b = m.constants, m.code.builder
    x = m.at_most(m.at_least(x, c.exp_range[0]), c.exp_range[1])
    shifted = x * (1 / math.log(2)) + m.rounding(2 * c.bias)
    n = shifted - m.rounding(2 * c.bias)
    r = x - n * c.ln2[0] - n * c.ln2[1]
    exponents = m.bits(shifted)  # in the low bits, the sum of both factors' exponent fields
    first = b.lshr(exponents, m.integer(1))
    second = b.sub(exponents, first)
    return m.polynomial(r, c.exp) * m.with_exponent(first) * m.with_exponent(second)


def _tanh(m: VectorMath, x: Vector) -> Vector:
    """tanh|x| = u / (2 - u) with u = 1 - exp(-2|x|), which keeps all digits near 0.

    |x| = r - n ln(2) / 2 with n <= 0, so that u = 2**n (1 - exp(-2 r)) + (1 - 2**n).
    """
    c = m.constants
    z = m.at_most(m.abs(x), c.tanh_limit)
    shifted = z * (-2 / math.log(2)) + m.rounding(c.bias)
    n = shifted - m.rounding(c.bias)
    r = z + n * (0.5 * c.ln2[0]) + n * (0.5 * c.ln2[1])
    factor = m.with_exponent(m.bits(shifted))
    u = factor * (r * m.polynomial(r, c.tanh)) + (1 - factor)
    return m.with_sign(u / (2 - u), x)


def _log(m: VectorMath, x: Vector) -> Vector:
    """log(x), by way of a multiple where x is denormal and has no exponent to be read off."""
    c = m.constants
    denormal = x < 2.0 ** (1 - c.bias)
    doublings = c.mantissa + 1
    f, n = _parts(m, m.where(denormal, x * 2.0**doublings, x))
    n = n - m.where(denormal, doublings, 0.0)
    return _log_at_borders(m, x, _log_of_parts(m, f, n), zero=0.0)


def _log1p(m: VectorMath, x: Vector) -> Vector:
    """log(u), where u is 1 + x rounded; the fraction of u is x itself where its exponent is 0.

    There u would lose digits of x. Elsewhere what it loses is below two units in the last place.
    """
    f, n = _parts(m, 1 + x)
    result = _log_at_borders(m, x, _log_of_parts(m, m.where(n == 0, x, f), n), zero=-1.0)
    return m.where(x == 0, x, result)  # -0.0 stays -0.0


def _parts(m: VectorMath, x: Vector) -> tuple[Vector, Vector]:
    """Return f and n, where x = 2**n (1 + f) and 1 + f lies between sqrt(1/2) and sqrt(2)."""
    c, b = m.constants, m.code.builder
    # As integers, the bits of positive numbers stand in the order of the numbers.
    least = (c.bias - 1 << c.mantissa) + int((math.sqrt(2) - 1) * 2**c.mantissa)  # sqrt(1/2)
    bits = b.add(m.bits(x), m.integer((c.bias << c.mantissa) - least))
    exponent = b.lshr(bits, m.integer(c.mantissa))
    fraction = b.and_(bits, m.integer((1 << c.mantissa) - 1))
    f = m.from_bits(b.add(fraction, m.integer(least))) - 1
    whole = 2.0**c.mantissa  # its lowest bit counts one
    n = m.from_bits(b.or_(exponent, m.bits(m.vector(whole)))) - (whole + c.bias)
    return f, n


def _log_of_parts(m: VectorMath, f: Vector, n: Vector) -> Vector:
    """Return n ln 2 + log(1 + f), the small terms added first (Ng, FDLIBM, 1993)."""
    c = m.constants
    s = f / (2 + f)
    z = s * s
    half_square = 0.5 * f * f
    small = s * (half_square + z * m.polynomial(z, c.log)) + n * c.ln2[1]
    return n * c.ln2[0] - ((half_square - small) - f)


def _log_at_borders(m: VectorMath, x: Vector, result: Vector, zero: float) -> Vector:
    """Return a logarithm's result with the right values at and outside the ends of its domain."""
    outside = m.where(x == zero, -math.inf, math.nan)
    return m.where(x == math.inf, x, m.where(x > zero, result, outside))


def _erf(m: VectorMath, x: Vector) -> Vector:
    """erf(x) = x + x P(x^2) up to 1, 1 - exp(-Q(|x|)) above."""
    c = m.constants
    size = m.abs(x)
    small = x + x * m.polynomial(x * x, c.erf_small)
    large = 1 - m.exp(-m.polynomial(m.at_most(size, c.erf_limit), c.erf_large))
    return m.where(size < 1, small, m.with_sign(large, x))


def _sin(m: VectorMath, x: Vector) -> Vector:
    return _in_range_or_libm(m, x, lambda: m.with_sign(_sine(m, m.abs(x), 0), x), "llvm.sin")


def _cos(m: VectorMath, x: Vector) -> Vector:
    return _in_range_or_libm(m, x, lambda: _sine(m, m.abs(x), 1), "llvm.cos")


def _sine(m: VectorMath, x: Vector, quarters: int) -> Vector:
    """Return sin(x + quarters pi / 2) for x >= 0, by way of r = x - n pi / 2 with |r| <= pi / 4."""
    c, b = m.constants, m.code.builder
    shifted = x * (2 / math.pi) + m.rounding()
    n = shifted - m.rounding()
    r = x - n * c.half_pi[0] - n * c.half_pi[1] - n * c.half_pi[2]
    z = r * r
    sine = r + r * z * m.polynomial(z, c.sine)
    cosine = (1 - 0.5 * z) + z * z * m.polynomial(z, c.cosine)
    turns = b.add(m.bits(shifted), m.integer(quarters))
    odd = Mask(m.code, b.trunc(turns, ir.VectorType(ir.IntType(1), m.code.precision.lanes)))
    sign = b.shl(b.lshr(turns, m.integer(1)), m.integer(m.code.precision.bits - 1))
    return m.from_bits(b.xor(m.bits(m.where(odd, cosine, sine)), sign))


def _in_range_or_libm(m: VectorMath, x: Vector, write: Callable[[], Vector], libm: str) -> Vector:
    """Return what is written if the reduction is exact for every lane, else what libm says."""
    b, lanes = m.code.builder, m.code.precision.lanes
    in_range = m.abs(x) <= m.constants.sine_limit
    lane_bits = b.bitcast(in_range.value, ir.IntType(lanes))
    everywhere = b.icmp_unsigned("==", lane_bits, ir.Constant(ir.IntType(lanes), (1 << lanes) - 1))
    with b.if_else(everywhere) as (then, otherwise):
        with then:
            fast, fast_block = write(), b.block
        with otherwise:
            slow, slow_block = m.code.intrinsic(libm, x.value), b.block
    result = b.phi(m.code.precision.vector)
    result.add_incoming(fast.value, fast_block)
    result.add_incoming(slow, slow_block)
    return Vector(m.code, result)
