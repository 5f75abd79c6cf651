"""Kinds of cells: by hand, of known cells, and confirmed by numerical Jacobians."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from elementwise_cells import elementwise_cell
from hypothesis import given
from hypothesis import strategies as st
from jacobians import numerical_kind
from random_cells import random_cell, seeded

from cellsearch.analysis.recurrence import KINDS, kind, recurrences, seen_by_derivative
from cellsearch.cell import Cell
from cellsearch.inspection.written import written
from cellsearch.known import zoo
from cellsearch.numpy_math import NumpyMath
from cellsearch.operators import OPERATORS

BY_HAND = {
    "scan": """
        h = linear(x)
        h = scale(h_prev) + x
        h = -h_prev / exp(x)
        h = (sigmoid(linear(x)) * h_prev + x) / (1 + exp(x))
        h = blend(sigmoid(x), mean(h_prev, x), 2 * h_prev - x)
        c = sigmoid(linear(x)) * c_prev + linear(x); h = sigmoid(linear(x)) * tanh(c)
        g = h_prev; h = h_prev - 0.5 * g_prev + x
        h = c_prev + h_prev; c = parameter() * h_prev - c_prev
        s = 0.9 * s_prev + x; h = sigmoid(linear(s_prev)) * h_prev + layer_norm(s)
        s = x; h = tanh(linear(s_prev)) * h_prev
        h = h_prev; output = tanh(linear(h))
        h = identity(h_prev) * x * x
        started = 1; h = started_prev * exp(x) * h_prev + x
        dead = tanh(linear(dead_prev)); h = h_prev + x
    """,
    "diagonal": """
        h = relu(linear(x) + scale(h_prev))
        h = leaky_relu(h_prev)
        h = abs(h_prev) + x
        h = maximum(h_prev, x)
        h = blend(sigmoid(scale(h_prev)), h_prev, x)
        h = blend(scale(h_prev), h_prev, x)
        h = square(h_prev)
        h = h_prev * h_prev
        h = x / h_prev
        h = g_prev; g = tanh(h_prev)
        h = h_prev * g_prev; g = h_prev
        h = 0.5 * h_prev; c = c_prev * tanh(c_prev) + h; output = c
    """,
    "dense": """
        h = linear(h_prev)
        h = h_prev + 0.001 * linear(x, h_prev)
        h = layer_norm(h_prev)
        h = g_prev; g = layer_norm(h_prev)
        h = 0.5 * h_prev + c_prev; c = linear(h_prev)
        c = sigmoid(linear(x, h_prev)) * c_prev + x; h = tanh(c)
        s = 0.9 * s_prev + x; h = tanh(linear(h_prev, s))
        c = tanh(linear(c_prev)); h = sigmoid(linear(x)) * h_prev + c
    """,
}
LINES = [(k, line.strip()) for k, lines in BY_HAND.items() for line in lines.strip().splitlines()]


def parsed(text: str) -> Cell:
    return Cell.parse(text.replace("; ", "\n"))


@pytest.mark.parametrize(("expected", "text"), LINES, ids=[text for _, text in LINES])
def test_kinds_by_hand(expected: str, text: str) -> None:
    assert parsed(text).kind == expected


def test_known_cells() -> None:
    """What has a matrix on its own state in a gate or a candidate is dense: nearly all."""
    found = {name: zoo[name].kind for name in zoo}
    scan = {name for name in found if found[name] == "scan"}
    diagonal = {name for name in found if found[name] == "diagonal"}
    assert scan == {"mingru", "minlstm", "qrnn", "sru_v1", "rglru"}
    assert diagonal == {"indrnn", "sru", "brc"}
    assert set(found.values()) == set(KINDS)


def test_each_recurrence_has_a_kind_of_its_own() -> None:
    cell = parsed(
        "s = 0.9 * s_prev + x; u = u_prev * w_prev; w = u_prev; t = x; "
        "h = tanh(linear(h_prev, s, t_prev)); output = h * u"
    )
    found = {frozenset(each.states): each.kind for each in recurrences(cell.normal)}
    assert found == {
        frozenset("s"): "scan",
        frozenset("uw"): "diagonal",
        frozenset("h"): "dense",
    }
    assert cell.kind == "dense"


def test_nothing_is_made_of_numbers() -> None:
    """The kind is that of the graph: what cancels out for every input still counts."""
    assert parsed("h = x + 0 * tanh(linear(h_prev))").kind == "dense"
    assert parsed("v = tanh(h_prev); h = x + (v - v)").kind == "diagonal"


@given(st.integers(0, 10**6))
def test_the_kind_is_that_of_the_cell_as_it_was_written(seed: int) -> None:
    cell = Cell.parse(random_text(seed))
    assert kind(written(cell)) == cell.kind


def random_text(seed: int) -> str:
    rng = seeded(seed)
    if seed % 3 == 0:
        return random_cell(rng, equal_sizes=True)
    return elementwise_cell(rng, curved=0.0 if seed % 3 == 1 else 0.6)


CANCEL = {
    33: ("blend(1, memory_prev, n_prev)", "memory_prev"),
    51: ("blend(1, x, h_prev)", "x"),
    159: ("(n) - (n)", "0"),
    345: ("layer_norm(c_prev)", "0"),  # in a product with sin(scale((x) - (x)))
}
"""Of the first 500 random cells, those in which something cancels out, and what is left of it."""


def test_jacobians_of_500_random_cells_confirm_the_kind(full: bool) -> None:
    """The graph and the numbers tell the same kind, but where something cancels out.

    `h - h` and `blend(1, a, h)` depend on h as graphs and not as functions; with what is left of
    them instead, the two agree again. Nowhere do numbers tell a worse kind than the graph.
    """
    counts: Counter[str] = Counter()
    for seed in range(500):
        cell = Cell.parse(random_text(seed))
        counts[cell.kind] += 1
        found = numerical_kind(cell, seed)
        if seed in CANCEL:
            what, left = CANCEL[seed]
            assert KINDS.index(found) < KINDS.index(cell.kind)
            assert what in cell.text
            cell = Cell.parse(cell.text.replace(what, left))
        assert cell.kind == found, (seed, cell.text)
    assert counts == {"scan": 264, "diagonal": 121, "dense": 115}
    for seed in range(500, 5000 if full else 500):
        cell = Cell.parse(random_text(seed))
        assert KINDS.index(numerical_kind(cell, seed)) <= KINDS.index(cell.kind), (seed, cell.text)


ELEMENTWISE = [(row, 2 + (row.arity[1] is None)) for row in OPERATORS.values() if row.derivative]


@pytest.mark.parametrize(("row", "count"), ELEMENTWISE, ids=[row.name for row, _ in ELEMENTWISE])
def test_what_a_derivative_sees_is_what_changes_it(row: Any, count: int) -> None:
    """Against numbers: an argument is seen exactly if the derivative's value depends on it."""
    count = min(count, row.arity[1] or count) if row.arity[0] <= 2 else row.arity[0]
    rng = np.random.default_rng(0)
    sees: list[set[int]] = [set() for _ in range(count)]
    points = 3 * rng.standard_normal((200, count))
    points[::2] = np.abs(points[::2])  # logarithms and roots have few others
    for slot in range(count):
        others = points.copy()
        others[:, slot] = 3 * rng.standard_normal(200)
        others[::2] = np.abs(others[::2])
        with np.errstate(all="ignore"):
            pair = [
                row.derivative(NumpyMath, row.formula(NumpyMath, *values.T), *values.T)
                for values in (points, others)
            ]
            for partial, (first, second) in enumerate(zip(*pair, strict=True)):
                if np.any(np.abs(np.asarray(first) - second) > 1e-9):
                    sees[partial].add(slot)
    assert seen_by_derivative(row.derivative, count) == tuple(tuple(sorted(s)) for s in sees)


@pytest.mark.parametrize("name", [n for n, row in OPERATORS.items() if row.arity[1] is None])
def test_three_arguments_tell_of_any_number_that_are_alike(name: str) -> None:
    derivative = OPERATORS[name].derivative
    for count in (2, 3, 4, 9) if derivative else ():
        assert seen_by_derivative(derivative, count, True) == seen_by_derivative(derivative, count)


def test_operators_of_third_parties_need_no_word() -> None:
    def highway(m: Any, y: Any, g: Any, a: Any, b: Any) -> tuple[Any, ...]:
        return m.where(g > 0, a - b, b), m.minimum(g, 1), 1 - m.exp(g)

    assert seen_by_derivative(highway, 3) == ((0, 1, 2), (0,), (0,))


def test_formula_that_decides_with_if_is_refused() -> None:
    def bent(m: Any, y: Any, a: Any) -> tuple[Any, ...]:
        return (1.0 if a > 0 else 0.0,)

    with pytest.raises(TypeError, match=r"m\.where"):
        seen_by_derivative(bent, 1)
