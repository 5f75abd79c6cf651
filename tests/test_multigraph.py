"""The networkx form of a cell: what it says, what is read from it, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator

import networkx as nx
import numpy as np
import pytest
from random_cells import random_cell, seeded

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.limits import MAX_EDGES, MAX_NODES


def graph_of(nodes: dict[object, dict[str, object]], edges: list[tuple[object, ...]],
             **roles: object) -> nx.MultiDiGraph:  # fmt: skip
    graph = nx.MultiDiGraph(**({"states": {"h": "u"}, "output": None} | roles))
    for key, data in nodes.items():
        graph.add_node(key, **data)
    for source, target, slot in edges:
        graph.add_edge(source, target, key=slot)
    return graph


def test_the_graph_says_all_there_is_in_topological_order() -> None:
    for seed in range(60):
        cell = Cell.parse(random_cell(seeded(seed)))
        graph = cell.graph
        assert list(graph) == list(range(len(cell.nodes)))
        assert all(source < target for source, target in graph.edges())
        for index, node in enumerate(cell.nodes):
            assert graph.nodes[index] == {
                "op": node.op,
                "name": node.name,
                "attributes": dict(node.attributes),
            }
            slots = {slot: source for source, _, slot in graph.in_edges(index, keys=True)}
            assert tuple(slots[slot] for slot in sorted(slots)) == node.args
        assert list(graph.graph["states"].items()) == list(cell.structure.states)
        assert graph.graph["output"] == cell.structure.output


def test_a_graph_with_any_keys_becomes_a_cell_that_keeps_its_names() -> None:
    graph = graph_of(
        {
            "gate": {"op": "sigmoid", "name": "g"},
            (1, 2): {"op": "linear", "attributes": {"bias": False}},
            "in": {"op": "x"},
            "past": {"op": "state", "name": "h"},
            "u": {"op": "mul", "name": ""},
            7: {"op": "number", "attributes": {"value": 2}},
        },
        [("in", (1, 2), 0), ((1, 2), "gate", 0), ("gate", "u", 0), ("past", "u", 1), (7, "u", 2)],
        output="gate",
    )
    cell = Cell.from_graph(graph)
    assert cell == Cell.parse("output = sigmoid(linear(x, bias=False))\nh = 2 * h_prev * output")
    assert Cell.from_graph(cell.graph) == cell
    graph.graph["output"] = None
    assert str(Cell.from_graph(graph)) == (
        "g = sigmoid(linear(x, bias=False))\nh = g * h_prev * 2\n"
    )


class Elusive(float):
    """A number that is small when it is looked at and none when it is taken."""

    def __abs__(self) -> float:
        return 0.0

    def __float__(self) -> float:
        return float("nan")


class Unshowable:
    def __repr__(self) -> str:
        raise RuntimeError


def roles(found: object) -> nx.MultiDiGraph:
    """A graph that says this where a cell's graph says its states and its output."""
    graph = nx.MultiDiGraph()
    graph.add_node("u", op="x")
    graph.graph = found
    return graph


def large(size: int) -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph(states={"h": size - 1}, output=None)
    graph.add_nodes_from(range(size), op="x")
    return graph


DOUBLED: tuple[object, ...] = ()
for _ in range(60):
    DOUBLED = (DOUBLED, DOUBLED)
PLAIN = {"in": {"op": "x"}, "u": {"op": "tanh"}}
EDGE = [("in", "u", 0)]

BAD_GRAPHS: dict[str, tuple[object, str]] = {
    "no graph": (Cell.parse("h = x"), "expected a networkx.MultiDiGraph"),
    "a simple graph": (nx.DiGraph(), "expected a networkx.MultiDiGraph"),
    "no direction": (nx.MultiGraph(), "expected a networkx.MultiDiGraph"),
    "empty": (nx.MultiDiGraph(), "graph.graph['states'] has no 'h'"),
    "no h": (graph_of(PLAIN, EDGE, states={"c": "u"}), "has no 'h'"),
    "no update": (graph_of(PLAIN, EDGE, states={"h": "away"}), "updated by 'away'"),
    "no output": (graph_of(PLAIN, EDGE, output="away"), "output is 'away', which is not a node"),
    "cycle": (
        graph_of({"u": {"op": "tanh"}, "v": {"op": "sin"}}, [("u", "v", 0), ("v", "u", 0)]),
        "a cycle within one step",
    ),
    "loop": (graph_of({"u": {"op": "tanh"}}, [("u", "u", 0)]), "a cycle within one step"),
    "a long cycle": (
        graph_of({i: {"op": "tanh"} for i in range(300)},
                 [(i, (i + 1) % 300, 0) for i in range(300)]),
        "a cycle within one step (0 <- 299 <- 298 <- 297 <- ...)",
    ),
    "no dictionary of roles": (roles(None), "has no 'h'"),
    "a list of states": (roles({"states": ["h"]}), "graph.graph['states'] is <list>; expected a"),
    "states as a text": (roles({"states": "h"}), "graph.graph['states'] is 'h'; expected"),
    "an update that is a list": (graph_of(PLAIN, EDGE, states={"h": ["u"]}), "updated by <list>"),
    "an output that is a set": (graph_of(PLAIN, EDGE, output={"u"}), "output is <set>, which"),
    "an update by a doubled tuple": (
        graph_of(PLAIN, EDGE, states={"h": DOUBLED}),
        "h is updated by (<tuple>, <tuple>), which is not a node",
    ),
    "a list of attributes": (
        graph_of({**PLAIN, "u": {"op": "tanh", "attributes": ["bias"]}}, EDGE),
        "node 'u': its attributes are <list>; expected a mapping",
    ),
    "a name that is a list": (
        graph_of({**PLAIN, "u": {"op": "tanh", "name": ["u"]}}, EDGE),
        "node 'u': its name is <list>; expected a text",
    ),
    "a key that cannot be shown": (
        graph_of({**PLAIN, Unshowable(): {"op": "tahn"}}, EDGE),
        "node <Unshowable>: unknown operator 'tahn'",
    ),
    "a long key": (
        graph_of({**PLAIN, ("u" * 1000, 1): {"op": "tahn"}}, EDGE),
        "node ('uuuuuuu",
    ),
    "too many nodes": (large(MAX_NODES + 1), f"cell graph: more than {MAX_NODES} nodes"),
    "too many edges": (
        graph_of(PLAIN, [("in", "u", slot) for slot in range(MAX_EDGES + 1)]),
        f"cell graph: more than {MAX_EDGES} edges",
    ),
    "too many states": (
        graph_of(PLAIN, EDGE, states={"h": "u", **{f"s{i}": "u" for i in range(MAX_NODES)}}),
        f"cell graph: more than {MAX_NODES} states",
    ),
    "more arguments than any node may have": (
        graph_of({**PLAIN, "u": {"op": "add"}}, [("in", "u", slot) for slot in range(257)]),
        "node 'u': add does not take 257 arguments; expected 2 to 256",
    ),
    "cycle of odd keys": (graph_of({"u\n": {"op": "tanh"}}, [("u\n", "u\n", 0)]), "a cycle"),
    "unknown operator": (
        graph_of({**PLAIN, "u": {"op": "tahn"}}, EDGE),
        "node 'u': unknown operator 'tahn' (did you mean 'tanh'?)",
    ),
    "no operator": (graph_of({**PLAIN, "u": {}}, EDGE), "unknown operator None"),
    "a list for an operator": (
        graph_of({**PLAIN, "u": {"op": []}}, EDGE),
        "node 'u': unknown operator <list>",
    ),
    "too many arguments": (
        graph_of({**PLAIN, "v": {"op": "x"}}, [*EDGE, ("v", "u", 1)]),
        "node 'u': tanh does not take 2 arguments",
    ),
    "too few arguments": (graph_of({"u": {"op": "add"}}, []), "add does not take 0 arguments"),
    "arguments of a leaf": (graph_of({**PLAIN, "u": {"op": "x"}}, EDGE), "x does not take 1"),
    "a slot left out": (graph_of(PLAIN, [("in", "u", 1)]), "argument slots are [1]"),
    "a slot twice": (
        graph_of({**PLAIN, "v": {"op": "x"}}, [*EDGE, ("v", "u", 0)]),
        "argument slots are [0, 0]; expected each of 0, 1, ... once",
    ),
    "slots that are no numbers": (
        graph_of(PLAIN, [("in", "u", False)]), "argument slots are [False]",
    ),
    "odd slots": (graph_of(PLAIN, [("in", "u", "a"), ("in", "u", 0)]), "argument slots"),
    "a state without a name": (graph_of({"u": {"op": "state"}}, []), "cannot be a state's name"),
    "a state with a bad name": (
        graph_of({**PLAIN, "s": {"op": "state", "name": "c\nh = x #"}}, EDGE),
        "cannot be a state's name",
    ),
    "a state node called as what it reads": (
        graph_of({**PLAIN, "s": {"op": "state", "name": "h_prev"}}, EDGE),
        "'h_prev' cannot be a state's name: it is the value of h at t-1; write 'h'",
    ),
    "an attribute beside the attributes": (
        graph_of({**PLAIN, "u": {"op": "linear", "bias_init": 3.0}}, EDGE),
        "node 'u': unknown key 'bias_init', an attribute of linear that belongs in its "
        "attributes; expected op, name, attributes",
    ),
    "attributes misspelt": (
        graph_of({**PLAIN, "u": {"op": "linear", "attribute": {"bias": False}}}, EDGE),
        "node 'u': unknown key 'attribute' (did you mean 'attributes'?); expected op, name",
    ),
    "output misspelt": (
        graph_of(PLAIN, EDGE, ouput="in"),
        "graph.graph has 'ouput'; expected states or output (did you mean 'output'?)",
    ),
    "a state that is not updated": (
        graph_of({"u": {"op": "state", "name": "c"}}, []),
        "c_prev is read but c is never assigned",
    ),
    "a state called output": (
        graph_of(PLAIN, EDGE, states={"h": "u", "output": "u"}),
        "'output' cannot be a state's name",
    ),
    "a state called tanh": (
        graph_of(PLAIN, EDGE, states={"h": "u", "tanh": "u"}),
        "'tanh' cannot be a state's name",
    ),
    "a state called 3": (graph_of(PLAIN, EDGE, states={"h": "u", 3: "u"}), "3 cannot be a state"),
    **{
        f"{place}: attribute {name} of {op}": (
            graph_of({**PLAIN, "u": {"op": op, "attributes": {name: value}}},
                     [] if op in ("number", "parameter") else EDGE),
            part,
        )
        for place, (op, name, value, part) in enumerate([
            ("tanh", "bias", True, "tanh has no attribute 'bias'; expected: none"),
            ("linear", "bais", True, "did you mean 'bias'?"),
            ("linear", "bias", 1, "linear: bias: expected True or False, found 1"),
            ("linear", "bias", None, "expected True or False, found None"),
            ("linear", "init", "normal", "expected one of uniform, orthogonal, identity"),
            ("linear", "init", 'uniform") + tanh(x', "expected one of uniform"),
            ("linear", "init", "a\nb", "expected one of uniform"),
            ("linear", "bias_init", True, "expected a finite number, found True"),
            ("linear", "bias_init", float("nan"), "expected a finite number, found nan"),
            ("scale", "init", float("inf"), "expected a finite number, found inf"),
            ("scale", "init", [1.0], "expected a finite number, found <list>"),
            ("scale", "scalar", "yes", "expected True or False"),
            ("parameter", "init", "0", "expected a finite number, found '0'"),
            ("number", "value", float("nan"), "expected a finite number"),
            ("number", "value", Elusive(1.0), "expected a finite number"),
            ("number", "value", 10**5000, "expected a finite number, found <large int>"),
            ("linear", "init", [], "expected one of uniform, orthogonal, identity, found <list>"),
            ("number", "valeu", 1.0, "did you mean 'value'?"),
            ("number", 3, 1.0, "number has no attribute 3"),
        ])
    },
}  # fmt: skip


@pytest.mark.parametrize("case", BAD_GRAPHS)
def test_a_wrong_graph_is_refused_in_one_line(case: str) -> None:
    graph, part = BAD_GRAPHS[case]
    with pytest.raises(CellError) as caught:
        Cell.from_graph(graph)  # type: ignore[arg-type]
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("cell")


class Unread(nx.MultiDiGraph):
    """A graph of which the size may be asked, but not what the nodes are."""

    def __iter__(self) -> Iterator[object]:
        raise AssertionError


def test_the_size_is_looked_at_before_any_work() -> None:
    graph = Unread(states={"h": 0}, output=None)
    graph.add_nodes_from(range(MAX_NODES + 1), op="x")
    with pytest.raises(CellError, match="more than 512 nodes"):
        Cell.from_graph(graph)


def test_the_largest_graph_becomes_a_cell() -> None:
    graph = large(MAX_NODES)
    for node in range(1, MAX_NODES):
        graph.nodes[node]["op"] = "tanh"
        graph.add_edge(node - 1, node, key=0)
    assert len(Cell.from_graph(graph).nodes) == MAX_NODES


@pytest.mark.parametrize("chain", [10, 500])
def test_states_that_only_pass_each_other_on_are_left_out(chain: int) -> None:
    graph = nx.MultiDiGraph(states={"h": "in", "s0": "in"}, output=None)
    graph.add_node("in", op="x")
    for number in range(chain):
        graph.add_node(number, op="state", name=f"s{number}")
        graph.graph["states"][f"s{number + 1}"] = number
    assert str(Cell.from_graph(graph)) == "h = x\n"


def test_attributes_may_say_the_default_and_numbers_be_of_any_kind_of_float() -> None:
    graph = graph_of(
        {
            "in": {"op": "x"},
            "past": {"op": "state", "name": "h", "attributes": {"start": 0}},
            "again": {"op": "state", "name": "h", "attributes": None},
            "u": {"op": "linear", "name": None, "attributes": {"bias": True, "bias_init": 0}},
            "v": {"op": "linear", "attributes": {"bias": False, "bias_init": 0.0}},
            "w": {"op": "scale", "attributes": {"init": np.float64(0.5)}},
        },
        [("in", "u", 0), ("past", "u", 1), ("u", "v", 0), ("again", "v", 1), ("v", "w", 0)],
        states={"h": "w"},
    )
    cell = Cell.from_graph(graph)
    assert str(cell) == "h = scale(linear(linear(x, h_prev), h_prev, bias=False), init=0.5)\n"
    assert Cell.from_graph(cell.graph) == cell


def test_what_a_graph_says_of_itself_beside_is_left_alone() -> None:
    assert Cell.from_graph(graph_of(PLAIN, EDGE, name="mine", date=2026)).text == "h = tanh(x)\n"


def test_nameless_dead_code_of_a_graph_is_left_out_with_the_states_that_only_it_reads() -> None:
    cell = Cell.parse("dead = square(sin(c_prev) + sin(c_prev))\nc = 0.5\nh = tanh(linear(x))")
    graph = cell.graph
    for _, data in graph.nodes(data=True):
        if data["op"] != "state":
            data["name"] = ""
    again = Cell.from_graph(graph)
    assert again == cell
    assert again.text == "h = tanh(linear(x))\n"
