"""The crossover by edit path: a child half way between its parents.

Qiu and Miikkulainen, 2023, "Shortest Edit Path Crossover: A Theory-driven Solution to the
Permutation Problem in Evolutionary Neural Architecture Search", https://arxiv.org/abs/2210.14016:
what both parents have stays, and of the edits that make one parent of the other a random half is
applied. The edits are those of `cellsearch.analysis.edits` after a quick search, whose cost is a
few per cent above the least; an assignment by the nodes' surroundings alone takes as long, and its
edits cost more.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter

import networkx as nx

from cellsearch.analysis.edits import (
    STEP,
    Attach,
    Change,
    Delete,
    Detach,
    Edit,
    EditPath,
    Insert,
    Move,
    Part,
    Redirect,
    Substitute,
    edit_path,
)
from cellsearch.cell import Cell
from cellsearch.graph import Graph, Node
from cellsearch.operators import OPERATORS
from cellsearch.space import Space
from cellsearch.strategies import highway_moves
from cellsearch.strategies.draft import born

TRIES = 12
"""Orders of the edits that are tried before a crossover gives up."""

UserEdit = Substitute | Change | Attach | Detach | Redirect | Move
"""An edit of a node that both parents have, or of what it sees."""


def cross(first: Cell, second: Cell, space: Space, rng: random.Random) -> Cell | None:
    """Return a cell of the space about half way on an edit path from the first to the second.

    None if none that differs from both was found within a bounded number of tries. Highway cells
    are cut and joined between two nodes. The given cells are unchanged.
    """
    if space.shape == "highway":
        return highway_moves.cross(first, second, space, rng)
    way = _Way(first.normal, second.normal, edit_path(first.normal, second.normal, quick=True))
    tried: list[list[int]] = []
    for turn in range(TRIES):
        taken = way.half(rng, strict=2 * turn < TRIES)
        if not taken or taken in tried:
            continue
        tried.append(taken)
        graph = way.graph(taken, space)
        child = None if graph is None else born(graph, space)
        if child is not None and child not in (first, second):
            return child
    return None


@dataclass(frozen=True, slots=True)
class _Stride:
    """Edits of one node that are applied together; `whole`: it becomes as in the second cell."""

    user: Part
    edits: tuple[UserEdit, ...]
    whole: bool


@dataclass(slots=True)
class _Value:
    """A node on the way, and the parts that it sees; a state but h sees its update."""

    op: str
    name: str
    attributes: dict[str, bool | float | str]
    seen: list[Part]


class _Way:
    """The edits from one normal form to another, in any order.

    Only edits of nodes that stay are chosen from. A node appears once one that is there sees it,
    and is gone once h depends on it no more, whatever was inserted before or deleted after.
    """

    def __init__(self, first: Graph, second: Graph, path: EditPath) -> None:
        partner = dict(path.pairs)
        origin = {two: one for one, two in path.pairs}
        self.before = _values(first, [(one, partner.get(one)) for one in range(len(first.nodes))])
        self.after = _values(second, [(origin.get(two), two) for two in range(len(second.nodes))])
        self.inserts = {edit.part: edit.cost for edit in path.edits if isinstance(edit, Insert)}
        self.deletes = {edit.part: edit.cost for edit in path.edits if isinstance(edit, Delete)}
        self.strides = list(_strides(path.edits))
        self.common = frozenset(path.pairs)
        self.cost = path.cost

    def half(self, rng: random.Random, strict: bool) -> list[int]:
        """Return strides, by number, that take about half of the way; each is chosen at random.

        One that closes a cycle comes after one that opens it. If strict, one that leaves a node of
        both cells without a user comes after one that gives it another: else the way becomes
        longer, as the node has to be inserted anew.
        """
        order = rng.sample(range(len(self.strides)), len(self.strides))
        taken: list[int] = []
        missing = self.cost / 2
        again = True
        while again and missing > 0:
            again = False
            for stride in [number for number in order if number not in taken]:
                live = _reached(self._applied([*taken, stride]))
                if live is None or (strict and not self.common <= live.keys()):
                    continue
                left = self.cost / 2 - self._walked([*taken, stride], live)
                if abs(left) < abs(missing):
                    taken, missing, again = [*taken, stride], left, True
                if missing <= 0:
                    break
        return sorted(taken)

    def graph(self, taken: Sequence[int], space: Space) -> nx.MultiDiGraph | None:
        """Return the cell after some strides; None if it has a cycle or too many states."""
        values = self._applied(taken)
        live = _reached(values)
        if live is None:
            return None
        used = [values[part].name for part in live if part[0] is not None]
        free = [name for name in space.states[1:] if name not in used]
        states = {"h": values[STEP].seen[0]}
        graph = nx.MultiDiGraph(states=states, output=None)
        for part in live:
            value = values[part]
            name = value.name
            if value.op == "state" and name != "h":
                if part[0] is None and not free:
                    return None
                name = free.pop(0) if part[0] is None else name
                states[name] = value.seen[0]
            graph.add_node(part, op=value.op, name=name, attributes=value.attributes)
        for part in live:
            if values[part].op != "state":
                seen = enumerate(values[part].seen)
                graph.add_edges_from((source, part, slot) for slot, source in seen)
        return graph

    def _walked(self, taken: Sequence[int], live: dict[Part, None]) -> int:
        """Return the cost of the edits so far, with the nodes that appear and go by them."""
        edits = sum(edit.cost for stride in taken for edit in self.strides[stride].edits)
        appeared = sum(cost for part, cost in self.inserts.items() if part in live)
        return edits + appeared + sum(c for part, c in self.deletes.items() if part not in live)

    def _applied(self, taken: Sequence[int]) -> dict[Part, _Value]:
        """Return the nodes of both cells after some strides; those of both are as they are then."""
        values = {
            part: _Value(value.op, value.name, dict(value.attributes), list(value.seen))
            for part, value in (self.after | self.before).items()
        }
        for number in taken:
            stride = self.strides[number]
            if stride.whole:
                new = self.after[stride.user]
                old = values[stride.user]
                old.op, old.attributes, old.seen = new.op, dict(new.attributes), list(new.seen)
                continue
            for edit in stride.edits:
                self._apply(edit, values[stride.user])
        return values

    def _apply(self, edit: UserEdit, value: _Value) -> None:
        if isinstance(edit, Substitute):
            value.op, value.attributes = edit.after, dict(self.after[edit.part].attributes)
        elif isinstance(edit, Change):
            value.attributes.pop(edit.attribute, None)
            if edit.after is not None:
                value.attributes[edit.attribute] = edit.after
        elif isinstance(edit, Attach):
            value.seen.append(edit.value)
        elif isinstance(edit, Detach):
            value.seen.remove(edit.value)
        elif isinstance(edit, Redirect):
            value.seen[value.seen.index(edit.before)] = edit.after


def _values(graph: Graph, parts: Sequence[Part]) -> dict[Part, _Value]:
    updates = dict(graph.states[1:])
    found: dict[Part, _Value] = {}
    for part, node in zip(parts, graph.nodes, strict=True):
        args = (updates[node.name],) if node.op == "state" and node.name in updates else node.args
        found[part] = _Value(
            node.op, _name(node), dict(node.attributes), [parts[arg] for arg in args]
        )
    found[STEP] = _Value("step", "", {}, [parts[graph.states[0][1]]])
    return found


def _name(node: Node) -> str:
    return node.name if node.op == "state" else ""


def _strides(edits: Sequence[Edit]) -> Iterator[_Stride]:
    """Put together the edits that one operator cannot do without each other."""
    by_user: dict[Part, list[UserEdit]] = {}
    for edit in edits:
        if isinstance(edit, Insert | Delete):
            continue
        user = edit.part if isinstance(edit, Substitute | Change) else edit.user
        by_user.setdefault(user, []).append(edit)
    for user, found in by_user.items():
        if any(map(_is_bound, found)):
            yield _Stride(user, tuple(found), whole=True)
        else:
            yield from (_Stride(user, (edit,), whole=False) for edit in found)


def _is_bound(edit: UserEdit) -> bool:
    """Say whether an edit may leave an operator with too few arguments, or in a wrong order."""
    if isinstance(edit, Substitute):
        form = attrgetter("arity", "commutative")
        return bool(form(OPERATORS[edit.before]) != form(OPERATORS[edit.after]))
    if isinstance(edit, Redirect):
        return edit.places[0] != edit.places[1]
    return isinstance(edit, Move)


def _reached(values: dict[Part, _Value]) -> dict[Part, None] | None:
    """Return the parts that h depends on, also by way of other states; None if there is a cycle.

    What a part sees stands before it.
    """
    live: dict[Part, None] = {}
    carried = list(values[STEP].seen)  # the updates that are needed
    for update in carried:
        stack, entered = [update], dict[Part, None]()
        while stack:
            part = stack[-1]
            if part in live:
                stack.pop()
            elif part in entered:
                live[part] = None
                del entered[part]
                stack.pop()
            elif values[part].op == "state":
                live[part] = None
                carried += values[part].seen
            else:
                entered[part] = None
                if any(source in entered for source in values[part].seen):
                    return None
                stack += values[part].seen
    return live
