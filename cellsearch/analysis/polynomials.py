"""Values of a cell as polynomials of other values, so that what cancels out is seen.

Term by term, z * a + (1 - z) * b is between -2 and 2 if z is between 0 and 1, a and b between -1
and 1. As a polynomial it is linear in z; its least and greatest values are those at z = 0, where it
is b, and at z = 1, where it is a.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from cellsearch.analysis.enclosure import Enclosure
from cellsearch.analysis.intervals import Interval
from cellsearch.graph import Graph, Node
from cellsearch.operators import OPERATORS, Formula

MAX_TERMS = 32
"""Most terms of a polynomial; a value that has more is not written as one."""
MAX_PASSED_ON = 8
"""Most terms of a value that is written out in the polynomials of others."""
SHORT = 2
"""Most terms of arguments, such as 1 - z, that are written out in one that would have more."""
MAX_CORNERS = 5
"""Most variables that are looked at from both ends."""

Monomial = tuple[int, ...]
"""The variables of a product, in order; one that stands twice is squared."""


class NotPolynomialError(Exception):
    """A formula is no polynomial of its arguments, or one of too many terms."""


@dataclass(frozen=True, slots=True, eq=False)
class Polynomial:
    """A polynomial of the values of nodes: the coefficient of each product, zeros left out."""

    terms: Mapping[Monomial, float]

    @classmethod
    def of(cls, variable: int) -> Polynomial:
        """Return the polynomial that is one variable."""
        return cls({(variable,): 1.0})

    @classmethod
    def constant(cls, number: float) -> Polynomial:
        """Return the polynomial that is a number."""
        return cls({(): float(number)} if number else {})

    @property
    def variables(self) -> tuple[int, ...]:
        """The variables that it depends on, in order."""
        return tuple(sorted({variable for monomial in self.terms for variable in monomial}))

    @property
    def repeats(self) -> bool:
        """Whether a variable stands in it twice, so that more is known than term by term."""
        return len(self.variables) < sum(len(monomial) for monomial in self.terms)

    def at(self, values: Mapping[int, float]) -> Polynomial:
        """Return the polynomial of the other variables where some have the given values."""
        found: dict[Monomial, float] = {}
        for monomial, coefficient in self.terms.items():
            for variable in monomial:
                coefficient *= values.get(variable, 1.0)
            left = tuple(variable for variable in monomial if variable not in values)
            found[left] = found.get(left, 0.0) + coefficient
        return _polynomial(found)

    def __add__(self, other: Polynomial | float) -> Polynomial:
        found = dict(self.terms)
        for monomial, coefficient in _as_polynomial(other).terms.items():
            found[monomial] = found.get(monomial, 0.0) + coefficient
        return _polynomial(found)

    def __mul__(self, other: Polynomial | float) -> Polynomial:
        found: dict[Monomial, float] = {}
        for (first, a), (second, b) in itertools.product(
            self.terms.items(), _as_polynomial(other).terms.items()
        ):
            monomial = tuple(sorted((*first, *second)))
            found[monomial] = found.get(monomial, 0.0) + a * b
        return _polynomial(found)

    def __neg__(self) -> Polynomial:
        return self * -1.0

    def __sub__(self, other: Polynomial | float) -> Polynomial:
        return self + -_as_polynomial(other)

    def __rsub__(self, other: float) -> Polynomial:
        return _as_polynomial(other) + -self

    def __truediv__(self, other: Polynomial | float) -> Polynomial:
        if isinstance(other, Polynomial) or not other:
            raise NotPolynomialError
        return self * (1.0 / other)

    __radd__, __rmul__ = __add__, __mul__

    def _refuse(self, other: object) -> NoReturn:
        raise NotPolynomialError

    __rtruediv__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __eq__ = __ne__ = _refuse
    __hash__ = None  # type: ignore[assignment]


def polynomials(graph: Graph) -> tuple[Polynomial, ...]:
    """Return each node's value as a polynomial of nodes that are none themselves.

    What is computed by another formula than sums, products and quotients by numbers, or has more
    than `MAX_TERMS` terms, is a variable of its own. So is, for others, what has more than
    `MAX_PASSED_ON` terms; if it is used but once, only its long arguments are: the z of
    (1 - z) * long may be that of a gate elsewhere.
    """
    uses = Counter(arg for node in graph.nodes for arg in node.args)
    found: list[Polynomial] = []
    passed_on: list[Polynomial] = []
    for index, node in enumerate(graph.nodes):
        own = Polynomial.of(index)
        args = [passed_on[arg] for arg in node.args]
        value = _written_out(node, args) or own
        short = value
        if len(value.terms) > MAX_PASSED_ON and uses[index] == 1:
            pairs = zip(node.args, args, strict=True)
            cut = [arg if len(arg.terms) <= SHORT else Polynomial.of(i) for i, arg in pairs]
            short = _written_out(node, cut) or own
        found.append(value)
        passed_on.append(short if len(short.terms) <= MAX_PASSED_ON else own)
    return tuple(found)


def bounds(polynomial: Polynomial, intervals: Sequence[Interval]) -> Interval:
    """Return bounds of a polynomial, given the interval of each variable.

    A variable that stands in several terms, in none of them squared, is put at its two ends: a
    function that is linear in it has its least and greatest values there.
    """
    terms = [monomial for monomial in polynomial.terms if monomial]
    counts = {
        variable: sum(variable in monomial for monomial in terms)
        for variable in polynomial.variables
        if intervals[variable].is_bounded
        and all(monomial.count(variable) <= 1 for monomial in terms)
    }
    often = sorted((v for v in counts if counts[v] > 1), key=lambda v: (-counts[v], v))
    corners = often[:MAX_CORNERS]
    ends = [(intervals[variable].low, intervals[variable].high) for variable in corners]
    found = [
        _term_by_term(polynomial.at(dict(zip(corners, corner, strict=True))), intervals)
        for corner in itertools.product(*ends)
    ]
    return found[0].hull(*found[1:])


def _term_by_term(polynomial: Polynomial, intervals: Sequence[Interval]) -> Interval:
    total = Enclosure(0.0, 0.0)
    for monomial, coefficient in polynomial.terms.items():
        term = Enclosure(coefficient, coefficient)
        for variable in dict.fromkeys(monomial):
            term = term * _power(intervals[variable], monomial.count(variable))
        total = total + term
    return Interval(total.low, total.high)


def _power(base: Interval, exponent: int) -> Enclosure:
    low, high = (_repeated(end, exponent) for end in (base.low, base.high))
    if exponent % 2:
        return Enclosure(low, high)
    return Enclosure(0.0 if base.low < 0 < base.high else min(low, high), max(low, high))


def _repeated(number: float, exponent: int) -> float:
    product = number
    for _ in range(exponent - 1):
        product *= number  # overflows to infinity, which ** would refuse
    return product


def _written_out(node: Node, args: Sequence[Polynomial]) -> Polynomial | None:
    if node.op == "number":
        return Polynomial.constant(float(node.attribute("value", 0.0)))
    row = OPERATORS.get(node.op)
    return None if row is None or row.value is None else polynomial_of(row.value, args)


def polynomial_of(formula: Formula, args: Sequence[Polynomial]) -> Polynomial | None:
    """Return a formula's value as a polynomial, or None if it is none of at most `MAX_TERMS`."""
    try:
        return _as_polynomial(formula(_NoFunctions(), *args))
    except NotPolynomialError:
        return None


class _NoFunctions:
    """A namespace of elementary functions of which none is a polynomial."""

    def __getattr__(self, name: str) -> NoReturn:
        raise NotPolynomialError


def _as_polynomial(value: Polynomial | float) -> Polynomial:
    return value if isinstance(value, Polynomial) else Polynomial.constant(value)


def _polynomial(terms: Mapping[Monomial, float]) -> Polynomial:
    left = {monomial: number for monomial, number in terms.items() if number}
    if len(left) > MAX_TERMS or not all(map(math.isfinite, left.values())):
        raise NotPolynomialError
    return Polynomial(left)
