"""Graphs of which colour refinement tells little: hard to put in order, or to tell apart."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from itertools import combinations, product
from random import Random

Adjacency = list[list[int]]


def symmetric_graph(rng: Random) -> Adjacency:
    """Return the neighbours of each node of a symmetric graph of at most some 250 nodes."""
    kind = rng.choice(("rings", "regular", "grid", "cube", "twisted", "latin", "plane", "copies"))
    if kind == "rings":
        return _rings([rng.choice((1, 2, 3, 4, 6, 12)) for _ in range(rng.randint(1, 30))])
    if kind == "regular":
        return _permutations(rng.randint(5, 200), rng.randint(1, 4), rng)
    if kind == "grid":
        side = rng.randint(2, 14)
        places = list(product(range(side), repeat=2))
        return _joined(
            places, lambda a, b: sum(_apart(i, j, side) for i, j in zip(a, b, strict=True)) == 1
        )
    if kind == "cube":
        places = list(product((0, 1), repeat=rng.randint(2, 7)))
        return _joined(places, lambda a, b: sum(i != j for i, j in zip(a, b, strict=True)) == 1)
    if kind == "latin":
        side = rng.randint(3, 11)
        cells = [(i, j, (i + j) % side) for i, j in product(range(side), repeat=2)]
        return _joined(cells, lambda a, b: any(i == j for i, j in zip(a, b, strict=True)))
    if kind == "plane":
        return _plane(rng.choice((2, 3, 5, 7)))
    base = _permutations(2 * rng.randint(2, 9), 1, rng)
    pair = [twisted(base, twist) for twist in (False, True)]
    count = 1 if kind == "twisted" else rng.randint(2, 4)
    return _beside([rng.choice(pair) for _ in range(count)])


def _apart(first: int, second: int, size: int) -> int:
    return min((first - second) % size, (second - first) % size)


def _joined(places: Sequence[tuple[int, ...]], near: Callable[..., bool]) -> Adjacency:
    return [
        [other for other, there in enumerate(places) if other != here and near(places[here], there)]
        for here in range(len(places))
    ]


def _rings(lengths: list[int]) -> Adjacency:
    return _beside([[[(i + 1) % length] for i in range(length)] for length in lengths])


def _beside(graphs: list[Adjacency]) -> Adjacency:
    found: Adjacency = []
    for graph in graphs:
        before = len(found)
        found += [[before + other for other in others] for others in graph]
    return found


def _permutations(size: int, count: int, rng: Random) -> Adjacency:
    """A ring and some random permutations, joined: every node has as many neighbours."""
    shuffled = [rng.sample(range(size), size) for _ in range(count)]
    return [[(node + 1) % size, *(order[node] for order in shuffled)] for node in range(size)]


def _plane(order: int) -> Adjacency:
    """Points and lines of the projective plane over a field of prime order."""
    points = [
        place
        for place in product(range(order), repeat=3)
        if any(place) and next(part for part in place if part) == 1
    ]
    size = len(points)
    on = [
        [
            size + j
            for j, line in enumerate(points)
            if sum(map(int.__mul__, point, line)) % order == 0
        ]
        for point in points
    ]
    return [*on, *([i for i in range(size) if size + j in on[i]] for j in range(size))]


def twisted(base: Adjacency, twist: bool) -> Adjacency:
    """The graphs of Cai, Fuerer and Immerman 1992, https://doi.org/10.1007/BF01305232.

    With and without the twist they are different graphs that refinement cannot tell apart.
    """
    edges = sorted(
        {(min(a, b), max(a, b)) for a, others in enumerate(base) for b in others if a != b}
    )
    index: dict[Hashable, int] = {}
    found: Adjacency = []

    def place(key: Hashable) -> int:
        if key not in index:
            index[key] = len(found)
            found.append([])
        return index[key]

    def join(first: Hashable, second: Hashable) -> None:
        found[place(first)].append(place(second))
        found[place(second)].append(place(first))

    for node in range(len(base)):
        own = [edge for edge in edges if node in edge]
        for chosen in (
            part for size in range(0, len(own) + 1, 2) for part in combinations(own, size)
        ):
            for edge in own:
                join((node, chosen), (node, edge, edge in chosen))
    for number, edge in enumerate(edges):
        for side in (False, True):
            join((edge[0], edge, side), (edge[1], edge, side != (twist and number == 0)))
    return found
