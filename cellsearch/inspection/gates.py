"""Gates among the edits of a cell: new ones, and those that decide the other way round."""

from __future__ import annotations

from cellsearch.analysis.edits import Part
from cellsearch.graph import Node
from cellsearch.inspection.parts import Parts
from cellsearch.operators import OPERATORS


def gated(parts: Parts, part: Part, before: Part) -> str:
    """Return what a new gate decides on, if a part is its product or its sum, else "".

    `before` is the value that was seen in place of the part.
    """
    node, args = parts.node(part, 1), parts.args(part, 1)
    if node.op == "mul":
        gates = [arg for arg in args if is_new_gate(parts, arg)]
        return f"on {_product(parts, part, gates[0], before)}" if len(gates) == 1 else ""
    if node.op == "blend" and is_new_gate(parts, args[0]):
        kept, taken = (_value(parts, arg, before) for arg in args[1:])
        return f"between {kept} and {taken}"
    if node.op == "add" and len(args) == 2:
        one, two = args
        return _coupled(parts, one, two, before) or _coupled(parts, two, one, before)
    return ""


def is_new_gate(parts: Parts, part: Part) -> bool:
    """Tell whether a part is a gate that the known cell has not."""
    return part[0] is None and _is_gate(parts.node(part, 1))


def coupled_gate(parts: Parts, values: set[Part]) -> Part | None:
    """Return the known cell's gate among values of which there is the complement, too."""
    for value in sorted(values, key=str):
        gate = _of_complement(parts, value, 0)
        if gate is not None and gate in values and _is_gate(parts.node(gate)):
            return gate
    return None


def _coupled(parts: Parts, one: Part, two: Part, before: Part) -> str:
    """Return what g * a and (1 - g) * b have a gate between."""
    if parts.node(one, 1).op != "mul" or parts.node(two, 1).op != "mul":
        return ""
    for other in parts.args(two, 1):
        gate = _of_complement(parts, other, 1)
        if gate is not None and gate in parts.args(one, 1) and is_new_gate(parts, gate):
            kept, taken = _product(parts, one, gate, before), _product(parts, two, other, before)
            return f"between {kept} and {taken}"
    return ""


def _of_complement(parts: Parts, part: Part, side: int) -> Part | None:
    """Return g if a part is 1 - g."""
    if parts.node(part, side).op != "sub":
        return None
    one, gate = parts.args(part, side)
    return gate if parts.node(one, side).attribute("value", 0.0) == 1.0 else None


def _product(parts: Parts, part: Part, without: Part, before: Part) -> str:
    factors = [arg for arg in parts.args(part, 1) if arg != without]
    if len(factors) == 1:
        return _value(parts, factors[0], before)
    return " * ".join(parts.expression(factor, 1) for factor in factors)


def _value(parts: Parts, part: Part, before: Part) -> str:
    return parts.value(part, 0 if part == before else 1)


def _is_gate(node: Node) -> bool:
    """Tell whether an operator's values are between 0 and 1, whatever it is applied to."""
    row = OPERATORS.get(node.op)
    return row is not None and row.range[0] >= 0 and row.range[1] <= 1
