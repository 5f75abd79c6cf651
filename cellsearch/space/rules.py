"""Rules that a space may add to those of every space, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from types import MappingProxyType
from typing import Literal

from cellsearch.analysis.polynomials import polynomials
from cellsearch.analysis.recurrence import recurrences
from cellsearch.graph import Graph
from cellsearch.operators import OPERATORS

ACTIVATIONS = tuple(
    name for name, row in OPERATORS.items() if row.arity == (1, 1) and row.kind == "elementwise"
)
"""The functions of one value that learn nothing."""


@dataclass(frozen=True, slots=True)
class LocalRule:
    """A rule for one operator at a time, so that a cell can heed it while it grows.

    `check` takes the operator's name and what its arguments are ("x", "state", "number" or an
    operator's name); it returns None, or what the operator does against the rule.
    """

    about: Literal["operators", "updates"]
    """Whether it holds for all operators, or for those that a state is updated by."""
    check: Callable[[str, Sequence[str]], str | None]
    meaning: str


@dataclass(frozen=True, slots=True)
class WholeRule:
    """A rule for a cell as a whole.

    `check` takes the normal form; it returns None, or in one sentence what is against the rule.
    """

    check: Callable[[Graph], str | None]
    meaning: str


Rule = LocalRule | WholeRule


def _two_or_three(op: str, seen: Sequence[str]) -> str | None:
    """Refuse a linear of one value or of more than three."""
    if op == "linear" and not 2 <= len(seen) <= 3:
        return f"sees {len(seen)} value{'s' * (len(seen) > 1)}; it may see 2 or 3"
    return None


def _linear_of_activations(op: str, seen: Sequence[str]) -> str | None:
    """Refuse a linear of anything but x, states and activations."""
    for source in seen:
        if op == "linear" and source not in ("x", "state", *ACTIVATIONS):
            return f"sees {source}; it may see x, states and activations"
    return None


def _indirect(op: str, seen: Sequence[str]) -> str | None:
    """Refuse an update that sees a state at t-1 with nothing between.

    A sum or product of three values has one at its head and two within a further one; so a state
    may be among them, but not all of them can be states. Of more, all may stand within.
    """
    count = seen.count("state")
    nested = op in OPERATORS and OPERATORS[op].associative and len(seen) > 2
    if op == "state" or (count and not nested) or (count == len(seen) == 3):
        return "sees a state at t-1 directly"
    return None


def _nothing_cancels(graph: Graph) -> str | None:
    """Refuse sums and products in which a value comes to nothing, as b does in a + b - b."""
    written_out = polynomials(graph)
    parts: list[int] = []  # itself and what it is a sum or product of, for each value, as bits
    for index, node in enumerate(graph.nodes):
        variables = written_out[index].variables
        args = node.args if index not in variables else ()  # else it is neither, or too long
        parts.append(reduce(or_, (parts[arg] for arg in args), 1 << index))
        left = reduce(or_, (parts[variable] for variable in variables), 0)
        for variable in (variable for arg in args for variable in written_out[arg].variables):
            if not left >> variable & 1:
                op, name = graph.nodes[variable].op, graph.nodes[variable].name
                what = f"{name}_prev" if op == "state" else f"a value, {op},"
                return f"{what} cancels out in one of its operators, {node.op}."
    return None


def _scan(graph: Graph) -> str | None:
    """Refuse what is no recurrence, or one of another kind than scan; see `recurrence`."""
    found = recurrences(graph)
    if not found:
        return "none of its states depends on itself at t-1."
    for recurrence in found:
        if recurrence.kind == "scan":
            continue
        names = " and ".join(recurrence.states)
        one = len(recurrence.states) == 1
        if recurrence.kind == "dense":
            return (
                f"its {names} at t-1 reach{'es itself' if one else ' themselves'} through a linear"
                " or layer_norm; a scan is elementwise."
            )
        verb, whom = ("is", "itself") if one else ("are", "themselves")
        return f"its {names} {verb} not affine in {whom} at t-1, as in a scan."
    return None


POSITIVE, NOT_NEGATIVE, UNKNOWN = 2, 1, 0
"""What is known of a value's sign, the more the higher."""
DIVISIONS = ("div", "reciprocal")
"""Operators that divide by their last argument."""
_ALWAYS_POSITIVE = ("sigmoid", "softplus", "exp")


def sign(op: str, args: Sequence[int], number: float = 0.0) -> int:
    """Return what is known of the sign of an operator's value, given that of its arguments.

    It holds for all inputs and weights, up to underflow. `number` is the value of a number.
    """
    if op in _ALWAYS_POSITIVE or number > 0:
        return POSITIVE
    if op == "add" and min(args) > UNKNOWN:
        return max(args)
    if op in ("mul", "div", "mean"):
        return min(args)
    row = OPERATORS.get(op)
    return NOT_NEGATIVE if row is not None and row.range[0] >= 0 else UNKNOWN


def _positive_divisors(graph: Graph) -> str | None:
    """Refuse a division by what may be zero or of either sign."""
    signs: list[int] = []
    for node in graph.nodes:
        number = float(node.attribute("value", 0.0))
        signs.append(sign(node.op, [signs[arg] for arg in node.args], number))
        if node.op in DIVISIONS and signs[node.args[-1]] < POSITIVE:
            by = graph.nodes[node.args[-1]].op
            return f"it divides by one of its values, {by}, that may be zero."
    return None


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "linears_of_2_or_3": LocalRule(
            "operators", _two_or_three, "a linear sees 2 or 3 values, no fewer and no more"
        ),
        "linears_of_activations": LocalRule(
            "operators",
            _linear_of_activations,
            "a linear sees x, states at t-1 and activations such as tanh, nothing else",
        ),
        "indirect_carry": LocalRule(
            "updates", _indirect, "no state at t-1 enters an update with nothing between"
        ),
        "nothing_cancels": WholeRule(
            _nothing_cancels, "no value comes to nothing, as b does in a + b - b"
        ),
        "positive_divisors": WholeRule(
            _positive_divisors, "what is divided by is always more than zero"
        ),
        "scan": WholeRule(
            _scan, "every state can be computed for all steps at once, by a parallel scan"
        ),
    }
)
"""Every rule by its name in a space's file."""
