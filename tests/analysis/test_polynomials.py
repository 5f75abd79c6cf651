"""Values as polynomials: equal to what they stand for, and bounded by what can be had."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_cells import random_cell, seeded

from cellsearch.analysis.intervals import Interval
from cellsearch.analysis.polynomials import MAX_TERMS, Polynomial, bounds, polynomials
from cellsearch.analysis.ranges import ranges
from cellsearch.cell import Cell
from cellsearch.numpy_math import NumpyMath
from cellsearch.operators import OPERATORS


def value_of(polynomial: Polynomial, values: list[float]) -> float:
    return math.fsum(
        coefficient * math.prod(values[variable] for variable in monomial)
        for monomial, coefficient in polynomial.terms.items()
    )


@given(st.integers(0, 10**6))
def test_a_polynomial_equals_the_value_it_stands_for(seed: int) -> None:
    graph = Cell.parse(random_cell(seeded(seed), equal_sizes=True)).structure
    rng = np.random.default_rng(seed)
    values: list[float] = []
    for node in graph.nodes:
        row = OPERATORS.get(node.op)
        if row is None or row.value is None:
            number = node.op == "number"
            values.append(float(node.attribute("value", 0.0)) if number else rng.normal())
        else:
            args = [np.float64(values[arg]) for arg in node.args]
            values.append(float(row.value(NumpyMath, *args)))
    for index, polynomial in enumerate(polynomials(graph)):
        assert len(polynomial.terms) <= MAX_TERMS
        assert all(variable <= index for variable in polynomial.variables)
        assert value_of(polynomial, values) == pytest.approx(values[index], rel=1e-9, abs=1e-9)


numbers = st.integers(-3, 3)
interval = st.tuples(numbers, numbers).map(lambda ends: Interval(min(ends), max(ends)))
monomials = st.lists(st.integers(0, 3), max_size=3).map(lambda v: tuple(sorted(v)))
terms = st.dictionaries(monomials, numbers.filter(bool), min_size=1, max_size=6)


@given(terms, st.lists(interval, min_size=4, max_size=4))
def test_bounds_hold_everywhere(terms: dict[tuple[int, ...], int], box: list[Interval]) -> None:
    polynomial = Polynomial({monomial: float(number) for monomial, number in terms.items()})
    found = bounds(polynomial, box)
    grid = [np.linspace(each.low, each.high, 4) for each in box]
    reached = [value_of(polynomial, list(point)) for point in itertools.product(*grid)]
    assert found.low - 1e-9 <= min(reached)
    assert max(reached) <= found.high + 1e-9
    if all(len(set(monomial)) == len(monomial) for monomial in terms):  # linear in each
        assert (found.low, found.high) == pytest.approx((min(reached), max(reached)))


def test_convex_combinations_of_unbounded_values() -> None:
    """z * a + (1 - z) * b, where a and b are positive."""
    polynomial = Polynomial({(0, 1): 1.0, (2,): 1.0, (0, 2): -1.0})
    positive = Interval(0, math.inf)
    assert bounds(polynomial, [Interval(0, 1), positive, positive]) == positive


def test_a_long_chain_is_not_written_out_as_a_whole() -> None:
    """Thirty highways: all together they would have 2 ** 30 terms; each is between -1 and 1."""
    lines = ["s0 = h_prev"]
    for i in range(30):
        lines.append(f"z{i} = sigmoid(linear(x))")
        lines.append(f"s{i + 1} = s{i} + z{i} * (tanh(linear(x)) - s{i})")
    graph = Cell.parse("\n".join([*lines, "h = s30"])).structure
    assert max(len(polynomial.terms) for polynomial in polynomials(graph)) <= 16
    assert ranges(graph)[graph.states[0][1]] == Interval(-1, 1)
