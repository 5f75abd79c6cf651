"""The native backend's numbers: as near to the reference as rounding allows, for every cell.

In float64 values and gradients are within 1e-10 of the reference, or within ten times what one unit
in the last place of the given numbers changes in it. In float32 the error, against the reference
on the same rounded numbers, is no larger than that of torch's own operations in the median.
The same call gives the same bits, however many threads torch has. A kernel reads no memory that
nobody wrote and writes none but its own.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from statistics import median

import pytest
import torch
from native import as_tuple, bits, drawn, guarded, inputs, learned, run_natively, same_bits
from random_cells import seeded
from sequences import Results, Trial, largest_difference, trial

from cellsearch.backends import make_sequence
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.layers import Recurrent

# Sizes that fill no vector, one vector, and one and a bit; and what a search draws.
SIZES = [(1, 1), (1, 8), (2, 9), (9, 1), (3, 16), (4, 45)]


def wiggled(given: Trial, seed: int) -> Trial:
    """Return a trial whose numbers are off by one unit in the last place, up or down."""
    generator = torch.Generator().manual_seed(seed)

    def wiggle(tensor: torch.Tensor) -> torch.Tensor:
        up = torch.rand(tensor.shape, generator=generator) < 0.5
        target = torch.where(up, torch.inf, -torch.inf).to(tensor.dtype)
        return tensor.detach().nextafter(target).requires_grad_()

    return replace(
        given,
        tensors={name: wiggle(tensor) for name, tensor in given.tensors.items()},
        rows=wiggle(given.rows),
    )


def condition(cell: Cell, given: Trial, expected: Results) -> float:
    """How far one unit in the last place of weights and inputs moves the results."""
    function = make_sequence(cell, "reference")
    return max(largest_difference(wiggled(given, s).run(function), expected) for s in range(4))


def test_random_cells_are_within_1e_10_of_the_reference_in_float64(full: bool) -> None:
    directions = set()
    for seed in range(2000 if full else 40):
        cell, given = drawn(seed)
        assert len(given.sizes) == 7
        directions.add(given.reverse)
        expected = given.run(make_sequence(cell, "reference"))
        difference = largest_difference(run_natively(cell, given), expected)
        if difference > 1e-10:
            assert difference <= 10 * condition(cell, given, expected), f"seed {seed}\n{cell}"
    assert directions == {False, True}


def test_float32_is_no_less_exact_than_torchs_own_operations(full: bool) -> None:
    errors: dict[str, list[float]] = {"native": [], "eager": []}
    for seed in range(2000 if full else 24):
        cell, given = drawn(seed)
        single = given.to(torch.float32)
        exact = single.to(torch.float64).run(make_sequence(cell, "reference"))
        for backend, found in errors.items():
            found.append(largest_difference(single.run(make_sequence(cell, backend)), exact))
        native, eager = (found[-1] for found in errors.values())
        assert native <= max(1e-3, 100 * eager), f"seed {seed}\n{cell}"
    assert median(errors["native"]) <= median(errors["eager"])


@pytest.mark.parametrize("text", [
    # The padding of a row divided by that of a parameter is no number.
    "z = h_prev / parameter(init=1) * layer_norm(linear(x, bias=False))\nh = linear(z, x)",
    "h = tanh(layer_norm(linear(x) / exp(parameter())) / parameter() + linear(h_prev))",
    "h = tanh(linear(log(square(h_prev)), 1 / layer_norm(linear(x, h_prev)), x))",
    "c = log(square(linear(x)))\nh = linear(reciprocal(c), sqrt(square(c_prev)), h_prev)",
])  # fmt: skip
def test_what_stands_in_the_padding_of_a_row_reaches_no_result(text: str) -> None:
    cell = Cell.parse(text)
    for hidden in (3, 9):
        given = trial(cell, seeded(1), hidden_size=hidden, steps=7)
        expected = given.run(make_sequence(cell, "reference"))
        assert all(torch.isfinite(value).all() for value in expected.values())
        difference = largest_difference(run_natively(cell, given), expected)
        assert difference <= max(1e-10, 10 * condition(cell, given, expected))


def test_the_same_call_gives_the_same_bits_on_any_memory_and_writes_only_its_own() -> None:
    for seed in range(14):
        cell, given = drawn(seed)
        function = make_sequence(cell, "native")
        for trial_ in (given, given.to(torch.float32))[: 1 + (seed < 5)]:
            first = trial_.run(function)
            assert same_bits(trial_.run(function), first), f"seed {seed}\n{cell}"
            with guarded() as untouched:
                assert same_bits(trial_.run(function), first), f"seed {seed}\n{cell}"
                assert untouched(), f"seed {seed}\n{cell}"


def test_torchs_threads_change_no_bit() -> None:
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            results = [bits(v) for s in range(4) for v in run_natively(*drawn(s)).values()]
            layer = Recurrent(zoo["lstm"], 64, 128, num_layers=2, bidirectional=True)
            layer.reset_parameters(torch.Generator().manual_seed(0))
            x = inputs(40, 32, 64, dtype=torch.float32)
            found.append(results + [bits(value) for value in learned(layer, x)])
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["lstm", "mgu"])
def test_known_cells_of_every_size_and_batch(name: str) -> None:
    for (size, hidden), batch in product(SIZES, (1, 2, 7)):
        given = trial(
            zoo[name], seeded(batch), input_size=size, hidden_size=hidden, steps=7, batch=batch
        )
        expected = given.run(make_sequence(zoo[name], "reference"))
        assert largest_difference(run_natively(zoo[name], given), expected) < 1e-11


@pytest.mark.parametrize("text", [
    "h = tanh(x * h_prev + layer_norm(x) * x)",
    "h = tanh(linear(x * h_prev) + x)\noutput = sigmoid(x) * h_prev",
    "h = layer_norm(linear(x, layer_norm(h_prev)))\noutput = layer_norm(h + linear(x))",
    "a = parameter(init=2, scalar=True)\nh = tanh(scale(linear(x, h_prev), scalar=True) * a + a)",
    "h = tanh(linear(parameter(init=1)) + linear(x, h_prev, parameter(scalar=False)))",
    "c = tanh(linear(x))\nn = c_prev * 0.5\nh = tanh(linear(x, h_prev))",  # n is never read
    "h = tanh(linear(h_prev) + 0.5)",  # and neither is x
    "h = tanh(linear(x, h_prev))\noutput = linear(parameter(init=1))",
    "c = 0.5\nh = parameter(init=1)\noutput = c_prev * h_prev + x",
])  # fmt: skip
def test_cells_of_unusual_kinds_in_sizes_of_unusual_kinds(text: str) -> None:
    cell = Cell.parse(text)
    for (size, hidden), seed in product([(1, 1), (8, 8), (9, 9), (45, 45)], range(2)):
        given = trial(
            cell, seeded(seed), input_size=size, hidden_size=hidden, steps=7, batch=4 * seed + 1
        )
        expected = given.run(make_sequence(cell, "reference"))
        assert largest_difference(run_natively(cell, given), expected) < 1e-10


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_no_sequence_at_all_gives_nothing_and_zero_gradients(name: str) -> None:
    for backend in ("native", "eager"):
        layer = Recurrent(zoo[name], 3, 5, num_layers=2, bidirectional=True, backend=backend)
        x = torch.empty(7, 0, 3, requires_grad=True)
        output, state = layer(x)
        assert output.shape == (7, 0, 10)
        assert all(part.shape == (4, 0, 5) for part in as_tuple(state))
        found = torch.autograd.grad(output.sum(), [x, *layer.parameters()])
        assert [g.shape for g in found] == [x.shape, *(p.shape for p in layer.parameters())]
        assert all((gradient == 0).all() for gradient in found)


def test_a_sequence_of_one_step_and_one_of_thousands() -> None:
    for steps in (1, 2500):
        given = trial(zoo["gru"], seeded(0), steps=steps, batch=2)
        expected = given.run(make_sequence(zoo["gru"], "eager"))
        assert largest_difference(run_natively(zoo["gru"], given), expected) < 1e-10
