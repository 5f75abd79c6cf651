"""A single step at a time without gradients: it takes a short way, and nobody can tell.

Whatever happens to the weights between two steps, the next step computes with what they are then.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from native import SMALL, TWO, as_tuple, assert_close, bits, guarded, inputs, pair, steps
from torch import Tensor, nn
from weights import CHANGES, SQUARE, computed, flat, state_of, warmed, with_company

from cellsearch.backends.native import clear_kernels
from cellsearch.backends.native.streaming import Stream
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.layers import RecurrentCell


def assert_streams(native: nn.Module, expected: bool = True) -> None:
    assert isinstance(native._stream, Stream) == expected


def alike(native: nn.Module, eager: nn.Module, batch: int = 2) -> None:
    """Both compute the same, more than once."""
    dtype = next(native.parameters()).dtype
    x = inputs(batch, native.input_size, seed=9, dtype=dtype)
    tolerance = 1e-12 if dtype == torch.float64 else 1e-5
    with torch.no_grad():
        expected = list(as_tuple(eager(x, state_of(eager, batch))))
        for _ in range(3):
            found = list(as_tuple(native(x, state_of(native, batch))))
            assert_close(found, expected, tolerance)


@pytest.mark.parametrize("name", ["lstm", "gru", "mgu", "rnn"])
def test_steps_are_those_of_the_whole_sequence(name: str) -> None:
    layer, _ = pair(zoo[name])
    step, _ = steps(zoo[name])
    step.load_state_dict({k.removeprefix("l0."): v for k, v in layer.state_dict().items()})
    x = inputs(9, 2, 3)
    output, last = layer(x)
    with torch.no_grad():
        state = state_of(step)
        state = torch.zeros_like(state) if isinstance(state, Tensor) else tuple(
            torch.zeros_like(part) for part in state
        )  # fmt: skip
        for t in range(9):
            state = step(x[t], state)
            assert_close([as_tuple(state)[0]], [output[t]])
    assert_streams(step)
    assert_close(list(as_tuple(state)), [part[0] for part in as_tuple(last)])


def test_an_output_or_an_order_of_its_own_is_right_as_well() -> None:
    for text in (
        "h = tanh(linear(x, h_prev))\noutput = h * 2",
        "a = tanh(linear(x, a_prev)) + 1\nh = tanh(a * h_prev)",
        "b = a_prev\na = tanh(linear(x, b_prev))\nh = a * sigmoid(linear(x)) + h_prev",
        "h = h_prev",
        "h = 0.5",
        "h = tanh(linear(x, h_prev) * exp(parameter()))",
    ):
        cell = Cell.parse(text)
        for size in (1, 5):
            native, eager = steps(cell, size, size)
            x = inputs(2, size)
            states = tuple(inputs(2, size, seed=i) for i in range(len(cell.states)))
            state = states[0] if len(states) == 1 else states
            with torch.no_grad():
                for _ in range(3):
                    found, expected = (flat(step(x, state)) for step in (native, eager))
                    assert_close(found, expected)


# ---- what may happen to the weights --------------------------------------------------------------


@pytest.mark.parametrize("change", CHANGES, ids=[change.__name__ for change in CHANGES])
def test_after_a_change_of_weights_steps_are_right(change: Callable[[nn.Module], None]) -> None:
    native, eager = steps(SQUARE, 5, 5)
    for times in range(2):
        warmed(native, eager)
        if times == 0:
            assert_streams(native)
        change(native)
        change(eager)
        alike(native, eager)
        if change in (computed, with_company):
            break


def test_a_weight_of_another_shape_is_refused() -> None:
    for change in (
        lambda step: setattr(step.h.weight_0, "data", step.h.weight_0.data.view(3, 5)),
        lambda step: setattr(step.h.weight_0, "data", step.h.weight_0.data[:2]),
        lambda step: setattr(step.h, "weight_0", nn.Parameter(inputs(5, 4))),
    ):
        for step in steps(SQUARE):
            warmed(step)
            change(step)
            with torch.no_grad():
                for _ in range(2):
                    with pytest.raises(RuntimeError, match=r"shapes cannot be multiplied|size"):
                        step(inputs(2, 3), state_of(step))


# ---- what may happen to a call -------------------------------------------------------------------


def test_another_batch_another_layout_and_gradients_in_between() -> None:
    native, eager = steps(TWO)
    warmed(native, eager)
    assert_streams(native)
    for batch in (1, 2, 4, 40, 2):
        alike(native, eager, batch)
    state = state_of(native)
    with torch.no_grad():
        turned = tuple(part.t().contiguous().t() for part in state)
        assert_close(list(native(inputs(2, 3), turned)), list(eager(inputs(2, 3), state)))
        expanded = tuple(part[:1].expand(2, 5) for part in state)
        assert_close(list(native(inputs(2, 3), expanded)), list(eager(inputs(2, 3), expanded)))
        minus = tuple(torch._neg_view(part) for part in state)
        assert_close(list(native(inputs(2, 3), minus)), list(eager(inputs(2, 3), minus)))
    found = []
    for step in (native, eager):
        x = inputs(2, 3).requires_grad_()
        new = step(x, state)[0]
        assert new.requires_grad
        found.append(torch.autograd.grad(new.sum(), [x, *step.parameters()]))
    assert_close(*map(list, found))
    alike(native, eager)


def test_lists_of_states_one_sequence_and_no_state_are_fine() -> None:
    native, eager = steps(TWO)
    warmed(native, eager)
    state = state_of(native)
    with torch.no_grad():
        for given in (list(state), None):
            assert_close(list(native(inputs(2, 3), given)), list(eager(inputs(2, 3), given)))
        one = tuple(part[0] for part in state)
        for _ in range(3):
            assert_close(list(native(inputs(3), one)), list(eager(inputs(3), one)))


def test_what_does_not_fit_is_refused_as_before() -> None:
    said: list[list[str]] = []
    for step in steps(TWO):
        warmed(step)
        c, h = state_of(step)
        single = inputs(2, 5, dtype=torch.float32)
        wrong = [
            (inputs(2, 4), (c, h)), (inputs(3, 3), (c, h)), (inputs(2, 3), (c, h[:1])),
            (inputs(2, 3), (c[:, :4], h[:, :4])), (inputs(2, 3), (c,)), (inputs(2, 3), c),
            (inputs(2, 2, 3), (c, h)), (inputs(2, 3), (single, single)),
            (inputs(2, 3, dtype=torch.float32), (c, h)),
        ]  # fmt: skip
        messages = []
        for x, state in wrong:
            with torch.no_grad(), pytest.raises((RuntimeError, ValueError)) as error:
                step(x, state)
            messages.append(str(error.value))
        said.append(messages)
    assert said[0] == said[1]


def test_states_of_other_types_are_refused() -> None:
    native, eager = steps(SMALL, dtype=torch.float32)
    warmed(native, eager)
    for step in (native, eager):
        with torch.no_grad(), pytest.raises(ValueError, match=r"state h of type torch.float32"):
            step(inputs(2, 3, dtype=torch.float32), inputs(2, 5))


def test_new_states_have_memory_of_their_own() -> None:
    for cell in (TWO, Cell.parse("c = h_prev\nh = tanh(linear(x, c_prev))")):
        native, _ = steps(cell)
        state, kept = state_of(native), []
        with torch.no_grad():
            for t in range(6):
                state = native(inputs(2, 3, seed=t), state)
                kept.append((state, [bits(part) for part in state]))
        assert_streams(native, native._compiled.in_order)
        tensors = [part for state, _ in kept for part in state]
        assert len({part.data_ptr() for part in tensors}) == len(tensors)
        assert all([bits(part) for part in state] == then for state, then in kept)


def test_copies_stream_with_their_own_weights() -> None:
    native, eager = steps(SMALL)
    warmed(native)
    twin = copy.deepcopy(native)
    with torch.no_grad():
        for parameter in native.parameters():
            parameter.mul_(3)
    alike(twin, eager)
    shallow = copy.copy(native)
    eager.load_state_dict(native.state_dict())
    alike(shallow, eager)


def test_a_stream_survives_the_cache() -> None:
    native, eager = steps(SMALL)
    warmed(native)
    clear_kernels()
    gc.collect()
    alike(native, eager)


def test_two_threads_may_stream_with_one_module() -> None:
    native, _ = steps(zoo["lstm"])
    warmed(native)

    def run(seed: int) -> list[bytes]:
        state, found = state_of(native, 2 + seed % 2, seed), []
        with torch.no_grad():
            for t in range(60):
                state = native(inputs(2 + seed % 2, 3, seed=t), state)
                found.append(bits(state[0]) + bits(state[1]))
        return found

    expected = [run(seed) for seed in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(4))) == expected


def test_a_step_writes_only_its_own_memory() -> None:
    for cell in (zoo["lstm"], SMALL, TWO):
        for dtype in (torch.float32, torch.float64):
            for size in (1, 5, 9):
                step, _ = steps(cell, size, size, dtype)
                with torch.no_grad():
                    plain = [
                        bits(p)
                        for p in as_tuple(step(inputs(1, size, dtype=dtype), state_of(step, 1)))
                    ]
                    with guarded() as untouched:
                        for _ in range(3):
                            new = as_tuple(step(inputs(1, size, dtype=dtype), state_of(step, 1)))
                            assert [bits(part) for part in new] == plain
                        assert untouched()


def test_hooks_are_called_at_every_step() -> None:
    native, _ = steps(SMALL)
    calls: list[int] = []
    native.register_forward_hook(lambda module, given, result: calls.append(1))
    warmed(native)
    assert_streams(native)
    assert len(calls) == 3


def test_a_module_of_meta_tensors_streams_nowhere() -> None:
    step = RecurrentCell(SMALL, 3, 5, device="meta")
    with torch.no_grad():
        for _ in range(3):
            new = step(torch.empty(2, 3, device="meta"), torch.empty(2, 5, device="meta"))
    assert new.is_meta
    step.to_empty(device="cpu").reset_parameters()
    warmed(step)
