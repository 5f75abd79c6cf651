"""Cell: where it comes from, what it tells, and what it refuses."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import networkx as nx
import pytest
from random_cells import random_cell, seeded

from cellsearch.cell import Cell
from cellsearch.errors import CellError

LSTM = """\
i = sigmoid(linear(x, h_prev))
f = sigmoid(linear(x, h_prev))
g = tanh(linear(x, h_prev))
o = sigmoid(linear(x, h_prev))
c = f * c_prev + i * g
h = o * tanh(c)
"""


def graph_of(nodes: dict[object, dict[str, object]], edges: list[tuple[object, ...]],
             **roles: object) -> nx.MultiDiGraph:  # fmt: skip
    graph = nx.MultiDiGraph(**({"states": {"h": "u"}, "output": None} | roles))
    for key, data in nodes.items():
        graph.add_node(key, **data)
    for source, target, slot in edges:
        graph.add_edge(source, target, key=slot)
    return graph


def test_a_cell_keeps_its_text() -> None:
    text = "# Mine\n\nh = identity( tanh(x) )   # odd\n"
    assert str(Cell.parse(text)) == text
    assert Cell.parse("\n\nh = x").text == "h = x\n"


def test_a_cell_tells_its_nodes_states_and_output() -> None:
    cell = Cell.parse(LSTM)
    assert cell.states == ("h", "c")
    assert not cell.has_output
    assert [node.name for node in cell.nodes if node.name] == list("hifgocch")
    assert cell.nodes == cell.structure.nodes
    assert repr(cell) == f"<Cell {cell.id}: 16 nodes, states h, c>"


def test_a_cell_cannot_be_changed() -> None:
    cell = Cell.parse(LSTM)
    with pytest.raises(AttributeError):
        cell.text = "h = x"  # type: ignore[misc]
    before = cell.id
    cell.graph.clear()
    cell.graph.graph["states"]["h"] = 0
    assert cell.id == Cell.parse(LSTM).id == before


def test_a_copied_cell_is_the_same_cell() -> None:
    cell = Cell.parse(LSTM)
    assert cell.id
    assert copy.deepcopy(cell) == cell


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


PLAIN = {"in": {"op": "x"}, "u": {"op": "tanh"}}
EDGE = [("in", "u", 0)]

BAD_GRAPHS: dict[str, tuple[object, str]] = {
    "no graph": (Cell.parse("h = x"), "expected a networkx.MultiDiGraph"),
    "a simple graph": (nx.DiGraph(), "expected a networkx.MultiDiGraph"),
    "no direction": (nx.MultiGraph(), "expected a networkx.MultiDiGraph"),
    "empty": (nx.MultiDiGraph(), "graph.graph['states'] has no 'h'"),
    "no h": (graph_of(PLAIN, EDGE, states={"c": "u"}), "has no 'h'"),
    "no update": (graph_of(PLAIN, EDGE, states={"h": "away"}), "updated by 'away'"),
    "no output": (graph_of(PLAIN, EDGE, output="away"), "output is updated by 'away'"),
    "cycle": (
        graph_of({"u": {"op": "tanh"}, "v": {"op": "sin"}}, [("u", "v", 0), ("v", "u", 0)]),
        "a cycle within one step",
    ),
    "loop": (graph_of({"u": {"op": "tanh"}}, [("u", "u", 0)]), "a cycle within one step"),
    "cycle of odd keys": (graph_of({"u\n": {"op": "tanh"}}, [("u\n", "u\n", 0)]), "a cycle"),
    "unknown operator": (
        graph_of({**PLAIN, "u": {"op": "tahn"}}, EDGE),
        "node 'u': unknown operator 'tahn' (did you mean 'tanh'?)",
    ),
    "no operator": (graph_of({**PLAIN, "u": {}}, EDGE), "unknown operator None"),
    "a list for an operator": (graph_of({**PLAIN, "u": {"op": []}}, EDGE), "unknown operator []"),
    "too many arguments": (
        graph_of({**PLAIN, "v": {"op": "x"}}, [*EDGE, ("v", "u", 1)]),
        "node 'u': tanh does not take 2 arguments",
    ),
    "too few arguments": (graph_of({"u": {"op": "add"}}, []), "add does not take 0 arguments"),
    "arguments of a leaf": (graph_of({**PLAIN, "u": {"op": "x"}}, EDGE), "x does not take 1"),
    "a slot left out": (graph_of(PLAIN, [("in", "u", 1)]), "argument slots are [1]"),
    "a slot twice": (
        graph_of({**PLAIN, "v": {"op": "x"}}, [*EDGE, ("v", "u", 0)]),
        "argument slots are [0]; expected each of 0, 1, ... once",
    ),
    "odd slots": (graph_of(PLAIN, [("in", "u", "a"), ("in", "u", 0)]), "argument slots"),
    "a state without a name": (graph_of({"u": {"op": "state"}}, []), "cannot be a state's name"),
    "a state with a bad name": (
        graph_of({**PLAIN, "s": {"op": "state", "name": "c\nh = x #"}}, EDGE),
        "cannot be a state's name",
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
            ("linear", "bias", 1, "linear: bias: expected True or False, found int"),
            ("linear", "bias", None, "expected True or False, found NoneType"),
            ("linear", "init", "normal", "expected one of uniform, orthogonal, identity"),
            ("linear", "init", 'uniform") + tanh(x', "expected one of uniform"),
            ("linear", "init", "a\nb", "expected one of uniform"),
            ("linear", "bias_init", True, "expected a finite number, found True"),
            ("linear", "bias_init", float("nan"), "expected a finite number, found nan"),
            ("scale", "init", float("inf"), "expected a finite number, found inf"),
            ("scale", "init", [1.0], "expected a finite number, found list"),
            ("scale", "scalar", "yes", "expected True or False"),
            ("parameter", "init", "0", "expected a finite number, found '0'"),
            ("number", "value", float("nan"), "expected a finite number"),
            ("number", "value", 10**5000, "expected a finite number, found int"),
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


def test_a_graph_that_is_too_large_is_refused() -> None:
    for length in (600, 5000):
        graph = nx.MultiDiGraph(states={"h": length}, output=None)
        graph.add_node(0, op="x")
        for node in range(1, length + 1):
            graph.add_node(node, op="tanh")
            graph.add_edge(node - 1, node, key=0)
        with pytest.raises(CellError, match=r"more than 512 nodes|longer than 64 KiB"):
            Cell.from_graph(graph)


def test_a_file_is_read_with_whatever_line_ends_and_mark(tmp_path: Path) -> None:
    path = tmp_path / "my.cell"
    for data in (
        LSTM.encode(),
        LSTM.replace("\n", "\r\n").encode(),
        "\N{BYTE ORDER MARK}".encode() + LSTM.encode(),
    ):
        path.write_bytes(data)
        assert str(Cell.read(path)) == LSTM
        assert Cell.read(str(path)) == Cell.parse(LSTM)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (None, "No such file or directory; expected a cell file"),
        (b"\xff\xfe\x00h", "not UTF-8 text; expected a cell file"),
        (b"\x80\x03}q\x00.", "not UTF-8 text"),
        (b"h = tahn(x)", "line 1: unknown operator 'tahn'"),
        (b"", "h is never assigned"),
        (b"h = x\n" * 100_000, "longer than 64 KiB"),
        (b"h = x" + b"\r\n" * 40_000 + b"c = x", "longer than 64 KiB"),
        (b"# " + "é".encode() * 60_000, "longer than 64 KiB"),
    ],
)
def test_a_file_that_is_no_cell_is_refused_by_its_path(
    tmp_path: Path, data: bytes | None, part: str
) -> None:
    path = tmp_path / "my.cell"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CellError) as caught:
        Cell.read(path)
    assert part in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_cell(tmp_path: Path) -> None:
    with pytest.raises(CellError, match="Is a directory; expected a cell file"):
        Cell.read(tmp_path)


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("cellsearch", ("torch", "ray", "scipy", "networkx", "deap", "numpy")),
        ("cellsearch.cell", ("torch", "ray", "scipy", "deap")),
        ("cellsearch.notation", ("torch", "ray", "scipy", "networkx", "deap")),
        ("cellsearch.lowering", ("torch", "ray", "scipy", "deap")),
        ("cellsearch.strategies.base", ("torch", "ray", "deap")),
        ("cellsearch.layers", ("ray", "deap", "scipy")),
    ],
)
def test_importing_a_module_loads_no_more_than_it_needs(
    module: str, forbidden: tuple[str, ...]
) -> None:
    code = (
        f"import {module}, sys; "
        f"print(','.join(name for name in {forbidden!r} if name in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""


def test_nameless_dead_code_of_a_graph_is_left_out_with_the_states_that_only_it_reads() -> None:
    cell = Cell.parse("dead = square(sin(c_prev) + sin(c_prev))\nc = 0.5\nh = tanh(linear(x))")
    graph = cell.graph
    for _, data in graph.nodes(data=True):
        if data["op"] != "state":
            data["name"] = ""
    again = Cell.from_graph(graph)
    assert again == cell
    assert again.text == "h = tanh(linear(x))\n"
