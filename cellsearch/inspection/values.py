"""What each value of a cell is for, in words: its range, its role, what it does to others."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellsearch.analysis.ranges import Interval, ranges
from cellsearch.analysis.roles import Effect, Role, roles
from cellsearch.graph import Node
from cellsearch.inspection.written import written
from cellsearch.operators import OPERATORS
from cellsearch.printing import format_number

if TYPE_CHECKING:
    from cellsearch.cell import Cell


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a cell as it was written; `text` is its name, or its expression if it has none."""

    node: Node
    text: str
    range: Interval
    role: Role


def values(cell: Cell) -> tuple[Value, ...]:
    """Return the values of a cell as it was written, arguments before their users."""
    graph = written(cell)
    bounds = ranges(graph)
    return tuple(
        Value(node, _words(graph.nodes, index), interval, role)
        for index, (node, interval, role) in enumerate(
            zip(graph.nodes, bounds, roles(graph, bounds), strict=True)
        )
    )


def plain_values(found: Sequence[Value]) -> list[dict[str, Any]]:
    """Return values as plain JSON: a range's end is None where there is no bound."""
    return [
        {
            "name": value.text,
            "operator": value.node.op,
            "range": [
                end if math.isfinite(end) else None for end in (value.range.low, value.range.high)
            ],
            "role": value.role.name,
            "states": list(value.role.states),
            "does": [
                {
                    "verb": effect.verb,
                    "value": found[effect.value].text,
                    "complement": effect.complement,
                    "into": effect.into or None,
                }
                for effect in value.role.effects
            ],
        }
        for value in found
    ]


def plain_gates(found: Sequence[Value]) -> list[dict[str, Any]]:
    """Return what gates, and states that act as gates, and their complements multiply."""
    return [
        {
            "name": value.text,
            "multiplies": _multiplied(found, value.role, complement=False),
            "complement": _multiplied(found, value.role, complement=True),
        }
        for value in found
        if value.role.effects and value.role.name not in ("weight", "candidate")
    ]


def _multiplied(found: Sequence[Value], role: Role, complement: bool) -> list[str]:
    effects = (effect for effect in role.effects if effect.complement is complement)
    return list(dict.fromkeys(found[effect.value].text for effect in effects))


def rows(found: Sequence[Value]) -> list[tuple[str, str, str]]:
    """Return what is worth a line each: name, range, role and what it does.

    These are the states, once each, the values with a name, and those with a role.
    """
    leaves = {value.node.name: value for value in found if value.node.op == "state"}
    told = []
    for value in found:
        node, role, interval = value.node, value.role, value.range
        if node.op in ("x", "state", "number") or not (node.name or role.name):
            continue
        if node.name in role.states and node.name in leaves:  # the update: with the state at t-1
            leaf = leaves.pop(node.name)
            interval = interval.hull(leaf.range)
            role = Role(role.name, (*leaf.role.effects, *role.effects), role.states)
        told.append((value.text, range_text(interval), sentence(found, value.text, role)))
    for value in leaves.values():  # updated by what has another name: x, a number, another state
        told.append((value.text, range_text(value.range), sentence(found, value.text, value.role)))
    return told


def range_text(interval: Interval) -> str:
    """Return a range in words, to four digits."""
    low, high = (
        format_number(float(f"{end:.4g}")) if math.isfinite(end) else ""
        for end in (interval.low, interval.high)
    )
    if low and high:
        return low if low == high else f"{low} to {high}"
    if low or high:
        return f"from {low}" if low else f"up to {high}"
    return "any"


def sentence(found: Sequence[Value], name: str, role: Role) -> str:
    """Return a role and what it does, such as "gate: keeps h_prev; 1 - z lets n into h"."""
    if role.name == "candidate":
        return f"candidate for {', '.join(role.states)}"
    other = f"1 - {name}" if name.isidentifier() else "its complement"
    said = "; ".join(
        f"{other} {text}" if complement else text
        for complement in (False, True)
        for text in _phrases(found, [e for e in role.effects if e.complement is complement])
    )
    return f"{role.name}: {said}" if said else role.name


def _phrases(found: Sequence[Value], effects: Sequence[Effect]) -> list[str]:
    """Return phrases, one for all values to which the same is done."""
    grouped: dict[tuple[str, str], list[str]] = {}
    for effect in effects:
        grouped.setdefault((effect.verb, effect.into), []).append(found[effect.value].text)
    phrases = []
    for (verb, into), names in grouped.items():
        listed = ", ".join(names)
        if verb == "lets in":
            phrases.append(f"lets {listed} into {into}")
        else:
            phrases.append(f"lets {listed} out" if verb == "lets out" else f"{verb} {listed}")
    return phrases


def _words(nodes: tuple[Node, ...], index: int, within: str = "") -> str:
    """Return a node's name, or its expression as in a cell's text, attributes left out.

    What stands within an infix operator is in parentheses.
    """
    node = nodes[index]
    if node.op == "state":
        return f"{node.name}_prev"
    if node.name or node.op == "x":
        return node.name or "x"
    if node.op == "number":
        return format_number(float(node.attribute("value", 0.0)))
    row = OPERATORS.get(node.op)
    infix = None if row is None else row.infix
    args = [_words(nodes, arg, infix or "") for arg in node.args]
    if infix is None:
        return f"{node.op}({', '.join(args)})"
    text = f" {infix} ".join(args)
    return f"({text})" if within else text
