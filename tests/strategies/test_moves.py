"""Specification of the moves: children are inside the space, parents stay as they are."""

from __future__ import annotations

import contextlib
import random

import networkx as nx
import numpy as np
import pytest

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.known import zoo
from cellsearch.space import Space, load_space, read_space
from cellsearch.strategies.moves import MOVES, mutate


def generator(seed: int) -> random.Random:
    return random.Random(seed)


def frozen(cell: Cell) -> tuple[object, ...]:
    """Return all that a cell says, as plain values."""
    graph = cell.graph
    return (
        str(cell),
        cell.id,
        repr(list(graph.nodes(data=True))),
        list(graph.edges(keys=True)),
        repr(graph.graph),
    )


@pytest.fixture(scope="module", params=["minimal", "gated"])
def space(request: pytest.FixtureRequest) -> Space:
    return load_space(request.param)


@pytest.fixture(scope="module")
def parents(space: Space) -> list[Cell]:
    rng = generator(1)
    known = [cell for cell in zoo.values() if space.contains(cell) is None]
    return known + [space.draw(rng) for _ in range(30)]


def test_mutations_are_inside_and_new_and_leave_all_else_alone(
    space: Space, parents: list[Cell]
) -> None:
    random.seed(1)
    before = [frozen(cell) for cell in parents]
    outside, numpys = random.getstate(), np.random.get_state()
    rng = generator(2)
    failed, children = 0, set()
    for turn in range(700):
        parent = parents[turn % len(parents)]
        found = mutate(parent, space, rng, 1 + turn % 3)
        if found is None:
            failed += 1
            continue
        child, note = found
        assert space.contains(child) is None
        assert child.id != parent.id
        assert note
        assert Cell.parse(str(child)) == child
        children.add(child.id)
    assert failed < 14
    assert len(children) > 500
    assert [frozen(cell) for cell in parents] == before
    assert random.getstate() == outside
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpys, strict=True))


def test_each_move_applies_now_and_then(parents: list[Cell], space: Space) -> None:
    """The moves that a space has room for give a sound graph, often one inside the space."""
    rng = generator(5)
    for name, move in MOVES.items():
        applied = inside = 0
        for turn in range(60):
            graph = parents[turn % len(parents)].graph
            note = move.edit(graph, space, rng)
            if note is None:
                continue
            applied += 1
            assert nx.is_directed_acyclic_graph(graph)
            with contextlib.suppress(CellError):  # such as a number where a linear wants a vector
                inside += space.contains(Cell.from_graph(graph)) is None
        wants_more_states = name in ("add_state", "remove_state")
        wants_attributes = name == "change_attribute"
        if (wants_more_states and len(space.states) == 1) or (
            wants_attributes and not space.attributes
        ):
            assert not applied
        else:
            assert applied > 10, name
            assert inside > 5, name


def test_moves_lead_from_the_simple_network_to_a_gru() -> None:
    """No cell is out of reach: greedy steps find the way to minimal gating within bounds."""
    space, rng = load_space("gated"), generator(6)
    goal = Cell.parse("h = blend(sigmoid(linear(x, h_prev)), h_prev, tanh(linear(x, h_prev)))")
    found = set()
    for _ in range(3000):
        child = mutate(zoo["rnn"], space, rng)
        assert child is not None
        found.add(child[0].id)
        if goal.id in found:
            break
    assert goal.id in found


def test_a_space_that_lists_only_defaults_offers_no_other_attribute() -> None:
    data = {"operators": ["linear", "tanh", "add"], "attributes": {"linear": {"bias": [True]}}}
    space, rng = read_space(data, name="s", where="s.toml"), generator(0)
    assert MOVES["change_attribute"].edit(zoo["rnn"].graph, space, rng) is None
    assert any(mutate(zoo["rnn"], space, rng) for _ in range(50))


def test_mutation_of_a_cell_without_room_gives_none_instead_of_hanging() -> None:
    space = Space(name="one", operators=("linear",), nodes=1, depth=1, products=2)
    cell = Cell.parse("h = linear(x, h_prev)")
    assert space.contains(cell) is None
    assert mutate(cell, space, generator(0), 3) is None
