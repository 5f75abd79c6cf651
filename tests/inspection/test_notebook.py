"""What notebooks show of cells and runs."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

from cellsearch.cell import Cell
from cellsearch.inspection.drawing import draw
from cellsearch.inspection.equations import latex
from cellsearch.inspection.notebook import cell_latex, cell_svg, run_html
from cellsearch.known import zoo

RUN = {
    "run": {"experiment": "a<b", "seed": 0, "levels": {"text": {"unit": "bits & bytes"}}},
    "finalists": [
        {"name": "gru", "index": None, "cell_id": "c1-g", "score": 0.3, "metrics": {"text": 2.5}},
        {"name": "candidate-1", "index": 1, "cell_id": "<script>", "score": 0.2},
    ],
}


def test_cell_shows_its_drawing_and_its_equations() -> None:
    cell = zoo["rnn"]
    assert cell_svg(cell) == draw(cell)
    assert cell_latex(cell) == f"$$\n{latex(cell)}\n$$"


def test_cell_too_large_to_be_drawn_shows_no_drawing() -> None:
    lines = ["a0 = tanh(linear(x, h_prev))"]
    lines += [f"a{i} = tanh(a{i - 1})" for i in range(1, 300)]
    halves = (", ".join(f"a{i}" for i in half) for half in (range(0, 300, 2), range(1, 300, 2)))
    text = "\n".join((*lines, "h = mean({}) - mean({})".format(*halves)))
    assert cell_svg(Cell.parse(text)) is None


def test_leaderboard_as_a_table() -> None:
    table = ElementTree.fromstring(run_html(RUN))  # noqa: S314  the table under test, our own
    rows = [[cell.text for cell in row] for row in table.iter("tr")]
    assert rows[0] == [
        *("#", "name", "cell", "kind", "score", "95 % interval"),
        *("text (bits & bytes)", "parameters", "hidden size"),
    ]
    assert rows[1][:6] == ["1", "#1", "<script>", "found", "0.200", "-"]
    assert rows[2] == ["2", "gru", "c1-g", "baseline", "0.300", "-", "2.5", "-", "-"]
    caption = table.find("caption")
    assert caption is not None and caption.text is not None
    assert "a<b" in caption.text and "lower is better" in caption.text


def test_run_without_a_final_is_a_sentence() -> None:
    shown = run_html({"run": {"experiment": "<b>", "seed": 1, "status": "running"}})
    assert shown == "<p>&lt;b&gt;, seed 1: running, no final yet</p>"
