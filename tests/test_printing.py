"""Printed cells: names that would clash, the order of starts, and that printing twice is once."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_cells import random_cell, seeded
from renamed_graphs import CLASHING, rename, start

from cellsearch.cell import Cell
from cellsearch.graph import Graph, Node
from cellsearch.notation import parse
from cellsearch.printing import format_graph


@given(st.integers(0, 2**32))
def test_whatever_its_nodes_are_called_a_graph_is_a_cell_that_prints_as_it_was_read(
    seed: int,
) -> None:
    rng = seeded(seed)
    cell = Cell.parse(random_cell(rng, equal_sizes=rng.random() < 0.3))
    graph = cell.graph
    rename(graph, CLASHING, rng)
    again = Cell.from_graph(graph)
    assert again == cell
    assert set(again.states) <= set(graph.graph["states"])
    assert format_graph(parse(again.text)) == again.text
    start(graph, rng)
    begun = Cell.from_graph(graph)
    assert Cell.from_graph(begun.graph) == begun
    assert format_graph(parse(begun.text)) == begun.text


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (
            "h = linear(x) + linear(h_prev) + linear(c_prev)\nc = h",
            "v1 = linear(h_prev)\nv2 = linear(h_2_prev)\nh = linear(x) + v1 + v2\nh_2 = h\n",
        ),
        (
            "h = scale(layer_norm(linear(x, bias=False))) * parameter() * c_prev\nc = h",
            "v1 = layer_norm(linear(x, bias=False))\np1 = parameter()\n"
            "h = scale(v1) * p1 * h_2_prev\nh_2 = h\n",
        ),
        (
            "h = tanh(linear(x, h_prev)) * c_prev\nc = linear(h) + linear(x)",
            "h = tanh(linear(x, h_prev)) * h_2_prev\nh_2 = linear(h) + linear(x)\n",
        ),
    ],
)
def test_where_a_state_has_the_name_of_learned_tensors_their_node_has_a_statement(
    text: str, printed: str
) -> None:
    cell = Cell.parse(text)
    graph = cell.graph
    graph.graph["states"] = {"h": graph.graph["states"]["h"], "h_2": graph.graph["states"]["c"]}
    for _, data in graph.nodes(data=True):
        data["name"] = {"c": "h_2"}.get(data["name"], data["name"])
    again = Cell.from_graph(graph)
    assert again.text == printed
    assert again == cell
    assert again.states == ("h", "h_2")


def test_a_statement_keeps_a_name_that_learned_tensors_would_have_had() -> None:
    graph = Cell.parse("i = linear(x) + linear(h_prev)\nj = tanh(i)\nh = j * h_prev").graph
    for _, data in graph.nodes(data=True):
        data["name"] = data["name"].replace("j", "i_2")
    text = "v1 = linear(h_prev)\ni = linear(x) + v1\ni_2 = tanh(i)\nh = i_2 * h_prev\n"
    assert Cell.from_graph(graph).text == text


@pytest.mark.parametrize(
    "text",
    [
        "m_prev = -1e+30\nc_prev = 1\nm = maximum(x, m_prev)\nc = m + c_prev\nh = c * m\n",
        "h_prev = 2\nz_prev = 1\nz = tanh(z_prev)\nh = z * h_prev\n",
        "h_prev = 2\nb_prev = 1\na_prev = 3\nb = b_prev * a_prev\na = b * h_prev\nh = a + b\n",
    ],
)
def test_starts_stand_in_the_order_of_the_states(text: str) -> None:
    lines = text.splitlines()
    count = sum(re.match(r"\w+_prev = ", line) is not None for line in lines)
    shuffled = "\n".join([*reversed(lines[:count]), *lines[count:]])
    assert format_graph(parse(text)) == format_graph(parse(shuffled)) == text
    began = [line.partition("_prev")[0] for line in lines[:count]]
    assert began == [state for state in Cell.parse(text).states if state in began]


def test_a_long_chain_of_states_that_only_read_each_other_is_not_printed() -> None:
    size = 5000
    past = [Node("state", name=f"s{number}") for number in range(size)]
    updates = [("h", 0), ("s0", 0), *((f"s{number}", number) for number in range(1, size))]
    assert format_graph(Graph((Node("x"), *past), tuple(updates))) == "h = x\n"


def test_states_that_read_each_other_in_a_ring_are_printed() -> None:
    text = "h = x\na = b_prev\nb = a_prev\n"
    assert set(format_graph(parse(text)).splitlines()) == set(text.splitlines())
