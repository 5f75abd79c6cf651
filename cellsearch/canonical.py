"""An exact canonical order of the nodes of a small coloured directed graph.

Colour refinement tells most nodes apart; where it cannot, one node after the other is singled out
and the least of the resulting orders wins (individualisation and refinement, McKay 1981, "Practical
graph isomorphism", https://users.cecs.anu.edu.au/~bdm/papers/pgi.pdf). Symmetries met on the way
spare the search their mirror images, so that n equal parts cost about n orders and not n factorial.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Edge = tuple[int, int, int]  # source, target, label
Certificate = tuple[tuple[int, int, int], ...]
Signature = tuple[tuple[tuple[int, int], ...], tuple[tuple[int, int], ...]]  # label and rank


def canonical_order(colours: Sequence[str], edges: Sequence[Edge]) -> list[int]:
    """Return the nodes in an order that depends on the graph's structure only.

    Two graphs are isomorphic, colours and edge labels included, exactly when their nodes, each
    taken in this order, have equal colours and equal edges. Parallel edges are allowed.
    """
    if not colours:
        return []
    search = _Search(len(colours), edges)
    lower = {colour: rank for rank, colour in reversed(list(enumerate(sorted(colours))))}
    search.explore([lower[colour] for colour in colours], range(len(colours)), ())
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
        self.symmetries: list[list[int]] = []

    def explore(self, ranks: list[int], changed: Iterable[int], path: tuple[int, ...]) -> int:
        """Search below the nodes singled out so far; return the depth at which to go on.

        `changed` are the nodes whose rank is new to their neighbours.
        """
        classes = self._refine(ranks, changed)
        tied = min(
            (nodes for nodes in classes.values() if len(nodes) > 1),
            key=lambda nodes: (len(nodes), ranks[nodes[0]]),
            default=[],
        )
        if not tied:
            return self._leaf(ranks, path)
        orbits = _Orbits(self.size)
        known = 0  # symmetries that the orbits hold
        explored: list[int] = []
        for node in tied:
            if explored:
                for symmetry in self.symmetries[known:]:
                    if all(symmetry[item] == item for item in path):
                        orbits.join(symmetry)
                known = len(self.symmetries)
            if any(orbits.root(node) == orbits.root(other) for other in explored):
                continue  # the mirror image of a node that was explored
            explored.append(node)
            split = list(ranks)
            split[node] += len(tied) - 1
            depth = self.explore(split, (node,), (*path, node))
            if depth < len(path):
                return depth
        return len(path)

    def _refine(self, ranks: list[int], changed: Iterable[int]) -> dict[int, list[int]]:
        """Split classes by the ranks of the neighbours until nothing splits; return them by rank.

        The largest part of a class keeps its rank, so that few nodes change.
        """
        classes: dict[int, list[int]] = {}
        for node, rank in enumerate(ranks):
            classes.setdefault(rank, []).append(node)
        while changed:
            touched = {
                other
                for node in changed
                for _, other in (*self.incoming[node], *self.outgoing[node])
            }
            moved: dict[int, int] = {}
            for rank in {ranks[node] for node in touched}:
                below = rank
                for part in self._parts(classes[rank], touched, ranks):
                    classes[below] = part
                    if below != rank:
                        moved.update(dict.fromkeys(part, below))
                    below += len(part)
            for node, rank in moved.items():
                ranks[node] = rank
            changed = tuple(moved)
        return classes

    def _parts(self, nodes: list[int], touched: set[int], ranks: list[int]) -> list[list[int]]:
        """Return the parts of a class whose neighbours have equal ranks, the largest first."""
        if len(nodes) == 1:
            return [nodes]
        parts: dict[Signature, list[int]] = {}
        for node in nodes:
            # Untouched nodes have no neighbour of a new rank, and are alike as they were before.
            signature = self._signature(node, ranks) if node in touched else ((), ())
            parts.setdefault(signature, []).append(node)
        return [part for _, part in sorted(parts.items(), key=lambda p: (-len(p[1]), p[0]))]

    def _signature(self, node: int, ranks: list[int]) -> Signature:
        return (
            tuple(sorted([(label, ranks[other]) for label, other in self.incoming[node]])),
            tuple(sorted([(label, ranks[other]) for label, other in self.outgoing[node]])),
        )

    def _leaf(self, ranks: list[int], path: tuple[int, ...]) -> int:
        """Compare a discrete order with the best; return the depth at which to go on.

        Below the node where the path to a mirror image of the best leaves the path to the best,
        all else is a mirror image too.
        """
        certificate = tuple(
            sorted((ranks[source], ranks[target], label) for source, target, label in self.edges)
        )
        if self.certificate is None or certificate < self.certificate:
            self.certificate, self.best, self.best_path = certificate, ranks, path
        elif certificate == self.certificate:
            node_of = {rank: node for node, rank in enumerate(self.best)}
            self.symmetries.append([node_of[rank] for rank in ranks])
            pairs = enumerate(zip(path, self.best_path, strict=False))
            return next(depth for depth, (own, best) in pairs if own != best)
        return len(path)


class _Orbits:
    """Which nodes do the joined symmetries map to each other?"""

    def __init__(self, size: int) -> None:
        self.parent = list(range(size))

    def root(self, item: int) -> int:
        while self.parent[item] != item:
            item = self.parent[item]
        return item

    def join(self, symmetry: list[int]) -> None:
        for source, target in enumerate(symmetry):
            if source != target:
                self.parent[self.root(source)] = self.root(target)
