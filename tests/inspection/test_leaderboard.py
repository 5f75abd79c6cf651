"""Tables of a run: order, widths, what is shown of numbers that do not exist."""

from __future__ import annotations

import math
from typing import Any

import pytest
from rich.cells import cell_len

from cellsearch.inspection.leaderboard import (
    candidate_table,
    leaderboard,
    plain_text,
    ranked_candidates,
    status_line,
)
from cellsearch.inspection.standings import standings, units
from cellsearch.known import zoo

TASKS = {"text": "bits per character", "adding": "mean squared error", "digits": "accuracy"}
FOUND_ID = "c1-0123456789abcdef0123"


def finalist(name: str, index: int | None, score: float | None, **other: Any) -> dict[str, Any]:
    return {
        "name": name,
        "index": index,
        "cell_id": FOUND_ID,
        "control": False,
        "score": score,
        "scores": [0.5, 0.5, 0.5],
        "interval": [0.125, 0.375],
        "failures": 0,
        "metrics": {task: 0.25 for task in TASKS},
        "parameters": {"text": 9871, "adding": 10000, "digits": 9900},
        "hidden_size": {task: 48 for task in TASKS},
        **other,
    }


def run(*finalists: dict[str, Any], tasks: int = 3) -> dict[str, Any]:
    levels = {task: {"chance": 1.0, "solved": 0.0, "unit": TASKS[task]} for task in TASKS}
    shown = dict(list(levels.items())[:tasks])
    return {
        "run": {"experiment": "quickstart", "seed": 7, "status": "done", "levels": shown},
        "candidates": [],
        "baselines": [],
        "finalists": list(finalists),
    }


FINAL = (
    finalist("lstm", None, 0.30),
    finalist("candidate-40", 40, 0.20),
    finalist("candidate-3", 3, 0.25, control=True),
    finalist("gru", None, 0.22),
)


def candidate(index: int, status: str, score: float | None, **other: Any) -> dict[str, Any]:
    base = {"index": index, "cell_id": FOUND_ID, "status": status, "score": score, "note": ""}
    return {**base, "rung_scores": [], "control": False, "original": None, **other}


def test_lowest_score_comes_first_with_baselines_at_their_places() -> None:
    found = [(row.rank, row.name, row.kind) for row in standings(run(*FINAL))]
    assert found == [
        ("1", "#40", "found"),
        ("2", "gru", "baseline"),
        ("3", "#3", "random"),
        ("4", "lstm", "baseline"),
    ]


@pytest.mark.parametrize("score", [None, math.nan, math.inf])
def test_score_that_does_not_exist_is_last_and_a_dash(score: float | None) -> None:
    rows = standings(run(finalist("gru", None, score, interval=[None, None]), *FINAL[:2]))
    assert [row.name for row in rows] == ["#40", "lstm", "gru"]
    assert (rows[2].rank, rows[2].score, rows[2].interval) == ("-", "-", "-")


def test_numbers_as_text() -> None:
    row = standings(run(finalist("gru", None, 1 / 3, metrics={"text": 2.34567, "adding": 0.0})))[0]
    assert (row.score, row.interval) == ("0.333", "0.125 - 0.375")
    assert row.metrics == {"text": "2.346", "adding": "0"}
    assert (row.parameters, row.parameters_short) == ("9,871 - 10,000", "10k")
    assert row.hidden_size == "48"


@pytest.mark.parametrize(
    ("value", "short"), [(999, "999"), (1234, "1.23k"), (999_999, "1M"), (2_345_678, "2.35M")]
)
def test_large_numbers_are_shortened(value: int, short: str) -> None:
    entry = finalist("gru", None, 0.2, parameters={"text": value})
    assert standings(run(entry))[0].parameters_short == short


def test_units_come_from_the_levels_of_the_run() -> None:
    assert units(run(*FINAL)) == TASKS


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
@pytest.mark.parametrize("tasks", [1, 2, 3])
def test_leaderboard_never_wraps(width: int, tasks: int) -> None:
    lines = plain_text(leaderboard(run(*FINAL, tasks=tasks)), width).splitlines()
    assert max(map(cell_len, lines)) <= width
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(lines)
    assert [line[:2] for line in lines if "0.125 - 0.375" in line] == ["1 ", "2 ", "3 ", "4 "]


def test_leaderboard_shows_as_much_as_there_is_room_for() -> None:
    wide = plain_text(leaderboard(run(*FINAL)), 160)
    assert f"#40 {FOUND_ID}" in wide and "9,871 - 10,000" in wide and "squared" in wide
    usual = plain_text(leaderboard(run(*FINAL, tasks=2)), 80)
    assert "#40 c1-01234567 " in usual and "text" in usual and "adding" in usual
    narrow = plain_text(leaderboard(run(*FINAL)), 60)
    assert "no room for" not in wide
    assert "no room for parameters, hidden size: use" in usual
    assert ", parameters, hidden size: use" in " ".join(narrow.split("no room for ")[1].split())


def test_leaderboard_says_what_is_better_and_what_failed() -> None:
    entry = finalist("candidate-9", 9, 0.4, failures=2)
    shown = plain_text(leaderboard(run(*FINAL, entry)), 120)
    assert "quickstart, seed 7 (score: lower is better)" in shown
    assert "mean of 3 trainings and its 95 % interval" in shown
    assert "random: the best of 0 drawn at random" in shown
    assert "#9: 2 of 3 trainings failed" in shown
    assert "random" not in plain_text(leaderboard(run(FINAL[0])), 120)


def test_random_stands_for_as_many_draws_as_there_were() -> None:
    data = run(*FINAL)
    data["candidates"] = [
        *(candidate(i, "ok", 0.5, control=True) for i in range(3)),
        candidate(3, "duplicate", 0.5, control=True, original=0),
        candidate(4, "crashed", None, control=True),
        *(candidate(i, "stopped", 0.5) for i in range(5, 12)),
    ]
    shown = plain_text(leaderboard(data), 120)
    assert "random: the best of 4 drawn at random; the strategy proposed 7\n" in shown
    data["finalists"].append(finalist("candidate-0", 0, 0.4, control=True))
    assert "random: the best 2 of 4 drawn at random" in plain_text(leaderboard(data), 120)


def test_a_seed_of_the_space_is_no_find_and_is_listed_once() -> None:
    lstm, other = zoo["lstm"].id, zoo["gru_reset_before"].id
    data = run(
        finalist("lstm", None, 0.3, cell_id=lstm),
        finalist("candidate-1", 1, 0.2, cell_id=other, seed="gru_reset_before"),
        finalist("candidate-7", 7, 0.4, control=True),
        finalist("candidate-9", 9, 0.5, cell_id=lstm),
    )
    data["candidates"] = [
        candidate(0, "ok", 0.3, cell_id=lstm, seed="lstm"),
        candidate(1, "ok", 0.2, cell_id=other, seed="gru_reset_before"),
        candidate(2, "ok", 0.2, cell_id=other, seed="gru_reset_before", replicate=1),
        candidate(5, "ok", 0.3, cell_id=lstm, seed="lstm", replicate=1),
        candidate(7, "ok", 0.3, control=True),
        candidate(8, "ok", 0.3),
        candidate(10, "duplicate", 0.3, cell_id=lstm, seed="lstm"),
    ]
    assert [row.kind for row in standings(data)] == ["seed", "baseline", "random", "found"]
    lines = plain_text(leaderboard(data), 120).splitlines()
    assert lines[-4:] == [
        "random: the best of 1 drawn at random; the strategy proposed 1, beside 2 seeds of the"
        " space",
        "#1: gru_reset_before, a seed of the space",
        "#9: the same cell as lstm",
        "lstm: also #0, a seed of the space; it is listed once",
    ]


def test_cells_that_the_width_kept_small_are_named() -> None:
    wide = {"text": 48, "adding": 512, "digits": 512}
    data = run(
        finalist("mingru", None, 0.3, hidden_size=wide, parameters={"text": 9871, "adding": 3585}),
        finalist(
            "candidate-4", 4, 0.2, hidden_size=wide, parameters={"adding": 99, "digits": 8999}
        ),
        finalist("gru", None, 0.4, hidden_size=wide, parameters={"adding": 9000, "text": 10}),
    )
    assert "hidden_size is limited" not in plain_text(leaderboard(data), 120)  # limits unknown
    data["run"]["settings"] = {"evaluation": {"parameters": 10_000, "max_hidden_size": 512}}
    lines = plain_text(leaderboard(data), 120).splitlines()
    assert [line for line in lines if "limited" in line] == [
        "mingru: adding uses 3,585 of 10,000 parameters, as hidden_size is limited to 512",
        "#4: adding uses 99 of 10,000 parameters and digits uses 8,999 of 10,000 parameters, as"
        " hidden_size is limited to 512",
    ]


def test_cells_that_x_kept_small_are_named() -> None:
    sizes = {"hidden_size": {"adding": 2}, "parameters": {"adding": 23}}
    data = run(
        {**finalist("sru", None, 0.3, **sizes), "cell": zoo["sru"].text},
        {**finalist("gru", None, 0.4, **sizes), "cell": zoo["gru"].text},
    )
    data["run"]["settings"] = {"evaluation": {"parameters": 10_000, "max_hidden_size": 512}}
    lines = plain_text(leaderboard(data), 120).splitlines()
    assert [line for line in lines if " uses " in line] == [
        "sru: adding uses 23 of 10,000 parameters, as x enters it elementwise: its hidden_size is"
        " the input_size"
    ]


def test_equal_scores_stay_in_the_order_of_the_run() -> None:
    data = run(finalist("lstm", None, 0.2), finalist("gru", None, 0.2), finalist("c-1", 1, 0.2))
    assert [row.name for row in standings(data)] == ["lstm", "gru", "#1"]


def test_run_without_a_final_says_so() -> None:
    assert "no leaderboard yet" in plain_text(leaderboard(run()))
    assert "no leaderboard yet" in plain_text(leaderboard({}))


def test_candidates_are_ranked_as_evaluations_are() -> None:
    rows = [
        candidate(0, "crashed", None),
        candidate(1, "stopped", 0.1, rung_scores=[0.1]),
        candidate(2, "ok", 0.5),
        candidate(3, "stopped", 0.9, rung_scores=[0.4, 0.9]),  # stopped later, hence better
        candidate(4, "ok", 0.2),
        candidate(5, "duplicate", 0.2, original=4),
        candidate(6, "diverged", math.nan),
        candidate(7, "duplicate", 0.1, original=1),
    ]
    ranked = [row["index"] for row in ranked_candidates({"candidates": rows})]
    assert ranked == [4, 5, 2, 3, 1, 7, 0, 6]


def test_super_networks_are_named_and_rank_behind_all_cells() -> None:
    rows = [
        candidate(0, "ok", 0.1, width_of="h = ..."),
        candidate(1, "diverged", None),
        candidate(2, "diverged", None, width_of="h = ..."),
        candidate(3, "ok", 0.5, width_of=None),
    ]
    data = {"candidates": rows}
    assert [row["index"] for row in ranked_candidates(data)] == [3, 1, 0, 2]
    assert status_line(data) == "4 candidates: 2 ok, 2 diverged (2 of them super-networks)"
    assert plain_text(candidate_table(data)).count("super-network, not ranked") == 2


def test_counts_by_status_in_their_usual_order() -> None:
    rows = [candidate(i, status, None) for i, status in enumerate(["crashed", "ok", "ok", "odd"])]
    assert status_line({"candidates": rows}) == "4 candidates: 2 ok, 1 crashed, 1 odd"
    assert status_line({"candidates": rows[:1]}) == "1 candidate: 1 crashed"
    assert status_line({}) == "0 candidates"


def test_only_the_note_of_a_candidate_is_cut() -> None:
    rows = [
        candidate(1234, "out_of_memory", None, message="killed\nat 2 GiB", note="n " * 100),
        candidate(3, "ok", 0.25),
        candidate(5, "duplicate", 0.25, original=3, note="again", control=True),
    ]
    for width in (80, 120):
        lines = plain_text(candidate_table({"candidates": rows}), width).splitlines()
        assert max(map(cell_len, lines)) <= width
        assert lines[4].rstrip() == (
            "   5  c1-01234567  duplicate      0.2500  random; as #3; again"
        )
        bad = lines[5]
        assert bad.startswith("1234  c1-01234567  out_of_memory       -  killed at 2 GiB; n n")
        assert bad.endswith("\N{HORIZONTAL ELLIPSIS}")


def test_a_note_says_what_a_candidate_comes_from() -> None:
    rows = [
        candidate(7, "ok", 0.1, parents=[3], note="mutation: tanh for relu"),
        candidate(8, "ok", 0.2, parents=[3, 7], note="crossover"),
        candidate(9, "ok", 0.3, parents=[7], replicate=1, note="as it may have been lucky"),
    ]
    shown = plain_text(candidate_table({"candidates": rows}))
    assert "from #3; mutation: tanh for relu" in shown
    assert "from #3 and #7; crossover" in shown
    assert "from #7; replicate 1; as it may have been lucky" in shown


def test_long_lists_are_cut_and_say_so() -> None:
    data = {"candidates": [candidate(i, "ok", i / 100) for i in range(30)]}
    assert "and 10 more" in plain_text(candidate_table(data))
    whole = plain_text(candidate_table(data, limit=None))
    assert "more" not in whole and len(whole.splitlines()) == 30 + 4


def test_text_from_a_run_is_shown_as_it_is() -> None:
    rows = [candidate(0, "ok", 0.5, note="[red]note[/red] \x1b[31m")]
    shown = plain_text(candidate_table({"candidates": rows}))
    assert "[red]note[/red]" in shown and "\x1b" not in shown
    data = run(finalist("[b]lstm\x1b[0m", None, 0.5))
    data["run"]["experiment"] = "[red]x"
    shown = plain_text(leaderboard(data))
    assert "[b]lstm" in shown and "[red]x" in shown and "\x1b" not in shown
