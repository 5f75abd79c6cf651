"""Specification of what counts as a reaction to x, against torch modules and by hand."""

from __future__ import annotations

import pytest
import torch

from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.layers import Recurrent
from cellsearch.shapes import needs_equal_sizes
from cellsearch.space.reaction import judge_reaction

N = "n = relu(linear(x, h_prev))\n"
FAULTS = {
    "v = tanh(linear(x))\nh = v + h_prev - v": "state h begins at zero",
    N + "c = relu(c_prev + h_prev - n)\nh = n * c": "state h begins at zero",  # below zero
    "v = tanh(linear(x, h_prev))\nc = tanh(v + c_prev) - tanh(v)\nh = v": None,  # c is dropped
    "v = tanh(linear(x, h_prev))\nc = tanh(v + c_prev) - tanh(v)\nh = v + c": "c begins at zero",
    "h = h_prev * sigmoid(linear(x))": "state h begins at zero",
    "v = linear(x)\nh = sigmoid(v + h_prev - v)": "its h does not change with x",
    "g = sigmoid(linear(x))\nh = blend(1 - h_prev, h_prev, g * h_prev) + 1": None,  # from 1 on
    "v = 1 - h_prev\nh = sigmoid(linear(x, h_prev)) * h_prev * v + v": "h does not change with x",
    "h = layer_norm(sigmoid(h_prev * linear(x)))": "state h begins at zero",
    "n = tanh(linear(x))\nh = n + 0 * h_prev": "does not change with the x of earlier steps",
    "n = tanh(linear(x))\nh = n + h_prev - h_prev": "the x of earlier steps",
    "c = tanh(linear(x, h_prev))\nh = tanh(1 - (1 - c) + h_prev - h_prev) * sigmoid(c_prev)": None,
    "c = sigmoid(linear(x, h_prev, c_prev))\nh = 1 - (1 - c)": "two of its states are always equal",
    "c = 0.5 * c_prev + 1\nh = tanh(linear(x, h_prev)) * c": "its c does not change with x",
    "c = h_prev\nd = c_prev\nh = tanh(linear(x, d_prev))": None,  # x is seen again late
    "h = sigmoid(exp(square(square(linear(x, h_prev))))) * tanh(linear(x, h_prev))": None,  # 1e99
    "h = tanh(linear(x, h_prev)) * sigmoid(1e13 - h_prev)": None,
    "h = exp(exp(h_prev) + linear(x))": None,  # it overflows, but not at once
}


@pytest.mark.parametrize("text", FAULTS)
def test_fault_is_found_and_told(text: str) -> None:
    found, expected = judge_reaction(Cell.parse(text).normal), FAULTS[text]
    assert found == expected if expected is None or found is None else expected in found


def test_every_known_cell_reacts() -> None:
    fitting = [cell for cell in zoo.values() if not needs_equal_sizes(cell.normal)]
    assert len(fitting) > 30  # in the others x enters more than linears
    assert [cell for cell in fitting if judge_reaction(cell.normal) is not None] == []


def test_what_comes_late_is_waited_for() -> None:
    delays = "".join(f"d{i} = d{i - 1}_prev\n" for i in range(1, 16))
    cell = Cell.parse(f"d0 = tanh(linear(x))\n{delays}h = tanh(linear(x, d15_prev))")
    assert judge_reaction(cell.normal) is None


def reaction_in_torch(cell: Cell) -> tuple[dict[str, bool], bool]:
    """Return which last states change with earlier steps, and whether two states are equal."""
    torch.manual_seed(0)
    layer = Recurrent(cell, 3, 8, backend="eager", dtype=torch.float64)
    x = torch.randn(6, 4, 3, dtype=torch.float64)
    other = torch.cat((torch.randn(5, 4, 3, dtype=torch.float64), x[5:]))
    ones, twos = (
        last if isinstance(last, tuple) else (last,) for _, last in map(layer, (x, other))
    )
    changes = {
        name: not torch.allclose(one, two, rtol=1e-9, atol=1e-12)
        for name, one, two in zip(cell.states, ones, twos, strict=True)
    }
    return changes, len(ones) == 2 and torch.allclose(ones[0], ones[1], rtol=1e-9)


@pytest.mark.parametrize("text", FAULTS)
def test_torch_sees_the_same(text: str) -> None:
    changes, equal = reaction_in_torch(Cell.parse(text))
    fault = FAULTS[text]
    if fault is None:
        assert changes["h"] or "exp" in text  # which has overflown by then
        assert not equal
    elif "equal" in fault:
        assert equal
    else:
        assert not changes["c" if "c " in fault else "h"]
