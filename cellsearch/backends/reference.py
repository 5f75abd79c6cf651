"""The reference backend: a cell node by node in numpy float64, forward and backward.

It knows nothing of loop programs and takes values and derivatives from the operator table; it is
the specification that all other backends are tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from cellsearch.graph import Graph
from cellsearch.numpy_math import NumpyMath
from cellsearch.numpy_step import Array, normalised, step
from cellsearch.operators import OPERATORS
from cellsearch.shapes import learned_tensors
from cellsearch.shell import States


class ReferenceSequence:
    """Runs one layer of a normal form in one direction, in float64 whatever the dtype."""

    def __init__(self, normal: Graph) -> None:
        self.normal = normal
        self.names = tuple(tensor.name for tensor in learned_tensors(normal))

    def __call__(
        self,
        tensors: Sequence[Tensor],
        rows: Tensor,
        batch_sizes: list[int],
        state: States,
        reverse: bool,
    ) -> tuple[Tensor, States]:
        """Return the output, (rows, hidden), and the last states; see `cellsearch.shell.scan`."""
        results = _Function.apply(  # type: ignore[no-untyped-call]
            self, batch_sizes, reverse, len(state), rows, *state, *tensors
        )
        return results[0], tuple(results[1:])


class _Function(torch.autograd.Function):
    """Connects the numpy computation to torch's differentiation."""

    @staticmethod
    def forward(
        ctx: Any,
        sequence: ReferenceSequence,
        batch_sizes: list[int],
        reverse: bool,
        states: int,
        rows: Tensor,
        *rest: Tensor,
    ) -> tuple[Tensor, ...]:
        arrays = [tensor.detach().cpu().numpy().astype(np.float64) for tensor in (rows, *rest)]
        tensors = dict(zip(sequence.names, arrays[1 + states :], strict=True))
        ctx.tape = _Tape(sequence.normal, tensors, batch_sizes, reverse)
        ctx.like, ctx.names = rows, sequence.names
        results = ctx.tape.forward(arrays[0], arrays[1 : 1 + states])
        return tuple(torch.from_numpy(result).to(rows) for result in results)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        if torch.is_grad_enabled():  # create_graph=True: the gradients would have no gradients
            raise RuntimeError("the reference backend is differentiated only once; use eager")
        arrays = [gradient.cpu().numpy().astype(np.float64) for gradient in gradients]
        rows, states, tensors = ctx.tape.backward(arrays[0], arrays[1:])
        results = [rows, *states, *(tensors[name] for name in ctx.names)]
        return (None,) * 4 + tuple(torch.from_numpy(np.array(r)).to(ctx.like) for r in results)


class _Tape:
    """Runs the steps, remembers every node's value, and runs them backwards."""

    def __init__(
        self, graph: Graph, tensors: dict[str, Array], batch_sizes: list[int], reverse: bool
    ) -> None:
        self.graph = graph
        self.tensors = tensors
        starts = np.cumsum([0, *batch_sizes[:-1]])
        steps = [(int(start), size) for start, size in zip(starts, batch_sizes, strict=True)]
        self.steps = steps[::-1] if reverse else steps
        self.output = graph.states[0][1] if graph.output is None else graph.output
        self.values: list[list[Array]] = []
        self.gradients: dict[str, Array] = {}

    def forward(self, x: Array, states: Sequence[Array]) -> list[Array]:
        """Return the output rows and the last states; sequences that ended keep theirs."""
        states = [state.copy() for state in states]
        output = np.zeros((x.shape[0], states[0].shape[1]))
        self.x = x
        for start, size in self.steps:
            leaves = {
                name: state[:size].copy()
                for (name, _), state in zip(self.graph.states, states, strict=True)
            }
            values = step(self.graph, x[start : start + size], leaves, self.tensors)
            self.values.append(values)
            output[start : start + size] = values[self.output]
            for (_, update), state in zip(self.graph.states, states, strict=True):
                state[:size] = values[update]
        return [output, *states]

    def backward(
        self, output: Array, last: Sequence[Array]
    ) -> tuple[Array, list[Array], dict[str, Array]]:
        """Return the gradients of x, of the initial states and of the learned tensors."""
        states = [gradient.copy() for gradient in last]
        self.gradients = {name: np.zeros_like(value) for name, value in self.tensors.items()}
        x = np.zeros_like(self.x)
        for (start, size), values in zip(self.steps[::-1], self.values[::-1], strict=True):
            adjoints: list[Array] = [np.zeros_like(value) for value in values]
            adjoints[self.output] = _into(adjoints[self.output], output[start : start + size])
            for (_, update), state in zip(self.graph.states, states, strict=True):
                adjoints[update] = _into(adjoints[update], state[:size])
                state[:size] = 0.0
            for index in range(len(values) - 1, -1, -1):
                node = self.graph.nodes[index]
                for arg, gradient in zip(
                    node.args, self._pullback(index, values, adjoints[index]), strict=True
                ):
                    adjoints[arg] = _into(adjoints[arg], gradient)
                if node.op == "x":
                    x[start : start + size] += adjoints[index]
                if node.op == "state":
                    names = [name for name, _ in self.graph.states]
                    states[names.index(node.name)][:size] += adjoints[index]
        return x, states, self.gradients

    def _pullback(self, index: int, values: list[Array], adjoint: Array) -> list[Array]:
        """Return the gradients of a node's arguments; add up those of its learned tensors."""
        node = self.graph.nodes[index]
        args = [values[arg] for arg in node.args]
        names = node.tensors
        if node.op == "parameter":
            self._learn(names[0], adjoint)
        if not args:
            return []
        with np.errstate(all="ignore"):
            if node.op == "linear":
                for arg, name in zip(args, names, strict=False):
                    rows = adjoint if arg.ndim == 2 or adjoint.ndim == 1 else adjoint.sum(0)
                    self._learn(name, np.atleast_2d(rows).T @ np.atleast_2d(arg))
                if len(names) > len(args):
                    self._learn(names[-1], adjoint)
                return [adjoint @ self.tensors[name] for name in names[: len(args)]]
            if node.op == "scale":
                self._learn(names[0], adjoint * args[0])
                return [adjoint * self.tensors[names[0]]]
            if node.op == "layer_norm":
                normal, deviation = normalised(args[0])
                self._learn(names[0], adjoint * normal)
                self._learn(names[1], adjoint)
                inner = adjoint * self.tensors[names[0]]
                inner_mean = inner.mean(-1, keepdims=True)
                along = normal * (inner * normal).mean(-1, keepdims=True)
                return [(inner - inner_mean - along) / deviation]
            derivative = OPERATORS[node.op].derivative
            if derivative is None:
                raise TypeError(f"operator {node.op} has no derivative")
            partials = derivative(NumpyMath, values[index], *args)
            return [adjoint * partial for partial in partials]

    def _learn(self, name: str, gradient: Array) -> None:
        self.gradients[name] = _into(self.gradients[name], gradient)


def _into(total: Array, gradient: Array) -> Array:
    """Add a gradient to one that may lack the leading axes, summing over what it lacks."""
    gradient = np.asarray(gradient)
    extra = gradient.ndim - total.ndim
    if extra > 0:
        gradient = gradient.sum(axis=tuple(range(extra)))
    return np.asarray(total + gradient)
