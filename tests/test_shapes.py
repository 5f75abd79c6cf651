"""Sizes: which values fit together, the shapes of learned tensors, operations counted by hand."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from random_cells import random_cell, seeded
from torch import nn

import cellsearch.cell
from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.layers import Recurrent
from cellsearch.shapes import learned_tensors, widths

ZOO = Path(cellsearch.cell.__file__).parent / "zoo"
H, X = ("hidden",), ("input",)


@pytest.mark.parametrize(
    ("text", "tensors"),
    [
        ("h = linear(x, h_prev)", [("h.weight_0", H + X, "uniform"),
                                   ("h.weight_1", H + H, "uniform"), ("h.bias", H, 0.0)]),
        ("h = linear(x, bias=False)", [("h.weight_0", H + X, "uniform")]),
        ("h = linear(x, bias_init=-2)", [("h.weight_0", H + X, "uniform"), ("h.bias", H, -2.0)]),
        # Only square matrices can begin as an identity.
        ("h = linear(x, h_prev, init='identity')", [("h.weight_0", H + X, "uniform"),
                                                    ("h.weight_1", H + H, "identity"),
                                                    ("h.bias", H, 0.0)]),
        ("h = scale(x)", [("h.weight", X, 1.0)]),
        ("h = scale(h_prev, init=2)", [("h.weight", H, 2.0)]),
        ("h = scale(h_prev, scalar=True)", [("h.weight", (), 1.0)]),
        ("h = x * scale(3)", [("h.weight", (), 1.0)]),
        ("h = layer_norm(x)", [("h.weight", X, 1.0), ("h.bias", X, 0.0)]),
        ("h = layer_norm(h_prev)", [("h.weight", H, 1.0), ("h.bias", H, 0.0)]),
        ("h = x + parameter(init=3)", [("h.value", H, 3.0)]),
        ("h = x + parameter(scalar=True)", [("h.value", (), 0.0)]),
        ("h = scale(x + h_prev)", [("h.weight", H, 1.0)]),
        ("h = linear(2 * tanh(x))", [("h.weight_0", H + X, "uniform"), ("h.bias", H, 0.0)]),
        ("h = tanh(h_prev)", []),
    ],
)  # fmt: skip
def test_learned_tensors_have_a_name_a_shape_and_a_start(
    text: str, tensors: list[tuple[str, tuple[str, ...], str | float]]
) -> None:
    found = learned_tensors(Cell.parse(text).normal)
    assert sorted((t.name, t.shape, t.start) for t in found) == sorted(tensors)


def test_a_tensors_words_become_numbers() -> None:
    (weight, _) = learned_tensors(Cell.parse("h = linear(x)").normal)
    assert weight.sizes(3, 5) == (5, 3)


@pytest.mark.parametrize(
    ("name", "theirs", "halves"),
    [("lstm", nn.LSTM, 4), ("gru", nn.GRU, 2), ("rnn", nn.RNN, 1)],
)
def test_parameters_are_counted_as_in_torch_but_for_the_second_biases(
    name: str, theirs: type[nn.RNNBase], halves: int
) -> None:
    for input_size, hidden_size in ((1, 1), (3, 7), (16, 32)):
        count = sum(p.numel() for p in theirs(input_size, hidden_size).parameters())
        found = Cell.read(ZOO / f"{name}.cell").parameters(input_size, hidden_size)
        assert found == count - halves * hidden_size


def test_parameters_are_those_of_the_layer() -> None:
    for seed in range(25):
        equal = seed % 2 == 0
        cell = Cell.parse(random_cell(seeded(seed), equal_sizes=equal))
        input_size = 5 if equal else 3
        layer = Recurrent(cell, input_size, 5, device="meta")
        assert cell.parameters(input_size, 5) == sum(p.numel() for p in layer.parameters())


def test_a_scale_by_one_number_counts_one() -> None:
    assert Cell.parse("h = scale(h_prev, scalar=True)").parameters(3, 5) == 1
    assert Cell.parse("h = scale(h_prev) + layer_norm(h_prev)").parameters(3, 5) == 15


@pytest.mark.parametrize(
    ("text", "operations"),
    [  # input_size 3, hidden_size 5
        ("h = linear(x, h_prev)", 5 * 3 + 5 * 5),
        ("h = tanh(linear(x, h_prev))", 5 * 3 + 5 * 5 + 4 * 5),
        ("h = linear(tanh(x))", 4 * 3 + 5 * 3),
        ("h = h_prev + h_prev + 1", 2 * 5),
        ("h = h_prev * 2 * h_prev * 3", 3 * 5),
        ("h = mean(h_prev, 1, 2)", 2 * 5),
        ("h = blend(h_prev, 1, 2)", 4 * 5),
        ("h = identity(h_prev)", 0),
        ("h = h_prev * exp(2)", 5 + 4),
        ("dead = linear(x)\nh = h_prev", 0),
    ],
)
def test_operations_are_counted_by_hand(text: str, operations: int) -> None:
    assert Cell.parse(text).operations(3, 5) == operations


MISFITS = [
    "h = tanh(x + h_prev)",
    "h = x",
    "h = tanh(x)\noutput = h_prev",
    "h = tanh(h_prev)\noutput = x * 2",
    "h = linear(x * parameter())",
    "h = blend(sigmoid(linear(x)), h_prev, x)",
    "c = scale(x)\nh = c_prev",
]


@pytest.mark.parametrize("text", MISFITS)
def test_x_among_the_states_asks_for_equal_sizes(text: str) -> None:
    cell = Cell.parse(text)
    assert cell.parameters(4, 4) >= 0
    assert cell.operations(4, 4) >= 0
    for count in (cell.parameters, cell.operations):
        with pytest.raises(CellError) as caught:
            count(3, 4)
        assert "\n" not in str(caught.value)
        assert "input_size 3" in str(caught.value)
        assert "hidden_size 4" in str(caught.value)
        assert "linear(x, bias=False)" in str(caught.value)


@pytest.mark.parametrize(
    "text",
    ["h = linear(x * 2)", "h = linear(tanh(x))", "h = linear(scale(layer_norm(x)) - 1, h_prev)"],
)
def test_x_by_itself_may_be_of_any_size(text: str) -> None:
    assert Cell.parse(text).parameters(3, 4) > 0


@pytest.mark.parametrize(("input_size", "hidden_size"), [(0, 4), (4, 0), (-1, 4), (4, -1), (0, 0)])
def test_sizes_below_one_are_refused(input_size: int, hidden_size: int) -> None:
    cell = Cell.parse("h = linear(x)")
    for count in (cell.parameters, cell.operations):
        with pytest.raises(CellError, match="expected a whole number of at least 1"):
            count(input_size, hidden_size)


def test_widths_are_those_of_the_values() -> None:
    sizes = {"scalar": 1, "input": 3, "hidden": 3}
    for seed in range(40):
        normal = Cell.parse(random_cell(seeded(seed))).normal
        found = widths(normal)
        for node, width in zip(normal.nodes, found, strict=True):
            assert width in sizes
            if node.op in ("linear", "state"):
                assert width == "hidden"
            if node.op == "x":
                assert width == "input"
            if node.op == "number":
                assert width == "scalar"


def test_orthogonal_and_identity_starts_reach_the_layer() -> None:
    cell = Cell.parse(
        "a = linear(h_prev, init='identity')\nb = linear(h_prev, init='orthogonal')\n"
        "h = tanh(a + b + linear(x, bias_init=1.5))"
    )
    weights = Recurrent(cell, 3, 6).state_dict()
    assert torch.equal(weights["l0.a.weight_0"], torch.eye(6))
    turn = weights["l0.b.weight_0"]
    assert torch.allclose(turn @ turn.T, torch.eye(6), atol=1e-5)
    assert torch.equal(weights["l0.h.bias"], torch.full((6,), 1.5))
