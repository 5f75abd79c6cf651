"""A cell that is still growing: a graph with open places, and the growths it can make.

A growth puts something in an open place: an operator of new open places, a state, or a value that
is there already. For scoring, what is open is closed, each place by a linear of its own, so that a
half grown cell can be trained like any other.

After Schrimpf, Merity, Bradbury and Socher, 2017, "A Flexible Approach to Automated RNN
Architecture Generation", https://arxiv.org/abs/1712.07316; without its two neural networks, the
generator and the ranking function.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import networkx as nx

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.graph import Attributes
from cellsearch.operators import OPERATORS
from cellsearch.space import Space
from cellsearch.space.growth import draw_attributes
from cellsearch.space.rules import ACTIVATIONS

OPEN = "open"
"""What stands as the operator of an open place."""

AT_ONCE = 3
"""Growths that may come together, where each alone leaves the space."""
BEGINNINGS = 100
"""Random growths that a way of closing is given to show that it suits the space."""

LEAVES = ("x", "state", "number", OPEN)


@dataclass(frozen=True, slots=True)
class Part:
    """A leaf, an operator that sees other parts, or an open place; `name` is that of a state."""

    op: str
    args: tuple[int, ...] = ()
    attributes: Attributes = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Closing:
    """What open places are closed by: a linear of some leaves, maybe in an activation."""

    leaves: tuple[str, ...] = ("x", "h")
    activation: str = ""


CLOSINGS = (
    Closing(),
    Closing(("x",)),
    *(Closing(leaves, name) for leaves in (("x", "h"), ("x",)) for name in ACTIVATIONS),
)
"""What places may be closed by; the first that a space allows is used there throughout."""


@dataclass(frozen=True, slots=True)
class Sprout:
    """A partial cell: parts that see each other by their index, and the update of each state.

    Every part is seen by another one or updates a state.
    """

    parts: tuple[Part, ...] = (Part(OPEN),)
    states: tuple[tuple[str, int], ...] = (("h", 0),)
    closing: Closing = CLOSINGS[0]

    @property
    def places(self) -> list[int]:
        """The open places."""
        return [index for index, part in enumerate(self.parts) if part.op == OPEN]

    def closed(self, space: Space) -> Cell | None:
        """Return the cell with all places closed, or None if it is outside the space."""
        closing = self.closing
        graph = nx.MultiDiGraph(states=dict(self.states), output=None)
        for index, part in enumerate(self.parts):
            attributes = dict(part.attributes)
            graph.add_node(index, op=part.op, name=part.name, attributes=attributes)
            graph.add_edges_from((arg, index, slot) for slot, arg in enumerate(part.args))
        for place in self.places:
            linear = place
            if closing.activation:
                graph.nodes[place]["op"] = closing.activation
                graph.add_edge(linear := len(graph), place, key=0)
            graph.add_node(linear, op="linear", name="", attributes={})
            for slot, leaf in enumerate(closing.leaves):
                node = len(graph)
                graph.add_node(node, op="x" if leaf == "x" else "state", name=leaf, attributes={})
                graph.add_edge(node, linear, key=slot)
        try:
            cell = Cell.from_graph(graph)
        except CellError:  # larger than any cell may be
            return None
        return cell if space.contains(cell) is None else None

    def grown(self, space: Space, rng: random.Random, sharing: bool) -> tuple[Sprout, str] | None:
        """Return the sprout after a random growth at a random place, and what has grown.

        None if there is no open place, or the growth that was drawn does not apply there. Whether
        the cell is inside the space is seen when it is closed.
        """
        if not self.places:
            return None
        place = rng.choice(self.places)
        growing = _Growing(self, space, rng, place, sharing)
        kinds = {kind: share for kind, share in GROWTHS.items() if sharing or kind is not _share}
        new = rng.choices(list(kinds), list(kinds.values()))[0](growing)
        if new is None:
            return None
        said = growing.said(new)
        return growing.finish(new), said


def begin(space: Space) -> Sprout | None:
    """Return one open place, to be closed in the first way in which something can grow from it.

    It must be inside the space before it is full grown; ways in which one growth is enough for that
    come first.
    """
    rng = random.Random(0)
    ways = [way for way in CLOSINGS if not way.activation or way.activation in space.operators]
    for growths, closing, _ in product(range(1, AT_ONCE + 1), ways, range(BEGINNINGS)):
        sprout = Sprout(closing=closing)
        for _ in range(growths):
            grown = sprout.grown(space, rng, True)
            sprout = sprout if grown is None else grown[0]
        if sprout.places and sprout.closed(space) is not None:
            return Sprout(closing=closing)
    return None


class _Growing:
    """A sprout in the middle of a growth at a place."""

    def __init__(
        self, sprout: Sprout, space: Space, rng: random.Random, place: int, sharing: bool
    ) -> None:
        self.space, self.rng, self.place, self.sharing = space, rng, place, sharing
        self.parts, self.states = list(sprout.parts), dict(sprout.states)
        self.closing = sprout.closing
        above = self._above()
        self.values = [  # what is there already and may be seen from the place
            index
            for index, part in enumerate(self.parts)
            if part.op not in LEAVES and index not in above
        ]
        self.activations = [name for name in space.operators if name in ACTIVATIONS]
        self.gates = [name for name in space.operators if OPERATORS[name].range == (0, 1)]

    def add(self, part: Part) -> int:
        self.parts.append(part)
        return len(self.parts) - 1

    def operator(self, op: str, *args: int) -> int:
        """Add an operator, now and then with an attribute other than the default."""
        attributes = tuple(sorted(draw_attributes(self.space, op, self.rng).items()))
        return self.add(Part(op, args, attributes))

    def open(self) -> int:
        return self.add(Part(OPEN))

    def state(self) -> int:
        return self.add(Part("state", name=self.rng.choice(list(self.states))))

    def gate(self) -> int:
        """Add a gate over an open place, or share one; without gates in the space, the place."""
        shared = [index for index in self.values if self.parts[index].op in self.gates]
        if self.sharing and shared and self.rng.random() < 0.3:
            gate = self.rng.choice(shared)
            if "sub" in self.space.operators and self.space.numbers and self.rng.random() < 0.7:
                return self.complement(gate)
            return gate
        return (
            self.operator(self.rng.choice(self.gates), self.open()) if self.gates else self.open()
        )

    def complement(self, gate: int) -> int:
        value = self.rng.choice(self.space.numbers)
        number = self.add(Part("number", attributes=(("value", value),)))
        return self.add(Part("sub", (number, gate)))

    def value(self) -> int:
        """Add an argument: an open place, bare or in an activation, a state, or what is there."""
        kind = self.rng.random()
        if kind < 0.15 and self.sharing and self.values:
            return self.rng.choice(self.values)
        if kind < 0.4:
            return self.state()
        if kind < 0.7 and self.activations:
            return self.operator(self.rng.choice(self.activations), self.open())
        return self.open()

    def term(self) -> int:
        """Add an argument of a sum: a value, or a value behind a gate."""
        if "mul" in self.space.operators and self.rng.random() < 0.5:
            return self.operator("mul", self.gate(), self.value())
        return self.value()

    def finish(self, new: int) -> Sprout:
        """Return the sprout with a part where the open place was."""
        order: dict[int, int] = {}

        def place(index: int) -> int:
            index = new if index == self.place else index
            if index not in order:
                order[index] = len(order)
                for arg in self.parts[index].args:
                    place(arg)
            return order[index]

        states = tuple((name, place(update)) for name, update in self.states.items())
        parts = (
            replace(self.parts[index], args=tuple(place(arg) for arg in self.parts[index].args))
            for index in order
        )
        return Sprout(tuple(parts), states, self.closing)

    def said(self, index: int, depth: int = 0) -> str:
        """Return a part of the sprout in short, as "mul(sigmoid(...), h_prev)"."""
        part = self.parts[index]
        if part.op in LEAVES:
            names = {OPEN: "...", "state": f"{part.name}_prev"}
            value = dict(part.attributes).get("value")
            return names.get(part.op, "x") if value is None else f"{value:g}"
        if depth == 3:
            return part.op
        return f"{part.op}({', '.join(self.said(arg, depth + 1) for arg in part.args)})"

    def _above(self) -> set[int]:
        """Return the place and all that sees it."""
        above, size = {self.place}, 0
        while size < len(above):
            size = len(above)
            above |= {
                index for index, part in enumerate(self.parts) if not above.isdisjoint(part.args)
            }
        return above


# The growths. Each adds what is new and returns what comes in the place, or None if it cannot.


def _put(growing: _Growing) -> int | None:
    """Put an operator of open places, states and values that are there."""
    space, rng = growing.space, growing.rng
    rows = [OPERATORS[name] for name in space.operators if OPERATORS[name].kind != "linear"]
    if not rows:
        return None
    row = rng.choice(rows)
    if row.arity[0] == 1:
        return growing.operator(row.name, growing.open())
    if row.name in ("mul", "blend"):
        args = [growing.gate(), *(growing.value() for _ in range(row.arity[0] - 1))]
    elif row.name == "sub" and space.numbers and rng.random() < 0.5:
        return growing.complement(growing.gate())
    else:
        args = [growing.term() for _ in range(row.arity[0])]
    return growing.operator(row.name, *args)


def _see(growing: _Growing) -> int | None:
    """Let a linear see another value in place of a state, or beside it."""
    value = _put(growing)
    if value is None:
        return None
    others = [growing.state()] if growing.rng.random() < 0.3 else []
    return growing.operator("linear", growing.add(Part("x")), value, *others)


def _settle(growing: _Growing) -> int | None:
    """Put a linear of leaves: of x alone, of states alone, of x and some states."""
    names = [name for name in growing.states if growing.rng.random() < 0.5]
    leaves = [Part("state", name=name) for name in names]
    if not names or growing.rng.random() < 0.7:
        leaves.insert(0, Part("x"))
    return growing.operator("linear", *[growing.add(leaf) for leaf in leaves])


def _leaf(growing: _Growing) -> int | None:
    """Put a state."""
    return growing.state()


def _share(growing: _Growing) -> int | None:
    """Put a value that is there already: two equal subtrees become one."""
    return growing.rng.choice(growing.values) if growing.values else None


def _carry(growing: _Growing) -> int | None:
    """Carry a further state, updated by what comes in the place or by a tree of its own."""
    free = [name for name in growing.space.states if name not in growing.states]
    if not free:
        return None
    state = free[0]
    leaf = growing.add(Part("state", name=state))
    new = growing.states[state] = _update(growing, leaf)
    if growing.rng.random() < 0.6:
        return new
    seen = [leaf] if growing.rng.random() < 0.3 else [growing.add(Part("x")), leaf]
    return leaf if len(seen) == 1 else growing.operator("linear", *seen)


def _update(growing: _Growing, leaf: int) -> int:
    """Add an update of a further state from what was there and what is new, gated if possible."""
    operators = growing.space.operators
    ways = [name for name in ("add", "blend") if name in operators]
    if "mul" not in operators and "add" in ways:
        ways.remove("add")
    if not ways:
        pairs = [name for name in operators if OPERATORS[name].arity[0] == 2]
        op = growing.rng.choice(["linear", *pairs])
        new = growing.add(Part("x")) if op == "linear" else growing.value()
        return growing.operator(op, leaf, new)
    if growing.rng.choice(ways) == "blend":
        return growing.operator("blend", growing.gate(), leaf, growing.value())
    return growing.operator("add", growing.operator("mul", growing.gate(), leaf), growing.term())


GROWTHS: Mapping[Callable[[_Growing], int | None], float] = {
    _put: 4.0,
    _see: 1.0,
    _settle: 1.0,
    _leaf: 0.5,
    _share: 0.5,
    _carry: 0.7,
}
"""Every growth with its share of the tries."""
