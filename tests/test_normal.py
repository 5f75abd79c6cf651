"""The normal form: what it joins, what it keeps apart, and that it computes the same."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx
import numpy as np
import pytest
import torch
from isomorphism import as_digraph, isomorphic
from random_cells import random_cell, seeded

from cellsearch.backends.reference import ReferenceSequence
from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.graph import Graph
from cellsearch.limits import MAX_ARGUMENTS
from cellsearch.operators import OPERATORS
from cellsearch.shapes import learned_tensors

SAME = [
    ("h = identity(tanh(identity(x)))", "h = tanh(x)"),
    ("dead = linear(x)\nh = tanh(x)", "h = tanh(x)"),
    ("dead = linear(dead_prev) + h_prev\nh = tanh(x)", "h = tanh(x)"),
    ("a = tanh(b_prev)\nb = tanh(a_prev)\nh = tanh(x)", "h = tanh(x)"),
    ("h = x + h_prev + 1", "h = add(x, h_prev, 1)"),
    ("h = x + (h_prev + 1)", "h = add(1, h_prev, x)"),
    ("a = x + 1\nh = identity(a) + h_prev", "h = x + h_prev + 1"),
    ("a = x + 1\nh = a + (a + h_prev)", "h = add(x, x, 1, 1, h_prev)"),
    ("h = x * (h_prev * 2)", "h = mul(x, 2, h_prev)"),
    ("h = tanh(x) * tanh(x)", "a = tanh(x)\nh = a * a"),
    ("h = (x + h_prev) / (h_prev + x)", "a = x + h_prev\nh = a / a"),
    ("h = 2 * x + 2.0", "a = 0x2\nh = a * x + a"),
    ("h = maximum(x, h_prev)", "h = maximum(h_prev, x)"),
    ("h = mean(x, h_prev, 1)", "h = mean(1, x, h_prev)"),
    ("h = linear(x, tanh(h_prev))", "h = linear(tanh(h_prev), x)"),
    ("c = tanh(c_prev)\nh = c * x", "memory = tanh(memory_prev)\nh = memory * x"),
    ("a = c_prev\nc = n_prev\nn = h_prev\nh = a * x", "n = c_prev\nc = h_prev\nh = n_prev * x"),
    ("h = tanh(x)\noutput = h", "h = tanh(x)"),
    ("h = tanh(x)\noutput = tanh(x)", "h = tanh(x)"),
    ("h = x * -2", "h = x * neg(2)"),
    ("a = linear(x)\nb = linear(x)\nh = a - b", "b = linear(x)\na = linear(x)\nh = a - b"),
    ("a = scale(x)\nb = scale(x)\nh = blend(a, h_prev, b)",
     "b = scale(x)\na = scale(x)\nh = blend(a, h_prev, b)"),
    ("h = x - -0", "h = x - 0"),
    ("h = linear(x, tanh(x), init='orthogonal')", "h = linear(x, tanh(x))"),  # none is square
    ("h = linear(h_prev, bias=False, bias_init=1)", "h = linear(h_prev, bias=False)"),
    ("h = x * scale(2, scalar=True)", "h = x * scale(2)"),
    ("h = x * h_prev\nc = c_prev + h", "h = h_prev * x"),
    ("c = sin(c_prev) * d_prev\nd = sin(d_prev) * c_prev\nh = linear(c, d)",
     "d = sin(d_prev) * c_prev\nc = sin(c_prev) * d_prev\nh = linear(d, c)"),
]  # fmt: skip

DIFFERENT = [
    ("h = linear(x) * linear(x)", "a = linear(x)\nh = a * a"),
    ("h = scale(x) + scale(x)", "a = scale(x)\nh = a + a"),
    ("h = layer_norm(x) * layer_norm(x)", "a = layer_norm(x)\nh = a * a"),
    ("h = x + parameter() * parameter()", "p = parameter()\nh = x + p * p"),
    ("h = linear(x)", "h = linear(x, bias=False)"),
    ("h = linear(x)", "h = linear(x, bias_init=1)"),
    ("h = linear(h_prev)", "h = linear(h_prev, init='orthogonal')"),
    ("h = linear(x + h_prev)", "h = linear(x + h_prev, init='identity')"),
    ("h = scale(x)", "h = scale(x, scalar=True)"),
    ("h = linear(x)", "h = linear(x, x)"),
    ("h = scale(x)", "h = scale(x, scalar=True)"),
    ("h = x + parameter()", "h = x + parameter(init=1)"),
    ("h = x - h_prev", "h = h_prev - x"),
    ("h = x - h_prev", "h = x + -h_prev"),
    ("h = blend(x, h_prev, 1)", "h = blend(x, 1, h_prev)"),
    ("h = x + h_prev", "h = x + x"),
    ("h = mean(x, h_prev)", "h = mean(x, x, h_prev, h_prev)"),
    ("h = mean(x, mean(x, h_prev))", "h = mean(x, x, h_prev)"),
    ("h = maximum(x, h_prev)", "h = minimum(x, h_prev)"),
    ("h = 2 * x", "h = 2.0000000000000004 * x"),
    ("h = tanh(x + c_prev)\nc = h", "h = tanh(x + h_prev)"),
    ("c = c_prev * x\nh = c", "h = h_prev * x"),
    ("h = x * h_prev\noutput = tanh(h)", "h = x * h_prev"),
    (
        "c = tanh(c_prev)\nd = sin(d_prev)\nh = c * d",
        "c = tanh(d_prev)\nd = sin(c_prev)\nh = c * d",
    ),
    ("h = x\noutput = h_prev", "h = x\noutput = c_prev\nc = h_prev"),
]


@pytest.mark.parametrize(("first", "second"), SAME)
def test_one_cell_in_two_wordings_has_one_id(first: str, second: str) -> None:
    assert Cell.parse(first).id == Cell.parse(second).id


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_two_cells_have_two_ids(first: str, second: str) -> None:
    assert Cell.parse(first).id != Cell.parse(second).id


def test_the_value_at_t_minus_1_is_not_the_new_one() -> None:
    new = Cell.parse("c = sin(h_prev)\nh = c * x")
    old = Cell.parse("h = c_prev * x\nc = sin(h_prev)")
    assert new != old
    assert (new.states, old.states) == (("h",), ("h", "c"))


def test_a_time_skip_is_a_state_of_its_own() -> None:
    skip = Cell.parse("g = h_prev\nh = tanh(linear(x, g_prev))")
    assert skip.states == ("h", "g")
    assert skip != Cell.parse("h = tanh(linear(x, h_prev))")


def test_dead_learned_tensors_do_not_count() -> None:
    cell = Cell.parse("dead = linear(x, dead_prev)\nh = tanh(linear(x))")
    assert cell.states == ("h",)
    assert [tensor.name for tensor in learned_tensors(cell.normal)] == ["h.weight_0", "h.bias"]


def test_a_state_that_only_the_output_reads_lives() -> None:
    cell = Cell.parse("c = tanh(x + c_prev)\nh = x\noutput = c * h")
    assert cell.states == ("h", "c")
    assert cell.has_output


def test_a_state_that_is_read_but_only_where_it_is_dead_itself_dies() -> None:
    assert Cell.parse("c = tanh(c_prev)\nd = c_prev * d_prev\nh = x").states == ("h",)


def test_a_matrix_stays_with_its_argument() -> None:
    for text in ("h = linear(x, tanh(h_prev))", "h = linear(tanh(h_prev), x)"):
        normal = Cell.parse(text).normal
        linear = next(node for node in normal.nodes if node.op == "linear")
        slots = {normal.nodes[a].op: t for a, t in zip(linear.args, linear.tensors, strict=False)}
        first = "x" if text.startswith("h = linear(x") else "tanh"
        assert slots[first] == "h.weight_0"


def test_sums_with_too_many_terms_are_refused() -> None:
    doubling = "a0 = x\n" + "".join(f"a{i + 1} = a{i} + a{i}\n" for i in range(9))
    assert Cell.parse(doubling + "h = a8").id
    with pytest.raises(CellError, match=f"`add` has 512 arguments.*at most {MAX_ARGUMENTS}"):
        Cell.parse(doubling + "h = a9")


def test_an_id_carries_its_version_and_eighty_bits() -> None:
    version, _, digits = Cell.parse("h = x").id.partition("-")
    assert version == "c1"
    assert len(bytes.fromhex(digits)) == 10


def test_cells_are_equal_and_hash_as_their_ids() -> None:
    first, second = Cell.parse("h = tanh(x) + 1"), Cell.parse("g = tanh(x)\nh = add(1, g)")
    assert first == second
    assert len({first, second, Cell.parse("h = x")}) == 2
    assert first != str(first)


# Invariants of every normal form


def normal_graphs(count: int) -> list[tuple[Cell, Graph]]:
    cells = [Cell.parse(random_cell(seeded(s), equal_sizes=s % 3 == 0)) for s in range(count)]
    return [(cell, cell.normal) for cell in cells]


def test_a_normal_form_has_neither_dead_nodes_nor_equal_ones_nor_nested_sums() -> None:
    for _, normal in normal_graphs(150):
        nodes = normal.nodes
        graph = nx.DiGraph()
        graph.add_nodes_from(range(len(nodes)))
        for index, node in enumerate(nodes):
            assert all(arg < index for arg in node.args)
            assert node.op != "identity"
            if node.op in ("add", "mul"):
                assert all(nodes[arg].op != node.op for arg in node.args)
            if node.op in OPERATORS and OPERATORS[node.op].commutative:
                assert list(node.args) == sorted(node.args)
            graph.add_edges_from((arg, index) for arg in node.args)
        live = set(normal.results)
        for result in normal.results:
            live |= nx.ancestors(graph, result)
        assert live == set(range(len(nodes)))
        free = [
            (node.op, node.args, node.attributes, node.name if node.op == "state" else "")
            for node in nodes
            if not node.tensors
        ]
        assert len(free) == len(set(free))
        assert normal.states[0][0] == "h"
        read = {node.name for node in nodes if node.op == "state"}
        assert read | {"h"} == {name for name, _ in normal.states}
        assert normal.output != normal.states[0][1]


def test_the_normal_form_of_a_normal_form_is_itself() -> None:
    for cell, normal in normal_graphs(100):
        again = Cell.from_graph(cell.graph).normal
        assert [(n.op, n.args, n.attributes) for n in again.nodes] == [
            (n.op, n.args, n.attributes) for n in normal.nodes
        ]
        assert [update for _, update in again.states] == [update for _, update in normal.states]


def test_what_is_written_and_its_normal_form_compute_the_same() -> None:
    for seed in range(120):
        rng = seeded(seed)
        cell = Cell.parse(random_cell(rng, equal_sizes=True))
        _assert_same_values(cell, seed)
    for seed, (first, _) in enumerate(SAME):
        _assert_same_values(Cell.parse(first), seed)


def _assert_same_values(cell: Cell, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)

    def draw(*sizes: int) -> torch.Tensor:
        return 0.5 * torch.randn(sizes, generator=generator, dtype=torch.float64)

    tensors = {t.name: draw(*t.sizes(3, 3)) for t in learned_tensors(cell.structure)}
    begin = {name: draw(2, 3) for name, _ in cell.structure.states}
    rows, sizes = draw(8, 3), [2, 2, 2, 2]
    found = []
    for graph in (cell.structure, cell.normal):
        values = [tensors[tensor.name] for tensor in learned_tensors(graph)]
        states = tuple(begin[name] for name, _ in graph.states)
        output, last = ReferenceSequence(graph)(values, rows, sizes, states, False)
        results = {name: value for (name, _), value in zip(graph.states, last, strict=True)}
        found.append({"output": output, **{name: results[name] for name in cell.states}})
    for name, value in found[0].items():
        np.testing.assert_allclose(found[1][name], value, rtol=1e-12, atol=1e-12, err_msg=name)


# Identity, with networkx as the judge; see test_identity.py, too


def test_random_cells_have_one_id_exactly_whenisomorphic() -> None:
    cells = [Cell.parse(random_cell(seeded(seed))) for seed in range(200)]
    by_id: dict[str, Cell] = {}
    for cell in cells:
        twin = by_id.setdefault(cell.id, cell)
        assert isomorphic(cell.normal, twin.normal)
    kinds = list(by_id.values())
    for first, second in pairwise(kinds):
        assert not isomorphic(first.normal, second.normal)


@pytest.mark.parametrize(
    ("first", "second"),
    [  # equal for colour refinement, the first test of networkx's Weisfeiler-Lehman hash
        (
            "".join(f"s{i} = tanh(linear(s{(i + 1) % 6}_prev))\n" for i in range(6)),
            "".join(f"s{i} = tanh(linear(s{i // 3 * 3 + (i + 1) % 3}_prev))\n" for i in range(6)),
        ),
    ],
)
def test_one_ring_of_states_is_not_two_smaller_ones(first: str, second: str) -> None:
    end = f"h = mean({', '.join(f's{i}' for i in range(6))})\n"
    one, two = Cell.parse(first + end), Cell.parse(second + end)
    assert one != two
    assert nx.weisfeiler_lehman_graph_hash(
        _labelled(one.normal), node_attr="label"
    ) == nx.weisfeiler_lehman_graph_hash(_labelled(two.normal), node_attr="label")


def _labelled(graph: Graph) -> nx.Graph:
    made = nx.Graph(as_digraph(graph))
    for _, data in made.nodes(data=True):
        data["label"] = str(data["label"])
    return made
