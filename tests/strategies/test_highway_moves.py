"""Specification of the moves of highway cells: small edits, each of them to a highway cell."""

from __future__ import annotations

import random

import pytest

from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.space import load_space
from cellsearch.space.highway import Highway, read, write
from cellsearch.strategies.highway_moves import MOVES, Move, cross, mutate

SPACE = load_space("darts")


def chain(length: int) -> Highway:
    return Highway(tuple(("tanh", node) for node in range(length)), "all")


@pytest.mark.parametrize("move", MOVES.values(), ids=list(MOVES))
def test_a_move_leads_to_another_highway_cell(move: Move) -> None:
    rng = random.Random(0)
    applied = 0
    for length in (1, 2, 5, 12):
        for _ in range(20):
            found = move(chain(length), SPACE, rng)
            if found is None:
                continue
            highway, note = found
            assert all(source <= node for node, (_, source) in enumerate(highway.nodes))
            assert abs(len(highway.nodes) - length) <= 1
            assert highway != chain(length)
            assert SPACE.contains(Cell.from_graph(write(highway))) is None
            assert note
            applied += 1
    assert applied >= 40  # the first of several nodes has but one to see


def test_every_node_and_every_place_is_in_reach_of_a_move() -> None:
    rng = random.Random(1)
    start = read(zoo["darts_v1"].normal)
    assert isinstance(start, Highway)
    found: dict[str, set[Highway]] = {name: set() for name in MOVES}
    for _ in range(300):
        for name, move in MOVES.items():
            child = move(start, SPACE, rng)
            if child is not None:
                found[name].add(child[0])
    assert len(found["replace_operator"]) == 8 * 3
    assert len(found["rewire"]) == sum(range(8))
    assert len(found["remove"]) == 6  # of two pairs of nodes, it is the same whichever goes
    assert len(found["average"]) == 1
    assert len(found["insert"]) > 9 * 4 - 4


def test_crossover_joins_the_first_nodes_of_one_to_the_later_ones_of_the_other() -> None:
    rng = random.Random(2)
    first, second = (read(zoo[name].normal) for name in ("darts_v1", "nao"))
    assert isinstance(first, Highway) and isinstance(second, Highway)
    joined = {
        Cell.from_graph(write(Highway((*first.nodes[:cut], *second.nodes[cut:]), ends)))
        for cut in range(1, 9)
        for ends in (first.ends, second.ends)
    }
    lengths = set()
    for _ in range(30):
        child = cross(zoo["darts_v1"], zoo["nao"], SPACE, rng)
        assert child is not None
        found = read(child.normal)
        assert isinstance(found, Highway)
        lengths.add(len(found.nodes))
        assert child in joined
    assert lengths == {11}


def test_other_cells_have_no_highway_children() -> None:
    rng = random.Random(3)
    assert mutate(zoo["gru"], SPACE, rng, 1) is None
    assert cross(zoo["gru"], zoo["enas"], SPACE, rng) is None
    assert cross(zoo["enas"], zoo["gru"], SPACE, rng) is None
