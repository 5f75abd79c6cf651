"""An exact canonical order of the nodes of a small coloured directed graph.

Colour refinement tells most nodes apart; where it cannot, one node after the other is singled out
and the least of the resulting orders wins (individualisation and refinement, McKay 1981, "Practical
graph isomorphism", https://users.cecs.anu.edu.au/~bdm/papers/pgi.pdf). Symmetries met on the way
spare the search their mirror images. They are looked for before the search goes down, where two
choices differ in few nodes (Darga, Sakallah and Markov 2008, "Faster symmetry discovery using
sparsity of symmetries", https://doi.org/10.1145/1391469.1391509), so that n equal parts cost about
n refinements and not n factorial orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice

from cellsearch.errors import CellError

Edge = tuple[int, int, int]  # source, target, label
Certificate = tuple[tuple[int, int, int], ...]
Signature = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]  # label and rank
Classes = dict[int, list[int]]  # the nodes of each rank, if there are several

MAX_WORK = 200_000
"""Most nodes and edges that a search looks at; beyond it a graph is refused."""
MIRRORS = 4
"""Explored choices with which a further one is compared, in case it is their mirror image."""


def canonical_order(colours: Sequence[str], edges: Sequence[Edge]) -> list[int]:
    """Return the nodes in an order that depends on the graph's structure only.

    Two graphs are isomorphic, colours and edge labels included, exactly when their nodes, each
    taken in this order, have equal colours and equal edges. Parallel edges are allowed. Raises
    CellError if so many nodes are connected alike that the search would take more than `MAX_WORK`;
    how much it takes may depend on the order in which the nodes come.
    """
    if not colours:
        return []
    search = _Search(len(colours), edges)
    lower = {colour: rank for rank, colour in reversed(list(enumerate(sorted(colours))))}
    ranks = [lower[colour] for colour in colours]
    classes: Classes = {}
    for node, rank in enumerate(ranks):
        classes.setdefault(rank, []).append(node)
    search.refine(ranks, classes, range(len(colours)))
    search.explore(ranks, classes, (), _Orbits(len(colours)))
    order = [0] * len(colours)
    for node, rank in enumerate(search.best):
        order[rank] = node
    return order


class _Search:
    """The search tree over refined colourings; `best` is the least discrete one so far.

    A colouring gives each node a rank: how many nodes stand in lower classes.
    """

    def __init__(self, size: int, edges: Sequence[Edge]) -> None:
        self.size = size
        self.edges = edges
        self.incoming: list[list[tuple[int, int]]] = [[] for _ in range(size)]
        self.outgoing: list[list[tuple[int, int]]] = [[] for _ in range(size)]
        for source, target, label in edges:
            self.outgoing[source].append((label, target))
            self.incoming[target].append((label, source))
        self.best: list[int] = []
        self.best_path: tuple[int, ...] = ()
        self.certificate: Certificate | None = None
        self.symmetries: list[dict[int, int]] = []  # the nodes that each moves, and where to
        self.work = 0

    def explore(
        self, ranks: list[int], classes: Classes, path: tuple[int, ...], orbits: _Orbits
    ) -> int:
        """Search below the nodes singled out so far; return the depth at which to go on.

        `orbits` hold symmetries, if any, that leave these nodes where they are.
        """
        tied = self._tied(ranks, classes)
        if not tied:
            return self._leaf(ranks, path)
        explored: dict[int, list[int]] = {}  # nodes, and the ranks once they were singled out
        for node in tied:
            self._spend(1 + len(explored) + orbits.learn(self.symmetries, path))
            if any(orbits.root(node) == orbits.root(other) for other in explored):
                continue  # the mirror image of a node that was explored
            split, parts, low = list(ranks), dict(classes), ranks[node]
            split[node] = low + len(tied) - 1
            parts[low] = [other for other in tied if other != node]
            self.refine(split, parts, (node,))
            mirror = self._mirror(split, islice(explored.values(), MIRRORS))
            if mirror is not None:
                self.symmetries.append(mirror)
                continue
            explored[node] = list(split)
            # What leaves the longer path where it is will do for the shorter one, too.
            below = _Orbits(self.size) if self.symmetries else orbits
            depth = self.explore(split, parts, (*path, node), below)
            if depth < len(path):
                return depth
        return len(path)

    def _tied(self, ranks: list[int], classes: Classes) -> list[int]:
        """Return the smallest class of several nodes, once twins are put in any order.

        Twins are nodes with equal neighbours: to swap two of them changes nothing.
        """
        while True:
            for rank in [rank for rank, nodes in classes.items() if len(nodes) == 1]:
                del classes[rank]
            if not classes:
                return []
            low = min(classes, key=lambda rank: (len(classes[rank]), rank))
            tied = classes[low]
            first = self._neighbours(tied[0])
            if any(self._neighbours(node) != first for node in tied[1:]):
                return tied
            del classes[low]
            for rank, node in enumerate(tied, start=low):
                ranks[node] = rank

    def _neighbours(self, node: int) -> tuple[list[tuple[int, int]], ...]:
        self._spend(len(self.incoming[node]) + len(self.outgoing[node]))
        return sorted(self.incoming[node]), sorted(self.outgoing[node])

    def _mirror(self, ranks: list[int], explored: Iterable[list[int]]) -> dict[int, int] | None:
        """Return a symmetry that takes one of the explored colourings to this one, if it is plain.

        A node that has its rank in both is taken to stay where it is.
        """
        for others in explored:
            self._spend(self.size // 4)
            moved = [node for node in range(self.size) if ranks[node] != others[node]]
            sources = sorted(moved, key=others.__getitem__)
            targets = sorted(moved, key=ranks.__getitem__)
            if [others[node] for node in sources] == [ranks[node] for node in targets]:
                symmetry = dict(zip(sources, targets, strict=True))
                if all(self._agree(node, symmetry) for node in moved):
                    return symmetry
        return None

    def _agree(self, node: int, symmetry: Mapping[int, int]) -> bool:
        """Tell whether a node's edges become those of the node that takes its place."""
        return self._neighbours(symmetry[node]) == tuple(
            sorted([(label, symmetry.get(other, other)) for label, other in edges])
            for edges in (self.incoming[node], self.outgoing[node])
        )

    def refine(self, ranks: list[int], classes: Classes, changed: Iterable[int]) -> None:
        """Split classes by the ranks of the neighbours until nothing splits.

        `changed` are the nodes whose rank is new to their neighbours. The largest part of a class
        keeps its rank, so that few nodes change.
        """
        self._spend(self.size // 8)
        while changed:
            touched: dict[int, dict[int, None]] = {}  # by rank, each node once
            for node in changed:
                self._spend(len(self.incoming[node]) + len(self.outgoing[node]))
                for _, other in (*self.incoming[node], *self.outgoing[node]):
                    touched.setdefault(ranks[other], {})[other] = None
            moved: dict[int, int] = {}
            for rank, nodes in touched.items():
                if rank in classes and len(classes[rank]) > 1:
                    below = rank
                    for part in self._parts(classes[rank], nodes, ranks):
                        classes[below] = part
                        if below != rank:
                            moved.update(dict.fromkeys(part, below))
                        below += len(part)
            for node, rank in moved.items():
                ranks[node] = rank
            changed = tuple(moved)

    def _parts(
        self, nodes: list[int], touched: Mapping[int, None], ranks: list[int]
    ) -> list[list[int]]:
        """Return the parts of a class whose neighbours have equal ranks, the largest first."""
        self._spend(len(nodes) // 8)
        parts: dict[Signature, list[int]] = {}
        # Untouched nodes have no neighbour of a new rank, and are alike as they were before.
        untouched = [node for node in nodes if node not in touched]
        if untouched:
            parts[(), ()] = untouched
        for node in touched:
            parts.setdefault(self._signature(node, ranks), []).append(node)
        return [part for _, part in sorted(parts.items(), key=lambda p: (-len(p[1]), p[0]))]

    def _signature(self, node: int, ranks: list[int]) -> Signature:
        self._spend(len(self.incoming[node]) + len(self.outgoing[node]))
        return (
            tuple(sorted([(label, ranks[other]) for label, other in self.incoming[node]])),
            tuple(sorted([(label, ranks[other]) for label, other in self.outgoing[node]])),
        )

    def _leaf(self, ranks: list[int], path: tuple[int, ...]) -> int:
        """Compare a discrete order with the best; return the depth at which to go on.

        Below the node where the path to a mirror image of the best leaves the path to the best,
        all else is a mirror image too.
        """
        self._spend(len(self.edges))
        certificate = tuple(
            sorted((ranks[source], ranks[target], label) for source, target, label in self.edges)
        )
        if self.certificate is None or certificate < self.certificate:
            self.certificate, self.best, self.best_path = certificate, ranks, path
        elif certificate == self.certificate:
            node_of = {rank: node for node, rank in enumerate(self.best)}
            pairs = ((node, node_of[rank]) for node, rank in enumerate(ranks))
            self.symmetries.append({node: image for node, image in pairs if node != image})
            steps = enumerate(zip(path, self.best_path, strict=False))
            return next(depth for depth, (own, best) in steps if own != best)
        return len(path)

    def _spend(self, work: int) -> None:
        self.work += work
        if self.work > MAX_WORK:
            raise CellError(
                "cell: too many of its parts are connected alike for them to be put in order in "
                f"{MAX_WORK} steps; leave some out or connect them differently"
            )


class _Orbits:
    """Which nodes do the symmetries that leave a path where it is map to each other?"""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))
        self.known = 0  # symmetries that were looked at
        self.moving: list[dict[int, int]] = []  # those of them that move the path
        self.depth = 0  # of the path at that time

    def root(self, item: int) -> int:
        while self.parent[item] != item:
            self.parent[item] = self.parent[self.parent[item]]
            item = self.parent[item]
        return item

    def learn(self, symmetries: Sequence[dict[int, int]], path: tuple[int, ...]) -> int:
        """Join what further symmetries map to each other; return how many nodes these move.

        The path may be shorter than the last time: symmetries that moved its end are tried again.
        """
        found = list(symmetries[self.known :])
        if len(path) < self.depth:
            found, self.moving = [*self.moving, *found], []
        self.known, self.depth = len(symmetries), len(path)
        for symmetry in found:
            if symmetry.keys().isdisjoint(path):
                for source, target in symmetry.items():
                    self.parent[self.root(source)] = self.root(target)
            else:
                self.moving.append(symmetry)
        return sum(map(len, found))
