"""The edits that make one cell of another, at low cost, one by one.

The cost of each is told in `cellsearch.analysis.matching`; that of a path is their sum.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cellsearch.analysis.matching import (
    ANYWHERE,
    ATTRIBUTE,
    EDGE,
    NODE,
    Pair,
    inputs,
    match,
    substitution,
)
from cellsearch.graph import Graph, Node
from cellsearch.normal import identity

Part = tuple[int | None, int | None]
"""A node of the first graph, a node of the second, or one of both that are matched."""

STEP: Part = (-1, -1)
"""What leaves a step; it sees h in place 0 and the output, if that is not h, in place 1."""

Value = bool | float | str | None


@dataclass(frozen=True, slots=True)
class Insert:
    """A node of the second graph appears, and sees what it sees there; a state its update."""

    part: Part
    inputs: tuple[Part, ...]

    @property
    def cost(self) -> int:
        return NODE + EDGE * len(self.inputs)


@dataclass(frozen=True, slots=True)
class Delete:
    """A node of the first graph goes, and with it the edges from what it sees there."""

    part: Part
    inputs: tuple[Part, ...]

    @property
    def cost(self) -> int:
        return NODE + EDGE * len(self.inputs)


@dataclass(frozen=True, slots=True)
class Substitute:
    """A node gets another operator and the attributes that this has in the second graph."""

    part: Part
    before: str
    after: str
    cost: int


@dataclass(frozen=True, slots=True)
class Change:
    """An attribute gets another value; None is the one that goes without saying."""

    part: Part
    attribute: str
    before: Value
    after: Value

    @property
    def cost(self) -> int:
        return ATTRIBUTE


@dataclass(frozen=True, slots=True)
class Attach:
    """A node that stays sees one value more, in a place of the second graph."""

    user: Part
    value: Part
    place: int

    @property
    def cost(self) -> int:
        return EDGE


@dataclass(frozen=True, slots=True)
class Detach:
    """A node that stays sees a value no more that it saw in a place of the first graph."""

    user: Part
    value: Part
    place: int

    @property
    def cost(self) -> int:
        return EDGE


@dataclass(frozen=True, slots=True)
class Redirect:
    """A node that stays sees another value instead: one in place `before`, now one in `after`."""

    user: Part
    before: Part
    after: Part
    places: tuple[int, int]

    @property
    def cost(self) -> int:
        return 2 * EDGE


@dataclass(frozen=True, slots=True)
class Move:
    """A node that stays sees a value in another of its places, as b - a for a - b."""

    user: Part
    value: Part
    places: tuple[int, int]

    @property
    def cost(self) -> int:
        return EDGE


Edit = Insert | Delete | Substitute | Change | Attach | Detach | Redirect | Move


@dataclass(frozen=True, slots=True)
class EditPath:
    """The matched nodes and the edits that make the second graph of the first.

    The edits stand in an order in which they can be applied one by one: what is seen is there.
    In between there may be cycles, and operators of too few or too many arguments.
    """

    pairs: tuple[Pair, ...]
    edits: tuple[Edit, ...]

    @property
    def cost(self) -> int:
        return sum(edit.cost for edit in self.edits)


def edit_path(first: Graph, second: Graph, *, quick: bool = False) -> EditPath:
    """Return the edits from one normal form to another.

    The cost is the same both ways, 0 exactly for cells of equal identity, and at most a little
    above the least one; where it is high a quick search leaves it a few per cent higher.
    """
    one, two = identity(first), identity(second)
    if one == two:
        pairs = [(index, index) for index in range(len(first.nodes))]
    elif one < two:
        pairs = match(first, second, quick=quick)
    else:
        pairs = sorted((mine, other) for other, mine in match(second, first, quick=quick))
    return path_of(first, second, pairs)


def path_of(first: Graph, second: Graph, pairs: Iterable[Pair]) -> EditPath:
    """Return the edits that a matching leaves."""
    return EditPath(tuple(pairs), tuple(_Path(first, second, pairs).edits()))


Seen = list[tuple[Part, int]]  # what a node sees, and in which place


class _Path:
    """Collects the edits that a matching leaves."""

    def __init__(self, first: Graph, second: Graph, pairs: Iterable[Pair]) -> None:
        self.first, self.second, self.pairs = first, second, tuple(pairs)
        partner = dict(self.pairs)
        origin = {two: one for one, two in self.pairs}
        self.of_first: list[Part] = [(one, partner.get(one)) for one in range(len(first.nodes))]
        self.of_second: list[Part] = [(origin.get(two), two) for two in range(len(second.nodes))]
        self.below = {
            **what_stays(first, self.of_first),
            **what_stays(second, self.of_second),
        }

    def edits(self) -> list[Edit]:
        before = [[(self.of_first[arg], place) for arg, place in s] for s in inputs(self.first)]
        after = [[(self.of_second[arg], place) for arg, place in s] for s in inputs(self.second)]
        found: list[Edit] = []
        for part, seen in zip(self.of_second, after, strict=False):  # without the step
            if part[0] is None:
                found.append(Insert(part, tuple(value for value, _ in seen)))
        for one, two in self.pairs:
            found += _differences((one, two), self.first.nodes[one], self.second.nodes[two])
        for one, two in (*self.pairs, (-1, -1)):
            found += self._edges((one, two), before[one], after[two])
        gone = []
        for part, seen in zip(self.of_first, before, strict=False):
            if part[1] is None:
                gone.append(Delete(part, tuple(value for value, _ in seen)))
        return [*found, *reversed(gone)]

    def _edges(self, user: Part, before: Seen, after: Seen) -> list[Edit]:
        """Return what changes in what a node sees."""
        old, new = _uncommon(before, after), _uncommon(after, before)
        found: list[Edit] = []
        for edge in list(old):
            moved = next((other for other in new if other[0] == edge[0]), None)
            if moved is not None:
                old.remove(edge)
                new.remove(moved)
                if ANYWHERE not in (edge[1], moved[1]):
                    found.append(Move(user, edge[0], (edge[1], moved[1])))
        choices = [
            (self._unlikeness(user, edge, other), one, two)
            for one, edge in enumerate(old)
            for two, other in enumerate(new)
        ]
        taken: dict[int, int] = {}
        for _, one, two in sorted(choices):
            if one not in taken and two not in taken.values():
                taken[one] = two
                places = (old[one][1], new[two][1])
                found.append(Redirect(user, old[one][0], new[two][0], places))
        found += [Detach(user, *edge) for one, edge in enumerate(old) if one not in taken]
        rest = [edge for two, edge in enumerate(new) if two not in taken.values()]
        return found + [Attach(user, *edge) for edge in rest]

    def _unlikeness(
        self, user: Part, before: tuple[Part, int], after: tuple[Part, int]
    ) -> tuple[bool, int, bool]:
        """Say how little a new edge looks like what became of an old one, by what both stem from.

        h and the output are not taken for each other.
        """
        moved = before[1] != after[1]
        common = self.below[before[0]] & self.below[after[0]]
        return user == STEP and moved, -len(common), moved


def _differences(part: Part, before: Node, after: Node) -> list[Edit]:
    """Return the edits of a node itself."""
    if before.op != after.op:
        return [Substitute(part, before.op, after.op, substitution(before, after) or 0)]
    old, new = dict(before.attributes), dict(after.attributes)
    names = sorted({*old, *new})
    return [
        Change(part, name, old.get(name), new.get(name))
        for name in names
        if old.get(name) != new.get(name)
    ]


def _uncommon(edges: Seen, others: Seen) -> Seen:
    """Return the edges that are not among the others, one for one."""
    left = Counter(others)
    found = []
    for edge in edges:
        left[edge] -= 1
        if left[edge] < 0:
            found.append(edge)
    return found


def what_stays(graph: Graph, parts: Sequence[Part]) -> dict[Part, frozenset[Part]]:
    """Return for each node the matched ones that it is computed from; one that is matched: itself.

    A leaf that is not matched stands for itself, too.
    """
    found: dict[Part, frozenset[Part]] = {}
    for part, node in zip(parts, graph.nodes, strict=True):
        if None in part and node.args:
            found[part] = frozenset().union(*(found[parts[arg]] for arg in node.args))
        else:
            found[part] = frozenset({part})
    return found
