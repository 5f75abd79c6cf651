"""Interval arithmetic, in which the formulas of the operator table can be run.

A formula's result on enclosures holds every value that it takes for arguments from them (Moore,
Interval analysis, 1966). What has no value (the logarithm of a negative number, 0 / 0) is left out;
ends are not rounded outwards, so they hold up to the rounding of floating-point arithmetic.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

from cellsearch.operators import INFINITY

_LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is known of a comparison: whether it may hold, and whether it may fail."""

    may_hold: bool
    may_fail: bool

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.may_hold and other.may_hold, self.may_fail or other.may_fail)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.may_hold or other.may_hold, self.may_fail and other.may_fail)

    def __invert__(self) -> Truth:
        return Truth(self.may_fail, self.may_hold)

    def __bool__(self) -> bool:
        raise TypeError("a comparison of enclosures has no single truth value; use m.where")


@dataclass(frozen=True, slots=True, eq=False)
class Enclosure:
    """A number of which it is known that it is between `low` and `high`, with its arithmetic."""

    low: float
    high: float

    def __add__(self, other: Enclosure | float) -> Enclosure:
        other = enclosed(other)
        return _enclosure(self.low + other.low, self.high + other.high)

    __radd__ = __add__

    def __neg__(self) -> Enclosure:
        return Enclosure(0.0 - self.high, 0.0 - self.low)  # never minus zero

    def __sub__(self, other: Enclosure | float) -> Enclosure:
        return self + -enclosed(other)

    def __rsub__(self, other: float) -> Enclosure:
        return enclosed(other) + -self

    def __mul__(self, other: Enclosure | float) -> Enclosure:
        other = enclosed(other)
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        ends = [0.0 if math.isnan(end) else end for end in ends]  # no finite number times 0 is more
        return _enclosure(min(ends), max(ends))

    __rmul__ = __mul__

    def __truediv__(self, other: Enclosure | float) -> Enclosure:
        other = enclosed(other)
        if self.low == self.high == 0:
            return self
        if other.low < 0 < other.high or other.low == other.high == 0:
            return ANY
        low = 1 / other.high if other.high else -INFINITY
        return self * Enclosure(low, 1 / other.low if other.low else INFINITY)

    def __rtruediv__(self, other: float) -> Enclosure:
        return enclosed(other) / self

    def __lt__(self, other: Enclosure | float) -> Truth:
        other = enclosed(other)
        return Truth(self.low < other.high, self.high >= other.low)

    def __gt__(self, other: Enclosure | float) -> Truth:
        return enclosed(other) < self

    def __le__(self, other: Enclosure | float) -> Truth:
        return ~(self > other)

    def __ge__(self, other: Enclosure | float) -> Truth:
        return ~(self < other)

    def __eq__(self, other: Enclosure | float) -> Truth:  # type: ignore[override]
        return (self <= other) & (self >= other)

    def __ne__(self, other: Enclosure | float) -> Truth:  # type: ignore[override]
        return ~(self == other)

    __hash__ = None  # type: ignore[assignment]


ANY = Enclosure(-INFINITY, INFINITY)


def enclosed(value: Enclosure | float) -> Enclosure:
    """Return a number as the enclosure of itself."""
    return value if isinstance(value, Enclosure) else Enclosure(float(value), float(value))


def _enclosure(low: float, high: float) -> Enclosure:
    """Return an enclosure from computed ends: what overflowed is beyond the largest number."""
    low = -INFINITY if math.isnan(low) else min(low, _LARGEST)
    return Enclosure(low, INFINITY if math.isnan(high) else max(high, -_LARGEST))


def _rising(
    function: Callable[[float], float], least: float = -INFINITY
) -> Callable[[Enclosure | float], Enclosure]:
    """Return a function that rises, and has values from `least` on, on enclosures."""

    def on_enclosures(a: Enclosure | float) -> Enclosure:
        a = enclosed(a)
        if a.high < least:
            return ANY  # it has no value at all
        return Enclosure(function(max(a.low, least)), function(a.high))

    return on_enclosures


def _exp(a: float) -> float:
    try:
        return math.exp(a)
    except OverflowError:
        return INFINITY


def _sin(a: Enclosure | float, quarters: int = 0) -> Enclosure:
    """Return the sine of a plus some quarters of a turn."""
    a = enclosed(a)
    if not a.high - a.low < math.tau:  # infinite, too
        return Enclosure(-1.0, 1.0)
    ends = [math.cos(end) if quarters else math.sin(end) for end in (a.low, a.high)]

    def passes(turns: float) -> bool:
        """Whether the interval holds the point at this part of a turn."""
        return math.ceil(a.low / math.tau - turns) <= math.floor(a.high / math.tau - turns)

    low = -1.0 if passes(0.75 - quarters / 4) else min(ends)
    return Enclosure(low, 1.0 if passes(0.25 - quarters / 4) else max(ends))


class EnclosureMath:
    """The namespace `m` of the operator table's formulas, for enclosures and numbers."""

    exp = staticmethod(_rising(_exp))
    log = staticmethod(_rising(lambda a: math.log(a) if a else -INFINITY, 0.0))
    log1p = staticmethod(_rising(lambda a: math.log1p(a) if a != -1 else -INFINITY, -1.0))
    tanh = staticmethod(_rising(math.tanh))
    sqrt = staticmethod(_rising(math.sqrt, 0.0))
    erf = staticmethod(_rising(math.erf))
    sin = staticmethod(_sin)

    @staticmethod
    def cos(a: Enclosure | float) -> Enclosure:
        return _sin(a, quarters=1)

    @staticmethod
    def abs(a: Enclosure | float) -> Enclosure:
        a = enclosed(a)
        return EnclosureMath.maximum(EnclosureMath.maximum(a, -a), 0.0)

    @staticmethod
    def maximum(a: Enclosure | float, b: Enclosure | float) -> Enclosure:
        a, b = enclosed(a), enclosed(b)
        return Enclosure(max(a.low, b.low), max(a.high, b.high))

    @staticmethod
    def minimum(a: Enclosure | float, b: Enclosure | float) -> Enclosure:
        a, b = enclosed(a), enclosed(b)
        return Enclosure(min(a.low, b.low), min(a.high, b.high))

    @staticmethod
    def where(condition: Truth, a: Enclosure | float, b: Enclosure | float) -> Enclosure:
        a, b = enclosed(a), enclosed(b)
        if not condition.may_fail:
            return a
        if not condition.may_hold:
            return b
        return Enclosure(min(a.low, b.low), max(a.high, b.high))
