"""The edges of the native backend: numbers that are none, kinks, and tensors of unusual layout.

NaN and infinities stand in the results exactly where torch's own operations put them, with two
exceptions: a blend with an infinite argument, which the operator table computes in another way, and
a closed relu with an infinite gradient, which is stopped by torch but times 0 is NaN. Kinks have
torch's derivatives, and a tensor means what torch says it means, however it lies in memory.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from functools import partial
from math import inf, nan

import pytest
import torch
from native import CONSTANTS, SMALL, TWO, assert_close, inputs, learned, pair, steps
from random_cells import seeded
from sequences import Trial, trial
from torch import Tensor

from cellsearch.backends import make_sequence
from cellsearch.cell import Cell
from cellsearch.known import zoo

DTYPES = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["f32", "f64"])
CELLS = pytest.mark.parametrize("cell", [SMALL, TWO, CONSTANTS], ids=["small", "two", "constants"])

SPECIAL = [nan, inf, -inf, 0.0, -0.0, 1.0, -2.5, 3.0, -3.0, 1e-310, 1e30, -1e30, 100.0, -100.0]
ONE = [
    *("sigmoid", "tanh", "relu", "leaky_relu", "softplus", "silu", "gelu", "sin", "exp", "log"),
    *("sqrt", "abs", "square", "reciprocal", "hard_sigmoid", "neg"),
]
SEVERAL = ["x + h_prev", "x * h_prev", "x - h_prev", "x / h_prev", "maximum(x, h_prev)",
           "minimum(x, h_prev)", "mean(x, h_prev)", "blend(x, h_prev, 0.5)"]  # fmt: skip


def both(text: str, x: Tensor, state: Tensor) -> list[list[Tensor]]:
    """Return output, state, and the gradients of x and state, of a native and an eager step."""
    cell, found = Cell.parse(text), []
    for backend in ("native", "eager"):
        leaves = [tensor.detach().requires_grad_() for tensor in (x, state)]
        output, (last,) = make_sequence(cell, backend)([], leaves[0], [len(x)], (leaves[1],), False)
        ones = torch.ones_like(output)
        gradients = torch.autograd.grad(output, leaves, ones, materialize_grads=True)
        found.append([output.detach(), last.detach(), *gradients])
    return found


def assert_alike(found: list[Tensor], expected: list[Tensor]) -> None:
    """Values and gradients: the same where NaN or infinite, else nearly the same."""
    for index, (one, other) in enumerate(zip(found, expected, strict=True)):
        exact = torch.finfo(one.dtype).eps
        absolute = 1e-37 if index < 2 else 4 * exact  # a derivative may be 1 - y * y
        torch.testing.assert_close(one, other, rtol=8 * exact, atol=absolute, equal_nan=True)


# ---- kinds of numbers ----------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("op", ONE)
def test_an_operator_gives_what_torch_gives_for_every_kind_of_number(
    op: str, dtype: torch.dtype
) -> None:
    x = torch.tensor(SPECIAL, dtype=dtype).expand(2, -1)
    assert_alike(*both(f"h = {op}(x)", x, torch.zeros_like(x)))


@DTYPES
@pytest.mark.parametrize("text", SEVERAL)
def test_so_does_every_operator_of_several_arguments(text: str, dtype: torch.dtype) -> None:
    values = torch.tensor(SPECIAL, dtype=dtype)
    x = values.repeat_interleave(len(values)).reshape(len(values), -1)
    state = values.repeat(len(values)).reshape(len(values), -1)
    if text.startswith("blend"):
        x, state = (torch.where(value.isinf(), 0.75, value) for value in (x, state))
    assert_alike(*both(f"h = {text}", x, state))


@pytest.mark.parametrize("op", [*ONE, "maximum", "minimum"])
def test_nan_stays_nan(op: str) -> None:
    x = torch.tensor([[nan, 1.0, nan]])
    text = f"h = {op}(x, h_prev)" if op in ("maximum", "minimum") else f"h = {op}(x)"
    for one, other in ((x, torch.zeros(1, 3)), (torch.zeros(1, 3), x)):
        output = both(text, one, other)[0][0]
        if one is x or op in ("maximum", "minimum"):
            assert output.isnan().tolist() == [[True, False, True]]


def test_kinks_have_torchs_derivatives() -> None:
    x = torch.tensor([[0.0, -0.0, 3.0, -3.0, 1.0]], dtype=torch.float64)
    for text, expected in {
        "h = relu(x)": [0, 0, 1, 0, 1],
        "h = abs(x)": [0, 0, 1, -1, 1],
        "h = leaky_relu(x)": [0.01, 0.01, 1, 0.01, 1],
        "h = hard_sigmoid(x)": [1 / 6, 1 / 6, 0, 0, 1 / 6],
        "h = maximum(x, 0)": [0.5, 0.5, 1, 0, 1],
        "h = minimum(x, 3)": [1, 1, 0.5, 1, 1],
        "h = maximum(x, h_prev)": [0.5, 0.5, 0.5, 0.5, 0.5],
        "h = minimum(h_prev, x)": [0.5, 0.5, 0.5, 0.5, 0.5],
    }.items():
        native, eager = (results[2] for results in both(text, x, x))
        assert native.tolist() == eager.tolist() == [expected], text


@pytest.mark.parametrize("text", [
    "h = linear(x, h_prev) / 0",
    "h = tanh(linear(x, h_prev) / (1 - 1))",
    "h = log(linear(x, h_prev))",
    "h = sqrt(linear(x)) + h_prev",
    "h = reciprocal(h_prev * 0) + linear(x)",
    "h = exp(exp(exp(linear(x, h_prev) * 9)))",
    "h = layer_norm(linear(x) / 0) + h_prev",
    "h = linear(h_prev) / exp(parameter() * 1e9) + linear(x)",
])  # fmt: skip
def test_what_is_no_number_is_none_at_the_same_places(text: str) -> None:
    cell = Cell.parse(text)
    for dtype in (torch.float32, torch.float64):
        given = trial(cell, seeded(3), hidden_size=5, steps=7).to(dtype)
        assert_same_kinds(cell, given)


def assert_same_kinds(cell: Cell, given: Trial) -> None:
    native, eager = (given.run(make_sequence(cell, b)) for b in ("native", "eager"))
    assert not all(value.isfinite().all() for value in native.values())
    for name, expected in eager.items():
        found = native[name]
        if name.startswith("gradient"):
            found = torch.where(found.isnan(), expected, found)
        assert kinds(found) == kinds(expected), name
        assert (native[name].isnan() | ~expected.isnan()).all()


def kinds(value: Tensor) -> tuple[list[bool], list[bool], list[bool]]:
    """Where a result is NaN, infinite and minus infinite."""
    return value.isnan().tolist(), value.isposinf().tolist(), value.isneginf().tolist()


@pytest.mark.parametrize("value", [nan, inf, -inf])
@pytest.mark.parametrize("where", ["weight", "bias", "input", "state"])
def test_a_bad_number_spreads_as_it_does_in_torch(where: str, value: float) -> None:
    cell = Cell.parse("g = relu(linear(x, h_prev))\nh = g * 0.5 + linear(x)")
    given = trial(cell, seeded(5), hidden_size=5, steps=7, batch=3)
    with torch.no_grad():
        weights = [t for t in given.tensors.values() if t.dim() == 2]
        biases = [t for t in given.tensors.values() if t.dim() == 1]
        target = {"weight": weights, "bias": biases[::-1], "input": [given.rows]}
        first = target.get(where, list(given.states.values()))[0]
        first.view(-1)[1] = value
    assert_same_kinds(cell, given)


# ---- tensors of unusual layout -------------------------------------------------------------------


def layouts(x: Tensor) -> dict[str, Tensor]:
    """The same numbers in other layouts."""
    padded = torch.full((x.numel() + 7,), nan, dtype=x.dtype)
    padded[3 : 3 + x.numel()] = x.reshape(-1)
    wide = torch.full((*x.shape[:-1], x.shape[-1] * 2 + 1), nan, dtype=x.dtype)
    wide[..., 1::2] = x
    return {
        "transposed": x.transpose(0, -1).contiguous().transpose(0, -1),
        "at an odd address": padded[3 : 3 + x.numel()].view(x.shape),
        "with gaps": wide[..., 1::2],
        "backwards and negative": torch._neg_view(-x),
    }


@CELLS
def test_inputs_may_lie_in_memory_as_they_like(cell: Cell) -> None:
    native, eager = pair(cell)
    x = inputs(6, 4, 3)
    expected = learned(eager, x)
    for way, same in layouts(x).items():
        assert torch.equal(same, x), way
        assert_close(learned(native, same), expected)
    repeated = x[:1, :1].expand(6, 4, 3)
    assert_close(learned(native, repeated), learned(eager, repeated.contiguous()))


@CELLS
def test_so_may_states_and_weights(cell: Cell) -> None:
    native, eager = pair(cell, 5, 5)
    x = inputs(6, 4, 5)
    states = tuple(inputs(1, 4, 5, seed=i) for i in range(len(cell.states)))
    given = states[0] if len(states) == 1 else states
    expected = eager(x, given)[0]
    for ways in zip(*(layouts(s).values() for s in states), strict=True):
        assert_close([native(x, ways[0] if len(ways) == 1 else ways)[0]], [expected])
    one = states[0][:, :1].expand(1, 4, 5)
    spread = one if len(states) == 1 else (one,) * len(states)
    assert_close([native(x, spread)[0]], [eager(x, spread)[0]])
    expected_all = learned(eager, x)
    for way in layouts(x):
        for parameter in native.parameters():
            if parameter.dim():
                parameter.data = layouts(parameter.data)[way]
        assert_close(learned(native, x), expected_all)


@CELLS
def test_gradients_of_outputs_may_lie_as_they_like(cell: Cell) -> None:
    native, eager = pair(cell)
    x = inputs(6, 4, 3).requires_grad_()
    gradient = inputs(6, 4, 5)
    ways = [*layouts(gradient).values(), torch.ones(()).double().expand(6, 4, 5)]
    for given in ways:
        found, expected = (
            list(torch.autograd.grad(layer(x)[0], [x, *layer.parameters()], given))
            for layer in (native, eager)
        )
        assert_close(found, expected)


@pytest.mark.parametrize("zero", ["input", "gradient"])
def test_zeros_without_memory_are_zeros(zero: str) -> None:
    native, eager = pair(SMALL)
    nothing = torch._efficientzerotensor((6, 4, 3 if zero == "input" else 5), dtype=torch.float64)
    if zero == "input":
        assert_close([native(nothing)[0]], [eager(torch.zeros(6, 4, 3).double())[0]])
        return
    x = inputs(6, 4, 3).requires_grad_()
    (found,) = torch.autograd.grad(native(x)[0], x, nothing)
    assert found.shape == x.shape
    assert (found == 0).all()


@pytest.mark.parametrize("steps_", [7, 1])
def test_nothing_is_read_before_or_after_a_tensor(steps_: int) -> None:
    """What lies before and behind each tensor is NaN, which would show."""
    for text in (SMALL.text, TWO.text, CONSTANTS.text, "h = tanh(x * h_prev)"):
        cell = Cell.parse(text)
        for size in (1, 5, 8, 9):
            for dtype in (torch.float32, torch.float64):
                given = trial(cell, seeded(0), input_size=size, hidden_size=size, steps=steps_).to(
                    dtype
                )
                tensors = [layouts(t.detach())["at an odd address"] if t.dim() else t.detach()
                           for t in given.leaves]  # fmt: skip
                with torch.no_grad():
                    states = 1 + len(given.states)
                    output, last = make_sequence(cell, "native")(
                        tensors[states:], tensors[0], given.sizes, tuple(tensors[1:states]), False
                    )
                assert all(value.isfinite().all() for value in (output, *last))


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect")
def test_nothing_is_read_behind_the_end_of_memory() -> None:
    """Each tensor ends where the memory that may be read ends: reading on would kill the test."""
    page, libc, memories = mmap.PAGESIZE, ctypes.CDLL(None, use_errno=True), []

    def at_the_end(tensor: Tensor) -> Tensor:
        size = tensor.numel() * tensor.element_size()
        length = -(-size // page) * page
        memory = mmap.mmap(-1, length + page)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        assert libc.mprotect(ctypes.c_void_p(address + length), page, 0) == 0
        memories.append(memory)
        flat = torch.frombuffer(
            memory, dtype=tensor.dtype, count=tensor.numel(), offset=length - size
        )
        return flat.view(tensor.shape).copy_(tensor)

    for cell in (SMALL, TWO, CONSTANTS, Cell.parse("h = tanh(x * h_prev)")):
        for size, count, dtype in (
            *((9, 7, torch.float32), (9, 1, torch.float32)),
            *((3, 1, torch.float64), (5, 7, torch.float64)),
        ):
            given = trial(cell, seeded(0), input_size=size, hidden_size=size, steps=count).to(dtype)
            tensors = [at_the_end(tensor.detach()).requires_grad_() for tensor in given.leaves]
            states = 1 + len(given.states)
            run = partial(
                make_sequence(cell, "native"),
                *(tensors[states:], tensors[0], given.sizes, tuple(tensors[1:states]), False),
            )
            with torch.no_grad():
                run()
            torch.autograd.grad(run()[0].square().sum(), tensors, allow_unused=True)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_a_single_step_takes_tensors_of_any_layout(name: str) -> None:
    native, eager = steps(zoo[name])
    x = inputs(4, 3)
    count = len(zoo[name].states)
    states = [inputs(4, 5, seed=i) for i in range(count)]
    with torch.no_grad():
        expected = eager(x, states[0] if count == 1 else tuple(states))
        expected = expected if count > 1 else (expected,)
        for way in layouts(x):
            parts = tuple(layouts(state)[way] for state in states)
            for _ in range(3):
                found = native(layouts(x)[way], parts[0] if count == 1 else parts)
                found = found if count > 1 else (found,)
                assert_close(list(found), list(expected))
