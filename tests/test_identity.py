"""Specification of the identity: kept by every rewording, changed by every change.

The edits are made on graphs that know nothing of normal forms; networkx judges whether two normal
forms are isomorphic.
"""

from __future__ import annotations

from collections import Counter
from random import Random

import networkx as nx
import pytest
from disguises import disguise
from edits_of_graphs import EDITS, share, split
from isomorphism import isomorphic
from random_cells import random_cell, seeded

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.space import load_space

SPACE = load_space("gated")


def drawn(rng: Random) -> Cell:
    """A cell of all operators, or one of those that are searched."""
    if rng.random() < 0.5:
        return Cell.parse(random_cell(rng, equal_sizes=True))
    return SPACE.draw(rng)


def relabelled(cell: Cell, rng: Random) -> Cell:
    """The same graph, its nodes under other keys and in another order."""
    graph = cell.graph
    keys = list(graph)
    rng.shuffle(keys)
    new = dict(zip(graph, keys, strict=True))
    moved = nx.MultiDiGraph(
        states={name: new[node] for name, node in graph.graph["states"].items()},
        output=None if graph.graph["output"] is None else new[graph.graph["output"]],
    )
    nodes, edges = list(graph.nodes(data=True)), list(graph.edges(keys=True))
    rng.shuffle(nodes)
    rng.shuffle(edges)
    for node, data in nodes:
        moved.add_node(new[node], **{**data, "name": data["name"] if data["op"] == "state" else ""})
    moved.add_edges_from((new[source], new[target], slot) for source, target, slot in edges)
    return Cell.from_graph(moved)


def test_relabelling_reordering_and_swapping_keep_the_id(full: bool) -> None:
    for seed in range(5000 if full else 150):
        rng = seeded(f"reworded {seed}")
        cell = drawn(rng)
        assert relabelled(cell, rng) == cell
        assert Cell.parse(disguise(cell.text, rng)) == cell


def test_an_edit_changes_the_id_exactly_when_the_normal_forms_are_not_isomorphic(
    full: bool,
) -> None:
    wanted = 10_000 if full else 400
    outcomes: Counter[tuple[str, bool]] = Counter()
    seed = 0
    while outcomes.total() < wanted:
        rng = seeded(f"edited {seed}")
        graph = drawn(rng).graph
        edit = EDITS[seed % len(EDITS)]
        seed += 1
        if edit is share:  # there is seldom anything to share: what was split may be joined
            split(graph, rng)
        try:
            cell = Cell.from_graph(graph)
            if not edit(graph, rng):
                continue
            other = relabelled(Cell.from_graph(graph), rng)
        except CellError:
            continue  # the edit made no cell, say a linear of a number
        same = cell.id == other.id
        assert same == isomorphic(cell.normal, other.normal), f"{edit.__name__}: {cell} {other}"
        outcomes[edit.__name__, same] += 1
    changing = {name for name, same in outcomes if not same}
    assert changing == {edit.__name__ for edit in EDITS}, outcomes
    keeping = {name for name, same in outcomes if same}
    assert keeping >= {"operator", "edge", "order", "attribute", "update"}, outcomes


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("linear(x)", "linear(x)"),
        ("scale(h_prev)", "scale(h_prev)"),
        ("layer_norm(h_prev)", "layer_norm(h_prev)"),
        ("parameter()", "parameter()"),
    ],
)
def test_a_learned_value_used_twice_is_not_two_of_them(one: str, other: str) -> None:
    end = "h = sigmoid(a) * h_prev + tanh({}) + linear(x)\n"
    shared = Cell.parse(f"a = {one}\n" + end.format("a"))
    own = Cell.parse(f"a = {one}\nb = {other}\n" + end.format("b"))
    assert shared != own
    assert not isomorphic(shared.normal, own.normal)
