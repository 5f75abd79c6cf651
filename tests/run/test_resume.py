"""Going on with a run: resuming, larger budgets, signals, and what is refused."""

import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_evaluation import evaluate
from run_fakes import Learner, ShuffledPool, experiment, run, setup, table

from cellsearch.errors import ClusterError, DiskError, RunError
from cellsearch.run import Progress, open_run
from cellsearch.run.launch import Outlook, execute, outlook
from cellsearch.run.lock import Lock
from cellsearch.run.pool import Crash, Job, Pool, Result
from cellsearch.run.serial import SerialPool
from cellsearch.run.setup import Setup
from cellsearch.run.signals import Interrupted, Signals
from cellsearch.run.store import DATABASE


def no_pool() -> Pool:
    raise AssertionError("nothing is left to evaluate, no worker may be started")


def test_a_finished_run_is_shown_and_not_redone(tmp_path: Path) -> None:
    first = run(tmp_path / "run")
    before = (tmp_path / "run" / DATABASE).read_bytes()
    assert run(tmp_path / "run", make_pool=no_pool) == first
    assert (tmp_path / "run" / DATABASE).read_bytes() == before


@pytest.mark.parametrize("more", [13, 20, 31])
def test_a_larger_budget_goes_on_as_if_it_had_been_there(tmp_path: Path, more: int) -> None:
    larger = setup(experiment(f"budget.candidates={more}"))
    expected = table(run(tmp_path / "at once", larger))
    run(tmp_path / "in two steps")
    jobs: list[Job] = []

    def counted(job: Job) -> Result:
        jobs.append(job)
        answer = evaluate(dict(job))
        return Result(answer["evaluation"], answer["weights"])

    found = run(tmp_path / "in two steps", larger, lambda: ShuffledPool(1, counted))
    assert table(found) == expected
    assert sum(job["kind"] == "search" for job in jobs) == more - 12
    assert not any(job["kind"] == "baseline" for job in jobs)
    assert sum(job["kind"] == "final" for job in jobs) < 2 * len(found.finalists)


def test_a_smaller_budget_is_refused_without_a_worker(tmp_path: Path) -> None:
    expected = table(run(tmp_path / "run"))
    smaller = setup(experiment("budget.candidates=5"))
    with pytest.raises(RunError, match=r"holds 1\d candidates.*may grow, not shrink"):
        run(tmp_path / "run", smaller, no_pool)
    assert table(open_run(tmp_path / "run")) == expected


@pytest.mark.parametrize(("key", "small"), [("candidates", 5), ("total_steps", 200)])
def test_a_refused_budget_says_which_is_the_least(tmp_path: Path, key: str, small: int) -> None:
    def with_limit(limit: int) -> Setup:
        return setup(experiment("budget.candidates=999", f"budget.{key}={limit}"))

    folder = tmp_path / "a run"
    first = run(folder)
    with pytest.raises(RunError, match=r"--set (\S+)=(\d+) or more, or look") as caught:
        run(folder, with_limit(small), no_pool)
    assert f"`cellsearch inspect '{folder}'`" in str(caught.value)
    found = re.findall(r"--set (\S+)=(\d+)", str(caught.value))
    assert [name for name, _ in found] == [f"budget.{key}"]
    least = int(found[0][1])
    with pytest.raises(RunError, match=f"={least} or more"):
        run(folder, with_limit(least - 1), no_pool)
    grown = run(folder, with_limit(least))
    assert grown.candidates[: len(first.candidates)] == first.candidates


def test_changed_data_are_named(tmp_path: Path) -> None:
    def of(digest: str) -> Setup:
        return setup(tasks=[{"name": "echo", "path": "/data/mine.npz", "sha256": digest}])

    run(tmp_path / "run", of("efd8"))
    with pytest.raises(RunError, match=r"other data: /data/mine\.npz has changed since") as caught:
        run(tmp_path / "run", of("b8c3"), no_pool)
    assert "(task.0.sha256 was efd8, is now b8c3)" in str(caught.value)
    assert "with --run (in Python run=...)" in str(caught.value)


def test_a_run_of_another_experiment_is_refused(tmp_path: Path) -> None:
    run(tmp_path / "run")
    with pytest.raises(RunError, match=r"evaluation\.steps is 100 there and 200 here"):
        run(tmp_path / "run", setup(experiment("evaluation.steps=200")), no_pool)
    with pytest.raises(RunError, match="space is words there and other here"):
        run(tmp_path / "run", setup(space={"name": "other", "carry": True}), no_pool)
    with pytest.raises(RunError, match="space, the same contents under another name, is words th"):
        run(tmp_path / "run", setup(space={"name": "other"}), no_pool)
    with pytest.raises(RunError, match="task is echo there and nothing here"):
        run(tmp_path / "run", setup(tasks=[]), no_pool)


def test_what_has_a_name_is_told_before_what_follows_from_it(tmp_path: Path) -> None:
    run(tmp_path / "run", setup(space={"carry": True, "name": "words", "seeds": []}))
    later = experiment("evaluation.steps=200", "experiment.seed=3")
    other = {"carry": False, "name": "other", "seeds": ["lstm"]}
    with pytest.raises(RunError, match="another experiment: space is words there and other here;"):
        run(tmp_path / "run", setup(later, space=other), no_pool)
    with pytest.raises(RunError, match=r"space\.seeds is \[\] there and \[\"lstm\"\] here"):
        run(tmp_path / "run", setup(space={"seeds": ["lstm"], **other, "name": "words"}), no_pool)


def test_the_outlook_says_what_a_search_would_do(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    assert outlook(setup(), folder) is None
    said: list[str] = []

    def watch(progress: Progress) -> None:
        if progress.phase == "search" and progress.done == 5:
            said.append(getattr(outlook(setup(), folder), "sentence", ""))
            raise KeyboardInterrupt

    with pytest.raises(Interrupted):
        run(folder, watch=watch)
    assert "another process is working on it" in said[0]
    there = outlook(setup(), folder)
    assert there is not None and not there.finished
    assert there.sentence.endswith("candidates; a search goes on from there")
    held = len(run(folder).candidates)
    assert outlook(setup(), folder) == Outlook(
        True, f"{folder}: is finished, with {held} candidates; a search shows it"
    )
    there = outlook(setup(experiment("budget.candidates=20")), folder)
    assert there is not None and not there.finished
    for refused in (setup(experiment("budget.candidates=5")), setup(space={"name": "other"})):
        with pytest.raises(RunError) as search:
            run(folder, refused, no_pool)
        with pytest.raises(RunError) as dry:
            outlook(refused, folder)
        assert str(dry.value) == str(search.value)


def test_workers_timeout_and_memory_may_change(tmp_path: Path) -> None:
    first = run(tmp_path / "run")
    free = experiment("run.workers=7", "evaluation.timeout=5", "evaluation.memory=1GiB")
    assert run(tmp_path / "run", setup(free), no_pool).candidates == first.candidates


def test_a_strategy_that_changed_is_told_with_both_versions(tmp_path: Path) -> None:
    run(tmp_path / "run")
    other = setup(experiment("budget.candidates=20"), lambda: Learner(seed=1))
    with pytest.raises(RunError, match=r"candidate 0 .*cell_id was \"c1-.*, is now \"c1-"):
        run(tmp_path / "run", other, no_pool)


@pytest.mark.parametrize("table_name", ["candidates", "finals", "baselines", "meta"])
def test_a_damaged_row_stops_everything(tmp_path: Path, table_name: str) -> None:
    run(tmp_path / "run")
    connection = sqlite3.connect(tmp_path / "run" / DATABASE)
    connection.execute(f"UPDATE {table_name} SET content = replace(content, '0', '1')")  # noqa: S608
    connection.commit()
    connection.close()
    with pytest.raises(RunError, match=f"damaged: row .* of {table_name}"):
        open_run(tmp_path / "run")
    with pytest.raises(RunError, match=f"damaged: row .* of {table_name}"):
        run(tmp_path / "run", setup(experiment("budget.candidates=20")), no_pool)


@pytest.mark.parametrize("table_name", ["candidates", "finals"])
def test_a_missing_row_of_a_finished_run_is_told(tmp_path: Path, table_name: str) -> None:
    run(tmp_path / "run")
    connection = sqlite3.connect(tmp_path / "run" / DATABASE)
    connection.execute(f"DELETE FROM {table_name} WHERE rowid = 2")  # noqa: S608
    connection.commit()
    connection.close()
    with pytest.raises(RunError, match="damaged"):
        open_run(tmp_path / "run")


def test_a_second_process_is_locked_out_and_readers_are_not(tmp_path: Path) -> None:
    statuses: list[str] = []

    def watch(progress: Progress) -> None:
        if progress.phase == "search" and progress.done == 5:
            statuses.append(open_run(tmp_path / "run").status)
            with pytest.raises(RunError, match=f"process {os.getpid()} is working"):
                Lock(tmp_path / "run")

    run(tmp_path / "run", watch=watch)
    assert statuses == ["running"]
    assert open_run(tmp_path / "run").status == "done"


STOPS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.fixture
def heard() -> Iterator[None]:
    """Signals as in the foreground; a job in the background of a script may ignore them."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in STOPS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("heard")
@pytest.mark.parametrize("number", STOPS)
@pytest.mark.parametrize("phase", ["baselines", "search", "finals"])
def test_a_signal_stops_and_the_run_goes_on(tmp_path: Path, number: int, phase: str) -> None:
    expected = table(run(tmp_path / "undisturbed"))

    def watch(progress: Progress) -> None:
        if progress.phase == phase and progress.done == 1:
            os.kill(os.getpid(), number)

    with pytest.raises(Interrupted, match="To go on: cellsearch search x") as caught:
        run(tmp_path / "run", watch=watch, again="cellsearch search x")
    assert caught.value.exit_code == 130
    assert open_run(tmp_path / "run").status == "interrupted"
    assert "not finished" in open_run(tmp_path / "run").verdict()
    assert table(run(tmp_path / "run")) == expected


@pytest.mark.usefixtures("heard")
def test_a_signal_during_an_evaluation_is_not_the_candidates_failure(tmp_path: Path) -> None:
    signals = Signals()

    def interrupted(job: dict[str, Any]) -> dict[str, Any]:
        if job["kind"] == "search" and job["index"] == 3:
            try:
                os.kill(os.getpid(), signal.SIGINT)
            except BaseException:
                return {"evaluation": {"status": "crashed"}}
        return evaluate(job)

    with pytest.raises(Interrupted):
        execute(setup(), tmp_path, lambda: SerialPool(interrupted, signals.stopped), signals)
    assert [one.index for one in open_run(tmp_path).candidates] == [0, 1, 2]


@pytest.mark.parametrize("error", [DiskError("full"), ClusterError("gone")])
def test_errors_of_the_machinery_say_how_to_go_on(tmp_path: Path, error: Exception) -> None:
    class Broken(ShuffledPool):
        def wait(self) -> tuple[str, Result | Crash]:
            raise error

    with pytest.raises(type(error), match=r"everything finished is kept\. To go on: this"):
        run(tmp_path / "run", make_pool=lambda: Broken(0), again="this")
    assert run(tmp_path / "run").status == "done"
