"""A second opinion on what a cell's text means: its Python syntax tree, walked in torch.

It shares nothing with the package: no graph, no normal form, no operator table. Names are worked
out when something asks for them, so that dead code asks for no learned tensors.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

OPERATORS: dict[str, Callable[..., Tensor]] = {
    "identity": lambda a: a,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "leaky_relu": lambda a: functional.leaky_relu(a, 0.01),
    "softplus": lambda a: torch.logaddexp(a, torch.zeros_like(a)),
    "silu": functional.silu,
    "gelu": functional.gelu,
    "sin": torch.sin,
    "exp": torch.exp,
    "log": torch.log,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "square": lambda a: a**2,
    "reciprocal": lambda a: a**-1,
    "hard_sigmoid": lambda a: (a + 3).clamp(0, 6) / 6,
    "neg": lambda a: 0 - a,
    "add": lambda *a: sum(a[1:], a[0]),
    "mul": lambda a, *rest: a * OPERATORS["mul"](*rest) if rest else a,
    "sub": torch.sub,
    "div": torch.div,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "mean": lambda *a: sum(a[1:], a[0]) / len(a),
    "blend": lambda a, b, c: a * b + (1 - a) * c,
}
INFIX = {ast.Add: "add", ast.Sub: "sub", ast.Mult: "mul", ast.Div: "div"}


class Step:
    """One step: x and the states at t-1 are given, everything else is worked out on demand."""

    def __init__(
        self, text: str, tensors: Mapping[str, Tensor], x: Tensor, states: Mapping[str, Tensor]
    ) -> None:
        self.statements = {
            statement.targets[0].id: statement.value  # type: ignore[attr-defined]
            for statement in ast.parse(text).body
        }
        self.tensors = tensors
        self.known = {"x": x, **{f"{name}_prev": value for name, value in states.items()}}
        self.owners = 0

    def value(self, name: str) -> Tensor:
        if name not in self.known:
            outside, self.owners = self.owners, 0
            self.known[name] = self._expression(self.statements[name], name)
            self.owners = outside
        return self.known[name]

    def _expression(self, tree: ast.expr, statement: str) -> Tensor:
        match tree:
            case ast.Name(id=name):
                return self.value(name)
            case ast.Constant(value=number):
                return torch.tensor(float(number), dtype=torch.float64)
            case ast.UnaryOp(operand=operand):
                return -self._expression(operand, statement)
            case ast.BinOp(left=left, op=op, right=right):
                args = self._expression(left, statement), self._expression(right, statement)
                return OPERATORS[INFIX[type(op)]](*args)
            case ast.Call(func=ast.Name(id=op)):
                return self._call(tree, op, statement)
        raise TypeError(ast.dump(tree))

    def _call(self, tree: ast.Call, op: str, statement: str) -> Tensor:
        owner = ""
        if op in ("linear", "scale", "layer_norm", "parameter"):
            self.owners += 1
            owner = statement if self.owners == 1 else f"{statement}_{self.owners}"
        args = [self._expression(arg, statement) for arg in tree.args]
        if op == "linear":
            total: Tensor | float = self.tensors.get(f"{owner}.bias", 0.0)
            for slot, arg in enumerate(args):
                total = total + arg @ self.tensors[f"{owner}.weight_{slot}"].T
            return torch.as_tensor(total)
        if op == "scale":
            return args[0] * self.tensors[f"{owner}.weight"]
        if op == "parameter":
            return self.tensors[f"{owner}.value"]
        if op == "layer_norm":
            centred = args[0] - args[0].mean(-1, keepdim=True)
            variance = (centred**2).mean(-1, keepdim=True)
            normal = centred / torch.sqrt(variance + 1e-5)
            return normal * self.tensors[f"{owner}.weight"] + self.tensors[f"{owner}.bias"]
        return OPERATORS[op](*args)


def interpret(
    text: str,
    tensors: Mapping[str, Tensor],
    inputs: Tensor,
    states: Mapping[str, Tensor],
    reverse: bool = False,
) -> tuple[Tensor, dict[str, Tensor]]:
    """Run a cell over inputs of shape (steps, batch, input_size).

    `states` holds the initial value of each carried state, (batch, hidden_size). Returns the
    outputs, (steps, batch, hidden_size), and the last states.
    """
    shape = next(iter(states.values())).shape
    outputs: list[Tensor] = []
    order: Sequence[int] = range(len(inputs))
    for t in reversed(order) if reverse else order:
        step = Step(text, tensors, inputs[t], states)
        states = {name: step.value(name).expand(shape) for name in states}
        output = "output" if "output" in step.statements else "h"
        outputs.append(step.value(output).expand(shape))
    return torch.stack(outputs[::-1] if reverse else outputs), dict(states)
