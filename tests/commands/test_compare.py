"""Specification of `cellsearch compare`: who is trained how, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import Say


def test_compare_judges_by_paired_seeds(say: Say) -> None:
    words = ["rnn", "gru", "--task", "adding,length=6", "--parameters", 200, "--seeds", 2]
    code, out, _ = say("compare", *words, "--steps", 10, "--json")
    assert code == 0
    rows = json.loads(out)
    assert {row["name"] for row in rows} == {"rnn", "gru"}
    assert [row["score"] for row in rows] == sorted(row["score"] for row in rows)
    by_name = {row["name"]: row for row in rows}
    pairs = zip(by_name["rnn"]["scores"], by_name["gru"]["scores"], strict=True)
    differences = [first - second for first, second in pairs]
    assert by_name["gru"]["gain"][0] == pytest.approx(sum(differences) / 2)
    assert by_name["rnn"]["gain"] is None


def test_compare_says_where_x_kept_a_cell_small(say: Say) -> None:
    words = ["sru", "rnn", "--task", "adding,length=6", "--steps", 4, "--seeds", 2]
    shown = " ".join(say("compare", *words)[1].split())
    assert "sru: uses 23 of 10,000 parameters, as x enters it elementwise" in shown
    assert "rnn: uses" not in shown


def test_compare_trains_as_the_run_did(say: Say) -> None:
    rates = ["--set", "evaluation.learning_rates=[0.02]", "--set", "evaluation.steps=7"]
    say("search", "small.toml", "--workers", "0", "--run", "run", *rates)
    words = ["compare", "run:best", "rnn", "--task", "adding,length=6", "--seeds", 2]
    shown = say(*words)[1]
    assert "trained as in run: 7 training steps; learning rates tried: 0.02; taken: " in shown
    shown = say(*words, "--steps", 5, "--learning-rates", "0.03,0.1")[1]
    assert "5 training steps; learning rates tried: 0.03, 0.1; taken: " in shown
    code, _, error = say(*words, "--learning-rates", "fast")
    assert code == 2
    assert "expected numbers such as 0.003,0.01, found 'fast'" in error


def test_a_long_name_is_folded_in_a_comparison(say: Say) -> None:
    name = "a_cell_with_a_name_that_is_longer_than_any_table_has_room_for"
    Path(f"{name}.cell").write_text("h = tanh(linear(x, h_prev))\n")
    shown = say("compare", f"{name}.cell", "--task", "adding,length=6", "--seeds", 2, "--steps", 2)[
        1
    ]
    table = shown.split("gain:")[0]
    assert "…" not in table
    assert all(head in table for head in ("score", "its 95 %", "params"))
    assert name in "".join(line.partition(" ")[0] for line in table.splitlines()[2:])


@pytest.mark.parametrize("width", [60, 80])
def test_a_comparison_drops_columns_where_there_is_no_room(
    say: Say, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.setattr("cellsearch.commands.show._WIDTH_ELSEWHERE", width)
    words = ["rnn", "gru_reset_before", "--task", "adding,length=6", "--parameters", 200]
    shown = say("compare", *words, "--seeds", 2, "--steps", 5)[1]
    table = shown.split("no room for")[0]
    assert "gru_reset" in table
    assert "…" not in table
    assert table.count("score") == 2  # in the title and as a column
    assert max(map(len, table.splitlines())) <= width
    assert "use a wider terminal or --json" in " ".join(shown.split())


def test_cells_that_are_called_alike_are_told_apart(say: Say) -> None:
    for run in ("a/one", "b/one", "two"):
        say("search", "small.toml", "--workers", "0", "--run", run)
    words = ["--task", "adding,length=6", "--seeds", 2, "--steps", 2, "--json"]

    def names(*cells: str) -> set[str]:
        return {row["name"] for row in json.loads(say("compare", *cells, *words)[1])}

    assert names("two:0", "two:1", "rnn") == {"candidate-0", "candidate-1", "rnn"}
    assert names("two:0", "a/one:0", "rnn") == {"two:candidate-0", "one:candidate-0", "rnn"}
    assert names("a/one:0", "b/one:0") == {"a/one:0", "b/one:0"}
    code, _, error = say("compare", "gru", "rnn", "gru", *words)
    assert (code, error) == (2, "cellsearch: gru is named 2 times; expected different cells\n")
