"""Known cells against torchrecurrent's, with its weights: outputs and all states.

Read with version 0.2.5. Where it deviates from the articles, a test says in what.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import pytest
import torch
import torchrecurrent
from copied_weights import (
    Convert,
    Copied,
    Results,
    add_up,
    draw_inputs,
    draw_states,
    fill,
    largest_difference,
    run,
)
from torch import Tensor

from cellsearch.cell import Cell
from cellsearch.known import zoo

HIDDEN = 5
Theirs = Mapping[str, Tensor]


def of_indrnn(t: Theirs) -> Copied:
    bias = t["bias_ih"] + t["bias_hh"]
    return {"h.weight_0": t["weight_ih"], "h.bias": bias, "h_2.weight": t["vector_u"]}


def of_peephole_lstm(t: Theirs) -> Copied:
    i, f, o = t["weight_ph"].chunk(3)
    return {**add_up(t, "i f g o"), "i_2.weight": i, "f_2.weight": f, "o_2.weight": o}


def of_mut1(t: Theirs) -> Copied:
    z, r, n = t["weight_ih"].chunk(3)
    of_h = t["weight_hh"].chunk(2)
    b, c = t["bias_ih"].chunk(3), t["bias_hh"].chunk(2)
    t["bias_ih"].chunk(3)[2].zero_()  # inside the inner tanh, where the article has none
    return {
        "z.weight_0": z, "z.bias": b[0],
        "r.weight_0": r, "r.weight_1": of_h[0], "r.bias": b[1] + c[0],
        "n.weight_0": of_h[1], "n.bias": c[1], "n_2.weight_0": n,
    }  # fmt: skip


def of_cfn(t: Theirs) -> Copied:
    f, i, n = t["weight_ih"].chunk(3)
    of_h, b, c = t["weight_hh"].chunk(2), t["bias_ih"].chunk(3), t["bias_hh"].chunk(2)
    b[2].zero_()  # where the article has none
    return {
        "f.weight_0": f, "f.weight_1": of_h[0], "f.bias": b[0] + c[0],
        "i.weight_0": i, "i.weight_1": of_h[1], "i.bias": b[1] + c[1],
        "n.weight_0": n,
    }  # fmt: skip


def of_brc(t: Theirs) -> Copied:
    a, z, n = t["weight_ih"].chunk(3)
    of_h, b, c = t["weight_hh"].chunk(2), t["bias_ih"].chunk(3), t["bias_hh"].chunk(2)
    b[2].zero_()  # where the article has none
    names = ("a_2.weight", "z_2.weight") if of_h[0].dim() == 1 else ("a.weight_1", "z.weight_1")
    return {
        "a.weight_0": a, names[0]: of_h[0], "a.bias": b[0] + c[0],
        "z.weight_0": z, names[1]: of_h[1], "z.bias": b[1] + c[1],
        "n.weight_0": n,
    }  # fmt: skip


def of_star(t: Theirs) -> Copied:
    z, k = t["weight_ih"].chunk(2)
    b = t["bias_ih"].chunk(2)
    return {
        "z.weight_0": z, "z.bias": b[0],
        "k.weight_0": k, "k.weight_1": t["weight_hh"], "k.bias": b[1] + t["bias_hh"],
    }  # fmt: skip


def of_fastrnn(t: Theirs) -> Copied:
    return {**add_up(t, "n"), "a.value": t["alpha"][0], "b.value": t["beta"][0]}


def of_fastgrnn(t: Theirs) -> Copied:
    z, n = (t["bias_ih"] + t["bias_hh"]).chunk(2)
    return {
        "s.weight_0": t["weight_ih"], "s.weight_1": t["weight_hh"], "z.value": z, "n.value": n,
        "zeta.value": t["zeta"][0], "nu.value": t["nu"][0],
    }  # fmt: skip


def gates(names: str) -> Convert:
    return lambda t: add_up(t, names)


Oracle = tuple[str, dict[str, str], Convert]
ORACLES: dict[str, Oracle] = {  # class, its options, our weights from theirs
    "indrnn": ("IndRNNCell", {"nonlinearity": "relu"}, of_indrnn),  # tanh unless asked
    "lstm_peephole": ("PeepholeLSTMCell", {}, of_peephole_lstm),
    "janet": ("JANETCell", {}, gates("s g")),
    "intersection_rnn": ("IntersectionRNNCell", {}, gates("y n gy gh")),
    "mut1": ("MUT1Cell", {}, of_mut1),
    "mut2": ("MUT2Cell", {}, gates("z r n")),
    "mut3": ("MUT3Cell", {}, gates("z r n")),
    "mgu": ("MGUCell", {}, gates("f n")),
    "ugrnn": ("UGRNNCell", {}, gates("n g")),
    "ligru": ("LiGRUCell", {}, gates("z n")),
    "cfn": ("CFNCell", {}, of_cfn),
    "star": ("STARCell", {}, of_star),
    "brc": ("BRCell", {}, of_brc),
    "nbrc": ("NBRCell", {}, of_brc),
    "fastrnn": ("FastRNNCell", {}, of_fastrnn),
    "fastgrnn": ("FastGRNNCell", {"nonlinearity": "sigmoid"}, of_fastgrnn),  # tanh unless asked
}


def make(name: str, size: int, **options: str) -> torch.nn.Module:
    module: torch.nn.Module = getattr(torchrecurrent, name)(
        size, HIDDEN, dtype=torch.float64, **options
    )
    return module


def follow(name: str, module: torch.nn.Module, size: int, states: Results) -> Results:
    """Return their outputs and last states, step by step."""
    outputs = []
    with torch.no_grad():
        for x in draw_inputs(size):
            if name == "janet":  # carries its h twice
                states = [module(x, (states[0], states[0]))[0]]
                outputs.append(states[0])
            elif name == "intersection_rnn":
                output, state = module(x, states[0])
                outputs.append(output)
                states = [state]
            else:
                last = module(x, states[0] if len(states) == 1 else tuple(states))
                states = [last] if isinstance(last, Tensor) else list(last)
                outputs.append(states[0])
    return [torch.stack(outputs), *states]


@pytest.mark.parametrize("given", [False, True], ids=["from the start", "given states"])
@pytest.mark.parametrize("backend", ["reference", "native", "eager"])
@pytest.mark.parametrize("name", ORACLES)
def test_cell_is_that_of_torchrecurrent(name: str, backend: str, given: bool) -> None:
    theirs, options, convert = ORACLES[name]
    size = HIDDEN if name == "intersection_rnn" else 3
    module = make(theirs, size, **options)
    weights = fill(module)
    if name == "janet":
        weights["beta"].fill_(1.0)  # learned there
    copied = convert(weights)
    count = len(zoo[name].states)
    states = draw_states(count, HIDDEN) if given else None
    zeros = [torch.zeros(2, HIDDEN, dtype=torch.float64)] * count
    expected = follow(name, module, size, states or zeros)
    found = run(zoo[name], copied, size, HIDDEN, states, backend)
    assert largest_difference(found, expected) <= 1e-12


DEVIATIONS: dict[str, tuple[str, Convert, str]] = {
    # Their NASCell adds where l3 of the article's cell, and TensorFlow's, multiplies.
    "nascell": (
        "NASCell",
        gates("l0 l1 l2 l3 l4 l5 l6 l7"),
        zoo["nascell"]
        .text.replace("linear(x, bias=False) * linear(h_prev, bias=False)", "linear(x, h_prev)")
        .replace(", bias=False", ""),
    ),
    # Their SCRN squashes its output with tanh and feeds that back, not the hidden layer; it has
    # biases, and learns alpha.
    "scrn": (
        "SCRNCell",
        lambda t: {
            "s.weight_0": t["weight_ih"].chunk(2)[0], "s.bias": t["bias_ih"].chunk(2)[0],
            "hidden.weight_0": t["weight_ch"].chunk(2)[0],
            "hidden.weight_1": t["weight_ih"].chunk(2)[1],
            "hidden.weight_2": t["weight_hh"].chunk(2)[0],
            "hidden.bias": t["bias_ih"].chunk(2)[1]
            + (t["bias_hh"] + t["bias_ch"]).chunk(2)[0],
            "h.weight_0": t["weight_hh"].chunk(2)[1], "h.weight_1": t["weight_ch"].chunk(2)[1],
            "h.bias": (t["bias_hh"] + t["bias_ch"]).chunk(2)[1],
            "alpha.value": t["alpha"],
        },
        "alpha = parameter(init=0.5, scalar=True)\n"
        "s = (1 - alpha) * linear(x) + alpha * s_prev\n"
        "hidden = sigmoid(linear(s, x, h_prev))\n"
        "h = tanh(linear(hidden, s))",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DEVIATIONS)
def test_deviating_cell_is_another_one(name: str) -> None:
    theirs, convert, text = DEVIATIONS[name]
    cell = Cell.parse(text)
    assert cell != zoo[name]
    module = make(theirs, 3)
    copied = convert(fill(module))
    states = draw_states(2, HIDDEN)
    found = run(cell, copied, 3, HIDDEN, states, "eager")
    assert largest_difference(found, follow(name, module, 3, states)) <= 1e-12


def test_recurrent_highway_network_of_theirs_cannot_be_imported() -> None:
    with pytest.raises(ImportError, match="BaseRecurrentLayer"):
        importlib.import_module("torchrecurrent.cells.rhn_cell")


@pytest.mark.parametrize("options", [{}, {"nonlinearity": "tanh"}])
def test_the_gate_of_their_fastgrnn_is_tanh_unless_asked(options: dict[str, str]) -> None:
    module = make("FastGRNNCell", 3, **options)
    copied = of_fastgrnn(fill(module))
    states = draw_states(1, HIDDEN)
    found = run(zoo["fastgrnn"], copied, 3, HIDDEN, states, "eager")
    assert largest_difference(found, follow("fastgrnn", module, 3, states)) > 1e-3
    theirs = Cell.parse(zoo["fastgrnn"].text.replace("z = sigmoid", "z = tanh"))
    found = run(theirs, copied, 3, HIDDEN, states, "eager")
    assert largest_difference(found, follow("fastgrnn", module, 3, states)) <= 1e-12
