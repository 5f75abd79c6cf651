"""Moves of edges: who sees which value."""

from __future__ import annotations

import random
from collections.abc import Hashable, Mapping

import networkx as nx

from cellsearch.operators import OPERATORS
from cellsearch.space import Space
from cellsearch.strategies.draft import (
    LEAVES,
    add,
    arguments,
    operators,
    pick,
    places,
    redirect,
    say,
)


def rewire(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Let a place see another value that is there."""
    place = rng.choice(places(graph))
    new = pick(graph, space, rng, place)
    if new is None:
        return None
    redirect(graph, place, new)
    seen_by = place[1] if isinstance(place[1], str) else graph.nodes[place[1]]["op"]
    return f"{say(graph, new)} for {say(graph, place[0])} in {seen_by}"


def add_edge(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Let a linear, a sum or a product see one more value that is there."""
    wide = [
        node for node in operators(graph) if OPERATORS[graph.nodes[node]["op"]].arity[1] is None
    ]
    if not wide:
        return None
    node = rng.choice(wide)
    slot = graph.in_degree(node)
    new = pick(graph, space, rng, (-1, node, slot))
    if new is None:
        return None
    graph.add_edge(new, node, key=slot)
    return f"{say(graph, node)} sees {say(graph, new)} too"


def remove_edge(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Take an argument from a linear, a sum or a product that keeps enough of them."""
    wide = [
        node
        for node in operators(graph)
        if graph.in_degree(node) > OPERATORS[graph.nodes[node]["op"]].arity[0]
    ]
    if not wide:
        return None
    node = rng.choice(wide)
    args = arguments(graph, node)
    gone = args.pop(rng.randrange(len(args)))
    graph.remove_edges_from(list(graph.in_edges(node, keys=True)))
    graph.add_edges_from((arg, node, slot) for slot, arg in enumerate(args))
    return f"{graph.nodes[node]['op']} sees {say(graph, gone)} no more"


def split(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Give one of several users of a value a copy of it, with learned tensors of its own."""
    if space.shape == "tree":  # no value has several users
        return None
    found = places(graph)
    values = [value for value, _, _ in found]
    shared = [place for place in found if values.count(place[0]) > 1 and _learned(graph, place[0])]
    if not shared:
        return None
    place = rng.choice(shared)
    redirect(graph, place, _own_copy(graph, place[0], _learned(graph, place[0]), {}))
    return f"{say(graph, place[0])} is split"


def share(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Let the users of a value see a like one instead.

    Alike are values that are computed in the same way, with learned tensors of their own; where
    there are none such, values of the same operator.
    """
    if space.shape == "tree":  # no value has several users
        return None
    pairs = _pairs(graph, _computed(graph)) or _pairs(
        graph, {node: graph.nodes[node]["op"] for node in operators(graph)}
    )
    if not pairs:
        return None
    kept, gone = rng.choice(pairs)
    for place in places(graph):
        if place[0] == gone:
            redirect(graph, place, kept)
    return f"two {say(graph, kept)} are one"


def _learned(graph: nx.MultiDiGraph, node: int) -> frozenset[int]:
    """Return those of a value and what it is computed from that depend on learned tensors."""
    below = nx.ancestors(graph, node) | {node}
    owners = [one for one in below if _owns(graph, one)]
    return frozenset(
        one for owner in owners for one in (owner, *nx.descendants(graph, owner)) if one in below
    )


def _owns(graph: nx.MultiDiGraph, node: int) -> bool:
    op = graph.nodes[node]["op"]
    return op not in LEAVES and OPERATORS[op].owns_tensors


def _own_copy(
    graph: nx.MultiDiGraph, node: int, learned: frozenset[int], made: dict[int, int]
) -> int:
    """Copy a value, down to the first that own tensors."""
    if node not in learned:
        return node
    if node not in made:
        args = arguments(graph, node)
        if not _owns(graph, node):
            args = [_own_copy(graph, arg, learned, made) for arg in args]
        made[node] = add(graph, graph.nodes[node]["op"], args)
        graph.nodes[made[node]]["attributes"] = dict(graph.nodes[node]["attributes"])
    return made[node]


def _computed(graph: nx.MultiDiGraph) -> dict[int, Hashable]:
    """Return for each value with learned tensors how it is computed, as what compares."""
    found: dict[int, Hashable] = {}
    numbers: dict[Hashable, int] = {}  # short names for long stories
    for node in nx.topological_sort(graph):
        data = graph.nodes[node]
        args = [numbers[found[arg]] for arg in arguments(graph, node)]
        if data["op"] not in LEAVES and OPERATORS[data["op"]].commutative:
            args.sort()
        name = data["name"] if data["op"] == "state" else ""
        found[node] = (data["op"], name, tuple(sorted(data["attributes"].items())), tuple(args))
        numbers.setdefault(found[node], len(numbers))
    learned = [node for node in operators(graph) if _learned(graph, node)]
    return {node: found[node] for node in learned}


def _pairs(graph: nx.MultiDiGraph, like: Mapping[int, Hashable]) -> list[tuple[int, int]]:
    """Return pairs of like values of which the first does not depend on the second."""
    return [
        (kept, gone)
        for kept, one in like.items()
        for gone, other in like.items()
        if kept != gone and one == other and not nx.has_path(graph, gone, kept)
    ]
