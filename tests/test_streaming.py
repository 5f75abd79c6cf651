"""`RecurrentCell.streaming()`: the steps of the module, without asking after its parameters."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from collections.abc import Callable

import pytest
import torch
from native import SMALL, TWO, assert_close, bits, inputs, steps
from torch import Tensor, nn
from weights import (
    SQUARE,
    flat,
    loaded,
    optimised,
    other_data,
    replaced,
    shared_with_others,
    state_of,
    swapped,
    with_a_new_module,
)

from cellsearch.backends.native import workspace
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.layers import RecurrentCell


@pytest.mark.parametrize("backend", ["auto", "eager"])
@pytest.mark.parametrize("text", ["lstm", "gru", "b = a_prev\na = tanh(linear(x, b_prev))\nh = a"])
def test_a_stream_takes_the_steps_of_its_module(text: str, backend: str) -> None:
    cell = zoo[text] if text in zoo else Cell.parse(text)
    step = RecurrentCell(cell, 3, 5, backend=backend, dtype=torch.float64)
    stream = step.streaming()
    found, expected = None, None
    for t in range(6):
        x = inputs(2, 3, seed=t)
        found = stream(x, found)
        with torch.no_grad():
            expected = step(x, expected)
        assert [bits(part) for part in flat(found)] == [bits(part) for part in flat(expected)]
        assert not any(part.requires_grad for part in flat(found))


def test_a_stream_of_a_cell_with_an_output_of_its_own_is_right() -> None:
    step, _ = steps(Cell.parse("h = tanh(linear(x, h_prev))\noutput = h * 2"))
    stream = step.streaming()
    for _ in range(3):
        output, state = stream(inputs(2, 3), state_of(step))
        assert_close([output], [2 * state])


def test_a_stream_sees_values_change_and_weights_move() -> None:
    native, eager = steps(SQUARE, 5, 5)
    x, state = inputs(2, 5), state_of(native)

    def equal(stream: Callable[..., Tensor], other: nn.Module) -> None:
        for _ in range(2):
            with torch.no_grad():
                assert_close([stream(x, state)], [other(x, state)])

    stream = native.streaming()
    equal(stream, eager)
    for change in (optimised, loaded, other_data, shared_with_others):
        for step in (native, eager):
            change(step)
        gc.collect()
        equal(stream, eager)
    for change in (replaced, swapped, with_a_new_module):
        before = copy.deepcopy(eager)
        for step in (native, eager):
            change(step)
        gc.collect()
        equal(stream, before)
        equal(native, eager)
        stream = native.streaming()  # asked again
        stream(x)  # without a state nothing is remembered
        equal(stream, eager)


def test_a_stream_calls_no_hooks_and_leaves_the_steps_of_a_subclass_to_it() -> None:
    native, eager = steps(SMALL)
    calls: list[int] = []
    native.register_forward_hook(lambda module, given, result: calls.append(1))
    stream, x, state = native.streaming(), inputs(2, 3), state_of(native)
    with torch.no_grad():
        for given in (state, state, None, state.t().contiguous().t()):
            assert_close([stream(x, given)], [eager(x, given)])
    assert not calls

    class Louder(RecurrentCell):
        def forward(self, input: Tensor, state: object = None) -> object:
            return super().forward(2 * input, state)  # type: ignore[arg-type]

    louder = Louder(SMALL, 3, 5, dtype=torch.float64)
    stream = louder.streaming()
    for _ in range(3):
        assert_close([stream(x, state)], [louder(x, state).detach()])  # type: ignore[attr-defined]


def test_a_stream_is_copied_and_pickled_without_its_kernel() -> None:
    native, _ = steps(SMALL)
    stream, x, state = native.streaming(), inputs(2, 3), state_of(native)
    expected = [bits(stream(x, state)) for _ in range(3)]
    for twin in (copy.deepcopy(stream), pickle.loads(pickle.dumps(stream))):  # noqa: S301
        assert [bits(twin(x, state)) for _ in range(3)] == expected


def test_the_memory_of_a_step_lives_until_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "KEPT_BYTES", 0)  # so that nothing else keeps it
    step = RecurrentCell(Cell.parse("h = tanh(layer_norm(scale(x) + scale(h_prev)))"), 9, 9)
    stream, x, state = step.streaming(), inputs(4, 9).float(), torch.zeros(4, 9)
    held: list[weakref.ref[Tensor]] = []

    def watched(size: int) -> Tensor:
        memory = workspace.scratch(size)
        held.append(weakref.ref(memory))
        return memory

    expected = [bits(stream(x, state)) for _ in range(2)]
    monkeypatch.setattr("cellsearch.backends.native.streaming.scratch", watched)
    kernel = step._stream.kernel  # type: ignore[union-attr]
    forward = kernel.forward
    alive: list[bool] = []

    def run(*given: object) -> None:
        alive.append(held[-1]() is not None)
        forward(*given)

    monkeypatch.setattr(kernel, "forward", run)
    assert bits(stream(x, state)) == expected[0] == expected[1]
    with torch.no_grad():
        assert bits(step(x, state)) == expected[0]
    assert alive == [True, True]


def test_a_stream_passes_on_to_its_module_what_it_does_not_know() -> None:
    native, eager = steps(TWO)
    stream = native.streaming()
    for batch in (1, 2, 40, 2):
        x, state = inputs(batch, 3), state_of(native, batch)
        with torch.no_grad():
            expected = list(eager(x, state))
        for given in (state, list(state), tuple(torch._neg_view(-part) for part in state)):
            assert_close(list(stream(x, given)), expected)
    x, state = inputs(2, 3), state_of(native)
    with torch.no_grad():
        expected = list(eager(x[0], tuple(part[0] for part in state)))
        assert_close(list(stream(x[0], tuple(part[0] for part in state))), expected)
        assert_close(list(stream(x)), list(eager(x)))
    for wrong in ((inputs(2, 4), state), (x, state[:1]), (x, state[0]), (x.float(), state)):
        with pytest.raises((RuntimeError, ValueError)) as found, torch.no_grad():
            stream(*wrong)
        with pytest.raises((RuntimeError, ValueError)) as expected_error, torch.no_grad():
            eager(*wrong)
        assert str(found.value) == str(expected_error.value)
    native.float(), eager.float()
    x, state = x.float(), tuple(part.float() for part in state)
    with torch.no_grad():
        assert_close(list(stream(x, state)), list(eager(x, state)), 1e-5)


def test_a_stream_does_not_compute_behind_the_back_of_torch() -> None:
    native, eager = steps(SMALL)
    stream, x, state = native.streaming(), inputs(2, 3), state_of(native)
    stream(x, state)
    stream(x, state)
    many = inputs(4, 2, 3)
    with torch.no_grad():
        zeros = torch._efficientzerotensor(2, 3, dtype=torch.float64)
        assert_close([stream(zeros, state)], [eager(zeros, state)])
        found = torch.func.vmap(stream, (0, None))(many, state)
        assert_close([found], [torch.stack([eager(one, state) for one in many])])
    native, eager = steps(SQUARE, 5, 5, torch.float32)
    stream, x = native.streaming(), inputs(2, 5, dtype=torch.float32)
    with torch.no_grad():
        plain = stream(x, x)
        with torch.autocast("cpu", torch.bfloat16):
            assert not torch.equal(eager(x, x), plain)
            for _ in range(2):
                assert_close([stream(x, x)], [eager(x, x)], 0)
