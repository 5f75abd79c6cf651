"""How the parts of a known cell, and of one near it, are called.

What both cells have is called as in the known one: by the usual term of its statement where it
stands alone ("the reset gate"), by the statement's name in an expression.
"""

from __future__ import annotations

from collections.abc import Mapping

from cellsearch.analysis.edits import STEP, EditPath, Part
from cellsearch.graph import Graph, Node
from cellsearch.operators import OPERATORS
from cellsearch.printing import format_number

LONGEST = 48
"""Most characters of an expression; longer ones are shown without their inner parts."""

_DEEPEST = 7
_WIDEST = 12  # arguments of one operator
_BINDING = {"add": 1, "sub": 1, "mul": 2, "div": 2}


class Parts:
    """The parts of two cells, some of them matched; side 0 is the known cell, side 1 the other."""

    def __init__(self, known: Graph, cell: Graph, path: EditPath, terms: Mapping[str, str]) -> None:
        self.graphs = (known, cell)
        self.terms = terms
        partner = dict(path.pairs)
        origin = {two: one for one, two in path.pairs}
        self.of: tuple[list[Part], list[Part]] = (
            [(one, partner.get(one)) for one in range(len(known.nodes))],
            [(origin.get(two), two) for two in range(len(cell.nodes))],
        )
        self.users = tuple(map(_users, self.graphs))
        self.updates = self._updates()

    def _updates(self) -> dict[str, int]:
        """Return what updates, in the other cell, the states of the known one, by their names."""
        updates = dict(self.graphs[1].states)
        found = {"h": updates["h"]}
        for one, two in self.of[0]:
            leaf = self.graphs[0].nodes[one or 0]
            if leaf.op == "state" and two is not None:
                found[leaf.name] = updates[self.graphs[1].nodes[two].name]
        return found

    def node(self, part: Part, side: int = 0) -> Node:
        """Return the node of a part, the other side's if that side lacks it."""
        if part == STEP:
            return Node("step")
        side = side if part[side] is not None else 1 - side
        return self.graphs[side].nodes[_index(part, side)]

    def args(self, part: Part, side: int = 0) -> list[Part]:
        """Return what a part is computed from, on the other side if that side lacks it."""
        side = side if part[side] is not None else 1 - side
        return [self.of[side][arg] for arg in self.node(part, side).args]

    def uses(self, part: Part, side: int = 0) -> int:
        """Return how often a part is seen within a step of its side."""
        return len(self.users[side][_index(part, side)])

    def named(self, name: str) -> Part | None:
        """Return the value of a statement of the known cell."""
        return next((part for part in self.of[0] if self.name(part) == name), None)

    def state(self, name: str) -> Part | None:
        """Return the known cell's state of a name at t-1; None if it carries no such state."""
        nodes = enumerate(self.graphs[0].nodes)
        found = (one for one, node in nodes if node.op == "state" and node.name == name)
        return next((self.of[0][one] for one in found), None)

    def name(self, part: Part, side: int = 0) -> str:
        """Return the known cell's name of a value, "" if it has none.

        On the other side, what does not update the state any more has not its name either.
        """
        node = self.node(part)
        if part[0] is None or node.op in ("x", "state", "number"):
            return ""
        other = self.updates.get(node.name) if side == 1 else None
        return "" if other is not None and other != part[1] else node.name

    def called(self, name: str) -> str:
        """Return how a statement of the known cell is called."""
        return f"the {self.terms[name]}" if name in self.terms else name

    def site(self, user: Part, place: int = 0) -> str:
        """Return the name of the known cell's statement that a part belongs to."""
        if user == STEP:
            return "output" if place == 1 else "h"
        seen = [_index(user, 0)]
        for at in seen:  # it grows, so that near users come first
            name = self.graphs[0].nodes[at].name
            if name:  # a state at t-1 has the state's, whose update it "sees"
                return name
            seen += [other for other in self.users[0][at] if other not in seen]
        return "h"

    def value(self, part: Part, side: int = 0) -> str:
        """Return how a value is called that stands alone."""
        name = self.name(part, side)
        return self.called(name) if name in self.terms else self.expression(part, side)

    def expression(self, part: Part, side: int = 0, statement: str = "") -> str:
        """Return a value as it is written on a side, within a statement of the known cell if any.

        What the statement is itself is written out.
        """
        text = self._write(part, side, statement, 2, 0)
        for depth in range(3, _DEEPEST + 1):
            longer = self._write(part, side, statement, depth, 0)
            if longer == text or len(longer) > LONGEST:
                break
            text = longer
        return text

    def _write(self, part: Part, side: int, statement: str, depth: int, binding: int) -> str:
        name, node = self.name(part, side), self.node(part, side)
        if name not in ("", statement):
            return name
        if node.op == "x":
            return "x"
        if node.op == "state":
            return f"{self.node(part).name}_prev"
        if node.op == "number":
            return format_number(float(node.attribute("value", 0.0)))
        if depth == 0:
            return "..."
        args = self.args(part, side)
        row = OPERATORS.get(node.op)
        if row is not None and row.commutative:
            args.sort(key=lambda arg: self._rank(arg, node.op))
        tight = _BINDING.get(node.op, 0)
        inner = []
        for slot, arg in enumerate(args[:_WIDEST]):
            closer = tight + (slot > 0 and node.op in ("sub", "div"))
            inner.append(self._write(arg, side, statement, depth - 1, closer))
        if len(args) > _WIDEST:
            inner.append("...")
        if row is None or row.infix is None:
            return f"{node.op}({', '.join(inner)})"
        text = f" {row.infix} ".join(inner)
        return f"({text})" if tight < binding else text

    def _rank(self, part: Part, op: str) -> tuple[int, ...]:
        """Put arguments whose order says nothing in the usual one: 2 * r * h_prev, (x, h_prev)."""
        node = self.node(part)
        leaves = {"x": 4, "state": 5} if op == "mul" else {"x": 0, "state": 4}
        if node.op in leaves:
            return (leaves[node.op],)
        if node.op == "number" or self.name(part):
            return (1,)
        if node.op == "linear":
            return (2, "x" not in [self.node(arg).op for arg in self.args(part)])
        return (3,)


def _index(part: Part, side: int) -> int:
    index = part[side]
    if index is None:
        raise ValueError(f"{part} is not on side {side}")
    return index


def _users(graph: Graph) -> list[list[int]]:
    users: list[list[int]] = [[] for _ in graph.nodes]
    for index, node in enumerate(graph.nodes):
        for arg in node.args:
            users[arg].append(index)
    return users
