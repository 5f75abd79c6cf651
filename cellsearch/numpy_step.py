"""One step of a cell in numpy float64: the value of every node."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from cellsearch.graph import Graph, Node
from cellsearch.numpy_math import NumpyMath
from cellsearch.operators import LAYER_NORM_EPSILON, OPERATORS

Array = NDArray[np.float64]


def step(
    graph: Graph, x: Array, states: Mapping[str, Array], tensors: Mapping[str, Array]
) -> list[Array]:
    """Return the value of each node of a normal form.

    Shapes: x (batch, input_size), each state (batch, hidden_size), learned tensors by name as
    `learned_tensors` says. What does not depend on x or a state has no batch axis. What is computed
    without a value, such as the logarithm of a negative number, is NaN or infinite, without a
    warning.
    """
    values: list[Array] = []
    with np.errstate(all="ignore"):
        for node in graph.nodes:
            args = [values[arg] for arg in node.args]
            if node.op == "x":
                values.append(x)
            elif node.op == "state":
                values.append(states[node.name])
            else:
                values.append(_value(node, args, [tensors[name] for name in node.tensors]))
    return values


def normalised(value: Array) -> tuple[Array, Array]:
    """Return a value with mean 0 and variance 1 over the features, and the deviation."""
    centred = value - value.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + LAYER_NORM_EPSILON)
    return centred / deviation, deviation


def _value(node: Node, args: list[Array], tensors: list[Array]) -> Array:
    if node.op == "number":
        return np.array(node.attribute("value", 0.0), dtype=np.float64)
    if node.op == "parameter":
        return tensors[0]
    if node.op == "linear":
        total = sum(arg @ matrix.T for arg, matrix in zip(args, tensors, strict=False))
        return np.asarray(total + (tensors[-1] if len(tensors) > len(args) else 0.0))
    if node.op == "scale":
        return args[0] * tensors[0]
    if node.op == "layer_norm":
        return normalised(args[0])[0] * tensors[0] + tensors[1]
    return np.asarray(OPERATORS[node.op].formula(NumpyMath, *args), dtype=np.float64)
