"""Whole runs of fakes: equal tables, duplicates, failures, budgets, what is seen of them."""

import json
import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from fake_evaluation import evaluate
from run_fakes import Learner, Listed, ShuffledPool, experiment, run, scored, setup, table, word

from cellsearch.cell import Cell
from cellsearch.errors import RunError
from cellsearch.experiment import load_experiment
from cellsearch.known import zoo
from cellsearch.run import Progress, open_run
from cellsearch.run.driver import Driver
from cellsearch.run.pool import Crash, Job, Result
from cellsearch.run.records import Candidate
from cellsearch.run.setup import Setup
from cellsearch.run.store import Store
from cellsearch.strategies.base import Evaluation, Proposal
from cellsearch.target import resolve


def listed(*texts: str, **changes: Any) -> Setup:
    """A setup that evaluates the given texts and nothing else."""
    settings = experiment("budget.control=0", "fidelity.rungs=[]", "budget.candidates=99")
    return setup(settings, lambda: Listed(list(texts)), **changes)


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_answers_changes_nothing(tmp_path: Path, seed: int) -> None:
    expected = table(run(tmp_path / "serial"))
    assert table(run(tmp_path / "shuffled", make_pool=lambda: ShuffledPool(seed))) == expected


def test_a_run_holds_what_it_was_asked_for(tmp_path: Path) -> None:
    found = run(tmp_path / "run", setup(experiment("budget.candidates=30")))
    assert found.status == "done"
    assert sum(one.result.status != "duplicate" for one in found.candidates) == 30
    assert [one.index for one in found.candidates] == list(range(len(found.candidates)))
    assert {one.result.status for one in found.candidates} >= {"ok", "stopped", "duplicate"}
    assert [one.name for one in found.baselines] == ["lstm", "gru"]
    names = [one.name for one in found.finalists]
    assert {"lstm", "gru"} < set(names)
    assert [one.mean for one in found.finalists] == sorted(one.mean for one in found.finalists)
    for one in found.finalists:
        assert len(one.scores) == 2
        for files in one.weights:
            assert files["echo"].read_bytes() == one.text.encode()


def test_the_finalists_are_the_best_distinct_cells_and_the_best_of_the_control(
    tmp_path: Path,
) -> None:
    found = run(tmp_path / "run", setup(experiment("budget.candidates=30", "fidelity.rungs=[]")))

    def over_all(one: Candidate) -> tuple[bool, float, float, int]:
        """Rank a candidate by all trainings of its cell; one failure is enough."""
        cells = [other.result for other in found.candidates if other.cell_id == one.cell_id]
        scores = [result.score for result in cells if result.status == "ok"]
        failed = any(result.status not in ("ok", "duplicate") for result in cells)
        return failed, statistics.fmean(scores), one.result.score, one.index

    ok = sorted((one for one in found.candidates if one.result.status == "ok"), key=over_all)
    assert len({one.cell_id for one in ok}) < len(ok)  # some were trained several times
    first = next(one for one in ok if one.cell_id != ok[0].cell_id)
    control = next(one for one in ok if one.control)
    expected = {f"candidate-{one.index}" for one in (ok[0], first, control)}
    assert {one.name for one in found.finalists if one.index is not None} == expected


def test_jobs_say_what_to_do(tmp_path: Path) -> None:
    jobs: list[Job] = []

    def answer(job: Job) -> Result:
        jobs.append(json.loads(json.dumps(dict(job))))
        return Result(scored(learning_rates={"echo": 0.25}))

    settings = experiment("experiment.seed=5", "budget.candidates=6", "budget.control=0")
    run(tmp_path / "r", setup(settings), lambda: ShuffledPool(0, answer))
    kinds = {kind: [job for job in jobs if job["kind"] == kind] for kind in
             ("baseline", "search", "final")}  # fmt: skip
    assert [len(jobs) for jobs in kinds.values()] == [2, 6, 2 * 4]
    for job in jobs:
        assert job["seed"] == 5
        assert job["tasks"] == [{"name": "echo"}]
        assert job["rungs"] == [30, 100]
        assert job["settings"]["steps"] == 100 and job["settings"]["memory"] == 2**31
    for job in kinds["baseline"] + kinds["final"]:
        assert job["thresholds"] == [None, None]
    for job in kinds["final"]:
        assert (job["split"], job["keep_weights"]) == ("selection", True)
        assert job["learning_rates"] == {"echo": 0.25}
        assert job["replicate"] in (0, 1)
    for job in kinds["search"] + kinds["baseline"]:
        assert (job["split"], job["keep_weights"], job["learning_rates"]) == (
            "validation",
            False,
            None,
        )


def test_a_budget_of_steps_ends_the_search(tmp_path: Path) -> None:
    settings = experiment("budget.total_steps=1000", "run.lag=2").to_dict()
    settings["budget"]["candidates"] = None
    found = run(tmp_path / "run", setup(load_experiment(settings)))
    steps = [one.result.steps for one in found.candidates]
    assert sum(steps[:-2]) < 1000 <= sum(steps)


def test_a_budget_of_hours_gives_the_beginning_of_the_table(tmp_path: Path) -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    clock, settings = Clock(), experiment("budget.hours=1.0", "budget.candidates=1000")

    def slow(job: Job) -> Result:
        clock.now += 100.0
        answer = evaluate(dict(job))
        return Result(answer["evaluation"], answer["weights"])

    limited = setup(settings)
    meta = {"identity": {}, "experiment": settings.to_dict(), "levels": limited.levels}
    store = Store.create(tmp_path, meta | {"sessions": [], "elapsed": 0.0, "done": None})
    Driver(limited, store, lambda: ShuffledPool(0, slow), clock=clock).run()
    assert store.meta()["elapsed"] == clock.now
    store.close()
    short = table(open_run(tmp_path))["candidates"]
    whole = table(run(tmp_path / "whole", setup(experiment("budget.candidates=60"))))["candidates"]
    assert 33 <= sum(one["status"] != "duplicate" for one in short) <= 36 + settings.run.lag
    assert short == whole[: len(short)]


def test_duplicates_are_copied_and_cost_nothing(tmp_path: Path) -> None:
    jobs: list[str] = []

    def answer(job: Job) -> Result:
        jobs.append(str(job["cell"]))
        return Result(scored(steps=7, operations=70, seconds=3.0))

    found = run(tmp_path / "r", listed("a", "b", "a", "a"), lambda: ShuffledPool(0, answer))
    assert jobs.count("a") == 1 + 2  # the search and the two replicates of the final
    last = found.candidates[3]
    assert (last.original, last.result.status, last.result.original) == (0, "duplicate", "ok")
    assert last.result.score == 0.5
    assert (last.result.steps, last.result.operations, last.result.seconds) == (0, 0, 0.0)


def test_a_long_row_of_duplicates_is_told(tmp_path: Path) -> None:
    found = run(tmp_path / "run", listed("a", *["a"] * 60))
    assert "nothing new 50 times in a row" in found.message
    assert len(found.candidates) == 51


def test_a_cell_outside_the_space_is_rejected_without_training(tmp_path: Path) -> None:
    def contains(cell: Cell) -> str | None:
        return "it holds a b" if str(cell) == "b" else None

    found = run(tmp_path / "run", listed("a", "b", contains=contains))
    assert [one.result.status for one in found.candidates] == ["ok", "rejected"]
    assert found.candidates[1].result.message == "it holds a b"


def test_all_candidates_may_fail(tmp_path: Path) -> None:
    diverged = {
        "status": "diverged",
        "score": float("nan"),
        "rung_scores": [float("inf")],
        "losses": {"echo": float("nan")},
        "message": "loss is nan at step 3",
    }

    def answer(job: Job) -> Result | Crash:
        if job["kind"] == "search":
            return Crash("crashed", "x" * 99_999) if job["index"] % 2 else Result(diverged)
        return Result(scored())

    found = run(tmp_path / "run", make_pool=lambda: ShuffledPool(0, answer))
    assert {one.result.outcome for one in found.candidates} == {"diverged", "crashed"}
    assert all(one.result.score is None for one in found.candidates)
    assert found.best is None and found.best_so_far is None
    assert {one.name for one in found.finalists} == {"lstm", "gru"}
    assert "found no cell" in found.verdict()
    json.dumps(found.to_json(), allow_nan=False)
    with pytest.raises(RunError, match="no candidate has finished"):
        found.find("best")


def test_baselines_may_fail(tmp_path: Path) -> None:
    def answer(job: Job) -> Result | Crash:
        return Crash("timeout", "") if job["cell"] == "gru 0" else Result(scored())

    found = run(tmp_path / "run", make_pool=lambda: ShuffledPool(0, answer))
    assert found.finalists[-1].name == "gru"
    assert found.finalists[-1].scores == (1.0, 1.0)
    assert found.finalists[-1].failures == 2


def test_a_strategy_is_told_every_result_once(tmp_path: Path) -> None:
    told: list[str] = []

    class Listener(Learner):
        def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
            super().tell(proposal, evaluation)
            told.append(str(proposal.cell))

    found = run(tmp_path / "run", setup(strategy=Listener))
    assert told == [one.text for one in found.candidates if not one.control]


def test_what_is_watched_adds_up(tmp_path: Path) -> None:
    seen: list[Progress] = []
    found = run(tmp_path / "run", watch=seen.append)
    last = [one for one in seen if one.phase == "search"][-1]
    statuses = [one.result.status for one in found.candidates]
    assert (last.done, last.total) == (12, 12)
    assert last.stopped == statuses.count("stopped")
    assert last.duplicates == statuses.count("duplicate")
    assert last.best == min(
        one.result.score for one in found.candidates if one.result.status == "ok"
    )
    assert set(last.baselines) == {"lstm", "gru"}
    assert seen[-1].phase == "done"
    assert seen[-1].done == seen[-1].total == seen[-2].total


def test_baselines_without_any(tmp_path: Path) -> None:
    found = run(tmp_path / "run", setup(experiment("budget.baselines=[]")))
    assert "no baselines" in found.verdict()
    assert found.best is not None


def test_cells_are_found_by_many_names(tmp_path: Path) -> None:
    found = run(tmp_path / "run")
    assert (
        found.find("best")
        == found.best
        == next(one for one in found.leaderboard() if one.index is not None)
    )
    assert all(found.find(which) == found.candidates[3] for which in ("3", "#3", "candidate-3"))
    assert repr(found) == f"<Run {tmp_path / 'run'}: done, {len(found.candidates)} candidates>"
    assert str(found).startswith("Leaderboard of ") and str(found).endswith(found.verdict())
    assert found.find("gru") == found.baselines[1]
    assert found.find(word("gru 0").id) == found.baselines[1]
    assert found.find(found.candidates[3].cell_id[:12]).cell_id == found.candidates[3].cell_id
    for which in ("99", "c1-", "zzz"):
        with pytest.raises(RunError, match="expected 'best', an index"):
            found.find(which)


def test_json_is_as_the_design_says(tmp_path: Path) -> None:
    data = run(tmp_path / "run").to_json()
    assert {"experiment", "seed", "status"} <= set(data["run"])
    same = {"cell_id", "cell", "status", "score", "losses", "metrics", "parameters",
            "hidden_size", "steps", "seconds"}  # fmt: skip
    assert same | {"index", "parents", "replicate", "control"} <= set(data["candidates"][0])
    rows = same | {"index", "parents", "replicate", "control"}
    assert rows | {"name"} <= set(data["baselines"][0])
    assert data["baselines"][0]["index"] is None
    assert same | {"scores", "interval"} <= set(data["finalists"][0])
    assert isinstance(data["candidates"][0]["losses"], Mapping)


def test_a_run_shows_itself_in_a_notebook(tmp_path: Path) -> None:
    found = run(tmp_path / "run")
    shown = found._repr_html_()
    assert shown.startswith("<table>")
    assert "Leaderboard of fake, seed 0" in shown
    assert all(f"<td>{one.cell_id}</td>" in shown for one in found.finalists)


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1] + b"!")


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (damage, "damaged: the file does not fit its digest"),
        (Path.unlink, "damaged: is not a file of the run folder"),
    ],
)
def test_weights_are_checked_before_they_are_used(
    tmp_path: Path, harm: Callable[[Path], None], message: str
) -> None:
    best = run(tmp_path / "run").best
    assert best is not None
    path = best.weights_file("echo", 1)
    assert path == best.weights[1]["echo"]
    harm(path)
    with pytest.raises(RunError, match=message) as caught:
        best.weights_file("echo", 1)
    assert str(path) in str(caught.value)
    best.weights_file("echo", 0)
    for task, replicate in (("ehco", 0), ("echo", 2), ("echo", -1)):
        with pytest.raises(RunError, match=r"has no weights for task"):
            best.weights_file(task, replicate)


def test_weights_outside_the_run_folder_are_refused(tmp_path: Path) -> None:
    best = run(tmp_path / "run").best
    assert best is not None
    path = best.weights[0]["echo"]
    outside = tmp_path / "outside"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(RunError, match="not a file of the run folder"):
        best.weights_file("echo", 0)


def test_a_target_gives_whole_weights_or_none(tmp_path: Path) -> None:
    best = run(tmp_path / "run", setup(baselines={"gru": zoo["gru"], "lstm": zoo["lstm"]})).best
    assert best is not None
    found = open_run(tmp_path / "run").finalists
    gru = next(one for one in found if one.name == "gru")
    target = resolve(str(tmp_path / "run"), "gru")
    assert list(target.weights) == ["echo"] and "text" not in target.weights
    kept = next(i for i, one in enumerate(gru.evaluations) if one.score == min(gru.scores))
    assert target.weights["echo"] == gru.weights[kept]["echo"]
    damage(gru.weights[kept]["echo"])
    target = resolve(str(tmp_path / "run"), "gru")  # a cell is a cell, whatever befell its weights
    with pytest.raises(RunError, match="does not fit its digest"):
        next(iter(target.weights.values()))
