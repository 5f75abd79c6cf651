"""Ranges of values: sound for random cells with any weights, tight for known cells."""

from __future__ import annotations

import ast
import math
from random import Random
from typing import Any

import numpy as np
import pytest
import torch
from elementwise_cells import elementwise_cell
from hypothesis import given
from hypothesis import strategies as st
from interpreter import Step
from random_cells import random_cell, seeded

from cellsearch.analysis.ranges import ANYTHING, Interval, operator_range, ranges
from cellsearch.cell import Cell
from cellsearch.inspection.written import written
from cellsearch.known import zoo
from cellsearch.numpy_math import NumpyMath
from cellsearch.operators import OPERATORS, Operator
from cellsearch.shapes import learned_tensors

INF = math.inf
UNIT, SIGNED = (0.0, 1.0), (-1.0, 1.0)


def named(cell: Cell) -> dict[str, tuple[float, float]]:
    """Return the ranges of a cell's statements, rounded to six digits."""
    graph = written(cell)
    found = dict(zip(graph.nodes, ranges(graph), strict=True))
    return {
        node.name: (float(f"{each.low:.6g}"), float(f"{each.high:.6g}"))
        for node, each in found.items()
        if node.name and node.op != "state"
    }


def parsed(text: str) -> Cell:
    return Cell.parse(text.replace("; ", "\n"))


KNOWN = {
    "rnn": {"h": SIGNED},
    "rnn_relu": {"h": (0, INF)},
    "gru": {"r": UNIT, "z": UNIT, "n": SIGNED, "h": SIGNED},
    "gru_reset_before": {"h": SIGNED},
    "mgu": {"h": SIGNED},
    "ugrnn": {"h": SIGNED},
    "ligru": {"h": (0, INF)},
    "rhn": {"s1": SIGNED, "s2": SIGNED, "h": SIGNED},
    "enas": {"h": (-1, INF)},  # tanh in the first node, relu in others
    "brc": {"a": (0, 2), "h": SIGNED},
    "nbrc": {"h": SIGNED},
    "lstm": {"f": UNIT, "g": SIGNED, "c": (-INF, INF), "h": SIGNED},
    "lstm_coupled": {"c": SIGNED, "h": (-0.761594, 0.761594)},
    "qrnn": {"c": SIGNED, "h": SIGNED},
    "star": {"h": (-0.761594, 0.761594)},
    "cfn": {"h": (-1.96118, 1.96118)},  # where tanh(h) + 1 = h
    "slstm": {"i": UNIT, "f": UNIT, "n": (0, INF), "h": (-INF, INF)},
    "rglru": {"a": UNIT, "h": (-INF, INF)},
    "scrn": {"h": UNIT, "s": (-INF, INF)},
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_cells(name: str) -> None:
    found = named(zoo[name])
    assert {key: found[key] for key in KNOWN[name]} == KNOWN[name]


BY_HAND = {
    "h = 0.9 * h_prev + 0.2 * sin(x)": (-2, 2),
    "h = h_prev + 0.1 * tanh(x)": (-INF, INF),
    "h = 2 * h_prev + 1": (1, INF),
    "h = h_prev / 2 - 1": (-2, -1),
    "h_prev = 3; h = h_prev / 2 - 1": (-2, 0.5),
    "h_prev = -1e30; h = maximum(h_prev, -sigmoid(x))": (-1, 0),
    "h = mean(h_prev, tanh(x), 1)": (0, 1),
    "h = blend(sigmoid(x), h_prev, softplus(tanh(x)))": (0, 1.31326),
    "z = sigmoid(linear(x, h_prev)); h = h_prev + z * (tanh(x) - h_prev)": SIGNED,
    "z = sigmoid(linear(x)); k = 1 - z; h = k * exp(x) + z * h_prev": (0, INF),
    "z = sigmoid(x); r = sigmoid(2 * x); g = z * r; h = g * h_prev + (1 - g) * sin(x)": SIGNED,
    "z = sigmoid(x) * sigmoid(h_prev); h = h_prev - z * (h_prev - tanh(x))": SIGNED,
    "g = tanh(x); h = g * sin(x) * (1 - g)": (-2, 2),
    "v = sin(3 * x + h_prev); h = v * v": UNIT,
    "h = sin(h_prev)": (0, 0),
    "h = x - x": (0, 0),
    "h = tanh(x) + x - x": SIGNED,
    "h = h_prev + tanh(x) - h_prev": SIGNED,
    "h = silu(tanh(x) + 1)": (0, 1.76159),
    "h = 1 / (1 + exp(x))": UNIT,
    "h = log(sigmoid(x))": (-INF, 0),
    "h = sqrt(1 - square(sigmoid(x)))": UNIT,
    "h = minimum(abs(x), 2)": (0, 2),
    "h = linear(x)": (-INF, INF),
    "h = scale(tanh(x))": (-INF, INF),
    "h = layer_norm(tanh(x))": (-INF, INF),
    "h = tanh(parameter())": SIGNED,
}


@pytest.mark.parametrize("text", BY_HAND)
def test_ranges_by_hand(text: str) -> None:
    cell = parsed(text)
    low, high = named(cell)["h"]
    assert (low, high) == pytest.approx(BY_HAND[text], rel=1e-5)


def test_state_ranges_hold_the_start_and_updates_need_not() -> None:
    graph = parsed("h_prev = 3; h = h_prev / 2 - 1").structure
    found = dict(zip((node.op for node in graph.nodes), ranges(graph), strict=True))
    assert found["state"] == Interval(-2.0, 3.0)
    assert found["sub"] == Interval(-2.0, 0.5)


def unfolded(text: str) -> str:
    """Return a text in which each operator is a statement, so that each value has a name."""
    lines: list[str] = []

    def named_value(tree: ast.expr) -> ast.expr:
        if isinstance(tree, ast.Name | ast.Constant):
            return tree
        for field, value in ast.iter_fields(tree):
            if isinstance(value, ast.expr) and field != "func":
                setattr(tree, field, named_value(value))
        if isinstance(tree, ast.Call):
            tree.args = [named_value(arg) for arg in tree.args]
        lines.append(f"value_{len(lines)} = {ast.unparse(tree)}")
        return ast.Name(f"value_{len(lines) - 1}")

    for statement in ast.parse(text).body:
        assert isinstance(statement, ast.Assign)
        value = named_value(statement.value)
        lines.append(f"{ast.unparse(statement.targets[0])} = {ast.unparse(value)}")
    return "\n".join(lines)


SIZE, BATCH, STEPS = 3, 4, 8


@given(st.integers(0, 10**6), st.sampled_from([0.3, 1.0, 3.0, 100.0, 1e8]))
def test_every_value_of_a_random_cell_is_in_its_range(seed: int, scale: float) -> None:
    rng = seeded(seed)
    text = (
        elementwise_cell(rng, curved=0.5) if seed % 3 == 0 else random_cell(rng, equal_sizes=True)
    )
    cell = Cell.parse(unfolded(text))
    graph = written(cell)
    bounds = {
        f"{node.name}_prev" if node.op == "state" else node.name: each
        for node, each in zip(graph.nodes, ranges(graph), strict=True)
        if node.name
    }
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> torch.Tensor:
        size = scale ** torch.rand(shape, generator=generator, dtype=torch.float64)
        return size * torch.randn(shape, generator=generator, dtype=torch.float64)

    tensors = {
        tensor.name: draw(*tensor.sizes(SIZE, SIZE)) for tensor in learned_tensors(cell.normal)
    }
    states = {name: torch.zeros(BATCH, SIZE, dtype=torch.float64) for name in cell.states}
    for _ in range(STEPS):
        step = Step(cell.text, tensors, draw(BATCH, SIZE), states)
        for name, each in bounds.items():
            value = step.value(name)
            value = value[~value.isnan()]
            slack = 1e-9 * (1 + value.abs())
            assert (value >= each.low - slack).all(), (name, each, cell.text)
            assert (value <= each.high + slack).all(), (name, each, cell.text)
        states = {name: step.value(name).expand(BATCH, SIZE) for name in states}


ELEMENTWISE = [row for row in OPERATORS.values() if row.value is not None]
SPECIAL = [0.0, 1.0, -1.0, 3.0, -3.0, math.pi / 2]
ends = st.floats(-30, 30).map(lambda end: end + 0.0) | st.sampled_from(SPECIAL)  # no minus zero
intervals = st.builds(
    lambda low, high, below, above: Interval(
        -INF if below else min(low, high), INF if above else max(low, high)
    ),
    ends,
    ends,
    st.booleans(),
    st.booleans(),
)


@pytest.mark.parametrize("row", ELEMENTWISE, ids=[row.name for row in ELEMENTWISE])
@given(data=st.data())
def test_an_operator_stays_in_its_range(row: Operator, data: st.DataObject) -> None:
    count = max(row.arity[0], 2 if row.arity[1] is None else 1)
    args = data.draw(st.lists(intervals, min_size=count, max_size=count))
    found = operator_range(row, *args)
    rng = np.random.default_rng(0)
    points = np.array([sampled(arg, rng) for arg in args])
    with np.errstate(all="ignore"):
        values = np.asarray(row.formula(NumpyMath, *points))
    values = values[np.isfinite(values)]
    slack = 1e-12 * (1 + np.abs(values))
    assert np.all(values >= found.low - slack)
    assert np.all(values <= found.high + slack)


def sampled(interval: Interval, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return points of an interval, its finite ends and zero among them."""
    low, high = max(interval.low, -1e3), min(interval.high, 1e3)
    points = np.concatenate([[low, high, 0.0], rng.uniform(low, high, 61)])
    return rng.permutation(np.clip(points, low, high))


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "softplus", "exp", "leaky_relu", "sin", "neg"])
def test_one_argument_is_bounded_tightly(name: str) -> None:
    rng = Random(name)
    for _ in range(50):
        low, high = sorted(rng.uniform(-4, 4) for _ in range(2))
        found = operator_range(OPERATORS[name], Interval(low, high))
        values = OPERATORS[name].formula(NumpyMath, np.linspace(low, high, 10_001))
        assert found.low == pytest.approx(values.min(), abs=1e-6)
        assert found.high == pytest.approx(values.max(), abs=1e-6)


def test_operators_of_third_parties_need_no_word() -> None:
    def highway(m: Any, g: Any, a: Any, b: Any) -> Any:
        return b + g * (m.tanh(a) - b) if m is None else g * a + b - g * b

    row = Operator(name="highway", arity=(3, 3), value=highway)
    assert operator_range(row, Interval(0, 1), Interval(-1, 1), Interval(-1, 1)) == Interval(-1, 1)
    clipped = Operator(name="clipped", value=lambda m, a: m.where((a > 2) | (a < -2), 0.0, a))
    assert operator_range(clipped, Interval(-1, 1)) == Interval(-1, 1)
    assert operator_range(clipped, Interval(3, 4)) == Interval(0, 0)
    assert operator_range(clipped, ANYTHING) == ANYTHING


def test_a_delay_of_many_states_is_bounded_in_time() -> None:
    chain = "; ".join(f"s{i} = 0.5 * s{i - 1}_prev + 0.5 * s{i}_prev" for i in range(1, 60))
    found = named(parsed(f"s0 = tanh(x); {chain}; h = s59"))
    assert found["s0"] == SIGNED
    assert all(high >= 1 for name, (_, high) in found.items())


def test_intervals() -> None:
    assert Interval(0, 1).hull(Interval(3, 4), Interval(-1, 0)) == Interval(-1, 4)
    assert Interval(0, 2).meet(Interval(1, 3)) == Interval(1, 2)
    assert Interval(0, 1).within(0, 1) and not Interval(0, 2).within(0, 1)
    assert Interval(0, 1).is_bounded and not Interval(0, INF).is_bounded
