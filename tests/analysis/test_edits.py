"""Specification of edit paths: what they cost, that they lead from one cell to the other."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from applied_edits import Applied
from disguises import disguise
from edit_distances import exhaustive_distance, least_distance
from random_cells import random_cell, seeded

from cellsearch.analysis.edits import Delete, Insert, edit_path
from cellsearch.analysis.matching import least_cost, size
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.space import load_space
from cellsearch.strategies.moves import mutate

GATED = load_space("gated")
COSTS = {  # a cell, the cell that comes of it, what that costs
    "another function": ("h = tanh(linear(x, h_prev))", "h = relu(linear(x, h_prev))", 2),
    "another sum": ("h = linear(x) + h_prev", "h = linear(x) * h_prev", 2),
    "an attribute": ("h = linear(x, h_prev)", "h = linear(x, h_prev, bias_init=1)", 1),
    "two attributes": ("h = linear(h_prev)", "h = linear(h_prev, bias=False, init='identity')", 2),
    "a number": ("h = 2 * x * h_prev", "h = 3 * x * h_prev", 1),
    "a start": ("h = linear(x, h_prev)", "h_prev = 1\nh = linear(x, h_prev)", 1),
    "an argument": ("h = linear(x)", "h = linear(x, h_prev)", 3),  # the leaf comes with it
    "an argument that is there": ("h = h_prev + linear(x)", "h = h_prev + linear(x, h_prev)", 1),
    "a function put on": ("h = linear(x, h_prev)", "h = tanh(linear(x, h_prev))", 5),
    "an order": ("h = x - h_prev", "h = h_prev - x", 2),
    "a learned value shared": (
        "a = linear(x, h_prev)\nh = tanh(a) * sigmoid(a)",
        "h = tanh(linear(x, h_prev)) * sigmoid(linear(x, h_prev))",
        6,
    ),
    "an output": ("h = linear(x, h_prev)", "h = linear(x, h_prev)\noutput = tanh(h)", 4),
}


def drawn(count: int, least: int, most: int, seed: int) -> list[Cell]:
    rng = random.Random(seed)
    found: list[Cell] = []
    while len(found) < count:
        cell = GATED.draw(rng)
        if least <= len(cell.normal.nodes) <= most:
            found.append(cell)
    return found


@pytest.mark.parametrize(("one", "other", "cost"), COSTS.values(), ids=list(COSTS))
def test_cost(one: str, other: str, cost: int) -> None:
    first, second = Cell.parse(one).normal, Cell.parse(other).normal
    assert edit_path(first, second).cost == edit_path(second, first).cost == cost


def test_nothing_is_to_be_edited_exactly_where_the_ids_are_equal() -> None:
    for seed in range(60):
        rng = seeded(f"same {seed}")
        cell = Cell.parse(random_cell(rng))
        other = Cell.parse(disguise(cell.text, rng))
        assert edit_path(cell.normal, other.normal).edits == ()
    for one, other in combinations(drawn(12, 5, 18, 0), 2):
        assert bool(edit_path(one.normal, other.normal).edits) == (one != other)


def test_costs_are_the_same_both_ways_and_between_their_bounds() -> None:
    cells = [*drawn(10, 5, 18, 1), zoo["lstm"], zoo["gru"], zoo["scrn"], zoo["intersection_rnn"]]
    for one, other in combinations([cell.normal for cell in cells], 2):
        path = edit_path(one, other)
        assert path.cost == edit_path(other, one).cost
        assert least_cost(one, other) <= path.cost <= size(one) + size(other)
        assert least_cost(one, other) == least_cost(other, one)
        assert edit_path(one, other) == path


def test_names_of_states_and_order_of_lines_do_not_count() -> None:
    for seed in range(30):
        rng = seeded(f"names {seed}")
        one, other = Cell.parse(random_cell(rng)), Cell.parse(random_cell(rng))
        renamed = Cell.parse(disguise(one.text, rng))
        cost = edit_path(one.normal, other.normal).cost
        assert edit_path(renamed.normal, other.normal).cost == cost


def test_small_cells_are_edited_at_the_least_cost(full: bool) -> None:
    """All matchings are tried; see tests/helpers/edit_distances.py."""
    cells = drawn(120 if full else 40, 3, 9, 2)
    for place, one in enumerate(cells):
        other = cells[(place * 7 + 3) % len(cells)].normal
        assert edit_path(one.normal, other).cost == least_distance(one.normal, other)


@pytest.mark.parametrize("moves", [1, 2])
def test_cells_that_are_a_few_moves_apart_are_edited_at_the_least_cost(
    moves: int, full: bool
) -> None:
    rng = random.Random(moves)
    for cell in drawn(60 if full else 14 - 5 * moves, 11, 13, moves):
        found = mutate(cell, GATED, rng, moves)
        assert found is not None
        one, other = cell.normal, found[0].normal
        cost = edit_path(one, other).cost
        assert 0 < cost == least_distance(one, other, below=cost + 1)


def test_known_cells_obey_the_triangle_inequality() -> None:
    names = ("rnn", "rnn_relu", "gru", "gru_reset_before", "mgu", "ugrnn", "lstm", "lstm_coupled")
    cost = {
        (one, two): edit_path(zoo[one].normal, zoo[two].normal).cost
        for one in names
        for two in names
    }
    for one in names:
        for two in names:
            assert all(cost[one, two] <= cost[one, via] + cost[via, two] for via in names)


def test_edits_applied_one_by_one_make_the_other_cell() -> None:
    rng = random.Random(5)
    pairs = list(combinations([cell.normal for cell in drawn(6, 8, 18, 4)], 2))
    for seed in range(60):
        texts = (random_cell(seeded(f"apply {seed} {side}")) for side in range(2))
        one, other = (Cell.parse(text).normal for text in texts)
        pairs.append((one, other))
    for cell in drawn(10, 10, 18, 6):
        found = next(filter(None, (mutate(cell, GATED, rng, 3) for _ in range(5))))
        pairs.append((cell.normal, found[0].normal))
    for one, other in pairs:
        for first, second in ((one, other), (other, one)):
            Applied(first, second, edit_path(first, second)).check()


def test_the_slow_search_for_the_least_cost_is_right(full: bool) -> None:
    cells = [cell.normal for cell in drawn(40 if full else 9, 3, 6, 7)]
    for one, other in combinations(cells, 2):
        assert least_distance(one, other) == exhaustive_distance(one, other)


def test_edits_account_for_every_node() -> None:
    for one, other in combinations([cell.normal for cell in drawn(8, 8, 18, 4)], 2):
        path = edit_path(one, other)
        gone = [edit.part[0] for edit in path.edits if isinstance(edit, Delete)]
        new = [edit.part[1] for edit in path.edits if isinstance(edit, Insert)]
        assert sorted([*gone, *(pair[0] for pair in path.pairs)]) == list(range(len(one.nodes)))
        assert sorted([*new, *(pair[1] for pair in path.pairs)]) == list(range(len(other.nodes)))
