"""Known cells against their equations in numpy: outputs, all states, every backend."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from known_steps import STEPS, Array, Weights
from torch import Tensor

from cellsearch.backends.eager import EagerSequence
from cellsearch.known import zoo
from cellsearch.layers import Recurrent
from cellsearch.shapes import needs_equal_sizes

STEPS_TAKEN, BATCH, HIDDEN = 20, 2, 5
BACKENDS = ("reference", "native", "eager")
STARTS = {("slstm", "m"): -1e30}  # of states that do not begin at zero


def refuse(*args: object) -> None:
    raise AssertionError("a kernel left its work to the eager backend")


def make_layer(name: str, backend: str) -> Recurrent:
    """Return a layer of a cell, always with the same weights, which keep 20 steps small."""
    size = HIDDEN if needs_equal_sizes(zoo[name].normal) else 3
    layer = Recurrent(zoo[name], size, HIDDEN, backend=backend, dtype=torch.float64)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.normal_(std=0.4, generator=generator)
    return layer


def draw_inputs(layer: Recurrent) -> Array:
    return np.random.default_rng(2).normal(size=(STEPS_TAKEN, BATCH, layer.input_size))


def begin(name: str) -> dict[str, Array]:
    """Return the states where the cell begins."""
    shape = (BATCH, HIDDEN)
    return {state: np.full(shape, STARTS.get((name, state), 0.0)) for state in zoo[name].states}


def draw_states(name: str) -> dict[str, Array]:
    """Return states as they may be in the middle of a sequence."""
    rng = np.random.default_rng(3)
    states = {state: rng.normal(size=(BATCH, HIDDEN)) for state in zoo[name].states}
    if name == "slstm":
        states["n"] = np.abs(states["n"]) + 0.5  # c is divided by it
    if name == "rglru":  # some features have taken a step, others have not
        states["started"] = np.where(states["started"] > 0, 1.0, 0.0)
    return states


def to_layer(states: dict[str, Array]) -> Tensor | tuple[Tensor, ...]:
    parts = tuple(torch.from_numpy(state).unsqueeze(0) for state in states.values())
    return parts[0] if len(parts) == 1 else parts


def from_layer(states: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [states] if isinstance(states, Tensor) else list(states)


def follow(name: str, inputs: Array, states: dict[str, Array]) -> list[Array]:
    """Return the outputs by the equations, and then the last states."""
    tensors = make_layer(name, "reference").state_dict()
    weights = Weights({key.removeprefix("l0."): value.numpy() for key, value in tensors.items()})
    outputs = []
    for x in inputs:
        results = STEPS[name](weights, x, states)
        outputs.append(results.get("output", results["h"]))
        states = {state: results[state] for state in states}
    return [np.stack(outputs), *states.values()]


def test_every_known_cell_has_its_equations_here() -> None:
    assert set(zoo) == set(STEPS)


@pytest.mark.parametrize("given", [False, True], ids=["from the start", "given states"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", sorted(STEPS))
def test_cell_follows_its_equations(
    name: str, backend: str, given: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend == "native":
        monkeypatch.setattr(EagerSequence, "__call__", refuse)
    layer = make_layer(name, backend)
    inputs, states = draw_inputs(layer), draw_states(name)
    expected = follow(name, inputs, states if given else begin(name))
    with torch.no_grad():
        output, last = layer(torch.from_numpy(inputs), to_layer(states) if given else None)
    found = [output, *(state[0] for state in from_layer(last))]
    for one, other in zip(found, expected, strict=True):
        assert np.abs(one.numpy() - other).max() <= 1e-12


@pytest.mark.parametrize("name", sorted(STEPS))
def test_native_gradients_are_those_of_the_reference(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(EagerSequence, "__call__", refuse)
    gradients = []
    for backend in ("native", "reference"):
        layer = make_layer(name, backend)
        inputs = torch.from_numpy(draw_inputs(layer)).requires_grad_()
        output, last = layer(inputs)
        generator = torch.Generator().manual_seed(4)
        loss = sum(
            (torch.randn(value.shape, generator=generator, dtype=value.dtype) * value).sum()
            for value in (output, *from_layer(last))
        )
        gradients.append(torch.autograd.grad(loss, [inputs, *layer.parameters()]))
    for found, expected in zip(*gradients, strict=True):
        scale = max(1.0, float(expected.abs().max()))
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * scale)
