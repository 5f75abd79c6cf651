"""The kind of a cell: how the states of one step depend on those of the step before.

State s *reads* state t if the update of s depends, within one step, on t at t-1. States that read
each other, directly or through others, form a *recurrence*; a state by itself is one only if it
reads itself. The kind of a recurrence is

- ``dense`` if one of its states reaches the update of one of its states through a ``linear`` or a
  ``layer_norm``: each feature depends on all features of the step before;
- ``scan`` if its updates are jointly affine in its states, feature by feature, with coefficients
  that see only x, learned tensors and states outside of the recurrence;
- ``diagonal`` otherwise: feature by feature, but not affine.

The kind of a cell is the worst of its recurrences' kinds, and ``scan`` if there is none. So it is
of no account that h = o * tanh(c) is not affine where nothing reads h_prev.

An elementwise operator is jointly affine in some of its arguments exactly when its partial
derivative by each of these sees none of these. What a derivative sees is read off the formula in
the operator table; a piecewise affine operator such as relu is not affine, and nothing is made of
numbers: `0 * tanh(h_prev)` and `h_prev - h_prev` count as depending on h_prev.

The kinds differ in how they can be computed. Affine maps compose to affine maps (per feature, as
small matrices between the states of the recurrence), so that a recurrence of kind scan takes a
number of parallel steps that grows with the logarithm of the sequence's length (Blelloch, Prefix
sums and their applications, 1990; for recurrent networks Martin and Cundy, 2018,
https://arxiv.org/abs/1709.04057). Others can be solved by Newton's method over the whole sequence,
each iteration being such a scan over the Jacobians (Lim et al., 2024,
https://arxiv.org/abs/2309.12252), which is cheap where these are diagonal (Danieli et al., 2025,
https://arxiv.org/abs/2510.21450).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, reduce
from operator import or_
from typing import Any, Literal

from cellsearch.graph import Graph, Node
from cellsearch.operators import OPERATORS, Formula

Kind = Literal["scan", "diagonal", "dense"]

KINDS: tuple[Kind, ...] = ("scan", "diagonal", "dense")
"""The kinds, from the one that computes best in parallel to the one that computes worst."""


@dataclass(frozen=True, slots=True)
class Recurrence:
    """States that read each other at t-1, in the order of the graph, and what kind that is of."""

    states: tuple[str, ...]
    kind: Kind


def kind(graph: Graph) -> Kind:
    """Return the kind of a cell, from its normal form."""
    found = [KINDS.index(recurrence.kind) for recurrence in recurrences(graph)]
    return KINDS[max(found, default=0)]


def recurrences(graph: Graph) -> tuple[Recurrence, ...]:
    """Return the recurrences of a normal form, in the order of their first states."""
    names = [name for name, _ in graph.states]
    bits = {name: 1 << position for position, name in enumerate(names)}
    read = _dependences(graph, bits)
    reaches = _closure([read[update].seen for _, update in graph.states])
    groups: dict[str, int] = {}  # the recurrence of each state that has one, as a bit
    members: list[list[str]] = []
    for position, name in enumerate(names):
        if not reaches[position] >> position & 1 or name in groups:
            continue
        mutual = [
            other
            for place, other in enumerate(names)
            if reaches[position] >> place & 1 and reaches[place] >> position & 1
        ]
        groups |= dict.fromkeys(mutual, 1 << len(members))
        members.append(mutual)
    dependences = _dependences(graph, groups)
    updates = dict(graph.states)
    return tuple(
        Recurrence(
            tuple(states), _worst([dependences[updates[name]] for name in states], 1 << group)
        )
        for group, states in enumerate(members)
    )


@dataclass(frozen=True, slots=True)
class _Dependence:
    """How a value depends on states at t-1; each field is a set of groups of states, as bits."""

    seen: int = 0
    curved: int = 0  # those in which it is not jointly affine
    mixed: int = 0  # those that it sees through a linear or a layer_norm


def _dependences(graph: Graph, bits: dict[str, int]) -> list[_Dependence]:
    """Return every node's dependence on the groups that `bits` puts the states in."""
    found: list[_Dependence] = []
    for node in graph.nodes:
        if node.op == "state":
            found.append(_Dependence(bits.get(node.name, 0)))
            continue
        args = [found[arg] for arg in node.args]
        seen = curved = mixed = 0
        for arg in args:
            seen, curved, mixed = seen | arg.seen, curved | arg.curved, mixed | arg.mixed
        if mixes_features(node):
            mixed = seen
        for arg, sees in zip(args, seen_by_partials(node), strict=True):
            if arg.seen & ~curved:
                for slot in sees:
                    curved |= arg.seen & args[slot].seen
        found.append(_Dependence(seen, curved, mixed))
    return found


def _worst(updates: list[_Dependence], group: int) -> Kind:
    if any(update.mixed & group for update in updates):
        return "dense"
    return "diagonal" if any(update.curved & group for update in updates) else "scan"


def _closure(reads: list[int]) -> list[int]:
    """Return what each state reads directly or through others (Warshall, 1962)."""
    reaches = list(reads)
    for middle, _ in enumerate(reaches):
        for first, reached in enumerate(reaches):
            if reached >> middle & 1:
                reaches[first] |= reaches[middle]
    return reaches


def mixes_features(node: Node) -> bool:
    """Return whether each feature of a node's value depends on all features of its arguments."""
    return node.op in OPERATORS and OPERATORS[node.op].kind in ("linear", "layer_norm")


def seen_by_partials(node: Node) -> tuple[tuple[int, ...], ...]:
    """Return for each argument of a node which arguments the partial derivative by it sees.

    A node is affine in an argument, the others being fixed, if the derivative by it does not see
    it. What mixes features is not elementwise: its derivatives count as seeing everything.
    """
    row = OPERATORS.get(node.op)
    if row is None:
        return ()
    if row.kind == "scale":
        return ((),)
    if row.derivative is None:
        return (tuple(range(len(node.args))),) * len(node.args)
    return seen_by_derivative(row.derivative, len(node.args), row.commutative)


@lru_cache(maxsize=4096)
def seen_by_derivative(
    derivative: Formula, count: int, alike: bool = False
) -> tuple[tuple[int, ...], ...]:
    """Return which of `count` arguments each partial derivative of a formula sees.

    Of arguments that are all `alike`, as those of a commutative operator, three tell of any number.
    """
    if alike and count > 3:
        few = seen_by_derivative(derivative, 3)[0]
        own, others = 0 in few, 1 in few
        return tuple(
            tuple(slot for slot in range(count) if (own if slot == place else others))
            for place in range(count)
        )
    args = [_Trace(1 << slot) for slot in range(count)]
    partials = derivative(_TRACING, _Trace((1 << count) - 1), *args)
    return tuple(
        tuple(slot for slot in range(count) if _seen(partial) >> slot & 1) for partial in partials
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Trace:
    """Stands for a number in a formula and remembers which arguments it was computed from."""

    seen: int  # as bits

    def _with(self, other: object) -> _Trace:
        return _Trace(self.seen | _seen(other))

    def _alone(self) -> _Trace:
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _with
    __truediv__ = __rtruediv__ = _with
    __lt__ = __le__ = __gt__ = __ge__ = _with
    __eq__ = __ne__ = _with  # type: ignore[assignment]
    __and__ = __or__ = _with
    __neg__ = __invert__ = _alone
    __hash__ = None  # type: ignore[assignment]

    def __bool__(self) -> bool:
        raise TypeError("a formula decides with m.where, not with if: it is run on whole arrays")


class _Tracing:
    """A namespace of elementary functions each of which remembers all its arguments."""

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return _join


_TRACING = _Tracing()


def _join(*args: object) -> _Trace:
    return _Trace(reduce(or_, map(_seen, args), 0))


def _seen(value: object) -> int:
    return value.seen if isinstance(value, _Trace) else 0
