"""Specification of the known cells: their equations, their sources, the mapping itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.known import zoo
from cellsearch.layers import Recurrent

Array = NDArray[np.float64]
Affine = Callable[..., Array]  # a statement's linear, by its name, of the given arguments
Step = Callable[[Affine, Array, tuple[Array, ...]], tuple[Array, ...]]


def sigmoid(v: Array) -> Array:
    return 1 / (1 + np.exp(-v))


def rnn(linear: Affine, x: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
    return (np.tanh(linear("h", x, states[0])),)


def rnn_relu(linear: Affine, x: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
    return (np.maximum(linear("h", x, states[0]), 0),)


def lstm(linear: Affine, x: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
    h, c = states
    i, f, o = (sigmoid(linear(gate, x, h)) for gate in "ifo")
    c = f * c + i * np.tanh(linear("g", x, h))
    return o * np.tanh(c), c


def gru(linear: Affine, x: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
    (h,) = states
    r, z = sigmoid(linear("r", x, h)), sigmoid(linear("z", x, h))
    n = np.tanh(linear("n", x) + r * linear("n_2", h))
    return (z * h + (1 - z) * n,)


def gru_reset_before(linear: Affine, x: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
    (h,) = states
    r, z = sigmoid(linear("r", x, h)), sigmoid(linear("z", x, h))
    return (z * h + (1 - z) * np.tanh(linear("n", x, r * h)),)


def mgu(linear: Affine, x: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
    (h,) = states
    f = sigmoid(linear("f", x, h))
    return ((1 - f) * h + f * np.tanh(linear("n", x, f * h)),)


def ugrnn(linear: Affine, x: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
    (h,) = states
    g = sigmoid(linear("g", x, h))
    return (g * h + (1 - g) * np.tanh(linear("n", x, h)),)


def mingru(linear: Affine, x: Array, states: tuple[Array, ...]) -> tuple[Array, ...]:
    z = sigmoid(linear("z", x))
    return ((1 - z) * states[0] + z * linear("n", x),)


STEPS: dict[str, Step] = {
    "rnn": rnn,
    "rnn_relu": rnn_relu,
    "lstm": lstm,
    "gru": gru,
    "gru_reset_before": gru_reset_before,
    "mgu": mgu,
    "ugrnn": ugrnn,
    "mingru": mingru,
}


def test_every_known_cell_is_specified_here() -> None:
    assert set(zoo) == set(STEPS)


@pytest.mark.parametrize("name", STEPS)
def test_cell_follows_its_equations(name: str) -> None:
    torch.manual_seed(0)
    layer = Recurrent(zoo[name], 3, 5, backend="reference", dtype=torch.float64)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_()
    weights = {key: value.numpy() for key, value in layer.state_dict().items()}

    def linear(statement: str, *arguments: Array) -> Array:
        total: Array = weights[f"l0.{statement}.bias"]
        for slot, argument in enumerate(arguments):
            total = total + argument @ weights[f"l0.{statement}.weight_{slot}"].T
        return total

    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(6, 2, 3))
    states: tuple[Array, ...] = tuple(np.zeros((2, 5)) for _ in zoo[name].states)
    expected = []
    for x in inputs:
        states = STEPS[name](linear, x, states)
        expected.append(states[0])
    with torch.no_grad():
        output, _ = layer(torch.from_numpy(inputs))
    np.testing.assert_allclose(output.numpy(), np.stack(expected), atol=1e-12)


def fill(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_()
    return {key.removesuffix("_l0"): value for key, value in module.state_dict().items()}


def compare(ours: Recurrent, weights: dict[str, torch.Tensor], module: torch.nn.Module) -> None:
    missing = ours.load_state_dict({f"l0.{key}": value for key, value in weights.items()})
    assert not missing.missing_keys
    inputs = torch.randn(7, 2, 3, dtype=torch.float64)
    with torch.no_grad():
        torch.testing.assert_close(ours(inputs)[0], module(inputs)[0], rtol=0, atol=1e-12)


def test_lstm_is_torch_nn_lstm() -> None:
    module = torch.nn.LSTM(3, 4, dtype=torch.float64)
    theirs = fill(module)
    weights = {}
    for index, gate in enumerate("ifgo"):
        rows = slice(4 * index, 4 * index + 4)
        weights[f"{gate}.weight_0"] = theirs["weight_ih"][rows]
        weights[f"{gate}.weight_1"] = theirs["weight_hh"][rows]
        weights[f"{gate}.bias"] = theirs["bias_ih"][rows] + theirs["bias_hh"][rows]
    compare(Recurrent(zoo["lstm"], 3, 4, dtype=torch.float64, backend="eager"), weights, module)


def test_gru_is_torch_nn_gru() -> None:
    module = torch.nn.GRU(3, 4, dtype=torch.float64)
    theirs = fill(module)
    weights = {}
    for index, gate in enumerate("rz"):
        rows = slice(4 * index, 4 * index + 4)
        weights[f"{gate}.weight_0"] = theirs["weight_ih"][rows]
        weights[f"{gate}.weight_1"] = theirs["weight_hh"][rows]
        weights[f"{gate}.bias"] = theirs["bias_ih"][rows] + theirs["bias_hh"][rows]
    weights["n.weight_0"], weights["n.bias"] = theirs["weight_ih"][8:], theirs["bias_ih"][8:]
    weights["n_2.weight_0"], weights["n_2.bias"] = theirs["weight_hh"][8:], theirs["bias_hh"][8:]
    compare(Recurrent(zoo["gru"], 3, 4, dtype=torch.float64, backend="eager"), weights, module)


def test_gate_of_ugrnn_begins_one_higher() -> None:
    layer = Recurrent(zoo["ugrnn"], 3, 4000)
    biases = layer.state_dict()
    shift = biases["l0.g.bias"].mean() - biases["l0.n.bias"].mean()
    assert abs(shift - 1) < 0.01


def test_known_cells_differ() -> None:
    assert len({cell.id for cell in zoo.values()}) == len(zoo)


def test_states() -> None:
    assert {name for name, cell in zoo.items() if cell.states != ("h",)} == {"lstm"}
    assert zoo["lstm"].states == ("h", "c")


@pytest.mark.parametrize("name", STEPS)
def test_source_names_author_year_and_link(name: str) -> None:
    source = zoo.source(name)
    assert source.sentence.endswith(".")
    assert source.authors
    assert 1980 < source.year < 2030
    assert source.link.startswith("https://")


def test_source_of_the_gru() -> None:
    source = zoo.source("gru")
    assert (source.authors, source.year) == ("Cho et al.", 2014)
    assert source.link == "https://arxiv.org/abs/1406.1078"


def test_unknown_name_is_both_kinds_of_error() -> None:
    with pytest.raises(CellError, match=r"'lsmt'.*did you mean 'lstm'"):
        zoo["lsmt"]
    with pytest.raises(KeyError):
        zoo["lsmt"]
    with pytest.raises(CellError):
        zoo.source("../zoo/gru")
    assert zoo.get("lsmt") is None
    assert "lsmt" not in zoo


def test_zoo_cannot_be_changed() -> None:
    assert not {"__setitem__", "__delitem__"} & set(dir(zoo))
    assert isinstance(zoo["rnn"], Cell)
    assert list(zoo) == sorted(zoo)
