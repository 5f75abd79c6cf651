"""Torch's transforms of a native layer give what they give of an eager one, by way of eager."""

from __future__ import annotations

import warnings

import pytest
import torch
from native import SMALL, TWO, assert_close, in_a_process, inputs, pair, steps
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad
from torch.func import functional_call, grad, hessian, jacfwd, jacrev, jvp, vjp, vmap
from torch.utils.flop_counter import FlopCounterMode

from cellsearch.known import zoo
from cellsearch.layers import Recurrent, RecurrentCell

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch's own


def of_both(function: object, layers: tuple[nn.Module, nn.Module]) -> None:
    """Ask the same of both layers, which must answer alike."""
    found, expected = (function(layer) for layer in layers)  # type: ignore[operator]
    assert_close([*found], [*expected])
    assert any(value.abs().max() > 0 for value in expected)


def test_functional_transforms() -> None:
    x, tangent = inputs(3, 2, 3), inputs(3, 2, 3, seed=1)

    def transformed(layer: nn.Module) -> list[Tensor]:
        weights = {name: p.detach() for name, p in layer.named_parameters()}

        def run(x: Tensor) -> Tensor:
            return layer(x)[0]

        def loss(weights: dict[str, Tensor], x: Tensor) -> Tensor:
            return functional_call(layer, weights, (x,))[0].square().sum()

        several = torch.stack([x, 2 * x, -x])
        return [
            functional_call(layer, {k: 2 * v for k, v in weights.items()}, (x,))[0],
            *grad(loss)(weights, x).values(),
            grad(lambda x: run(x).sin().sum())(x),
            vmap(run)(several),
            vmap(grad(lambda x: run(x).sum()))(several),
            *vmap(grad(loss), in_dims=(None, 0))(weights, several).values(),
            jacrev(run)(x),
            jacfwd(run)(x),
            hessian(lambda x: run(x).sum())(x[:, :1]),
            *jvp(run, (x,), (tangent,)),
            vjp(run, x)[1](torch.ones(3, 2, 5).double())[0],
        ]

    of_both(transformed, pair(SMALL))


def test_a_transform_of_the_way_back_alone() -> None:
    def transformed(layer: nn.Module) -> list[Tensor]:
        x = inputs(3, 2, 3).requires_grad_()
        output = layer(x)[0]

        def back(gradient: Tensor) -> Tensor:
            return torch.autograd.grad(output, x, gradient, retain_graph=True)[0]

        return [vmap(back)(inputs(4, 3, 2, 5))]

    of_both(transformed, pair(SMALL))


def test_tangents_go_forward() -> None:
    x = inputs(6, 4, 3)

    def tangents(layer: nn.Module) -> list[Tensor]:
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x, torch.ones_like(x))
            results = [forward_ad.unpack_dual(layer(dual)[0]).tangent]
            parameter = next(layer.parameters())
            moved = forward_ad.make_dual(parameter.detach(), torch.ones_like(parameter))
            name = next(name for name, _ in layer.named_parameters())
            output = functional_call(layer, {name: moved}, (x,))[0]
            return [*results, forward_ad.unpack_dual(output).tangent]

    of_both(tangents, pair(SMALL))


def test_a_stream_does_not_swallow_tangents_and_batches() -> None:
    x, h = inputs(2, 3), inputs(2, 5)

    def streamed(step: nn.Module) -> list[Tensor]:
        with torch.no_grad():
            for _ in range(3):
                new = step(x, h)
            with forward_ad.dual_level():
                dual = forward_ad.make_dual(x, torch.ones_like(x))
                tangent = forward_ad.unpack_dual(step(dual, h)).tangent
            batched = vmap(lambda x: step(x, h))(torch.stack([x, -x]))
            slope = grad(lambda x: step(x, h).sum())(x)
        return [new, tangent, batched, slope]

    of_both(streamed, steps(SMALL))


@pytest.mark.parametrize("gradients", [True, False])
def test_autocast_does_what_it_does_eagerly(gradients: bool) -> None:
    x, h = inputs(2, 3, dtype=torch.float32), inputs(2, 5, dtype=torch.float32)

    def cast(step: nn.Module) -> list[Tensor]:
        with torch.set_grad_enabled(gradients):
            step(x, h)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                new = [step(x, h), step(x, h)]
            if gradients:
                new += torch.autograd.grad(new[0].sum(), list(step.parameters()))
            return new

    native, eager = steps(zoo["gru"], dtype=torch.float32)
    exact = native(x, h)
    assert all(torch.equal(a, b) for a, b in zip(cast(native), cast(eager), strict=True))
    assert (cast(native)[0] - exact).abs().max() > 1e-5  # it was rounded


def test_an_exported_program_computes_the_same() -> None:
    layer, _ = pair(zoo["lstm"])
    x = inputs(4, 2, 3)
    for strict in (False, True):
        program = torch.export.export(layer, (x,), strict=strict)
        assert_close([program.module()(x)[0]], [layer(x)[0]])
    step, _ = steps(zoo["gru"])
    with torch.no_grad():
        state = step(x[0], step(x[0], torch.zeros(2, 5).double()))  # now it streams
        program = torch.export.export(step, (x[0], state))
        for given in (x[0], -x[1]):
            assert_close([program.module()(given, state)], [step(given, state)])


def test_a_trace_computes_the_same() -> None:
    x, other = inputs(4, 2, 3), inputs(4, 2, 3, seed=1)
    layer, _ = pair(TWO)
    step, _ = steps(zoo["gru"])
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # a trace fixes lengths
        traced = torch.jit.trace(layer, (x,))
        assert_close([traced(other)[0]], [layer(other)[0]])
        state = step(x[0], step(x[0], torch.zeros(2, 5).double()))
        traced = torch.jit.trace(step, (x[0], state))
        assert_close([traced(other[0], state)], [step(other[0], state)])


def test_a_compiled_module_computes_the_same() -> None:
    layer, _ = pair(zoo["gru"])
    x = inputs(4, 2, 3)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    assert_close([compiled(x)[0]], [layer(x)[0]])


def test_fake_and_meta_tensors_have_shapes_only() -> None:
    for cell in (zoo["lstm"], TWO, SMALL):
        with torch.device("meta"):
            layer, step = Recurrent(cell, 3, 5), RecurrentCell(cell, 3, 5)
            x = torch.empty(6, 4, 3)
            output, _ = layer(x)
            step(x[0])
            with torch.no_grad():
                step(x[0], step(x[0]))
        assert output.is_meta
        assert output.shape == (6, 4, 5)
        with FakeTensorMode():
            fake = Recurrent(cell, 3, 5)(torch.randn(6, 4, 3))[0]
        assert fake.shape == (6, 4, 5)


def test_a_default_device_elsewhere_does_not_matter_to_tensors_that_are_here() -> None:
    """In a process of its own: what a thread keeps is made in its first step."""
    in_a_process(
        "from native import *\n"
        "layer, eager = pair(SMALL)\n"
        "step, slow = steps(SMALL)\n"
        "x, h = inputs(6, 4, 3), inputs(4, 5)\n"
        "with torch.device('meta'):\n"
        "    found = [*layer(x)]\n"
        "    with torch.no_grad():\n"
        "        found += [step(x[0], h), step(x[0], h), step(x[0], h)]\n"
        "    loss = layer(x)[0].square().sum()\n"
        "    found += torch.autograd.grad(loss, list(layer.parameters()))\n"
        "with torch.no_grad():\n"
        "    expected = [*eager(x)] + 3 * [slow(x[0], h)]\n"
        "loss = eager(x)[0].square().sum()\n"
        "expected += torch.autograd.grad(loss, list(eager.parameters()))\n"
        "assert_close(found, expected)\n"
    )


def test_who_watches_torchs_operations_sees_them() -> None:
    x, h, seen = inputs(6, 4, 3), inputs(4, 5), []
    for layer, step in zip(pair(SMALL), steps(SMALL), strict=True):
        with torch.no_grad():
            for _ in range(3):
                step(x[0], h)
        output = layer(x)[0]
        with FlopCounterMode(display=False) as counter:
            layer(x)[0].sum().backward()
            with torch.no_grad():
                step(x[0], h)
        with FlopCounterMode(display=False) as back:
            output.sum().backward()  # natively computed, watched on its way back
        seen.append(counter.get_total_flops())
        assert back.get_total_flops() > 0
    assert seen[0] == seen[1] > 0


class Marked(torch.Tensor):
    """A tensor that remembers that it is special."""


def test_subclasses_of_tensors_stay_what_they_are() -> None:
    for layer, step in zip(pair(SMALL), steps(SMALL), strict=True):
        x, h = inputs(6, 4, 3), inputs(4, 5)
        assert type(layer(x.as_subclass(Marked))[0]) is Marked
        with torch.no_grad():
            for _ in range(3):
                step(x[0], h)
            assert type(step(x[0].as_subclass(Marked), h)) is Marked
            assert type(step(x[0], h.as_subclass(Marked))) is Marked
        leaf = x.clone().requires_grad_()
        output = layer(leaf)[0]
        (found,) = torch.autograd.grad(output, leaf, torch.ones_like(output).as_subclass(Marked))
        (expected,) = torch.autograd.grad(layer(leaf)[0].sum(), leaf)
        assert_close([found.as_subclass(Tensor)], [expected])
