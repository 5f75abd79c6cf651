"""Edits that belong together: nodes that go or come as one, with the edges that change for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cellsearch.analysis.edits import (
    Attach,
    Delete,
    Detach,
    Edit,
    EditPath,
    Insert,
    Move,
    Part,
    Redirect,
    path_of,
)
from cellsearch.analysis.matching import inputs
from cellsearch.graph import Graph
from cellsearch.inspection.parts import Parts

Edge = Attach | Detach | Redirect | Move


@dataclass(slots=True)
class Group:
    """Nodes that go or come together, and the edges that change for it."""

    gone: list[Part] = field(default_factory=list)
    new: list[Part] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)

    @property
    def edits(self) -> int:
        return len(self.gone) + len(self.new) + len(self.edges)


@dataclass(frozen=True, slots=True)
class Exchange:
    """Two values that two users see the other way round."""

    users: tuple[Part, Part]
    values: tuple[Part, Part]
    edits: int


def familiar(known: Graph, cell: Graph, path: EditPath) -> EditPath:
    """Return the path on which operators and numbers without a common edge are not the same.

    To take one for the other saves an edit, but nobody would say so.
    """
    partner = {**dict(path.pairs), len(known.nodes): len(cell.nodes)}  # what leaves the step, too
    after = [{source for source, _ in seen} for seen in inputs(cell)]
    kept = set()
    for user, seen in enumerate(inputs(known)):
        for source, _ in seen:
            if user in partner and partner.get(source) in after[partner[user]]:
                kept |= {user, source}
    leaves = ("x", "state")
    pairs = [pair for pair in path.pairs if pair[0] in kept or known.nodes[pair[0]].op in leaves]
    return path if len(pairs) == len(path.pairs) else path_of(known, cell, pairs)


Below = Mapping[Part, frozenset[Part]]


def exchanges(edits: tuple[Edit, ...], below: Below) -> tuple[list[Exchange], list[Edit]]:
    """Return the exchanges, and the other edits.

    A value may lose a function on the way; that it does is left to be told.
    """
    found: list[Exchange] = []
    rest = list(edits)
    for one in edits:
        for two in edits:
            if not (isinstance(one, Redirect) and isinstance(two, Redirect)):
                continue
            if one.before != two.after or one.user == two.user or {one, two} - set(rest):
                continue
            lost = two.before != one.after
            if lost and (two.before[1] is not None or one.after not in below[two.before]):
                continue
            rest.remove(one)
            rest.remove(two)
            if lost:
                rest.append(Redirect(two.user, two.before, one.after, two.places))
            users, values = (one.user, two.user), (one.before, one.after)
            found.append(Exchange(users, values, 1 if lost else 2))
    return found, rest


def groups(edits: list[Edit], parts: Parts) -> tuple[list[Group], list[Edge]]:
    """Return the nodes that go or come, in groups, and the edges between nodes that stay.

    Connected are nodes that see each other, and those that go and come in one place.
    """
    root = {edit.part: edit.part for edit in edits if isinstance(edit, Insert | Delete)}

    def find(part: Part) -> Part:
        while root[part] != part:
            part = root[part]
        return part

    for part in root:
        side = 0 if part[1] is None else 1
        for arg in parts.args(part, side):
            if arg in root and (parts.args(arg, side) or parts.uses(arg, side) == 1):
                root[find(part)] = find(arg)
    edges = [edit for edit in edits if isinstance(edit, Edge)]
    for edge in edges:
        if isinstance(edge, Redirect) and edge.before in root and edge.after in root:
            root[find(edge.before)] = find(edge.after)
    found: dict[Part, Group] = {}
    for part in root:
        group = found.setdefault(find(part), Group())
        (group.gone if part[1] is None else group.new).append(part)
    rest = []
    for edge in edges:
        ends = (edge.before, edge.after) if isinstance(edge, Redirect) else (edge.value,)
        end = next((end for end in ends if end in root), None)
        if end is None:
            rest.append(edge)
        else:
            found[find(end)].edges.append(edge)
    return list(found.values()), rest
