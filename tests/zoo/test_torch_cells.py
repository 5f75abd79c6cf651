"""Known cells against torch.nn's own, with its weights: outputs and all states."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest
import torch
from copied_weights import (
    Convert,
    Copied,
    add_up,
    draw_inputs,
    draw_states,
    fill,
    largest_difference,
    run,
)
from torch import Tensor, nn

from cellsearch.known import zoo

SIZE, HIDDEN = 3, 5


def of_rnn(theirs: Mapping[str, Tensor]) -> Copied:
    return add_up(theirs, "h", "_l0")


def of_lstm(theirs: Mapping[str, Tensor]) -> Copied:
    return add_up(theirs, "i f g o", "_l0")


def of_gru(theirs: Mapping[str, Tensor]) -> Copied:
    copied = dict(add_up(theirs, "r z n", "_l0"))
    copied["n_2.weight_0"] = copied.pop("n.weight_1")  # a product by itself, with its bias
    copied["n.bias"] = theirs["bias_ih_l0"].chunk(3)[2]
    copied["n_2.bias"] = theirs["bias_hh_l0"].chunk(3)[2]
    return copied


def relu_rnn(*sizes: int, dtype: torch.dtype) -> nn.Module:
    return nn.RNN(*sizes, nonlinearity="relu", dtype=dtype)


THEIRS: dict[str, tuple[Callable[..., nn.Module], Convert]] = {
    "rnn": (nn.RNN, of_rnn),
    "rnn_relu": (relu_rnn, of_rnn),
    "irnn": (relu_rnn, of_rnn),
    "lstm": (nn.LSTM, of_lstm),
    "gru": (nn.GRU, of_gru),
}


@pytest.mark.parametrize("given", [False, True], ids=["from the start", "given states"])
@pytest.mark.parametrize("backend", ["reference", "native", "eager"])
@pytest.mark.parametrize("name", THEIRS)
def test_cell_is_that_of_torch(name: str, backend: str, given: bool) -> None:
    make, convert = THEIRS[name]
    module = make(SIZE, HIDDEN, dtype=torch.float64)
    copied = convert(fill(module))
    states = draw_states(len(zoo[name].states), HIDDEN) if given else None
    begin = None if states is None else tuple(state.unsqueeze(0) for state in states)
    with torch.no_grad():
        output, last = module(draw_inputs(SIZE), begin[0] if begin and len(begin) == 1 else begin)
    parts = [last] if isinstance(last, Tensor) else list(last)
    found = run(zoo[name], copied, SIZE, HIDDEN, states, backend)
    assert largest_difference(found, [output, *(part[0] for part in parts)]) <= 1e-12


def test_reset_before_and_after_the_product_are_two_cells() -> None:
    after = of_gru(fill(nn.GRU(SIZE, HIDDEN, dtype=torch.float64)))
    before = dict(after)
    before["n.weight_1"] = before.pop("n_2.weight_0")
    before["n.bias"] = before["n.bias"] + before.pop("n_2.bias")
    found = [
        run(zoo[name], weights, SIZE, HIDDEN, None, "eager")
        for name, weights in (("gru", after), ("gru_reset_before", before))
    ]
    assert largest_difference(*found) > 1e-3
