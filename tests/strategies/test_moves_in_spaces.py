"""Specification of the moves in every space: all children are inside, and nothing else changes."""

from __future__ import annotations

import random
from functools import cache

import numpy as np
import pytest
import torch

from cellsearch import resources
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.space import Space, load_space
from cellsearch.strategies import edit_path, subtree
from cellsearch.strategies.moves import move_names, mutate

SPACES = resources.names("search_spaces")
MOVES = [(name, move) for name in SPACES for move in move_names(load_space(name))]
IDLE = {
    ("tree", "split"),  # no value has several users
    ("tree", "share"),
    *((name, "change_attribute") for name in ("minimal", "nas_bench_nlp", "scan", "tree")),
    ("minimal", "add_state"),  # there is but one
    ("minimal", "remove_state"),
}
"""The moves for which a space has no room."""
FULL = 10_000
"""Applications of a move, all spaces together, in a full run."""


@cache
def parents(name: str) -> tuple[Space, list[Cell]]:
    space = load_space(name)
    rng = random.Random(1)
    known = [cell for cell in zoo.values() if space.contains(cell) is None]
    return space, known + [space.draw(rng) for _ in range(25)]


def frozen(cell: Cell) -> str:
    """Return all that a cell says."""
    graph = cell.graph
    return f"{cell}{cell.id}{list(graph.nodes(data=True))}{list(graph.edges(keys=True))}"


@pytest.mark.parametrize(("name", "move"), MOVES)
def test_a_move_leads_inside_and_leaves_all_else_alone(name: str, move: str, full: bool) -> None:
    space, cells = parents(name)
    turns = FULL // sum(move == other for _, other in MOVES) + 1 if full else 25
    before = [frozen(cell) for cell in cells]
    random.seed(1)
    outside, numpys, torchs = random.getstate(), np.random.get_state(), torch.get_rng_state()
    rng = random.Random(f"{name} {move}")
    found = 0
    for turn in range(turns):
        parent = cells[turn % len(cells)]
        child = mutate(parent, space, rng, 1, [move])
        if child is None:
            continue
        found += 1
        assert space.contains(child[0]) is None
        assert child[0] != parent
        assert Cell.parse(str(child[0])) == child[0]
        assert child[1]
    assert (found == 0) if (name, move) in IDLE else (found > turns / 10)
    assert [frozen(cell) for cell in cells] == before
    assert random.getstate() == outside
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpys, strict=True))
    assert torch.equal(torch.get_rng_state(), torchs)


@pytest.mark.parametrize("name", SPACES)
def test_most_mutations_find_a_child_inside(name: str, full: bool) -> None:
    (space, cells), rng = parents(name), random.Random(2)
    turns = 500 if full else 40
    children: list[str] = []
    for turn in range(turns):
        parent = cells[turn % len(cells)]
        found = mutate(parent, space, rng, 1 + turn % 3)
        if found is not None:
            child, note = found
            assert space.contains(child) is None
            assert child != parent
            assert note
            children.append(child.id)
    assert len(children) > 0.8 * turns
    assert len({*children}) > turns / 2  # and few are the same, even in a space of few cells


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("recombination", [edit_path, subtree])
def test_most_crossovers_find_a_child_inside(name: str, recombination: object, full: bool) -> None:
    (space, cells), rng = parents(name), random.Random(3)
    turns = 500 if full else 40
    found = 0
    for turn in range(turns):
        first, second = cells[turn % len(cells)], rng.choice(cells)
        child = recombination.cross(first, second, space, rng)  # type: ignore[attr-defined]
        if child is not None:
            assert space.contains(child) is None
            assert child not in (first, second)
            found += 1
    assert found > 0.6 * turns
