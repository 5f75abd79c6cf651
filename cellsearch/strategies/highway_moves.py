"""Moves in a space of highway cells: edits of their nodes, and the crossover of two cells.

Edits of a graph would mostly leave such a space; these keep to it. See `cellsearch.space.highway`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from cellsearch.cell import Cell
from cellsearch.space import Space
from cellsearch.space.highway import Highway, activations, most_nodes, read, write
from cellsearch.strategies.part_moves import TRIES, mutate_parts

Move = Callable[[Highway, Space, random.Random], tuple[Highway, str] | None]


def mutate(
    cell: Cell,
    space: Space,
    rng: random.Random,
    count: int,
    names: Sequence[str] | None = None,
) -> tuple[Cell, str] | None:
    """Return a highway cell that is up to `count` moves away, inside the space, and what was done.

    None if there is none within a bounded number of tries, or if the cell is no highway cell.
    `names` says which moves are chosen from, all if None.
    """
    moves = [MOVES[name] for name in (MOVES if names is None else names)]
    highway = read(cell.normal)
    if isinstance(highway, str):
        return None
    return mutate_parts(cell, highway, write, moves, space, rng, count)


def cross(first: Cell, second: Cell, space: Space, rng: random.Random) -> Cell | None:
    """Return a cell of the first nodes of one and the later nodes of the other.

    None if there is no new one within a bounded number of tries, or if either is no highway cell.
    """
    one, other = read(first.normal), read(second.normal)
    if isinstance(one, str) or isinstance(other, str):
        return None
    for _ in range(TRIES):
        cut = rng.randint(1, min(len(one.nodes), len(other.nodes)))
        nodes = (*one.nodes[:cut], *other.nodes[cut:])
        child = Cell.from_graph(write(Highway(nodes, rng.choice((one.ends, other.ends)))))
        if child not in (first, second) and space.contains(child) is None:
            return child
    return None


def _activate(highway: Highway, space: Space, rng: random.Random) -> tuple[Highway, str] | None:
    """Give a node another activation."""
    node = rng.randrange(len(highway.nodes))
    old, source = highway.nodes[node]
    others = [name for name in activations(space) if name != old]
    if not others:
        return None
    new = rng.choice(others)
    return _with(highway, node, (new, source)), f"{new} for {old} in s{node + 1}"


def _lead(highway: Highway, space: Space, rng: random.Random) -> tuple[Highway, str] | None:
    """Let a node see another earlier one."""
    node = rng.randrange(len(highway.nodes))
    activation, old = highway.nodes[node]
    others = [source for source in range(node + 1) if source != old]
    if not others:
        return None
    new = rng.choice(others)
    return _with(highway, node, (activation, new)), f"s{new} for s{old} in s{node + 1}"


def _insert(highway: Highway, space: Space, rng: random.Random) -> tuple[Highway, str] | None:
    """Add a node behind another, and let some nodes that saw that one see the new one."""
    if len(highway.nodes) == most_nodes(space):
        return None
    source = rng.randrange(len(highway.nodes) + 1)
    new = source + 1  # its number; those from there on move up by one
    nodes = list(highway.nodes[:source])
    nodes.append((rng.choice(activations(space)), source))
    for activation, seen in highway.nodes[source:]:
        led_on = seen == source and rng.random() < 0.5
        nodes.append((activation, new if led_on else seen + (seen >= new)))
    return replace(highway, nodes=tuple(nodes)), f"a new node behind s{source}"


def _remove(highway: Highway, space: Space, rng: random.Random) -> tuple[Highway, str] | None:
    """Drop a node; those that saw it see what it saw."""
    if len(highway.nodes) == 1:
        return None
    gone = rng.randint(1, len(highway.nodes))
    source = highway.nodes[gone - 1][1]
    nodes = [
        (activation, source if seen == gone else seen - (seen > gone))
        for activation, seen in highway.nodes
    ]
    del nodes[gone - 1]
    return replace(highway, nodes=tuple(nodes)), f"no s{gone}"


def _average(highway: Highway, space: Space, rng: random.Random) -> tuple[Highway, str] | None:
    """Take the mean of the loose ends instead of all nodes, or the reverse."""
    if highway.ends == "all":
        return replace(highway, ends="loose"), "the mean of the loose ends"
    return replace(highway, ends="all"), "the mean of all nodes"


def _with(highway: Highway, index: int, node: tuple[str, int]) -> Highway:
    return replace(highway, nodes=(*highway.nodes[:index], node, *highway.nodes[index + 1 :]))


MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "replace_operator": _activate,
        "rewire": _lead,
        "insert": _insert,
        "remove": _remove,
        "average": _average,
    }
)
"""Every move by its name; one is as likely as another."""
