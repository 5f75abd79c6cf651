"""What torch's differentiation may ask of a layer: a native layer answers as an eager one does.

Gradients of gradients, several ways back, hooks, checkpoints, tensors changed meanwhile, weights
that are frozen, tied or computed from others, one tensor in several roles.
"""

from __future__ import annotations

import warnings

import pytest
import torch
from native import CONSTANTS, SMALL, TWO, as_tuple, assert_close, bits, inputs, learned, pair, steps
from random_cells import seeded
from sequences import trial
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.rnn import PackedSequence
from torch.utils.checkpoint import checkpoint

from cellsearch.backends import make_sequence
from cellsearch.cell import Cell
from cellsearch.known import zoo

CELLS = pytest.mark.parametrize("cell", [SMALL, TWO, CONSTANTS], ids=["small", "two", "constants"])


# ---- gradients of gradients ----------------------------------------------------------------------


@CELLS
def test_gradients_of_gradients_are_the_slopes_of_gradients(cell: Cell) -> None:
    given = trial(cell, seeded(4), steps=3)
    states = 1 + len(given.states)
    function = make_sequence(cell, "native")

    def run(*leaves: Tensor) -> tuple[Tensor, ...]:
        output, last = function(
            list(leaves[states:]), leaves[0], given.sizes, leaves[1:states], given.reverse
        )
        return (output, *last)

    assert torch.autograd.gradgradcheck(run, given.leaves, fast_mode=True)


@CELLS
def test_gradients_that_can_be_differentiated_are_the_same(cell: Cell) -> None:
    native, eager = pair(cell)
    x = inputs(6, 4, 3)
    plain = learned(native, x)
    assert_close(learned(native, x, create_graph=True), plain)
    assert_close(learned(eager, x, create_graph=True), plain)


def test_one_tensor_in_several_roles_gets_its_gradient_once() -> None:
    """Also where one input is computed from another: its history counts outside, not inside."""
    for cell in (zoo["lstm"], SMALL):
        for native_or_eager in zip(*(cycle_of_roles(c) for c in steps(cell, 4, 4)), strict=True):
            found, expected = native_or_eager
            assert_close(found, expected)


def cycle_of_roles(step: nn.Module) -> list[list[Tensor]]:
    results = []
    count = len(step.cell.states)  # type: ignore[arg-type]
    for create_graph in (False, True):
        h = inputs(2, 4).requires_grad_()
        for x, parts in (
            (h, (h,) * count),
            (torch.sin(h), (h, h.cos())[:count]),
            (h, (torch.sin(h),) * count),
        ):
            state = parts[0] if count == 1 else parts
            loss = as_tuple(step(x, state))[0].square().sum()
            targets = [h, *step.parameters()]
            found = torch.autograd.grad(loss, targets, create_graph=create_graph)
            results.append([*found])
            if create_graph:
                total = sum(g.square().sum() for g in found)
                results.append([*torch.autograd.grad(total, targets)])
    return results


def test_tied_weights_and_a_state_computed_from_the_input() -> None:
    results = []
    for layer in pair(zoo["gru"], 5, 5):
        layer.l0.z.weight_0 = layer.l0.r.weight_0
        x = inputs(6, 4, 5).requires_grad_()
        parameters = list(layer.parameters())
        for create_graph in (False, True):
            state = torch.tanh(x.mean(0, keepdim=True) @ layer.l0.r.weight_0)
            loss = layer(x, state)[0].square().sum()
            found = torch.autograd.grad(loss, [x, *parameters], create_graph=create_graph)
            results.append(list(found))
    for found in results[:-1]:
        assert_close(found, results[-1])


def test_a_penalty_on_the_gradient_trains_the_same() -> None:
    losses = []
    for layer in pair(TWO):
        optimiser, found = torch.optim.SGD(layer.parameters(), lr=0.01), []
        for _ in range(4):
            x = inputs(6, 4, 3).requires_grad_()
            loss = layer(x)[0].square().mean()
            (slope,) = torch.autograd.grad(loss, x, create_graph=True)
            total = loss + slope.square().sum()
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
            found.append(total.detach())
        losses.append(found)
    assert_close(*losses)
    assert losses[0][0] != losses[0][-1]


# ---- several ways back ---------------------------------------------------------------------------


@CELLS
def test_going_back_twice_gives_the_same_bits_and_needs_to_be_asked_for(cell: Cell) -> None:
    layer, _ = pair(cell)
    x = inputs(6, 4, 3).requires_grad_()
    output = layer(x)[0]
    targets = [x, *layer.parameters()]
    first, second = (
        torch.autograd.grad(output.sum(), targets, retain_graph=again) for again in (True, False)
    )
    assert [bits(g) for g in first] == [bits(g) for g in second]
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        torch.autograd.grad(output.sum(), targets)


def test_many_gradients_at_once() -> None:
    found = []
    for layer in pair(SMALL):
        x = inputs(3, 2, 3).requires_grad_()
        output = layer(x)[0]
        rows = torch.eye(output.numel(), dtype=x.dtype).reshape(-1, *output.shape)
        batched = torch.autograd.grad(output, x, rows, is_grads_batched=True, retain_graph=True)
        one_by_one = [torch.autograd.grad(output, x, row, retain_graph=True)[0] for row in rows]
        jacobian = torch.autograd.functional.jacobian(
            lambda x, layer=layer: layer(x)[0], x, vectorize=True
        )
        assert_close([batched[0]], [torch.stack(one_by_one)])
        assert_close([jacobian.reshape(batched[0].shape)], [batched[0]])
        found.append([*batched])
    assert_close(*found)


def test_calls_that_overlap_do_not_disturb_each_other() -> None:
    native, eager = pair(TWO)
    first, second = inputs(6, 4, 3), inputs(9, 2, 3, seed=1)
    expected = [learned(eager, x) for x in (first, second)]
    leaves = [x.clone().requires_grad_() for x in (first, second)]
    outputs = [native(x)[0] for x in leaves]
    for output, x, known in zip(outputs, leaves, expected, strict=True):
        weights = torch.linspace(-1, 2, output.numel(), dtype=x.dtype).reshape(output.shape)
        found = torch.autograd.grad((weights * output).sum(), [x, *native.parameters()])
        assert_close([output, *found], known)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpoint_computes_the_same(reentrant: bool) -> None:
    layer, _ = pair(TWO)
    x = inputs(6, 4, 3)
    expected = learned(layer, x)
    again = x.clone().requires_grad_()
    output = checkpoint(lambda x: layer(x)[0], again, use_reentrant=reentrant)
    weights = torch.linspace(-1, 2, output.numel(), dtype=x.dtype).reshape(output.shape)
    (weights * output).sum().backward()
    found = [again.grad, *(p.grad for p in layer.parameters())]
    assert [bits(g) for g in found] == [bits(g) for g in expected[1:]]


def test_saved_tensors_may_be_kept_elsewhere() -> None:
    layer, _ = pair(TWO)
    x = inputs(6, 4, 3)
    expected = learned(layer, x)
    with torch.autograd.graph.save_on_cpu(), torch.autograd.set_detect_anomaly(True):
        found = learned(layer, x)
    assert [bits(g) for g in found] == [bits(g) for g in expected]


# ---- what changes meanwhile ----------------------------------------------------------------------


@pytest.mark.parametrize("what", ["input", "weight", "state"])
def test_changing_what_the_way_back_needs_is_noticed(what: str) -> None:
    for layer in pair(SMALL):
        leaf = inputs(6, 4, 3).requires_grad_()
        x, state = leaf * 1, inputs(1, 4, 5).requires_grad_() * 1
        output = layer(x, state)[0]
        with torch.no_grad():
            {"input": x, "state": state, "weight": next(layer.parameters())}[what].add_(1)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            output.sum().backward()


def test_results_may_be_changed() -> None:
    found = []
    for layer in pair(TWO):
        x = inputs(6, 4, 3).requires_grad_()
        output, state = layer(x)
        output.mul_(2).add_(1)
        loss = output.square().sum() + sum(part.mul_(3).sum() for part in state)
        found.append([*torch.autograd.grad(loss, [x, *layer.parameters()])])
    assert_close(*found)


def test_hooks_see_what_they_see_elsewhere() -> None:
    seen: list[list[Tensor]] = []
    for layer in pair(SMALL):
        calls: list[Tensor] = []
        layer.register_forward_hook(lambda m, a, r, calls=calls: calls.append(r[0]))
        layer.register_forward_pre_hook(lambda m, a, calls=calls: calls.append(a[0]))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            layer.register_full_backward_hook(lambda m, i, o, calls=calls: calls.extend((*i, *o)))
        parameter = next(layer.parameters())
        parameter.register_hook(lambda g, calls=calls: calls.append(g) or 2 * g)
        x = inputs(6, 4, 3).requires_grad_()
        output, state = layer(x)
        output.register_hook(lambda g, calls=calls: calls.append(g))
        (output.square().sum() + state.sum()).backward()
        seen.append([c for c in calls if c is not None] + [parameter.grad, x.grad])
    assert_close(*seen)
    assert len(seen[0]) >= 7


# ---- who wants a gradient ------------------------------------------------------------------------


@CELLS
def test_frozen_weights_get_no_gradient_and_the_others_theirs(cell: Cell) -> None:
    count = len(list(pair(cell)[0].parameters()))
    for frozen in range(count):
        found = []
        for layer in pair(cell):
            list(layer.parameters())[frozen].requires_grad_(False)
            layer(inputs(6, 4, 3))[0].square().sum().backward()  # x has none either
            gradients = [p.grad for p in layer.parameters()]
            assert [g is None for g in gradients] == [i == frozen for i in range(count)]
            found.append([g for g in gradients if g is not None])
        assert_close(*found)


def test_only_the_input_or_only_a_state_may_want_one() -> None:
    for wanted in range(3):
        found = []
        for layer in pair(TWO):
            layer.requires_grad_(False)
            given = [inputs(6, 4, 3), inputs(1, 4, 5, seed=1), inputs(1, 4, 5, seed=2)]
            given[wanted].requires_grad_()
            layer(given[0], tuple(given[1:]))[0].square().sum().backward()
            assert [t.grad is None for t in given] == [i != wanted for i in range(3)]
            found.append([given[wanted].grad])
        assert_close(*found)


@pytest.mark.parametrize("used", ["output", "first state", "last state", "some steps"])
def test_a_loss_may_use_only_some_of_the_results(used: str) -> None:
    found = []
    for layer in pair(TWO, bidirectional=True):
        x = inputs(6, 4, 3).requires_grad_()
        output, states = layer(x)
        part = {
            "output": output, "first state": states[0], "last state": states[-1],
            "some steps": output[2:4, 1],
        }[used]  # fmt: skip
        found.append(
            [*torch.autograd.grad(
                part.square().sum(), [x, *layer.parameters()],
                allow_unused=True, materialize_grads=True,
            )]
        )  # fmt: skip
    assert_close(*found)


def test_without_gradients_the_output_has_the_same_bits() -> None:
    for cell in (SMALL, TWO, CONSTANTS):
        layer, _ = pair(cell, num_layers=2, bidirectional=True)
        x = inputs(6, 7, 3)
        with_gradients = layer(x)[0]
        assert with_gradients.requires_grad
        for mode in (torch.no_grad, torch.inference_mode):
            with mode():
                output = layer(x)[0]
            assert not output.requires_grad
            assert bits(output) == bits(with_gradients)


def test_tensors_of_inference_mode_cannot_be_learned_from() -> None:
    for layer in pair(SMALL):
        with torch.inference_mode():
            x = inputs(6, 4, 3)
        with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
            layer(x)


def test_weights_computed_from_others_learn() -> None:
    class Doubled(nn.Module):
        def forward(self, weight: Tensor) -> Tensor:
            return 2 * weight

    found = []
    for layer in pair(SMALL):
        parametrize.register_parametrization(layer.l0.g, "weight_0", Doubled())
        found.append(learned(layer, inputs(6, 4, 3)))
    assert_close(*found)


# ---- what does not fit ---------------------------------------------------------------------------


def test_a_weight_of_another_shape_is_refused_in_torchs_words() -> None:
    said = []
    for layer in pair(SMALL):
        layer.l0.g.weight_0 = nn.Parameter(torch.randn(5, 2, dtype=torch.float64))
        with pytest.raises(RuntimeError) as error:
            layer(inputs(6, 4, 3))
        said.append(str(error.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("sizes", [[4, 4], [4, 4, 4, 4000], [2, 3], [3, -1, 3], [4], [5, 5, -5]])
def test_a_packed_sequence_that_does_not_fit_is_refused(sizes: list[int]) -> None:
    for layer in pair(SMALL):
        with pytest.raises(RuntimeError):
            layer(PackedSequence(inputs(5, 3), torch.tensor(sizes)))


def test_types_that_differ_are_refused() -> None:
    for layer in pair(SMALL):
        for x, state in (
            (inputs(6, 4, 3, dtype=torch.float32), None),
            (inputs(6, 4, 3), inputs(1, 4, 5, dtype=torch.float32)),
            (torch.ones(6, 4, 3, dtype=torch.int64), None),
        ):
            with pytest.raises(ValueError, match=r"of type torch\.float64"):
                layer(x, state)


def test_results_want_a_gradient_exactly_where_they_can_have_one() -> None:
    for text in (
        "h = 0.5",
        "h = tanh(linear(h_prev))",
        "c = tanh(linear(x, bias=False))\nh = tanh(h_prev) + 0 * c",
        "c = c_prev\nh = tanh(linear(x)) * h_prev * c_prev",
        "c = parameter()\nh = tanh(h_prev)\noutput = c_prev + 1",
    ):
        cell = Cell.parse(text)
        for wanted in range(4):
            found = []
            for layer in pair(cell):
                layer.requires_grad_(wanted == 3)
                states = [inputs(1, 4, 5, seed=i) for i in range(len(cell.states))]
                given = [inputs(6, 4, 3), *states]
                if wanted < len(given):
                    given[wanted].requires_grad_()
                output, last = layer(given[0], states[0] if len(states) == 1 else tuple(states))
                found.append([value.requires_grad for value in (output, *as_tuple(last))])
            # Torch's stack of states wants one where any does, so both say the same of them.
            assert found[0] == found[1], (text, wanted)
