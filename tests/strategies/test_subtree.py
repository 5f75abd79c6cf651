"""Specification of the crossover of subtrees: children join what both parents have."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.space import Space, load_space
from cellsearch.strategies.subtree import cross

LEAVES = ("x", "state", "number")


@pytest.fixture(scope="module", params=["minimal", "gated"])
def space(request: pytest.FixtureRequest) -> Space:
    return load_space(request.param)


@pytest.fixture(scope="module")
def parents(space: Space) -> list[Cell]:
    rng = random.Random(1)
    known = [cell for cell in zoo.values() if space.contains(cell) is None]
    return known + [space.draw(rng) for _ in range(30)]


def test_crossovers_are_inside_and_new_and_leave_parents_alone(
    space: Space, parents: list[Cell]
) -> None:
    before = [(str(cell), cell.id) for cell in parents]
    rng = random.Random(3)
    failed = 0
    for _ in range(400):
        first, second = rng.sample(parents, 2)
        child = cross(first, second, space, rng)
        if child is None:
            failed += 1
            continue
        assert space.contains(child) is None
        assert child not in (first, second)
    assert failed < 40
    assert [(str(cell), cell.id) for cell in parents] == before


def operators(cell: Cell) -> Counter[str]:
    return Counter(op for _, op in cell.graph.nodes(data="op") if op not in LEAVES)


def test_crossover_joins_what_both_parents_have() -> None:
    """Every operator of a child, with what it sees, was an operator of a parent."""
    space, rng = load_space("gated"), random.Random(4)
    first = Cell.parse("h = tanh(linear(x, h_prev)) + sigmoid(linear(x))")
    second = Cell.parse("h = relu(linear(x, h_prev)) * sigmoid(h_prev)")
    children = [cross(first, second, space, rng) for _ in range(40)]
    mixed = 0
    for child in children:
        assert child is not None
        found = operators(child)
        assert set(found) <= set(operators(first)) | set(operators(second))
        assert found["tanh"] <= 1 and found["relu"] <= 1
        mixed += bool(found["tanh"] and (found["relu"] or found["mul"]))
    assert mixed > 5


def test_cells_without_room_have_no_children() -> None:
    space = Space(name="one", operators=("linear",), nodes=1, depth=1, products=2)
    cell = Cell.parse("h = linear(x, h_prev)")
    assert cross(cell, cell, space, random.Random(0)) is None
