"""Specification of the moves of gated updates: small edits, each of them to a gated update."""

from __future__ import annotations

import random

import pytest

from cellsearch.analysis.edits import edit_path
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.space import load_space
from cellsearch.space.gated_update import GatedUpdate, gated_updates, read, write
from cellsearch.strategies.gated_update_moves import MOVES, Move, mutate

SPACE = load_space("small")
GRU = GatedUpdate(
    gates=("xh", "xh"),
    carried=True,
    keep=(0, False),
    take=(0, True),
    reset="after",
    reset_by=(1, False),
    inner="tanh",
)


def children(start: GatedUpdate, move: str, turns: int = 60) -> set[GatedUpdate | str]:
    cell, rng = Cell.from_graph(write(start)), random.Random(0)
    found = (mutate(cell, SPACE, rng, 1, [move]) for _ in range(turns))
    return {read(SPACE, child[0].normal) for child in found if child is not None}


@pytest.mark.parametrize("move", MOVES.values(), ids=list(MOVES))
def test_a_move_leaves_what_it_is_given_alone(move: Move) -> None:
    rng, before = random.Random(0), repr(GRU)
    for _ in range(20):
        move(GRU, SPACE, rng)
    assert repr(GRU) == before


def test_what_each_move_makes_of_a_gru() -> None:
    sees = {child.sees for child in children(GRU, "rewire") if isinstance(child, GatedUpdate)}
    assert sees == {"xh"}  # where r multiplies the product with a matrix, both are seen
    assert len(children(GRU, "rewire")) == 4  # each gate sees x or h alone
    assert len(children(GRU, "replace_operator")) == 2  # no inner one, or tanh of h
    assert len(children(GRU, "reset")) == 2
    assert len(children(GRU, "complement")) == 1  # 1 less a gate everywhere is that gate
    assert not children(GRU, "insert_gate")  # there is one in every place
    assert len(children(GRU, "remove_gate")) == 3
    assert all(len(child.gates) == 3 for child in children(GRU, "split"))  # type: ignore[union-attr]
    assert {len(child.gates) for child in children(GRU, "share")} == {1, 2}  # type: ignore[union-attr]
    assert not any(child.carried for child in children(GRU, "carry"))  # type: ignore[union-attr]


@pytest.mark.parametrize("goal", ["gru", "mingru"])
def test_a_few_moves_lead_from_the_simple_network_to_known_cells(goal: str) -> None:
    rng, cell = random.Random(1), zoo["rnn"]
    for _ in range(12):
        found = [mutate(cell, SPACE, rng, 1 + turn % 2) for turn in range(40)]
        children = [child[0] for child in found if child is not None]
        costs = [edit_path(child.normal, zoo[goal].normal, quick=True).cost for child in children]
        cell = children[costs.index(min(costs))]
        if cell == zoo[goal]:
            break
    assert cell == zoo[goal]


def test_other_cells_have_no_children() -> None:
    assert mutate(zoo["lstm"], SPACE, random.Random(0), 1) is None


def test_family_holds_the_gru() -> None:
    assert GRU in gated_updates(SPACE)
    assert Cell.from_graph(write(GRU)) == zoo["gru"]
