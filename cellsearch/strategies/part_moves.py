"""Mutation in spaces whose cells are read as a few parts, changed there, and written as graphs."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from cellsearch.cell import Cell
from cellsearch.space import Space

if TYPE_CHECKING:
    import networkx as nx

Parts = TypeVar("Parts")

TRIES = 12
"""Edits that are tried before a mutation or crossover gives up; few fail."""


def mutate_parts(
    cell: Cell,
    parts: Parts,
    write: Callable[[Parts], nx.MultiDiGraph],
    moves: Sequence[Callable[[Parts, Space, random.Random], tuple[Parts, str] | None]],
    space: Space,
    rng: random.Random,
    count: int,
) -> tuple[Cell, str] | None:
    """Return a cell that is up to `count` moves away, inside the space, and what was done.

    `parts` are those of the cell. None if there is none within a bounded number of tries; a move
    that changes nothing does not count.
    """
    for _ in range(TRIES):
        changed, notes = parts, list[str]()
        for _ in range(TRIES * count):
            if len(notes) == count:
                break
            found = rng.choice(moves)(changed, space, rng)
            if found is not None and found[0] != changed:
                changed = found[0]
                notes.append(found[1])
        child = Cell.from_graph(write(changed))
        if child != cell and space.contains(child) is None:
            return child, ", ".join(notes)
    return None
