"""All backends and a second opinion agree on random cells, forward and backward, in float64."""

from __future__ import annotations

import pytest
import torch
from interpreter import interpret
from random_cells import random_cell, seeded
from sequences import Results, Trial, largest_difference, trial

from cellsearch.backends import make_sequence
from cellsearch.cell import Cell
from cellsearch.operators import OPERATORS

TOLERANCE = 1e-12


def drawn(seed: int, *, smooth: bool = False) -> tuple[Cell, Trial]:
    rng = seeded(seed)
    equal = seed % 3 == 0
    cell = Cell.parse(random_cell(rng, smooth=smooth, equal_sizes=equal))
    return cell, trial(cell, rng, input_size=3 if equal else 2)


def second_opinion(cell: Cell, given: Trial) -> Results:
    """Every sequence by itself, interpreted from the text."""
    lengths = [sum(size > i for size in given.sizes) for i in range(given.sizes[0])]
    starts = [sum(given.sizes[:step]) for step in range(len(given.sizes))]
    outputs: dict[int, torch.Tensor] = {}
    last: dict[str, list[torch.Tensor]] = {name: [] for name in given.states}
    for sequence, length in enumerate(lengths):
        places = [starts[step] + sequence for step in range(length)]
        begin = {name: value[sequence : sequence + 1] for name, value in given.states.items()}
        inputs = given.rows[places].unsqueeze(1)
        output, end = interpret(str(cell), given.tensors, inputs, begin, given.reverse)
        outputs |= dict(zip(places, output.squeeze(1), strict=True))
        for name, value in end.items():
            last[name].append(value)
    results = {"output": torch.stack([outputs[place] for place in range(len(outputs))])}
    results |= {name: torch.cat(values) for name, values in last.items()}
    return results | given.gradients(results)


def test_random_cells_run_the_same_in_every_backend(full: bool) -> None:
    used = set()
    for seed in range(1000 if full else 200):
        cell, given = drawn(seed)
        expected = given.run(make_sequence(cell, "reference"))
        assert all(torch.isfinite(value).all() for value in expected.values()), seed
        for backend in ("eager", "native")[: 1 + (full or seed % 10 == 0)]:  # compiling takes time
            found = given.run(make_sequence(cell, backend))
            assert largest_difference(found, expected) < TOLERANCE, f"{seed} {backend}\n{cell}"
        used |= {node.op for node in cell.normal.nodes}
    assert set(OPERATORS) - {"identity"} <= used  # identities leave no trace


def test_random_cells_mean_what_their_text_says(full: bool) -> None:
    for seed in range(1000 if full else 80):
        cell, given = drawn(seed)
        expected = second_opinion(cell, given)
        found = given.run(make_sequence(cell, "reference"))
        assert largest_difference(found, expected) < TOLERANCE, f"seed {seed}\n{cell}"


def test_gradients_are_the_slopes_of_the_values(full: bool) -> None:
    for seed in range(100 if full else 20):
        cell, given = drawn(seed, smooth=True)
        for backend in ("native", "eager", "reference")[seed % 3 > 0 and not full :]:
            function = make_sequence(cell, backend)
            assert given.gradcheck(function, thorough=full), f"seed {seed}\n{cell}"


@pytest.mark.parametrize("backend", ["native", "eager"])
def test_gradients_can_be_differentiated(backend: str) -> None:
    cell = Cell.parse("g = sigmoid(linear(x, h_prev))\nh = blend(g, h_prev, tanh(linear(x)))")
    given = trial(cell, seeded(4))
    function = make_sequence(cell, backend)

    def run(*leaves: torch.Tensor) -> torch.Tensor:
        return function(list(leaves[2:]), leaves[0], given.sizes, leaves[1:2], False)[0]

    assert torch.autograd.gradgradcheck(run, given.leaves, fast_mode=True)


def test_the_reference_refuses_to_be_differentiated_twice() -> None:
    cell = Cell.parse("h = tanh(linear(x, h_prev))")
    given = trial(cell, seeded(4))
    output = given.run(make_sequence(cell, "reference"))["output"]
    with pytest.raises(RuntimeError, match="differentiated only once; use eager"):
        torch.autograd.grad(output.sum(), given.rows, create_graph=True)


@pytest.mark.parametrize("backend", ["native", "eager", "reference"])
def test_going_backward_again_gives_the_same_gradients(backend: str) -> None:
    cell = Cell.parse("h = tanh(linear(x, h_prev)) * parameter(init=1)")
    given = trial(cell, seeded(2))
    function = make_sequence(cell, backend)
    output, _ = function(
        list(given.tensors.values()), given.rows, given.sizes, tuple(given.states.values()), False
    )
    first, second = (
        torch.autograd.grad(output.sum(), given.leaves, retain_graph=True) for _ in range(2)
    )
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("backend", ["native", "eager", "reference"])
def test_a_result_without_a_gradient_counts_as_zero(backend: str) -> None:
    cell = Cell.parse("c = tanh(linear(x, c_prev))\nh = sigmoid(linear(c, h_prev))\noutput = h * c")
    given = trial(cell, seeded(2))
    function = make_sequence(cell, backend)
    _, last = function(
        list(given.tensors.values()), given.rows, given.sizes, tuple(given.states.values()), False
    )
    grads = torch.autograd.grad(last[1].sum(), given.leaves, allow_unused=True)
    assert any(g is not None and g.abs().max() > 0 for g in grads)


CONSTANT = [
    "h = 0.5",
    "h = parameter(init=2)",
    "h = parameter(init=2, scalar=True)",
    "h = exp(2) * 0.25 + h_prev * 0",
    "h = x",
    "h = tanh(h_prev)\noutput = 3",
    "h = tanh(h_prev)\noutput = x",
    "h = tanh(h_prev)\noutput = h_prev",
    "h = tanh(h_prev)\noutput = parameter(init=1)",
    "h = tanh(h_prev)\noutput = scale(parameter(scalar=True), scalar=True)",
    "c = h_prev\nh = c_prev",
    "c = x\nh = c_prev",
    "h = linear(x, parameter(init=1))",
    "h = linear(parameter(init=1)) + h_prev",
    "h = linear(x, parameter(init=1), tanh(h_prev))",
    "h = linear(parameter(init=1), h_prev, bias=False) * linear(h_prev)",
    "h = layer_norm(parameter(init=1)) * tanh(h_prev)",
    "h = scale(3) * h_prev * 0.1",
    "h = scale(parameter(scalar=True)) * h_prev * 0.1",
    "h = maximum(2, minimum(h_prev, parameter(scalar=True)))",
    "h = blend(0.25, h_prev, parameter())",
    "h = mean(x, 1, 2)",
    "c = linear(h_prev, bias=False)\nh = c * linear(h_prev, bias=False) * sigmoid(linear(h_prev))",
    "a = linear(x, h_prev)\nb = linear(h_prev)\nd = linear(x, h_prev, bias=False)\n"
    "e = linear(h_prev, bias=False)\nh = tanh(a) + tanh(b) + sin(d) + e",
    "a = linear(x, h_prev)\nb = linear(x, h_prev)\nh = tanh(a) * tanh(b) + sin(a)",
    "a = linear(x, h_prev)\nb = linear(x, h_prev)\nh = tanh(a) * tanh(b)\noutput = a",
    "a = linear(x)\nb = linear(x)\nh = sin(a + h_prev) * sin(b) + linear(x, linear(a, h_prev))",
]


@pytest.mark.parametrize("text", CONSTANT)
def test_constant_learned_and_unusual_values_run_the_same_everywhere(text: str) -> None:
    cell = Cell.parse(text)
    for seed in range(3):
        given = trial(cell, seeded(seed), input_size=3)
        expected = second_opinion(cell, given)
        for backend in ("native", "eager", "reference"):
            found = given.run(make_sequence(cell, backend))
            assert largest_difference(found, expected) < TOLERANCE, backend


def test_a_backend_that_is_not_there_is_refused() -> None:
    with pytest.raises(
        ValueError, match="backend is 'fast'; expected one of auto, native, eager, ref"
    ):
        make_sequence(Cell.parse("h = x"), "fast")


def test_the_reference_computes_in_float64_whatever_the_dtype() -> None:
    cell = Cell.parse("h = tanh(linear(x, h_prev))")
    given = trial(cell, seeded(0))
    exact = given.run(make_sequence(cell, "reference"))["output"]
    single = [tensor.detach().float() for tensor in given.leaves]
    output, _ = make_sequence(cell, "reference")(
        single[2:], single[0], given.sizes, (single[1],), given.reverse
    )
    assert output.dtype == torch.float32
    rounded = [tensor.double() for tensor in single]
    again, _ = make_sequence(cell, "reference")(
        rounded[2:], rounded[0], given.sizes, (rounded[1],), given.reverse
    )
    assert torch.equal(output, again.float())
    assert torch.allclose(again, exact, atol=1e-6)
