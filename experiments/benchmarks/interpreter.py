"""A cell run node by node: at every step, one call of torch for each operator of the cell.

This is how published search tools run the cells that they find, and what compiled kernels are
measured against. Nothing is moved out of the loop and no products are put together.

Also here: the steps of lstm and gru as one writes them by hand, for torch.compile.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Sequence
from functools import partial, reduce

import torch
from timing import error, first, inputs, results
from torch import Tensor, nn
from torch.nn import functional

from cellsearch.graph import Node
from cellsearch.layers import Recurrent
from cellsearch.shapes import SCALAR, widths

Function = Callable[..., Tensor]

_INFIX: dict[str, Function] = {  # these take Python numbers beside tensors
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
}
_FUNCTIONS: dict[str, Function] = {
    "identity": lambda a: a,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": functional.leaky_relu,
    "softplus": partial(functional.softplus, threshold=40.0),
    "silu": functional.silu,
    "gelu": functional.gelu,
    "sin": torch.sin,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "square": torch.square,
    "reciprocal": torch.reciprocal,
    "hard_sigmoid": functional.hardsigmoid,
    "neg": torch.neg,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mean": lambda *a: reduce(operator.add, a) / len(a),
    "blend": lambda gate, a, b: torch.lerp(b, a, gate),
}


class NodeByNode:
    """Interprets the one layer of a `Recurrent` whose learned tensors it shares."""

    def __init__(self, layer: Recurrent) -> None:
        graph = layer.cell.normal
        self.hidden_size = layer.hidden_size
        self.tensors = {
            name.removeprefix("l0."): tensor for name, tensor in layer.named_parameters()
        }
        self.dtype = next(iter(self.tensors.values())).dtype if self.tensors else torch.float32
        scalar = [width == SCALAR for width in widths(graph)]
        self.values: list[Tensor | float | None] = [None] * len(graph.nodes)
        self.program: list[tuple[int, Function, tuple[int, ...]]] = []
        self.x: list[int] = []
        leaves: dict[str, int] = {}
        starts: dict[str, float] = {}
        for index, node in enumerate(graph.nodes):
            if node.op == "x":
                self.x.append(index)
            elif node.op == "state":
                leaves[node.name] = index
                starts[node.name] = float(node.attribute("start", 0.0))
            elif node.op == "number":
                self.values[index] = float(node.attribute("value", 0.0))
            elif node.op == "parameter":
                self.values[index] = self.tensors[node.tensors[0]]
            else:
                function = self._function(node, any(scalar[arg] for arg in node.args))
                self.program.append((index, function, node.args))
        self.states = [(leaves.get(name), update) for name, update in graph.states]
        self.starts = [starts.get(name, 0.0) for name, _ in graph.states]
        self.output = graph.states[0][1] if graph.output is None else graph.output

    def __call__(self, x: Tensor) -> Tensor:
        """Return the output, (steps, batch, hidden), of x, (steps, batch, input)."""
        values = list(self.values)
        zeros = x.new_zeros(x.size(1), self.hidden_size)
        states = [zeros + start for start in self.starts]
        outputs = []
        for row in x.unbind():
            for index in self.x:
                values[index] = row
            for (leaf, _), state in zip(self.states, states, strict=True):
                if leaf is not None:
                    values[leaf] = state
            for index, function, args in self.program:
                values[index] = function(*[values[arg] for arg in args])
            states = [_full(values[update], zeros) for _, update in self.states]
            outputs.append(_full(values[self.output], zeros))
        return torch.stack(outputs)

    def _function(self, node: Node, some_scalar: bool) -> Function:
        """Return the function of a node's arguments."""
        tensors = [self.tensors[name] for name in node.tensors]
        if node.op == "linear":
            bias = tensors[-1] if len(tensors) > len(node.args) else None
            return _linear(tensors[: len(node.args)], bias)
        if node.op == "scale":
            return lambda a: a * tensors[0]
        if node.op == "layer_norm":
            return lambda a: functional.layer_norm(a, (a.size(-1),), tensors[0], tensors[1])
        if node.op in _INFIX:
            binary = _INFIX[node.op]
            return binary if len(node.args) == 2 else lambda *args: reduce(binary, args)
        function = _FUNCTIONS[node.op]
        return _on_tensors(function, self.dtype) if some_scalar else function


def compare(layer: Recurrent, size: tuple[int, ...], dtype: torch.dtype) -> float | None:
    """Return how far a layer's output and gradients are from those of its interpretation.

    None if the interpretation overflows; see `timing.inputs` for the size.
    """
    x, weight = inputs(size, dtype)
    layer = copy.deepcopy(layer).to(dtype)
    weights = list(layer.parameters())
    expected = results(NodeByNode(layer), weights, x, weight)
    if not all(bool(tensor.isfinite().all()) for tensor in expected):
        return None
    return error(results(first(layer), weights, x, weight), expected)


def _linear(weights: Sequence[Tensor], bias: Tensor | None) -> Function:
    """Return a function that makes one product for each argument."""
    first, *rest = weights

    def run(arg: Tensor, *args: Tensor) -> Tensor:
        total = functional.linear(arg, first, bias)
        for other, weight in zip(args, rest, strict=True):
            total = total + functional.linear(other, weight)
        return total

    return run


def _on_tensors(function: Function, dtype: torch.dtype) -> Function:
    """Return a function that also takes Python numbers."""
    return lambda *args: function(*[torch.as_tensor(arg, dtype=dtype) for arg in args])


def _full(value: Tensor | float | None, like: Tensor) -> Tensor:
    """Repeat a value that is the same for every sequence."""
    if isinstance(value, Tensor) and value.shape == like.shape:
        return value
    return torch.as_tensor(value).to(like).expand_as(like)


# By hand, with the weights that torch.nn stacks: of the input, of the state, and a bias each

GATES = {"lstm": "ifgo", "gru": "rzn"}  # in the order in which torch stacks them

States = tuple[Tensor, ...]
Step = Callable[[Tensor, States, Sequence[Tensor]], States]


def lstm_step(x: Tensor, state: States, weights: Sequence[Tensor]) -> States:
    """Return the states of an lstm after one step, h first."""
    h, c = state
    products = functional.linear(x, weights[0], weights[2])
    products = products + functional.linear(h, weights[1], weights[3])
    i, f, g, o = products.chunk(4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_step(x: Tensor, state: States, weights: Sequence[Tensor]) -> States:
    """Return the state of a gru after one step."""
    (h,) = state
    r_x, z_x, n_x = functional.linear(x, weights[0], weights[2]).chunk(3, 1)
    r_h, z_h, n_h = functional.linear(h, weights[1], weights[3]).chunk(3, 1)
    r, z = torch.sigmoid(r_x + r_h), torch.sigmoid(z_x + z_h)
    n = torch.tanh(n_x + r * n_h)
    return (z * h + (1 - z) * n,)


STEPS: dict[str, Step] = {"lstm": lstm_step, "gru": gru_step}


class ByHand:
    """Calls a step for each row of its input, in a Python loop."""

    def __init__(
        self, step: Step, weights: Sequence[Tensor], states: int, hidden_size: int
    ) -> None:
        self.step, self.weights = step, weights
        self.states, self.hidden_size = states, hidden_size

    def __call__(self, x: Tensor) -> Tensor:
        """Return the output, (steps, batch, hidden), of x, (steps, batch, input)."""
        state = (x.new_zeros(x.size(1), self.hidden_size),) * self.states
        outputs = []
        for row in x.unbind():
            state = self.step(row, state, self.weights)
            outputs.append(state[0])
        return torch.stack(outputs)


def copy_weights(name: str, ours: nn.Module, theirs: nn.Module) -> None:
    """Give a zoo lstm or gru the weights of torch's, whose two biases it may have as one."""
    prefix, suffix = ("l0.", "_l0") if isinstance(ours, Recurrent) else ("", "")
    kinds = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    blocks = [
        theirs.get_parameter(kind + suffix).detach().chunk(len(GATES[name])) for kind in kinds
    ]
    found = {}
    for gate, x_weight, h_weight, x_bias, h_bias in zip(GATES[name], *blocks, strict=True):
        found[f"{gate}.weight_0"] = x_weight
        if gate == "n":  # r * linear(h_prev): a linear of its own
            found |= {"n_2.weight_0": h_weight, "n.bias": x_bias, "n_2.bias": h_bias}
        else:
            found |= {f"{gate}.weight_1": h_weight, f"{gate}.bias": x_bias + h_bias}
    ours.load_state_dict({prefix + key: value for key, value in found.items()})
