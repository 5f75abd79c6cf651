"""Drawings: read back as XML, compared with what the cell's text says."""

from __future__ import annotations

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

from cellsearch.cell import Cell
from cellsearch.errors import CellSearchError
from cellsearch.graph import Graph, Node
from cellsearch.inspection.drawing import draw, draw_to
from cellsearch.known import zoo

SVG = "{http://www.w3.org/2000/svg}"
PNG_HEAD = b"\x89PNG\r\n\x1a\n"


class Picture:
    """What can be seen in a drawing: kinds and labels of nodes, kinds and labels of edges."""

    def __init__(self, svg: str) -> None:
        self.root = ElementTree.fromstring(svg)  # noqa: S314  the drawing under test, our own
        self.nodes: list[tuple[str, tuple[str, ...]]] = []
        self.edges: list[tuple[bool, tuple[str, ...]]] = []
        for group in self.root.iter(f"{SVG}g"):
            kind = group.get("class", "").split()
            words = tuple(text.text or "" for text in group.findall(f"{SVG}text"))
            if kind[0] == "node":
                self.nodes.append((kind[1], words))
            elif kind[0] == "edge":
                path = group.find(f"{SVG}path")
                assert path is not None
                self.edges.append((path.get("stroke-dasharray") is not None, words))

    def count(self, kind: str) -> int:
        return sum(1 for found, _ in self.nodes if found == kind)

    def labels(self, kind: str) -> list[tuple[str, ...]]:
        return sorted(words for found, words in self.nodes if found == kind)

    def height(self, label: str) -> float:
        """How far above the bottom a node stands; y grows downwards and ends at 0."""
        for group in self.root.iter(f"{SVG}g"):
            texts = group.findall(f"{SVG}text")
            if group.get("class", "").startswith("node") and texts and texts[0].text == label:
                return -float(texts[0].get("y", "nan"))
        raise AssertionError(f"{label} is not drawn")


def test_lstm_shows_its_gates_weights_and_states() -> None:
    picture = Picture(draw(zoo["lstm"]))
    sigmoids = [("f", "sigmoid"), ("i", "sigmoid"), ("o", "sigmoid")]
    assert picture.labels("gate") == sigmoids
    assert picture.labels("learned") == [("linear",)] * 4
    assert picture.labels("input") == [("x",)]
    assert picture.labels("state") == [("c",), ("c_prev",), ("h", "(output)"), ("h_prev",)]
    assert Counter(picture.labels("elementwise")) == {
        ("\N{MULTIPLICATION SIGN}",): 3,
        ("+",): 1,
        ("tanh",): 1,
        ("g", "tanh"): 1,
    }


def test_a_legend_says_what_the_colours_mean() -> None:
    shown = draw(zoo["gru"])
    for words in ("state", "gate, 0 to 1", "learned weights", "elementwise", "to the next step"):
        assert f"{words}</text>" in shown
    assert "gate" not in draw(zoo["rnn"])  # only what there is


def test_dashed_edges_are_what_the_states_carry() -> None:
    picture = Picture(draw(zoo["lstm"]))
    # 4 linears of two, 5 functions of one, 4 infix of two, and an arrow to each new state
    assert Counter(dashed for dashed, _ in picture.edges) == {True: 2, False: 8 + 5 + 8 + 2}


def test_time_runs_upwards() -> None:
    picture = Picture(draw(zoo["gru"]))
    assert picture.height("x") < picture.height("z") < picture.height("n") < picture.height("h")
    assert picture.height("h_prev") == pytest.approx(picture.height("x"), abs=2)


def test_edges_are_labelled_only_where_the_order_matters() -> None:
    cell = Cell.parse("a = linear(x) - linear(h_prev)\nh = a * a + 1 / a")
    labels = Counter(words for _, words in Picture(draw(cell)).edges if words)
    assert labels == {("p",): 2, ("q",): 2}
    blend = Cell.parse("h = blend(sigmoid(linear(x)), h_prev, maximum(h_prev, linear(x)))")
    assert Counter(words for _, words in Picture(draw(blend)).edges if words) == {
        ("p",): 1,
        ("q",): 1,
        ("r",): 1,
    }


def test_one_edge_for_each_use_of_a_value() -> None:
    picture = Picture(draw(Cell.parse("h = h_prev * h_prev * h_prev")))
    assert len(picture.edges) == 2 + 2 + 1 + 1  # two products, the arrow to h, the dashed one


def test_output_and_numbers_have_looks_of_their_own() -> None:
    picture = Picture(draw(Cell.parse("h = tanh(linear(x, h_prev))\noutput = h * 0.5")))
    assert picture.labels("input") == [("output",), ("x",)]
    assert picture.labels("number") == [("0.5",)]
    assert ("h",) in picture.labels("state")


def test_dead_code_is_left_out() -> None:
    text = "dead = exp(x)\nc = c_prev + linear(x)\nh = tanh(linear(x, h_prev))"
    picture = Picture(draw(Cell.parse(text)))
    assert picture.labels("state") == [("h", "(output)"), ("h_prev",)]
    assert picture.labels("elementwise") == [("tanh",)]


@pytest.mark.parametrize("text", ["h = x", "h = h_prev", "h = parameter() + c_prev\nc = linear(x)"])
def test_smallest_cells_are_drawn(text: str) -> None:
    assert Picture(draw(Cell.parse(text))).count("state") >= 1


def test_same_cell_same_text() -> None:
    cell = zoo["gru"]
    assert draw(cell) == draw(Cell.parse(cell.text))


def test_svg_can_stand_inside_a_page() -> None:
    svg = draw(zoo["rnn"])
    assert svg.startswith("<svg") and svg.rstrip().endswith("</svg>")
    root = Picture(svg).root
    assert [title.text for title in root.iter(f"{SVG}title")] == [f"cell {zoo['rnn'].id}"]
    assert not [element for element in root.iter() if element.get("id")]


def test_hostile_names_come_out_as_text() -> None:
    name = "<script>&amp;\\N\"'</script>"
    graph = Graph((Node("state", name="h"), Node("tanh", (0,), name=name)), (("h", 1),), None)
    two = Graph((*graph.nodes, Node("tanh", (1,), name="h")), (("h", 2),), None)
    svg = draw(Cell("", two))
    assert "<script" not in svg
    assert (name[:23] + "\N{HORIZONTAL ELLIPSIS}", "tanh") in Picture(svg).labels("elementwise")


def test_names_of_states_do_not_clash_with_names_in_the_drawing() -> None:
    text = "n0 = linear(x) + n0_prev\nt0 = n0 * t0_prev\nh = t0 + h_prev"
    picture = Picture(draw(Cell.parse(text)))
    assert picture.count("state") == 6
    assert sum(dashed for dashed, _ in picture.edges) == 3


def test_files_are_written_as_their_names_end(tmp_path: Path) -> None:
    cell = zoo["rnn"]
    draw_to(cell, tmp_path / "cell.svg")
    draw_to(cell, str(tmp_path / "CELL.PNG"))
    assert (tmp_path / "cell.svg").read_text("utf-8") == draw(cell)
    data = (tmp_path / "CELL.PNG").read_bytes()
    assert data.startswith(PNG_HEAD)
    draw_to(cell, tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == data


@pytest.mark.parametrize("name", ["cell.pdf", "cell", "missing/cell.svg"])
def test_other_files_are_refused_in_one_line(tmp_path: Path, name: str) -> None:
    with pytest.raises(CellSearchError) as caught:
        draw_to(zoo["rnn"], tmp_path / name)
    assert "\n" not in str(caught.value) and name in str(caught.value)
    assert caught.value.exit_code == 2


def test_a_file_is_not_drawn_over(tmp_path: Path) -> None:
    path = tmp_path / "cell.svg"
    path.write_text("mine")
    with pytest.raises(CellSearchError, match=r"cell\.svg exists already; nothing is written over"):
        draw_to(zoo["rnn"], path)
    assert path.read_text() == "mine"


def test_cells_beyond_all_following_are_refused() -> None:
    lines = ["a0 = tanh(linear(x, h_prev))"]
    lines += [f"a{i} = tanh(a{i - 1})" for i in range(1, 300)]
    halves = (", ".join(f"a{i}" for i in half) for half in (range(0, 300, 2), range(1, 300, 2)))
    with pytest.raises(CellSearchError, match="306 nodes are too many"):
        draw(Cell.parse("\n".join((*lines, "h = mean({}) - mean({})".format(*halves)))))


def test_drawing_says_nothing_on_standard_error() -> None:
    code = "from cellsearch.inspection.drawing import draw; from cellsearch.known import zoo\n"
    done = subprocess.run(
        [sys.executable, "-c", code + "draw(zoo['rnn'])"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
