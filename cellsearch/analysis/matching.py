"""Which node of one cell is which of another: the matching that leaves the cheapest edits.

What edits cost: a node inserted or deleted 2, an operator in place of another of its kind 2, an
attribute 1 (a number's value, a state's beginning, whether there is a bias), an edge inserted or
deleted 1, an argument in another place of its operator 1. So a function put on a value costs 5:
itself, its edge, and the edge of its user that leads elsewhere now. An operator's kind is how it is
used: with learned tensors of its own, as a function of one value, as a function of several; nodes
of different kinds are not matched. x is matched to x, h_prev to h_prev, and what leaves the step to
what leaves it; the other states to each other as fits best, their updates being edges too. The
least sum over all matchings is a metric.

It is hard to find in general. What a matching saves is a quadratic form over pairs of nodes
(Bougleux, Brun, Carletti, Foggia, Gaüzère and Vento, 2017, "Graph edit distance as a quadratic
assignment problem", https://doi.org/10.1016/j.patrec.2016.10.001); here it is climbed by exchanges,
first from a matching by the nodes' surroundings, then from the best one with a pair forced in. The
result is never below the least sum, and for cells that differ by a few edits hardly ever above it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Sequence

from cellsearch.graph import Graph, Node
from cellsearch.operators import OPERATORS

NODE = 2
"""Cost of a node inserted or deleted."""
OPERATOR = 2
"""Cost of an operator in place of another one of its kind."""
ATTRIBUTE = 1
"""Cost of an attribute of another value."""
EDGE = 1
"""Cost of an edge inserted, deleted, or led to another place of its operator."""

Pair = tuple[int, int]
"""A node of the first graph and one of the second."""
Input = tuple[int, int]
"""What a node sees, and in which place; `ANYWHERE` if the order of its arguments says nothing."""
ANYWHERE = -1

_FORCED = 50  # most pairs that are forced in one by one; more find next to nothing
_WORK = 20_000  # pairs that may be looked at for it, in each round of each climb
_ROUNDS = 6  # how far the surroundings reach that a start looks at
_TRUST = 3.0  # what likeness (0 to 1) is worth in savings that are sure


def inputs(graph: Graph) -> list[list[Input]]:
    """Return what each node sees, and last what leaves the step: h, and the output if it is not h.

    A state at t-1 sees its update.
    """
    found = []
    for node in graph.nodes:
        row = OPERATORS.get(node.op)
        ordered = row is not None and not row.commutative and len(node.args) > 1
        found.append([(arg, slot if ordered else ANYWHERE) for slot, arg in enumerate(node.args)])
    leaves = {node.name: index for index, node in enumerate(graph.nodes) if node.op == "state"}
    for name, update in graph.states[1:]:
        found[leaves[name]].append((update, ANYWHERE))
    leaving = [graph.states[0][1], *([] if graph.output is None else [graph.output])]
    return [*found, [(node, slot) for slot, node in enumerate(leaving)]]


def substitution(first: Node, second: Node) -> int | None:
    """Return what it costs that a node becomes the other, its edges aside; None if it cannot."""
    if _kind(first) != _kind(second):
        return None
    if first.op != second.op:
        return OPERATOR
    changed = {name for name, _ in set(first.attributes) ^ set(second.attributes)}
    return ATTRIBUTE * len(changed)


def least_cost(first: Graph, second: Graph) -> int:
    """Return a lower bound of the cost of the edits, from counts of nodes and edges alone."""
    graphs = (first, second)
    operators = _common([[(_kind(node), node.op) for node in graph.nodes] for graph in graphs])
    kinds = _common([[_kind(node) for node in graph.nodes] for graph in graphs])
    edges = _common([_sources(graph) for graph in graphs])
    saved = 2 * NODE * operators + (2 * NODE - OPERATOR) * (kinds - operators) + 2 * EDGE * edges
    return size(first) + size(second) - saved


def size(graph: Graph) -> int:
    """Return what it would cost to insert all of a graph."""
    return NODE * len(graph.nodes) + EDGE * sum(map(len, inputs(graph)))


def match(first: Graph, second: Graph, *, quick: bool = False) -> list[Pair]:
    """Return pairs of nodes of two normal forms, in order, that leave edits of low cost.

    The same for the same graphs, whatever the names of states other than h. A quick search takes a
    fifth of the time, and its edits cost a few per cent more between cells far apart.
    """
    search = _Search(first, second)
    search.start()
    search.climb()
    if not quick:
        search.force()
        search.settle()
    last = (len(first.nodes), len(second.nodes))  # what leaves the step
    return sorted(pair for pair in search.chosen() if pair != last)


def _kind(node: Node) -> str:
    row = OPERATORS.get(node.op)
    if row is None:
        return "h" if node.op == "state" and node.name == "h" else node.op
    if row.owns_tensors:
        return "owner"
    return "function of one" if row.arity[1] == 1 else "function of several"


def _sources(graph: Graph) -> list[str]:
    """Return the kind of what each edge comes from, operators all alike."""
    kinds = ["" if node.op in OPERATORS else _kind(node) for node in graph.nodes]
    return [kinds[source] for seen in inputs(graph) for source, _ in seen]


def _common(two: Sequence[Sequence[Hashable]]) -> int:
    """Return how many items of two bags are in both."""
    return (Counter(two[0]) & Counter(two[1])).total()


class _Search:
    """A matching that gets better.

    A pair's `field` is what it saves beside the pairs that are chosen. A pair never costs
    anything, so that no matching is better for lacking one.
    """

    def __init__(self, first: Graph, second: Graph) -> None:
        sides = (inputs(first), inputs(second))
        nodes = ([*first.nodes, Node("step")], [*second.nodes, Node("step")])
        self.pairs: list[Pair] = []
        self.index: list[list[int]] = [[-1] * len(nodes[1]) for _ in nodes[0]]
        self.field: list[int] = []
        for one, node in enumerate(nodes[0]):
            for two, other in enumerate(nodes[1]):
                cost = substitution(node, other)
                if cost is not None:
                    self.index[one][two] = len(self.pairs)
                    self.pairs.append((one, two))
                    self.field.append(2 * NODE - cost)
        fixed = [_kind(node) in ("x", "h", "step") for node in nodes[0]]
        self.fixed = [number for number, (one, _) in enumerate(self.pairs) if fixed[one]]
        self.free = [number for number, (one, _) in enumerate(self.pairs) if not fixed[one]]
        self.of_first = [-1] * len(nodes[0])  # the chosen pair of each node
        self.of_second = [-1] * len(nodes[1])
        self.saved = 0
        self.near: list[dict[int, int]] = [{} for _ in self.pairs]
        self._join(*([_by_source(seen) for seen in side] for side in sides))
        self.reach = [_two_steps(side) for side in sides]
        degrees = [_degrees(side) for side in sides]
        self.most = [  # that a pair could save
            2 * NODE + 2 * EDGE * max(degrees[0][one], degrees[1][two]) for one, two in self.pairs
        ]
        self.likeness = self._likeness()

    def _join(self, first: list[dict[int, list[int]]], second: list[dict[int, list[int]]]) -> None:
        """Say what pairs save together: the edges between their nodes that both graphs have."""
        for number, (user, other_user) in enumerate(self.pairs):
            for source, places in first[user].items():
                for other_source, other_places in second[other_user].items():
                    shared = min(len(places), len(other_places))
                    moved = shared - len(set(places) & set(other_places))
                    if ANYWHERE in (places[0], other_places[0]):
                        moved = 0
                    saved = 2 * EDGE * shared - EDGE * moved
                    if (source, other_source) == (user, other_user):  # carried unchanged
                        self.field[number] += saved
                    else:
                        self._tie(number, source, other_source, saved)

    def _tie(self, number: int, source: int, other_source: int, saved: int) -> None:
        """Let a pair of users and a pair of what they see save more together."""
        user, other_user = self.pairs[number]
        pair = self.index[source][other_source]
        if pair < 0 or source == user or other_source == other_user:
            return  # no pair, or none that can be chosen with the users'
        for one, two in ((number, pair), (pair, number)):
            self.near[one][two] = self.near[one].get(two, 0) + saved
            if self._is_chosen(one):
                self.field[two] += saved

    def _is_chosen(self, pair: int) -> bool:
        return self.of_first[self.pairs[pair][0]] == pair

    def _likeness(self) -> list[float]:
        """Return how much of what a pair could save it may save, by its surroundings, 0 to 1."""
        found = [1.0] * len(self.pairs)
        for _ in range(_ROUNDS):
            found = [
                (own + sum(saved * found[pair] for pair, saved in near.items())) / most
                for own, near, most in zip(self.field, self.near, self.most, strict=True)
            ]
        return found

    def chosen(self) -> list[Pair]:
        return [self.pairs[number] for number in self.of_first if number >= 0]

    def start(self) -> None:
        """Choose pairs one by one, each time the one of most promise."""
        for pair in self.fixed:
            self._put(pair)
        left = self.free
        while left:
            best = max(left, key=lambda pair: self.field[pair] + _TRUST * self.likeness[pair])
            self._put(best)
            one, two = self.pairs[best]
            left = [pair for pair in left if one != self.pairs[pair][0]]
            left = [pair for pair in left if two != self.pairs[pair][1]]

    def climb(self, kept: int | None = None) -> None:
        """Put pairs in place of others as long as that saves more; a kept pair stays."""
        one, two = (None, None) if kept is None else self.pairs[kept]
        open_to = [p for p in self.free if one != self.pairs[p][0] and two != self.pairs[p][1]]
        better = True
        while better:
            better = False
            for pair in open_to:
                if not self._is_chosen(pair) and self._gain(pair) > 0:
                    self._exchange(pair)
                    better = True

    def force(self) -> None:
        """Climb anew with one likely pair after the other forced in, and keep what is better."""
        likely = sorted(self.free, key=lambda pair: (-self.likeness[pair], pair))
        others = [pair for pair in likely if not self._is_chosen(pair)]
        for pair in others[: min(_FORCED, _WORK // (len(self.free) + 1))]:
            if self._is_chosen(pair):
                continue
            before = (list(self.field), list(self.of_first), list(self.of_second), self.saved)
            self._exchange(pair)
            self.climb(kept=pair)
            self.climb()
            if self.saved <= before[-1]:
                self.field, self.of_first, self.of_second, self.saved = before

    def settle(self) -> None:
        """Of matchings that save the same, prefer one with more in common two steps away.

        Where something new stands between two nodes, it says which belongs to which.
        """
        weight = 1 + 2 * sum(map(len, self.reach[0]))  # more than all preferences together
        self.field = [weight * saved for saved in self.field]
        self.near = [{pair: weight * saved for pair, saved in near.items()} for near in self.near]
        self.saved *= weight
        for number, (user, other_user) in enumerate(self.pairs):
            for source in self.reach[0][user]:
                for other_source in self.reach[1][other_user]:
                    self._tie(number, source, other_source, 1)
        self.climb()

    def _gain(self, pair: int) -> int:
        """Return what an exchange saves beside what is saved already."""
        gain = self.field[pair]
        old, other, completing = self._concerned(pair)
        if old >= 0:
            gain -= self.field[old]
        if other >= 0:
            gain -= self.field[other]
        if old >= 0 and other >= 0:
            gain += self.near[old].get(other, 0)  # it was in both fields
        if completing >= 0:
            gain += self.field[completing] + self.near[pair].get(completing, 0)
        return gain

    def _exchange(self, pair: int) -> None:
        """Put a pair in place of the two that hold its nodes, and join what these leave over."""
        old, other, completing = self._concerned(pair)
        for gone in (old, other):
            if gone >= 0:
                self._take(gone)
        for new in (pair, completing):
            if new >= 0:
                self._put(new)

    def _concerned(self, pair: int) -> tuple[int, int, int]:
        """Return the chosen pairs of a pair's two nodes, and the pair of the nodes they leave."""
        one, two = self.pairs[pair]
        old, other = self.of_first[one], self.of_second[two]
        if old < 0 or other < 0:
            return old, other, -1
        return old, other, self.index[self.pairs[other][0]][self.pairs[old][1]]

    def _put(self, pair: int) -> None:
        one, two = self.pairs[pair]
        self.saved += self.field[pair]
        self.of_first[one] = self.of_second[two] = pair
        for other, saved in self.near[pair].items():
            self.field[other] += saved

    def _take(self, pair: int) -> None:
        one, two = self.pairs[pair]
        self.of_first[one] = self.of_second[two] = -1
        for other, saved in self.near[pair].items():
            self.field[other] -= saved
        self.saved -= self.field[pair]


def _by_source(seen: Sequence[Input]) -> dict[int, list[int]]:
    """Return the places in which each node is seen."""
    found: dict[int, list[int]] = {}
    for source, place in seen:
        found.setdefault(source, []).append(place)
    return found


def _degrees(side: Sequence[Sequence[Input]]) -> list[int]:
    """Return the number of edges at each node."""
    found = [len(seen) for seen in side]
    for seen in side:
        for source, _ in seen:
            found[source] += 1
    return found


def _two_steps(side: Sequence[Sequence[Input]]) -> list[list[int]]:
    """Return what each node sees directly or through one other node."""
    near = [[source for source, _ in seen] for seen in side]
    return [
        list(dict.fromkeys([*seen, *(far for source in seen for far in near[source])]))
        for seen in near
    ]
