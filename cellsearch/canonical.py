"""An exact canonical order of the nodes of a small coloured directed graph.

Colour refinement tells most nodes apart; where it cannot, one node after the other is singled out
and the least of the resulting orders wins (individualisation and refinement, McKay 1981, "Practical
graph isomorphism", https://users.cecs.anu.edu.au/~bdm/papers/pgi.pdf). Symmetries met on the way
spare the search their mirror images.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

Edge = tuple[int, int, int]  # source, target, label
Certificate = tuple[tuple[int, int, int], ...]


def canonical_order(colours: Sequence[str], edges: Sequence[Edge]) -> list[int]:
    """Return the nodes in an order that depends on the graph's structure only.

    Two graphs are isomorphic, colours and edge labels included, exactly when their nodes, each
    taken in this order, have equal colours and equal edges. Parallel edges are allowed.
    """
    if not colours:
        return []
    search = _Search(len(colours), edges)
    ranks = {colour: rank for rank, colour in enumerate(sorted(set(colours)))}
    search.explore([ranks[colour] for colour in colours], ())
    order = [0] * len(colours)
    for node, rank in enumerate(search.best):
        order[rank] = node
    return order


class _Search:
    """The search tree over refined colourings; `best` is the least discrete one so far."""

    def __init__(self, size: int, edges: Sequence[Edge]) -> None:
        self.size = size
        self.edges = edges
        self.incoming: list[list[tuple[int, int]]] = [[] for _ in range(size)]
        self.outgoing: list[list[tuple[int, int]]] = [[] for _ in range(size)]
        for source, target, label in edges:
            self.outgoing[source].append((label, target))
            self.incoming[target].append((label, source))
        self.best: list[int] = []
        self.certificate: Certificate | None = None
        self.symmetries: list[list[int]] = []

    def explore(self, ranks: list[int], singled_out: tuple[int, ...]) -> None:
        ranks = self._refine(ranks)
        cell = self._first_tied(ranks)
        if not cell:
            self._leaf(ranks)
            return
        explored: list[int] = []
        for node in cell:
            if not self._mirrors(node, explored, singled_out):
                explored.append(node)
                # Doubling leaves room below the tied nodes for the one that is singled out.
                split = [2 * rank + 1 for rank in ranks]
                split[node] -= 1
                self.explore(split, (*singled_out, node))

    def _refine(self, ranks: list[int]) -> list[int]:
        """Split equal ranks by the ranks of the neighbours until nothing splits any more."""
        count = len(set(ranks))
        while True:
            signatures = [
                (
                    ranks[node],
                    sorted((label, ranks[other]) for label, other in self.incoming[node]),
                    sorted((label, ranks[other]) for label, other in self.outgoing[node]),
                )
                for node in range(self.size)
            ]
            order = sorted(range(self.size), key=signatures.__getitem__)
            ranks = [0] * self.size
            rank = 0
            for previous, node in pairwise(order):
                rank += signatures[previous] != signatures[node]
                ranks[node] = rank
            if rank + 1 == count:
                return ranks
            count = rank + 1

    def _first_tied(self, ranks: list[int]) -> list[int]:
        """Return the nodes of the smallest tied class, the lowest rank first; empty if none."""
        classes: dict[int, list[int]] = {}
        for node, rank in enumerate(ranks):
            classes.setdefault(rank, []).append(node)
        tied = [(len(nodes), rank) for rank, nodes in classes.items() if len(nodes) > 1]
        return classes[min(tied)[1]] if tied else []

    def _leaf(self, ranks: list[int]) -> None:
        certificate = tuple(
            sorted((ranks[source], ranks[target], label) for source, target, label in self.edges)
        )
        if self.certificate is None or certificate < self.certificate:
            self.certificate, self.best = certificate, ranks
        elif certificate == self.certificate:
            node_of = {rank: node for node, rank in enumerate(self.best)}
            self.symmetries.append([node_of[rank] for rank in ranks])

    def _mirrors(self, node: int, explored: list[int], fixed: tuple[int, ...]) -> bool:
        """Tell whether a known symmetry that keeps `fixed` maps the node to an explored one."""
        parent = list(range(self.size))

        def root(item: int) -> int:
            while parent[item] != item:
                item = parent[item]
            return item

        for symmetry in self.symmetries:
            if all(symmetry[item] == item for item in fixed):
                for source, target in enumerate(symmetry):
                    parent[root(source)] = root(target)
        return any(root(node) == root(other) for other in explored)
