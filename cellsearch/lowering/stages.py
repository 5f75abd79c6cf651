"""First pass: when can each node of a normal form be computed?"""

from __future__ import annotations

import numpy as np

from cellsearch.graph import Graph
from cellsearch.lowering.program import Stage
from cellsearch.numpy_math import NumpyMath
from cellsearch.operators import OPERATORS, Formula


def assign_stages(normal: Graph) -> tuple[Stage, ...]:
    """Return the stage of every node.

    Numbers and what follows from them are numbers; what depends on learned tensors only is
    constant; on x too, before; the rest is in the loop if an update needs it, else after it.
    """
    needed = _needed_by_updates(normal)
    stages: list[Stage] = []
    for index, node in enumerate(normal.nodes):
        args = {stages[arg] for arg in node.args}
        stage: Stage
        if node.op == "state" or args & {"loop", "after"}:
            stage = "loop" if node.op == "state" or index in needed else "after"
        elif node.op == "x" or "before" in args:
            stage = "before"
        elif node.op == "number" or (
            args == {"number"} and OPERATORS[node.op].kind == "elementwise"
        ):
            stage = "number"
        else:
            stage = "constant"
        stages.append(stage)
    return tuple(stages)


def fold_numbers(normal: Graph, stages: tuple[Stage, ...]) -> dict[int, float]:
    """Return the value of every node of stage number."""
    values: dict[int, float] = {}
    for index, node in enumerate(normal.nodes):
        if stages[index] == "number":
            if node.op == "number":
                values[index] = float(node.attribute("value", 0.0))
            else:
                args = [values[arg] for arg in node.args]
                values[index] = _evaluate(OPERATORS[node.op].formula, args)
    return values


def _needed_by_updates(normal: Graph) -> set[int]:
    needed = {update for _, update in normal.states}
    for index in range(len(normal.nodes) - 1, -1, -1):
        if index in needed:
            needed.update(normal.nodes[index].args)
    return needed


def _evaluate(formula: Formula, args: list[float]) -> float:
    with np.errstate(all="ignore"):  # infinity and NaN are results like others, as in torch
        return float(formula(NumpyMath, *(np.float64(arg) for arg in args)))
