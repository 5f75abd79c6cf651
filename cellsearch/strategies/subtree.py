"""The crossover of subtrees: a value of one parent is put in place of a value of the other.

Koza, 1992, "Genetic Programming", does so with the branches of trees; the graphs of cells have no
common numbering of their values, so that what is exchanged seldom fits its new place.
"""

from __future__ import annotations

import random

import networkx as nx

from cellsearch.cell import Cell
from cellsearch.space import Space
from cellsearch.space.growth import tidy
from cellsearch.strategies import highway_moves
from cellsearch.strategies.draft import born, copy_of, operators, places, redirect

TRIES = 12
"""Exchanges that are tried before a crossover gives up."""


def cross(first: Cell, second: Cell, space: Space, rng: random.Random) -> Cell | None:
    """Return the first cell with a random value replaced by a random one of the second.

    What the second's value is computed from comes with it; x and the states are matched by name,
    a state that the first lacks becomes its h. None if no valid child was found. Highway cells are
    cut and joined between two nodes.
    """
    if space.shape == "highway":
        return highway_moves.cross(first, second, space, rng)
    for _ in range(TRIES):
        graph, donor = tidy(first.graph), second.graph
        target, source = rng.choice(operators(graph)), rng.choice(operators(donor))
        needed = nx.ancestors(donor, source) | {source}
        keys: dict[int, int] = {}
        for node in donor:  # in topological order
            if node in needed:
                keys[node] = copy_of(graph, donor, node, keys)
        for place in places(graph):
            if place[0] == target:
                redirect(graph, place, keys[source])
        child = born(tidy(graph), space)
        if child is not None and child not in (first, second):
            return child
    return None
