"""What a run says of itself: verdicts, rank correlations, tasks that tell nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from run_fakes import experiment

from cellsearch.known import zoo
from cellsearch.run.finalist import Finalist
from cellsearch.run.finals import Entry, choose
from cellsearch.run.records import Baseline, Candidate, Final, finite
from cellsearch.run.report import rank_correlation, uninformative_tasks, verdict
from cellsearch.strategies.base import Evaluation

LEVELS: dict[str, dict[str, Any]] = {"a": {"chance": 2.0, "solved": 1.0}}
OTHER: dict[str, dict[str, Any]] = {"b": {"chance": 3.0, "solved": 1.0}}


def judged(best: Finalist | None, *finalists: Finalist, proposed: int = 8, drawn: int = 2) -> str:
    return verdict("done", best, finalists, levels=LEVELS | OTHER, proposed=proposed, drawn=drawn)


def finalist(name: str, *scores: float | None) -> Finalist:
    index = int(name.split("-")[1]) if "-" in name else None
    entry = Entry(name=name, index=index, text=name, cell_id=name, control=False, learning_rates={})
    finals = [
        Final(
            entry=name,
            replicate=replicate,
            evaluation=Evaluation(status="diverged")
            if score is None
            else Evaluation(status="ok", score=score, losses={"a": 1 + score}),
            weights={},
        )
        for replicate, score in enumerate(scores)
    ]
    return Finalist.build(Path("run"), entry, finals)


def candidate(index: int, cell: str = "", **values: Any) -> Candidate:
    control = values.pop("control", False)
    evaluation = Evaluation(**({"status": "ok"} | values))
    name = cell or str(index)
    return Candidate(index=index, text=name, cell_id=name, control=control, evaluation=evaluation)


def test_a_clear_winner_beats_the_best_baseline_and_the_lstm() -> None:
    best = finalist("candidate-3", 0.10, 0.21, 0.30)
    others = [finalist("gru", 0.20, 0.30, 0.40), finalist("lstm", 0.5, 0.62, 0.7)]
    text = judged(best, best, *others)
    assert "candidate-3, scores 0.2033" in text
    assert "beats the best baseline, gru (0.3000) by 0.0967 (95 % interval 0.0823" in text
    assert "and beats lstm (0.6067) by 0.4033" in text
    assert "3 paired seeds" in text


def test_an_interval_with_zero_in_it_is_said_plainly() -> None:
    best = finalist("candidate-3", 0.1, 0.4)
    text = judged(best, best, finalist("lstm", 0.2, 0.35))
    assert "cannot be told apart from the best baseline, lstm" in text
    assert "contains zero" in text
    assert text.count("lstm") == 1


def test_a_better_baseline_is_said_plainly() -> None:
    best = finalist("candidate-3", 0.30, 0.41)
    text = judged(best, finalist("gru", 0.10, 0.20), best)
    assert "is worse than the best baseline, gru (0.1500) by 0.2050" in text


def on_b(one: Finalist, *losses: float) -> Finalist:
    pairs = zip(one.evaluations, losses, strict=True)
    evaluations = tuple(replace(e, losses={**e.losses, "b": loss}) for e, loss in pairs)
    return replace(one, evaluations=evaluations)


def test_a_task_on_which_the_opposite_is_sure_is_named() -> None:
    best = on_b(finalist("candidate-3", 0.10, 0.21, 0.30), 2.5, 2.6, 2.7)
    lstm = finalist("lstm", 0.5, 0.62, 0.7)
    assert ", though behind it on b, over" in judged(best, best, on_b(lstm, 2.1, 2.21, 2.3))
    assert "though" not in judged(best, best, on_b(lstm, 2.9, 2.95, 2.99))
    assert "though" not in judged(best, best, on_b(lstm, 2.4, 2.61, 2.7))  # by chance, perhaps
    better = finalist("gru", 0.05, 0.10, 0.20)
    assert ", though ahead of it on b, over" in judged(best, on_b(better, 2.8, 2.91, 2.99), best)


def test_a_task_that_both_solve_or_a_failed_training_says_nothing_else() -> None:
    best = on_b(finalist("candidate-3", 0.10, 0.21, 0.30), 0.99, 0.98, 0.97)
    lstm = finalist("lstm", 0.5, 0.62, 0.7)
    assert "though" not in judged(best, best, on_b(lstm, 0.5, 0.4, 0.3))
    failed = finalist("lstm", None, None, 0.31)
    assert "though" not in judged(best, best, on_b(failed, 0.5, 0.5, 0.5))


def test_a_find_that_is_a_known_cell_is_said_to_be_one() -> None:
    best = replace(finalist("candidate-3", 0.1, 0.2), cell_id=zoo["gru"].id)
    text = judged(best, best, finalist("lstm", 0.3, 0.5))
    assert "candidate-3 (the known cell gru), scores" in text
    text = judged(replace(best, control=True), best, finalist("lstm", 0.3, 0.5))
    assert "candidate-3 (drawn at random, the known cell gru), scores" in text


def test_a_find_of_the_control_is_said_to_be_one() -> None:
    best = replace(finalist("candidate-3", 0.1, 0.2), control=True)
    text = judged(best, best, finalist("gru", 0.3, 0.5))
    assert "candidate-3 (drawn at random), scores" in text
    assert text.endswith(
        ". It is the best of 2 drawn at random; of 8 that the strategy proposed none came to the "
        "final."
    )
    own = finalist("candidate-4", 0.3, 0.39)
    text = judged(best, best, own, finalist("gru", 0.3, 0.5))
    assert (
        ". It is the best of 2 drawn at random: it beats the best of 8 that the strategy "
        "proposed, candidate-4 (0.3450) by 0.1950"
    ) in text


def test_a_seed_of_the_space_is_no_find() -> None:
    given = replace(finalist("candidate-0", 0.1, 0.2), seed="lstm", cell_id=zoo["lstm"].id)
    text = judged(given, given, finalist("gru", 0.3, 0.5))
    assert text.startswith("The best cell, candidate-0 (a seed of the space, the known cell lstm)")
    assert text.endswith(
        ". It is a seed of the space, a known cell that the search begins with; of 8 that the "
        "strategy proposed none came to the final."
    )
    text = judged(given, given, finalist("gru", 0.3, 0.5), proposed=0)
    assert text.endswith("begins with; the strategy proposed nothing of its own.")
    own = finalist("candidate-4", 0.3, 0.39)
    drawn = replace(finalist("candidate-5", 0.2, 0.3), control=True)
    text = judged(given, given, drawn, own, finalist("gru", 0.3, 0.5))
    assert "begins with: it beats the best of 8 that the strategy proposed, candidate-4" in text
    text = judged(drawn, drawn, given, own, finalist("gru", 0.3, 0.5))
    assert "from the best of 8 that the strategy proposed, candidate-4 (0.3450)" in text


def test_the_best_is_set_beside_the_best_of_chance() -> None:
    best = finalist("candidate-3", 0.10, 0.21, 0.30)
    chance = replace(finalist("candidate-5", 0.20, 0.30, 0.40), control=True)
    worse = replace(finalist("candidate-6", 0.9, 0.9, 0.9), control=True)
    text = judged(best, best, chance, worse, finalist("lstm", 0.5, 0.62, 0.7))
    first, second = text.split(". ")
    assert "beats the best baseline, lstm" in first and "random" not in first
    assert second.startswith("It beats the best of 2 drawn at random, candidate-5 (0.3000) by 0.09")
    assert second.endswith("; the strategy proposed 8.")


def test_without_a_control_in_the_final_chance_is_an_open_question() -> None:
    best = finalist("candidate-3", 0.1, 0.2)
    for drawn, words in ((0, "None was drawn at random"), (5, "Of 5 drawn at random none came")):
        text = judged(best, best, drawn=drawn)
        assert "no baselines" in text
        assert f". {words}" in text and text.endswith("open whether the strategy beats chance.")


def test_intervals_widen_with_the_number_of_cells_among_which_the_best_was_chosen() -> None:
    """Chosen from 3, each interval is at 1 - 0.05 / 3; alone it would not contain zero."""
    scores, rival = (0.10, 0.21, 0.30), (0.125, 0.245, 0.33)
    best, gru = finalist("candidate-3", *scores), finalist("gru", *rival)
    others = [finalist(f"candidate-{i}", 0.9, 0.9, 0.9) for i in (4, 5)]
    gains = [b - a for a, b in zip(scores, rival, strict=True)]
    half = scipy.stats.sem(gains) * scipy.stats.t.ppf(1 - 0.025 / 3, 2)
    mean = sum(gains) / 3
    alone = judged(best, best, gru)
    assert "beats the best baseline, gru" in alone and "widened" not in alone
    text = judged(best, best, gru, *others)
    assert f"{mean - half:.4f} to {mean + half:.4f}" in text
    assert "3 paired seeds, intervals widened for the best of 3." in text


def test_a_verdict_on_luck_alone_is_rarely_a_win() -> None:
    """Eight cells that are all as good as the baseline: told to beat it in few of 300 runs."""
    draw = np.random.default_rng(0)
    wins = 0
    for _ in range(300):
        rows = draw.normal(0.5, 0.1, (9, 5)).tolist()
        found = [finalist(f"candidate-{i}", *row) for i, row in enumerate(rows[:8])]
        best = min(found, key=lambda one: one.mean)
        wins += "beats the best baseline" in judged(best, *found, finalist("gru", *rows[8]))
    assert wins <= 20  # of 300; 5 % are 15, and both sides of the interval count as misses


def test_one_seed_says_nothing() -> None:
    best = finalist("candidate-3", 0.1)
    text = judged(best, best, finalist("gru", 0.9))
    assert "cannot be told apart from the best baseline, gru (0.9000) by a single seed" in text


def test_a_failed_training_scores_as_if_nothing_was_learnt() -> None:
    found = finalist("candidate-3", 0.1, None)
    assert found.scores == (0.1, 1.0)
    assert found.failures == 1
    assert found.losses == {"a": 1.1}
    assert finalist("gru", None).losses == {}


def test_the_final_takes_distinct_cells_every_baseline_and_the_best_control() -> None:
    candidates = [
        candidate(0, "x", score=0.3),
        candidate(1, "x", score=0.1),
        candidate(2, "y", score=0.2),
        candidate(3, "z", score=0.2),
        candidate(4, "c", score=0.5, control=True),
        candidate(5, "d", score=0.6, control=True),
        candidate(6, "s", status="stopped", score=0.01, rung_scores=(0.01,)),
        candidate(7, "y", status="duplicate", original="ok", score=0.2),
    ]
    baseline = Baseline(name="gru", text="g", cell_id="g", evaluation=Evaluation(status="ok"))
    assert [one.name for one in choose(candidates, [baseline], 2)] == [
        "candidate-1",
        "candidate-2",
        "candidate-4",
        "gru",
    ]
    assert [one.index for one in choose(candidates, [], 5)] == [1, 2, 3, 4, 5]
    assert choose([], [], 3) == ()


def test_a_seed_that_is_a_baseline_enters_the_final_once() -> None:
    candidates = [
        candidate(0, "g", score=0.1),
        candidate(1, "s", score=0.2),
        candidate(2, "x", score=0.3),
        candidate(3, "b", score=0.15),  # found, not given
    ]
    baselines = [
        Baseline(name=name, text=name, cell_id=name, evaluation=Evaluation(status="ok"))
        for name in ("g", "b")
    ]
    chosen = choose(candidates, baselines, 2, seeds=("g", "s"))
    assert [one.name for one in chosen] == ["candidate-3", "candidate-1", "g", "b"]


def test_rank_correlation_is_of_the_finished_at_each_rung_before_the_end() -> None:
    rows = [(0.1, 0.2), (0.2, 0.1), (0.3, 0.3), (0.4, 0.4)]
    candidates = [
        candidate(index, score=end, rung_scores=(rung, end))
        for index, (rung, end) in enumerate(rows)
    ]
    candidates.append(candidate(4, status="stopped", score=0.9, rung_scores=(0.9,)))
    wide = candidate(5, score=0.0, rung_scores=(0.9, 0.0))
    candidates.append(replace(wide, width_of="a super-network, as wide as this"))
    assert rank_correlation(experiment(), candidates) == {30: pytest.approx(0.8)}
    assert rank_correlation(experiment(), []) == {30: None}


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ([1.0, 1.01], "every baseline solves it"),
        ([1.99, 2.5], "no baseline leaves chance"),
        ([1.0, 2.0], None),
        ([1.5], None),
        ([], None),
    ],
)
def test_tasks_that_tell_nothing_are_named(losses: list[float], reason: str | None) -> None:
    baselines = [
        Baseline(
            name=str(position),
            text="",
            cell_id="",
            evaluation=Evaluation(status="ok", losses={"a": loss}),
        )
        for position, loss in enumerate(losses)
    ]
    assert uninformative_tasks(LEVELS, baselines, []) == ({"a": reason} if reason else {})


def test_the_finals_count_where_there_are_some() -> None:
    solved = Baseline(
        name="gru", text="", cell_id="", evaluation=Evaluation(status="ok", losses={"a": 1.0})
    )
    assert uninformative_tasks(LEVELS, [solved], [finalist("gru", 0.5)]) == {}
    easy, hard = replace(finalist("gru", 0.0), losses={"a": 1.0}), finalist("#1", 0.5)
    assert uninformative_tasks(LEVELS, [solved], [easy]) == {"a": "every finalist solves it"}
    assert uninformative_tasks(LEVELS, [solved], [easy, hard]) == {}


def test_numbers_that_are_not_finite_are_left_out() -> None:
    found = finite(
        {
            "status": "diverged",
            "score": float("inf"),
            "rung_scores": [0.5, float("nan")],
            "losses": {"a": float("nan"), "b": 1.0},
        }
    )
    assert found == Evaluation(status="diverged", rung_scores=(0.5,), losses={"b": 1.0})
