"""Specification of the crossover by edit path: children lie about half way between parents."""

from __future__ import annotations

import random
from itertools import pairwise
from statistics import mean

import pytest
from edit_distances import least_distance
from hypothesis import given
from hypothesis import strategies as st

from cellsearch.analysis.edits import edit_path
from cellsearch.cell import Cell
from cellsearch.space import Space, load_space
from cellsearch.strategies.edit_path import cross

GATED = load_space("gated")
SPACES = {name: load_space(name) for name in ("minimal", "gated", "nas_bench_nlp", "scan")}
SEEDS = st.integers(0, 10**6)


def distance(one: Cell, other: Cell) -> int:
    return edit_path(one.normal, other.normal).cost


def children(first: str, second: str, space: Space = GATED, count: int = 60) -> set[Cell]:
    one, other = Cell.parse(first), Cell.parse(second)
    found = [cross(one, other, space, random.Random(seed)) for seed in range(count)]
    return {child for child in found if child is not None}


@given(st.sampled_from(sorted(SPACES)), SEEDS, SEEDS)
def test_a_child_is_inside_and_new_and_leaves_all_else_alone(name: str, one: int, two: int) -> None:
    space = SPACES[name]
    first, second = (space.draw(random.Random(seed)) for seed in (one, two))
    before = [(str(cell), cell.id, repr(cell.normal)) for cell in (first, second)]
    random.seed(1)
    outside = random.getstate()
    child = cross(first, second, space, random.Random(two))
    assert random.getstate() == outside
    assert [(str(cell), cell.id, repr(cell.normal)) for cell in (first, second)] == before
    assert cross(first, second, space, random.Random(two)) == child
    if child is not None:
        assert space.contains(child) is None
        assert child not in (first, second)
        assert Cell.parse(str(child)) == child


@pytest.mark.parametrize("name", sorted(SPACES))
def test_most_pairs_have_a_child_about_half_way(name: str, full: bool) -> None:
    space, rng = SPACES[name], random.Random(1)
    pairs = [(space.draw(rng), space.draw(rng)) for _ in range(1000 if full else 50)]
    lengths, shares = [], []
    for first, second in pairs:
        child = cross(first, second, space, rng)
        if child is not None:
            way = distance(first, second)
            lengths.append((distance(first, child) + distance(child, second)) / way)
            shares.append(distance(first, child) / way)
    assert len(shares) > 0.9 * len(pairs)
    assert 1 <= mean(lengths) < 1.1
    assert 0.4 < mean(shares) < 0.6


def test_small_children_are_on_a_shortest_path() -> None:
    """Distances by trying every matching; see tests/helpers/edit_distances.py."""
    rng = random.Random(2)
    cells: list[Cell] = []
    while len(cells) < 24:
        cell = GATED.draw(rng)
        if len(cell.normal.nodes) <= 8:
            cells.append(cell)
    straight = []
    for first, second in pairwise(cells):
        child = cross(first, second, GATED, rng)
        if child is not None:
            one, middle, other = first.normal, child.normal, second.normal
            way = least_distance(one, other)
            straight.append(least_distance(one, middle) + least_distance(middle, other) == way)
    assert len(straight) > 15
    assert mean(straight) > 0.6


def test_of_two_edits_a_child_has_one() -> None:
    first = "h = tanh(linear(x, h_prev)) * sigmoid(linear(x))"
    second = "h = relu(linear(x, h_prev)) + sigmoid(linear(x))"
    assert children(first, second) == {
        Cell.parse("h = relu(linear(x, h_prev)) * sigmoid(linear(x))"),
        Cell.parse("h = tanh(linear(x, h_prev)) + sigmoid(linear(x))"),
    }


def test_what_both_have_stays() -> None:
    gate = "z = sigmoid(linear(x, h_prev))\n"
    first = gate + "h = blend(z, h_prev, tanh(linear(x, h_prev)))"
    second = gate + "h = blend(z, h_prev, relu(linear(x)) * sigmoid(linear(h_prev)))"
    found = children(first, second)
    assert found
    for child in found:
        (blend,) = (node for node in child.normal.nodes if node.op == "blend")
        kept = [child.normal.nodes[arg] for arg in blend.args[:2]]
        assert [node.op for node in kept] == ["sigmoid", "state"]


def test_a_state_comes_or_goes_with_its_update() -> None:
    """Parents of one state and of two have children of either kind, under names of the space."""
    rng = random.Random(3)
    cells = [GATED.draw(rng) for _ in range(60)]
    ones, twos = ([cell for cell in cells if len(cell.states) == count] for count in (1, 2))
    for first, second in ((ones, twos), (twos, ones)):
        counts = set()
        for one, other in zip(first, second, strict=False):
            child = cross(one, other, GATED, rng)
            if child is not None:
                assert set(child.states) <= {"h", "c"}
                counts.add(len(child.states))
        assert counts == {1, 2}


def test_equal_parents_and_parents_an_edit_apart_have_none() -> None:
    assert not children("h = tanh(linear(x, h_prev))", "h = tanh(linear(h_prev, x))")
    assert not children("h = tanh(linear(x, h_prev))", "h = relu(linear(x, h_prev))")
