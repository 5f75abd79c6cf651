"""Specification of tree cells: their shape, seen by networkx, and how one grows step by step."""

from __future__ import annotations

import random

import networkx as nx
import pytest

from cellsearch.cell import Cell
from cellsearch.space import load_space
from cellsearch.space.trees import OPEN, begin, close, expand


def operator_graph(cell: Cell) -> nx.MultiDiGraph:
    """Return the operators of the normal form, each with an edge to its arguments."""
    graph = nx.MultiDiGraph()
    for index, node in enumerate(cell.normal.nodes):
        if node.args:
            graph.add_node(index)
            inner = [arg for arg in node.args if cell.normal.nodes[arg].args]
            graph.add_edges_from((index, arg) for arg in inner)
    return graph


def test_draws_are_trees_below_h(full: bool) -> None:
    space, rng = load_space("tree"), random.Random(2)
    memories = 0
    for _ in range(1000 if full else 200):
        cell = space.draw(rng)
        graph, updates = operator_graph(cell), dict(cell.normal.states)
        assert nx.is_arborescence(graph)
        assert [node for node, degree in graph.in_degree() if degree == 0] == [updates["h"]]
        assert set(updates.values()) <= set(graph)
        memories += len(updates) > 1
    assert memories > 60


GATE = "g = sigmoid(linear(x, h_prev))\n"
INSIDE = (
    "h = linear(x, h_prev)",
    GATE + "h = blend(g, h_prev, tanh(linear(x, sigmoid(linear(x, h_prev)) * h_prev)))",  # a GRU
    GATE + "c = g * c_prev + tanh(linear(x))\nh = tanh(c)",
    "h = layer_norm(sin(linear(x)) + h_prev) - h_prev",  # leaves are seen twice
)
OUTSIDE = {
    GATE + "h = g * h_prev + tanh(g)": "sigmoid, is used 2 times; in a tree, once",
    "v = linear(x, h_prev)\nh = v * sigmoid(v)": "linear, is used 2 times",
    "h = sin(tanh(h_prev)) + linear(x) * tanh(h_prev)": "tanh, is used 2 times",  # equal values
    GATE + "c = tanh(linear(x, c_prev))\nh = g + c_prev": "c is not computed on the way to h",
    GATE + "c = h_prev\nh = g + c_prev": "c is updated by a leaf",
    GATE + "h = g + c_prev\nc = tanh(h)": "c is not computed on the way to h",
}


@pytest.mark.parametrize("text", INSIDE)
def test_trees_are_inside(text: str) -> None:
    assert load_space("tree").contains(Cell.parse(text)) is None


@pytest.mark.parametrize("text", OUTSIDE)
def test_other_cells_are_refused_in_words(text: str) -> None:
    reason = load_space("tree").contains(Cell.parse(text))
    assert reason is not None
    assert OUTSIDE[text] in reason
    assert reason.endswith(".")


def test_a_tree_grows_from_h_to_its_leaves() -> None:
    graph = begin()
    gate, value = expand(graph, 0, "mul", 2)
    (inside,) = expand(graph, gate, "sigmoid", 1)
    seen = expand(graph, inside, "linear", 2)
    first, second = expand(graph, value, "sub", 2)
    assert [node for node, op in graph.nodes(data="op") if op == OPEN] == [*seen, first, second]
    for place, leaf in zip([*seen, first, second], ("x", "h", 1.0, "c"), strict=True):
        close(graph, place, leaf)
    graph.graph["states"]["c"] = value
    expected = "c = 1 - c_prev\nh = sigmoid(linear(x, h_prev)) * c"
    assert Cell.from_graph(graph) == Cell.parse(expected)
