"""Mutation: moves chosen at random, one after the other; the child is inside the space.

The moves are those of Jozefowicz, Zaremba and Sutskever, 2015, "An Empirical Exploration of
Recurrent Network Architectures", https://proceedings.mlr.press/v37/jozefowicz15.html (another
operator, an operator inserted, removed, or put in place of another and fed from two values), and of
Ororbia, ElSaid and Desell, 2019, "Investigating Recurrent Neural Network Memory Structures using
Neuro-Evolution", https://arxiv.org/abs/1902.02390 (nodes and edges added and removed, nodes split
and merged), with gates and carried states besides.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import networkx as nx

from cellsearch.cell import Cell
from cellsearch.space import Space
from cellsearch.space.growth import tidy
from cellsearch.strategies import gated_update_moves, highway_moves
from cellsearch.strategies.draft import born, operators
from cellsearch.strategies.moves import edges, memory
from cellsearch.strategies.moves import operators as of_operators

TRIES = 12
"""Moves that are tried before a mutation gives up; most that fail would leave the space."""


@dataclass(frozen=True, slots=True)
class Move:
    """A small edit of a cell's graph.

    `edit` works in place and returns what it did, or None where it does not apply; whether the
    result is inside the space is seen afterwards. `weight` is the move's share of the tries.
    """

    edit: Callable[[nx.MultiDiGraph, Space, random.Random], str | None]
    weight: float = 1.0


MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "add": Move(of_operators.add_value),
        "remove": Move(of_operators.remove),
        "replace_operator": Move(of_operators.replace_operator),
        "replace": Move(of_operators.replace),
        "insert": Move(of_operators.insert),
        "change_attribute": Move(of_operators.change_attribute, 0.3),
        "rewire": Move(edges.rewire),
        "add_edge": Move(edges.add_edge),
        "remove_edge": Move(edges.remove_edge),
        "split": Move(edges.split, 0.5),
        "share": Move(edges.share, 0.5),
        "insert_gate": Move(memory.insert_gate),
        "add_state": Move(memory.add_state),
        "remove_state": Move(memory.remove_state),
    }
)
"""Every move of a graph by its name."""

Mutate = Callable[[Cell, Space, random.Random, int, Sequence[str] | None], tuple[Cell, str] | None]

_OWN: Mapping[str, tuple[Mapping[str, object], Mutate]] = MappingProxyType(
    {
        "gated_update": (gated_update_moves.MOVES, gated_update_moves.mutate),
        "highway": (highway_moves.MOVES, highway_moves.mutate),
    }
)
"""The shapes of spaces that most edits of a graph would leave: their moves and mutations."""


def move_names(space: Space) -> tuple[str, ...]:
    """Return the names of the moves that a space's cells are mutated by."""
    return tuple(_OWN[space.shape][0] if space.shape in _OWN else MOVES)


def mutate(
    cell: Cell,
    space: Space,
    rng: random.Random,
    count: int = 1,
    names: Sequence[str] | None = None,
) -> tuple[Cell, str] | None:
    """Return a cell that is up to `count` moves away, inside the space, and what was done.

    `names` says which moves are chosen from, each as often as its weight says, or all if None. The
    result is None if no valid cell was found within a bounded number of tries. The given cell is
    unchanged. Raises KeyError for a name that is not among `move_names`.
    """
    if space.shape in _OWN:
        return _OWN[space.shape][1](cell, space, rng, count, names)
    moves = [MOVES[name] for name in (MOVES if names is None else names)]
    weights = [move.weight for move in moves]
    for _ in range(TRIES):
        graph = tidy(cell.graph)
        notes: list[str] = []
        for _ in range(TRIES * count):
            if len(notes) == count or not operators(graph):
                break
            note = rng.choices(moves, weights)[0].edit(graph, space, rng)
            tidy(graph)
            notes += [note] if note else []
        child = born(graph, space)
        if child is not None and child != cell:
            return child, ", ".join(notes)
    return None
