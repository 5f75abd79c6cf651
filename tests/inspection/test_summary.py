"""Summaries of cells, against numbers worked out by hand."""

from __future__ import annotations

import json

import pytest

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.inspection.leaderboard import plain_text
from cellsearch.inspection.summary import render_cell, summarise
from cellsearch.known import zoo


def gates(text: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = summarise(Cell.parse(text))["gates"]
    return found


def test_lstm_in_numbers() -> None:
    facts = summarise(zoo["lstm"], input_size=3, hidden_size=5)
    assert facts["states"] == ["h", "c"]
    assert facts["output"] == "h"
    assert facts["nodes"] == 4 + 4 + 3 + 1 + 1  # linears, gates and g, products, +, tanh
    assert facts["products"] == 8
    assert facts["parameters"] == 4 * (5 * 3 + 5 * 5 + 5)
    matrices, functions, arithmetic = 4 * (5 * 3 + 5 * 5), 5 * 4 * 5, 4 * 5
    assert facts["operations"] == matrices + functions + arithmetic
    assert facts["id"] == zoo["lstm"].id


def test_gates_of_known_cells() -> None:
    assert summarise(zoo["lstm"])["gates"] == [
        {"name": "i", "multiplies": ["g"], "complement": []},
        {"name": "f", "multiplies": ["c_prev"], "complement": []},
        {"name": "o", "multiplies": ["tanh(c)"], "complement": []},
    ]
    assert summarise(zoo["gru"])["gates"] == [
        {"name": "r", "multiplies": ["linear(h_prev)"], "complement": []},
        {"name": "z", "multiplies": ["h_prev"], "complement": ["n"]},
    ]


def test_blend_is_a_gate_and_its_complement() -> None:
    assert gates("h = blend(hard_sigmoid(linear(x)), h_prev, x + 2)") == [
        {"name": "hard_sigmoid(linear(x))", "multiplies": ["h_prev"], "complement": ["x + 2"]}
    ]


def test_value_between_0_and_1_that_multiplies_nothing_is_no_gate() -> None:
    assert gates("s = sigmoid(linear(x))\nh = s + h_prev") == []
    assert gates("h = tanh(linear(x)) * h_prev") == []  # between -1 and 1


def test_gate_that_multiplies_itself_is_named_once_for_each_factor() -> None:
    assert gates("s = sigmoid(linear(x))\nh = s * s") == [
        {"name": "s", "multiplies": ["s"], "complement": []}
    ]


def test_dead_gates_are_left_out() -> None:
    assert gates("s = sigmoid(x)\ndead = s * x\nh = tanh(h_prev)") == []


def test_summary_is_plain_json() -> None:
    facts = summarise(zoo["gru"])
    assert json.loads(json.dumps(facts)) == facts
    assert (facts["input_size"], facts["hidden_size"]) == (64, 64)


def test_output_of_its_own() -> None:
    assert summarise(Cell.parse("h = tanh(h_prev)\noutput = h + 1"))["output"] == "output"


def test_where_states_begin_and_which_sizes_must_be_equal_is_said() -> None:
    cell = Cell.parse("c_prev = -1.5\nc = c_prev * x\nh = tanh(c)")
    facts = summarise(cell)
    assert facts["starts"] == {"h": 0.0, "c": -1.5}
    assert facts["equal_sizes"] is True
    shown = [" ".join(line.split()) for line in plain_text(render_cell(cell)).splitlines()]
    assert "states h, c (begins at -1.5)" in shown
    assert "sizes input_size must equal hidden_size, as x enters elementwise" in shown
    facts = summarise(zoo["rnn"])
    assert (facts["starts"], facts["equal_sizes"]) == ({"h": 0.0}, False)
    shown = [" ".join(line.split()) for line in plain_text(render_cell(zoo["rnn"])).splitlines()]
    assert "states h" in shown and not any(line.startswith("sizes") for line in shown)


def test_one_operator_is_one() -> None:
    assert "1 operator\n" in plain_text(render_cell(Cell.parse("h = linear(x, h_prev)")))


def test_sizes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(CellError, match="input_size 3"):
        summarise(Cell.parse("h = x + h_prev"), input_size=3, hidden_size=5)


def test_rendered_cell_shows_text_and_facts() -> None:
    shown = plain_text(render_cell(zoo["gru"]), width=80)
    assert zoo["gru"].text.strip() in shown
    assert "24,832 (input size 64, hidden size 64)" in shown
    assert "dense: each step mixes all features of h" in shown
    assert "z      0 to 1   gate: keeps h_prev; 1 - z lets n into h" in shown
    assert "n      -1 to 1  candidate for h" in shown
    assert max(map(len, shown.splitlines())) <= 80


def test_comment_cannot_steer_the_terminal_or_the_markup() -> None:
    shown = plain_text(render_cell(Cell.parse("# \x1b[2J[bold]loud[/bold]\nh = tanh(h_prev)")))
    assert "\x1b" not in shown
    assert "[bold]loud[/bold]" in shown
