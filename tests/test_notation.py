"""The text form: what it says, what it refuses, and that printing and parsing undo each other."""

from __future__ import annotations

import sys
from itertools import permutations
from random import Random

import networkx as nx
import pytest
from disguises import disguise
from hypothesis import given
from hypothesis import strategies as st
from random_cells import random_cell, seeded

from cellsearch.cell import Cell
from cellsearch.errors import CellError, nearest
from cellsearch.graph import Graph, Node
from cellsearch.limits import MAX_NODES
from cellsearch.notation import parse
from cellsearch.operators import OPERATORS
from cellsearch.printing import format_graph, format_number

GRU = """\
r = sigmoid(linear(x, h_prev))
z = sigmoid(linear(x, h_prev))
n = tanh(linear(x, r * h_prev))
h = z * h_prev + (1 - z) * n
"""


def refused(text: str) -> str:
    """Return the one line in which a text is refused."""
    with pytest.raises(CellError) as caught:
        Cell.parse(text)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("cell")
    assert len(message) < 500
    return message


# What a text says


def test_a_text_becomes_nodes_in_the_order_of_evaluation() -> None:
    graph = parse("g = sigmoid(linear(x, h_prev))\nh = g * tanh(x) - 2\n")
    assert graph == Graph(
        (
            Node("x"),
            Node("state", name="h"),
            Node("linear", (0, 1), tensors=("g.weight_0", "g.weight_1", "g.bias")),
            Node("sigmoid", (2,), name="g"),
            Node("tanh", (0,)),
            Node("mul", (3, 4)),
            Node("number", attributes=(("value", 2.0),)),
            Node("sub", (5, 6), name="h"),
        ),
        (("h", 7),),
    )


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("h = x + 2 * h_prev", "h = add(x, mul(2, h_prev))"),
        ("h = x - h_prev - 1", "h = sub(sub(x, h_prev), 1)"),
        ("h = x / h_prev * 2", "h = mul(div(x, h_prev), 2)"),
        ("h = -x * h_prev", "h = mul(neg(x), h_prev)"),
        ("h = -(x * h_prev)", "h = neg(mul(x, h_prev))"),
        ("h = x - -2", "h = sub(x, -2)"),
        ("h = (x + 1) * 3", "h = mul(add(x, 1), 3)"),
        ("h = x * 0x10 + 1e1", "h = add(mul(x, 16), 10)"),
    ],
)
def test_infix_signs_stand_for_operators_and_bind_as_in_python(text: str, same: str) -> None:
    assert parse(text) == parse(same)


def test_learned_tensors_are_named_after_the_statement_the_outermost_first() -> None:
    graph = parse(
        "n = tanh(linear(x) + scale(linear(h_prev, bias=False)))\n"
        "h = layer_norm(n) * parameter() + parameter(scalar=True)\n"
    )
    assert [node.tensors for node in graph.nodes if node.tensors] == [
        ("n.weight_0", "n.bias"),
        ("n_3.weight_0",),
        ("n_2.weight",),
        ("h.weight", "h.bias"),
        ("h_2.value",),
        ("h_3.value",),
    ]


def test_comments_blank_lines_spaces_and_either_line_end_say_nothing() -> None:
    plain = parse("g = tanh(x)\nh = g")
    assert parse("# a comment, größer als ASCII\n\ng   = tanh( x )  # gate\n\n\nh = g\n") == plain


def test_attributes_equal_to_the_default_are_left_out() -> None:
    text = 'h = scale(linear(x, bias=True, bias_init=0, init="uniform"), init=1, scalar=False)'
    assert all(node.attributes == () for node in parse(text).nodes)


def test_a_bias_that_is_not_there_begins_nowhere() -> None:
    with_start = Cell.parse("h = linear(x, bias=False, bias_init=3)")
    assert with_start == Cell.parse("h = linear(x, bias=False)")


def test_minus_zero_is_zero() -> None:
    assert Cell.parse("h = x + -0.0") == Cell.parse("h = x + 0")
    assert Cell.parse("h = x + -(0)") == Cell.parse("h = x + 0")


def test_states_stand_h_first_and_then_as_they_appear() -> None:
    text = "a = n_prev * c_prev\nn = a\nc = tanh(a)\nm = m_prev * n\nh = m + h_prev\n"
    assert Cell.parse(text).states == ("h", "n", "c", "m")


# Printing


@pytest.mark.parametrize(
    "text",
    [
        GRU,
        "h = x - (h_prev - 1) - 2 / (x / h_prev)\n",
        "h = -tanh(-x) * -h_prev\n",
        "c = tanh(linear(x, c_prev))\noutput = c + 1\nh = c\n",
        'h = linear(x, h_prev, bias_init=1, init="orthogonal")\n',
        "h = 0.1 * x + 1e+22 * h_prev + 1e-07\n",
        "h = scale(x, init=0.5) + parameter(init=-1, scalar=True)\n",
        "h = tanh(tanh(tanh(tanh(tanh(tanh(x))))))\n",
        "c = tanh(d_prev)\nd = c_prev\nh = c_prev\n",
    ],
)
def test_a_tidy_text_prints_as_it_was_written(text: str) -> None:
    assert format_graph(parse(text)) == text


def test_a_state_whose_past_has_but_a_name_is_not_printed() -> None:
    assert format_graph(parse("past = s_prev\nh = x + 1\ns = h_prev\n")) == "h = x + 1\n"
    assert format_graph(parse("past = s_prev\nh = x + 1\ns = h + x\n")) == (
        "h = x + 1\ns = h + x\n"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0, "1"), (-2.0, "-2"), (0.1, "0.1"), (1e15, "1000000000000000.0"), (5e-324, "5e-324")],
)
def test_numbers_print_shortly(value: float, text: str) -> None:
    assert format_number(value) == text
    assert float(text) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_survives_being_printed(value: float) -> None:
    graph = parse(f"h = x * {format_number(value)}")
    assert graph.nodes[1].attributes == (("value", value + 0.0),)


def test_print_parse_print_gives_the_same_text_and_the_same_cell(full: bool) -> None:
    for seed in range(10_000 if full else 1_000):
        cell = Cell.parse(random_cell(seeded(seed), equal_sizes=seed % 3 == 0))
        for graph in (cell.structure, cell.normal)[: 1 + (full or seed % 5 == 0)]:
            text = format_graph(graph)
            parsed = Cell.parse(text)
            assert format_graph(parsed.structure) == text, seed
            assert parsed.id == cell.id, seed


def test_a_cell_made_from_its_graph_is_the_same_cell(full: bool) -> None:
    for seed in range(10_000 if full else 250):
        rng = seeded(seed)
        cell = Cell.parse(random_cell(rng, equal_sizes=seed % 3 == 0))
        assert Cell.from_graph(cell.graph) == cell, seed
        # Their order is that of the new text, which says aliases last.
        assert set(Cell.from_graph(cell.graph).states) == set(cell.states), seed
        assert Cell.from_graph(_rekeyed(cell.graph, rng)) == cell, seed


def _rekeyed(graph: nx.MultiDiGraph, rng: Random) -> nx.MultiDiGraph:
    """The same graph under other keys, added in another order, without statements' names."""
    keys = {node: f"node {rng.random()}" for node in graph}
    made = nx.MultiDiGraph(
        states={name: keys[node] for name, node in graph.graph["states"].items()},
        output=keys.get(graph.graph["output"]),
    )
    for node in rng.sample(list(graph), len(graph)):
        data = dict(graph.nodes[node])
        if data["op"] != "state" and rng.random() < 0.5:
            data["name"] = rng.choice(("", "x", "not a name", "h", "tanh", data["name"]))
        made.add_node(keys[node], **data)
    for source, target, slot in rng.sample(list(graph.edges(keys=True)), graph.number_of_edges()):
        made.add_edge(keys[source], keys[target], key=slot)
    return made


def test_other_words_for_a_cell_do_not_change_its_id(full: bool) -> None:
    for seed in range(10_000 if full else 300):
        rng = seeded(seed)
        text = random_cell(rng, equal_sizes=seed % 3 == 0)
        other = disguise(text, rng)
        assert Cell.parse(other) == Cell.parse(text), other


def test_every_order_of_statements_is_the_same_cell() -> None:
    ids = {
        Cell.parse("".join(lines) + "h = a * b + c_prev * d\nc = h + a\n").id
        for lines in permutations(
            [
                "a = sigmoid(linear(x, h_prev))\n",
                "b = sigmoid(linear(x, h_prev))\n",
                "d = tanh(linear(x, c_prev))\n",
            ]
        )
    }
    assert len(ids) == 1


def test_long_chains_sums_and_products_print_as_text_that_can_be_read_again() -> None:
    for length in (5, 61, 400):
        for op in ("tanh", "add", "mul", "sub", "div"):
            graph = nx.MultiDiGraph(states={"h": length}, output=None)
            graph.add_node(0, op="x")
            for node in range(1, length + 1):
                graph.add_node(node, op=op)
                graph.add_edge(node - 1, node, key=0)
                if op != "tanh":
                    graph.add_node(-node, op="parameter")
                    graph.add_edge(-node, node, key=1)
            if len(graph) <= MAX_NODES and not (op in ("add", "mul") and length > 255):
                assert len(Cell.from_graph(graph).normal.nodes) > 2
            else:
                with pytest.raises(CellError, match=r"more than 512|at most 256"):
                    Cell.from_graph(graph)
    many = Cell.parse(f"h = add({', '.join(['linear(x)'] * 70)})")
    assert Cell.from_graph(many.graph) == many
    assert format_graph(many.structure) == str(many)


def test_a_node_that_is_called_output_but_is_not_the_output_gets_another_name() -> None:
    cell = Cell.parse("a = tanh(x)\nh = a * h_prev")
    graph = cell.graph
    graph.nodes[next(n for n, d in graph.nodes(data=True) if d["name"] == "a")]["name"] = "output"
    assert Cell.from_graph(graph) == cell


# Bad input


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "h is never assigned"),
        ("c = x", "h is never assigned"),
        ("h = 1 +", "line 1: invalid syntax"),
        ("g = x\nh = tanh(x", "line 2"),
        ("  h = x", "unexpected indent"),
        ("h = x\nh = tanh(x)", "line 2: 'h' is assigned twice"),
        (
            "h = g\ng = x",
            "line 1: 'g' is used before it is assigned; for its value at t-1 write 'g_prev', or "
            "move its line up",
        ),
        ("a = x\nh = h + a", "for its value at t-1 write 'h_prev'"),
        ("gate = x\nh = gat", "did you mean 'gate'?"),
        ("h = c", "for its value at t-1 write 'c_prev'"),
        ("h = c_prev + x", "c_prev is read but c is never assigned"),
        ("h = output_prev\noutput = x", "the output is not carried"),
        ("h = tahn(x)", "unknown operator 'tahn' (did you mean 'tanh'?)"),
        ("h = x(x)", "unknown operator 'x'"),
        ("h = blend(x, x)", "blend takes 3 arguments, found 2"),
        ("h = add(x)", "add takes at least 2 arguments, found 1"),
        ("h = tanh(x, x)", "tanh takes 1 argument, found 2"),
        ("h = linear()", "linear takes at least 1 argument, found 0"),
        ("h = parameter(x)", "parameter takes 0 arguments, found 1"),
        ("x = h_prev", "'x' cannot be assigned"),
        ("h_prev = x", "'h_prev' cannot be assigned"),
        ("tanh = x\nh = x", "it is the name of an operator"),
        ("_g = x\nh = x", "a name begins with a letter"),
        ("lambda = x", "invalid syntax"),
        ("h = x_prev", "'x' cannot be a state's name"),
        ("h = tanh_prev", "'tanh' cannot be a state's name"),
        ("h = c_prev_prev", "'c_prev' cannot be a state's name"),
        ("a, h = x, x", "expected a statement of the form `name = expression`"),
        ("a = h = x", "expected a statement"),
        ("h += x", "expected a statement"),
        ("tanh(x)", "expected a statement"),
        ("import os", "expected a statement"),
        ("h = x ** 2", "line 1: unexpected '**', for a square say square(...); expected a name, a"),
        ("h = x // 2", "expected a name, a number"),
        ("h = +x", "expected a name, a number"),
        ("h = not x", "expected a name, a number"),
        ("h = x if x else x", "expected a name, a number"),
        ("h = x.real", "expected a name, a number"),
        ("h = linear(*x)", "expected a name, a number"),
        ("h = linear(x, **x)", "linear has no argument None"),
        ("h = (x, x)", "expected a name, a number"),
        ("h = tanh(x)(x)", "expected a name, a number"),
        ("h = True * x", "expected a number, found 'True'"),
        ("h = 'x'", "expected a number, found 'x'"),
        ("h = 2j * x", "expected a number"),
        ("h = ... * x", "expected a number"),
        ("h = 1e999 * x", "expected a finite number"),
        ("h = -1e999 * x", "expected a finite number"),
        ("h = " + "9" * 400 + " * x", "expected a finite number"),
        ("h = 0x" + "f" * 6000 + " * x", "expected a finite number"),
        ("h = x[0]", "unexpected character '['"),
        ("h = x; c = x", "unexpected character ';'; expected one statement a line"),
        ("h = x @ x", "unexpected character '@'; expected a name, a number, + - * /"),
        ("h = lambda: x", "unexpected character ':'"),
        ("h = 'a\\n'", "unexpected character"),
        ("hé = x", "unexpected character 'é'"),
        ("h = \N{FULLWIDTH LATIN SMALL LETTER X}", "unexpected character"),
        ("h = x\0", "unexpected character"),
        ("h = x\x0c", "unexpected character"),
        ("h = tanh(x, bias=True)", "tanh has no argument 'bias'; expected: none"),
        ("h = linear(x, bais=True)", "did you mean 'bias'?"),
        ("h = linear(x, bias=1)", "linear: bias: expected True or False"),
        ("h = linear(x, bias=-True)", "expected True or False"),
        ("h = linear(x, init='normal')", "expected one of uniform, orthogonal, identity"),
        ("h = linear(x, init=1)", "expected one of uniform"),
        ("h = linear(x, bias_init='0')", "expected a number"),
        ("h = linear(x, bias_init=1e400)", "expected a finite number"),
        ("h = linear(x, bias_init=x)", "expected a number"),
        ("h = scale(x, init=True)", "expected a number"),
        ("h = linear(x, bias=True, bias=True)", "linear has two arguments 'bias'"),
        ("i = linear(x) + linear(x)\ni_2 = x\nh = i", "already names learned tensors"),
        ("i_2 = x\ni = linear(x) + linear(x)\nh = i", "which is taken"),
        ("h = linear(2)", "linear expects vectors, found a single number"),
        ("h = layer_norm(parameter(scalar=True))", "layer_norm expects vectors"),
    ],
)
def test_a_wrong_text_is_refused_in_one_line(text: str, part: str) -> None:
    assert part in refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "h = " + "(" * 30_000 + "x" + ")" * 30_000,
        "h = " + "tanh(" * 150 + "x" + ")" * 150,
        "h = " + "tanh(" * 80 + "x" + ")" * 80,
        "h = " + "-" * 60_000 + "x",
        "h = " + "-" * 300 + "x",
        "h = x" + " + x" * 15_000,
        "h = x" + " + x" * 300,
        "h = x" + ".y" * 20_000,
        "h = linear(x, init=" + "-" * 3000 + "1)",
        "h = " + "9" * 60_000,
        "h = " + "a" * 60_000,
        "a" * 60_000 + " = x",
        "h = " + "a" * 60_000 + "(x)",
        "h = " + "a" * 60_000 + "_prev",
        "h = linear(x, " + "a" * 60_000 + "=1)",
        "h = linear(x, init='" + "a" * 60_000 + "')",
        "h = 'a'" + " 'a'" * 10_000,
        "h = x" * 10_000_000,
        "# " + "a" * 100_000_000,
        "h = x # " + "é" * 40_000,
        "a = x\n" + "".join(f"a{i} = tanh(x)\n" for i in range(600)) + "h = a",
        "h = add(" + "x, " * 600 + "x)",
        "a0 = x\n" + "".join(f"a{i + 1} = a{i} + a{i}\n" for i in range(12)) + "h = a12",
        "\n" * 60_000 + "h = ",
    ],
    ids=lambda text: f"{text[:12]}...{len(text)}",
)
def test_a_monstrous_text_is_refused_in_one_line(text: str) -> None:
    limit = sys.getrecursionlimit()
    refused(text)
    assert sys.getrecursionlimit() == limit


def test_the_nearest_name_is_only_said_where_there_is_one() -> None:
    assert nearest("lienar", OPERATORS) == " (did you mean 'linear'?)"
    assert nearest("qqqqqq", OPERATORS) == ""
    assert nearest("q" * 10_000_000, OPERATORS) == ""
    many = [f"name{number}" for number in range(1000)]
    assert nearest("nam7", many) == " (did you mean 'name7'?)"
    assert nearest("abc", [*many, "abd"]) == ""


@given(st.text(alphabet="xhc_prev=+-*/()., \n012tanlier\"'#é", max_size=60))
def test_any_text_is_a_cell_or_refused_in_one_line(text: str) -> None:
    try:
        cell = Cell.parse(text)
    except CellError as error:
        assert "\n" not in str(error)
    else:
        assert Cell.parse(format_graph(cell.structure)) == cell
