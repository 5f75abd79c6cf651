"""The operator table in torch: for each operator a function of tensors."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import torch

from cellsearch.operators import LAYER_NORM_EPSILON, OPERATORS, Operator

Function = Callable[..., torch.Tensor]
_INFIX = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}


class TorchMath:
    """The namespace `m` of the operator table's formulas, for tensors and numbers."""

    exp, log, log1p, tanh, sqrt = torch.exp, torch.log, torch.log1p, torch.tanh, torch.sqrt
    sin, cos, erf, abs = torch.sin, torch.cos, torch.erf, torch.abs
    maximum, minimum, where = torch.maximum, torch.minimum, torch.where


def torch_function(name: str, count: int) -> Function:
    """Return a function of `count` tensors that computes an operator.

    Operators with an infix sign also take Python numbers as arguments; all others need tensors.
    """
    if name == "layer_norm":
        return _layer_norm
    row = OPERATORS[name]
    if row.infix is not None:
        binary = _INFIX[row.infix]
        return binary if count == 2 else lambda *args: reduce(binary, args)
    if row.torch is None:
        return partial(row.formula, TorchMath)
    return _named(row)


def takes_numbers(name: str) -> bool:
    """Tell whether an operator's function takes Python numbers beside tensors."""
    row = OPERATORS[name]
    return row.infix is not None or row.torch is None


def _named(row: Operator) -> Function:
    """Resolve the dotted name that the row gives, such as "torch.nn.functional.gelu"."""
    function: Any = torch
    for part in (row.torch or "").split(".")[1:]:
        function = getattr(function, part)
    if row.torch_arguments:
        function = partial(function, **row.torch_arguments)
    if row.torch_order is None:
        resolved: Function = function
        return resolved
    order = row.torch_order
    return lambda *args: function(*(args[position] for position in order))


def _layer_norm(value: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    shape = (value.size(-1),)
    return torch.nn.functional.layer_norm(value, shape, weight, bias, LAYER_NORM_EPSILON)
