"""Specification of the moves in every space: most find a child, and all children are inside."""

from __future__ import annotations

import random

import pytest

from cellsearch import resources
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.space import Space, load_space
from cellsearch.strategies.moves import cross, mutate


@pytest.fixture(scope="module", params=resources.names("search_spaces"))
def parents(request: pytest.FixtureRequest) -> tuple[Space, list[Cell]]:
    space = load_space(request.param)
    rng = random.Random(1)
    known = [cell for cell in zoo.values() if space.contains(cell) is None]
    return space, known + [space.draw(rng) for _ in range(25)]


def test_most_mutations_find_a_child_inside(parents: tuple[Space, list[Cell]], full: bool) -> None:
    (space, cells), rng = parents, random.Random(2)
    turns = 500 if full else 40
    children: set[str] = set()
    for turn in range(turns):
        parent = cells[turn % len(cells)]
        found = mutate(parent, space, rng, 1 + turn % 3)
        if found is not None:
            child, note = found
            assert space.contains(child) is None
            assert child != parent
            assert note
            children.add(child.id)
    assert len(children) > 0.8 * turns


def test_most_crossovers_find_a_child_inside(parents: tuple[Space, list[Cell]], full: bool) -> None:
    (space, cells), rng = parents, random.Random(3)
    turns = 500 if full else 40
    found = 0
    for turn in range(turns):
        first, second = cells[turn % len(cells)], rng.choice(cells)
        child = cross(first, second, space, rng)
        if child is not None:
            assert space.contains(child) is None
            assert child not in (first, second)
            found += 1
    assert found > 0.85 * turns
