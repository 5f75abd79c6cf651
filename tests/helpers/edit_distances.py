"""The least cost of the edits between two small cells, by trying every matching that may be it.

Slow and simple: it shares the costs with `cellsearch.analysis.matching`, as numbers, and no more.
"""

from __future__ import annotations

from collections import Counter
from itertools import product

from cellsearch.graph import Graph, Node
from cellsearch.operators import OPERATORS

Edges = dict[tuple[int, int], Counter[int | None]]  # source and user: the slots, None if unordered


def least_distance(first: Graph, second: Graph, below: int = 10_000) -> int:
    """Return the least cost of all matchings, or `below` if none costs less."""
    return _Tries(first, second, below).best


def exhaustive_distance(first: Graph, second: Graph) -> int:
    """Return the least cost of all matchings, each priced as a whole; for very small cells.

    `networkx.graph_edit_distance` is no judge: it may give 16 one way and 12 the other.
    """
    choices = [
        [None, *(two for two, other in enumerate(second.nodes) if kind(other) == kind(node))]
        for node in first.nodes
    ]
    priced = []
    for matching in product(*choices):
        used = [two for two in matching if two is not None]
        if len(used) == len(set(used)):
            priced.append(_price(first, second, matching))
    return min(priced)


def _price(first: Graph, second: Graph, matching: tuple[int | None, ...]) -> int:
    partner = {**dict(enumerate(matching)), -1: -1}
    cost = 2 * (len(second.nodes) - sum(two is not None for two in matching))
    for node, two in zip(first.nodes, matching, strict=True):
        cost += 2 if two is None else substitution(node, second.nodes[two])
    left = edges(second)
    for (source, user), slots in edges(first).items():
        ends = (partner[source], partner[user])
        cost += difference(slots, left.pop(ends, None) if None not in ends else None)  # type: ignore[arg-type]
    return cost + sum(slots.total() for slots in left.values())


def edges(graph: Graph) -> Edges:
    """Return the edges, -1 being what leaves the step: h in slot 0 and the output in slot 1."""
    found: Edges = {}
    listed = [
        (arg, user, slot if node.op in ("sub", "div", "blend") else None)
        for user, node in enumerate(graph.nodes)
        for slot, arg in enumerate(node.args)
    ]
    previous = {node.name: index for index, node in enumerate(graph.nodes) if node.op == "state"}
    listed += [(update, previous[name], None) for name, update in graph.states[1:]]
    listed += [(graph.states[0][1], -1, 0)]
    listed += [(graph.output, -1, 1)] if graph.output is not None else []
    for source, user, slot in listed:
        found.setdefault((source, user), Counter())[slot] += 1
    return found


def kind(node: Node) -> str:
    if node.op not in OPERATORS:
        return "h" if node.op == "state" and node.name == "h" else node.op
    if node.op in ("linear", "scale", "layer_norm"):
        return "owner"
    few = ("add", "mul", "sub", "div", "maximum", "minimum", "mean", "blend")
    return "several" if node.op in few else "one"


def substitution(node: Node, other: Node) -> int:
    if node.op != other.op:
        return 2
    one, two = dict(node.attributes), dict(other.attributes)
    return sum(one.get(name) != two.get(name) for name in {*one, *two})


def difference(one: Counter[int | None] | None, two: Counter[int | None] | None) -> int:
    """Return the cost between the edges of a pair of nodes and those of the pair it became."""
    one, two = one or Counter(), two or Counter()
    if None in one or None in two:
        return abs(one.total() - two.total())
    return max(one.total(), two.total()) - (one & two).total()


class _Tries:
    def __init__(self, first: Graph, second: Graph, below: int) -> None:
        self.nodes = (first.nodes, second.nodes)
        self.edges = (edges(first), edges(second))
        self.best = below
        self.order = sorted(
            range(len(first.nodes)), key=lambda index: (bool(first.nodes[index].args), -index)
        )  # leaves first, then from what leaves the step down
        self.taken: dict[int, int] = {-1: -1}
        self.gone: list[int] = []
        self._go(0, 0)

    def _go(self, position: int, cost: int) -> None:
        """Decide about the next node; `cost` is that of all among the decided ones."""
        if cost + self._least(position) >= self.best:
            return
        if position == len(self.order):
            used = set(self.taken.values())
            cost += sum(2 for index in range(len(self.nodes[1])) if index not in used)
            for (source, user), slots in self.edges[1].items():
                if source not in used or user not in used:
                    cost += slots.total()
            self.best = min(self.best, cost)
            return
        index = self.order[position]
        node = self.nodes[0][index]
        used = set(self.taken.values())
        choices = []
        for other, candidate in enumerate(self.nodes[1]):
            if other not in used and kind(candidate) == kind(node):
                own = substitution(node, candidate) + self._edges_of(index, other)
                choices.append((own, other))
        for own, other in sorted(choices):
            self.taken[index] = other
            self._go(position + 1, cost + own)
            del self.taken[index]
        if kind(node) in ("x", "h") and choices:
            return
        self.gone.append(index)
        lost = sum(
            slots.total()
            for (source, user), slots in self.edges[0].items()
            if index in (source, user)
            and all(end == index or end in self.taken or end in self.gone for end in (source, user))
        )
        self._go(position + 1, cost + 2 + lost)
        self.gone.pop()

    def _edges_of(self, index: int, other: int) -> int:
        """Return what edges between a new pair and the decided nodes cost."""
        cost = difference(self.edges[0].get((index, index)), self.edges[1].get((other, other)))
        for one, two in self.taken.items():
            cost += difference(self.edges[0].get((index, one)), self.edges[1].get((other, two)))
            cost += difference(self.edges[0].get((one, index)), self.edges[1].get((two, other)))
        for one in self.gone:
            for ends in ((one, index), (index, one)):
                cost += self.edges[0].get(ends, Counter()).total()
        return cost

    def _least(self, position: int) -> int:
        """Return what the undecided nodes cost at least, their edges aside."""
        used = set(self.taken.values())
        one = [self.nodes[0][index] for index in self.order[position:]]
        two = [node for index, node in enumerate(self.nodes[1]) if index not in used]
        ops = (Counter(node.op for node in one) & Counter(node.op for node in two)).total()
        kinds = (Counter(map(kind, one)) & Counter(map(kind, two))).total()
        return 2 * (len(one) + len(two)) - 4 * ops - 2 * (kinds - ops)
