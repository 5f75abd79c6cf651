"""What `inspect` says of values and of a cell's kind, in words and as JSON."""

from __future__ import annotations

import json

import pytest

from cellsearch.analysis.ranges import Interval
from cellsearch.analysis.recurrence import recurrences
from cellsearch.cell import Cell
from cellsearch.inspection.leaderboard import plain_text
from cellsearch.inspection.summary import kind_text, render_cell, summarise
from cellsearch.inspection.values import plain_values, range_text, rows, values
from cellsearch.known import zoo

INF = float("inf")


def parsed(text: str) -> Cell:
    return Cell.parse(text.replace("; ", "\n"))


def test_lstm_in_lines() -> None:
    assert rows(values(zoo["lstm"])) == [
        ("i", "0 to 1", "gate: lets g into c"),
        ("f", "0 to 1", "gate: keeps c_prev"),
        ("g", "-1 to 1", "candidate for c"),
        ("o", "0 to 1", "gate: lets tanh(c) out"),
        ("c", "any", "memory"),
        ("h", "-1 to 1", "state"),
    ]


def test_values_without_a_name_have_a_line_if_they_have_a_role() -> None:
    cell = parsed("h = blend(sigmoid(linear(x)), h_prev, tanh(linear(x)))")
    assert rows(values(cell)) == [
        (
            "sigmoid(linear(x))",
            "0 to 1",
            "gate: keeps h_prev; its complement lets tanh(linear(x)) into h",
        ),
        ("tanh(linear(x))", "-1 to 1", "candidate for h"),
        ("h", "-1 to 1", "memory"),
    ]


def test_a_state_has_one_line_with_the_range_that_holds_its_start() -> None:
    cell = parsed(
        "c_prev = 3; c = sigmoid(x); h = tanh(linear(h_prev)) * c_prev; g = h_prev; s = 1"
    )
    cell = parsed(cell.text + "output = h + g_prev * s_prev")
    assert rows(values(cell)) == [
        ("c", "0 to 3", "state"),
        ("tanh(linear(h_prev))", "-1 to 1", "candidate for h"),
        ("h", "-3 to 3", "state"),
        ("output", "-6 to 6", ""),
        ("g_prev", "-3 to 3", "state"),
        ("s_prev", "0 to 1", "state: lets g_prev out"),
    ]


def test_json_has_every_value() -> None:
    found = summarise(zoo["lstm"])["values"]
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    by_name = {value["name"]: value for value in found}
    assert by_name["x"]["role"] == "input"
    assert by_name["c_prev"]["range"] == [None, None]
    assert by_name["linear(x, h_prev)"]["operator"] == "linear"
    assert by_name["f"] == {
        "name": "f",
        "operator": "sigmoid",
        "range": [0.0, 1.0],
        "role": "gate",
        "states": [],
        "does": [{"verb": "keeps", "value": "c_prev", "complement": False, "into": None}],
    }
    (half,) = (v for v in plain_values(values(parsed("h = relu(x)"))) if v["name"] == "h")
    assert half["range"] == [0.0, None]


def test_json_says_the_kind_of_each_recurrence() -> None:
    facts = summarise(zoo["scrn"])
    assert facts["kind"] == "dense"
    assert {"states": ["s"], "kind": "scan"} in facts["recurrences"]
    assert {"states": ["h"], "kind": "dense"} in facts["recurrences"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("h = tanh(linear(x))", "scan: nothing is carried from step to step"),
        (
            "h = sigmoid(x) * h_prev",
            "scan: h is carried feature by feature and affinely, so a parallel scan can run it",
        ),
        (
            "c = relu(c_prev) + x; h = relu(h_prev); output = h + c",
            "diagonal: h and c are carried feature by feature, but not affinely",
        ),
        ("s = s_prev + x; h = tanh(linear(h_prev, s))", "dense: each step mixes all features of h"),
    ],
)
def test_kinds_in_words(text: str, said: str) -> None:
    assert kind_text(recurrences(parsed(text).normal)) == said


@pytest.mark.parametrize(
    ("interval", "said"),
    [
        (Interval(0, 1), "0 to 1"),
        (Interval(-0.7615941559557649, 2), "-0.7616 to 2"),
        (Interval(0, INF), "from 0"),
        (Interval(-INF, 1.5), "up to 1.5"),
        (Interval(-INF, INF), "any"),
        (Interval(1, 1.0000001), "1"),
        (Interval(-1e30, 0), "-1e+30 to 0"),
    ],
)
def test_ranges_in_words(interval: Interval, said: str) -> None:
    assert range_text(interval) == said


@pytest.mark.parametrize("name", sorted(zoo))
def test_each_known_cell_is_shown_within_the_width(name: str) -> None:
    shown = plain_text(render_cell(zoo[name]), width=100)
    assert f"kind        {zoo[name].kind}: " in shown
    table = shown[shown.index("value ") :]
    assert max(map(len, table.splitlines())) <= 100
