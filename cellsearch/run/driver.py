"""The one process that owns a run: it asks, hands out jobs, and keeps what comes back."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cellsearch.errors import RunError
from cellsearch.experiment import Experiment
from cellsearch.run.finals import Entry, choose
from cellsearch.run.fixed_lag import Await, End, FixedLag, copied
from cellsearch.run.pool import Crash, Job, Pool, Result
from cellsearch.run.progress import Tally, Watch, nobody
from cellsearch.run.records import Baseline, Candidate, Final, finite, seed_names
from cellsearch.run.schema import Row
from cellsearch.run.setup import Setup
from cellsearch.run.store import Store
from cellsearch.run.worker import MAX_MESSAGE
from cellsearch.strategies.base import Evaluation, Proposal

BUDGET = ("candidates", "hours", "total_steps")


def too_small(candidates: Sequence[Candidate], experiment: Experiment) -> dict[str, int]:
    """Return the limits of the budget that are too small for what a run holds, and the least ones.

    `candidates` are all that it holds, in order.
    """
    if not candidates:
        return {}
    *earlier, last = candidates
    copies = sum(one.original is not None for one in earlier)
    counted = [one for one in earlier if one.index <= last.index - experiment.run.lag]
    least = {  # with which the last one is still asked for
        "candidates": last.index + 1 - copies,
        "total_steps": 1 + sum(one.result.steps for one in counted),
    }
    limits = {key: getattr(experiment.budget, key) for key in least}
    return {key: least[key] for key, limit in limits.items() if limit and limit < least[key]}


def shrunk(folder: Path, candidates: Sequence[Candidate], least: Mapping[str, int]) -> RunError:
    """Return what refuses a budget that is too small for what a run holds."""
    words = " ".join(f"--set budget.{key}={value}" for key, value in least.items())
    give = f"give {words} or more, or " if words else ""
    copies = sum(one.original is not None for one in candidates)
    beside = f" and {copies} duplicate{'s' * (copies > 1)} of them" if copies else ""
    return RunError(
        f"{folder}: holds {len(candidates) - copies} candidates{beside}, more than this budget "
        f"asks for; a budget may grow, not shrink below what is done; {give}look at the run with "
        f"`cellsearch inspect {shlex.quote(str(folder))}`"
    )


class Driver:
    """Takes a run from wherever its store says it is to its end.

    First the baselines, then the search, then the finals; all jobs of a phase are in flight
    together. Every result is committed before anything else happens, so a kill at any moment
    costs no more than what was being evaluated. The pool is made when the first job needs it;
    `opening` are rows that go with the first commit, so that a refused run is left as it was.
    """

    def __init__(
        self,
        setup: Setup,
        store: Store,
        make_pool: Callable[[], Pool],
        *,
        opening: Sequence[Row] = (),
        watch: Watch = nobody,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._setup, self._store = setup, store
        self._make_pool = make_pool
        self._opening = tuple(opening)
        self._pool: Pool | None = None
        self._tally = Tally(watch)
        self._clock = clock
        self._start = clock() - float(store.meta()["elapsed"])
        self._pending: dict[str, Callable[[Evaluation, Mapping[str, bytes]], None]] = {}
        self._baselines = {
            str(name): Baseline.from_row(str(name), row)
            for (name,), row in store.rows("baselines").items()
        }
        self._stored = {
            int(index): Candidate.from_row(int(index), row)
            for (index,), row in store.rows("candidates").items()
        }
        self._finals = set(store.rows("finals"))
        self._results: dict[int, Evaluation] = {}
        self._copies: dict[int, list[Candidate]] = {}
        self._table: dict[int, Candidate] = {}

    def run(self) -> None:
        """Bring the run to its end and say so in the store.

        Raises RunError when a replayed proposal differs from the stored one, DiskError,
        ClusterError, and KeyboardInterrupt; whatever it is, everything finished is kept.
        """
        self._run_baselines()
        message = self._search()
        entries = self._run_finals()
        budget = self._setup.experiment.budget.model_dump(mode="json")
        done = {
            "budget": {key: budget[key] for key in BUDGET},
            "candidates": len(self._table),
            "entries": [entry.to_json() for entry in entries],
            "message": message,
        }
        self._commit(Row("meta", ("done",), done))
        self._tally.end(message)

    def close(self) -> None:
        """Let go of the workers."""
        if self._pool is not None:
            self._pool.close()
            self._pool = None

    # The phases

    def _run_baselines(self) -> None:
        wanted = self._setup.baselines
        self._tally.begin("baselines", len(wanted), len(self._baselines))
        for name, known in self._baselines.items():
            self._tally.baseline(name, known.evaluation, restored=True)
        for position, (name, cell) in enumerate(wanted.items()):
            if name in self._baselines:
                continue

            def keep(
                evaluation: Evaluation,
                weights: Mapping[str, bytes],
                name: str = name,
                text: str = str(cell),
                cell_id: str = cell.id,
            ) -> None:
                found = Baseline(name=name, text=text, cell_id=cell_id, evaluation=evaluation)
                self._commit(Row("baselines", (name,), found.to_row()))
                self._baselines[name] = found
                self._tally.baseline(name, evaluation)

            job = self._setup.job("baseline", position, str(cell))
            self._hand_out(f"baseline/{name}", job, keep)
        while self._pending:
            self._wait()

    def _search(self) -> str:
        experiment = self._setup.experiment
        last = max(self._stored, default=-1)
        budget = experiment.budget
        lag = FixedLag(
            self._setup.strategy(),
            self._setup.control(),
            share=budget.control,
            lag=experiment.run.lag,
            rungs=experiment.fidelity.rungs,
            keep=experiment.fidelity.keep,
            steps=experiment.evaluation.steps,
            candidates=budget.candidates,
            total_steps=budget.total_steps,
            out_of_time=lambda index: index > last and self._out_of_time(),
        )
        self._tally.begin("search", budget.candidates)
        while True:
            step = lag.advance(self._results)
            if isinstance(step, End):
                break
            if isinstance(step, Await):
                self._wait()
            else:
                self._take(*step)
        while self._pending:
            self._wait()
        lag.finish(self._results)
        if last >= len(lag.asked):
            candidates = list(self._stored.values())
            raise shrunk(self._store.folder, candidates, too_small(candidates, experiment))
        return step.message

    def _take(self, candidate: Candidate, proposal: Proposal) -> None:
        """Find a result for a new proposal: stored, copied, refused, or by a worker."""
        index = candidate.index
        if index in self._stored:
            self._replay(candidate, self._stored[index])
        elif candidate.original is not None:
            if candidate.original in self._results:
                self._keep(candidate.evaluated(copied(self._results[candidate.original])))
            else:
                self._copies.setdefault(candidate.original, []).append(candidate)
        elif proposal.width_of is None and (reason := self._setup.contains(proposal.cell)):
            self._keep(candidate.evaluated(Evaluation(status="rejected", message=reason)))
        else:
            job = self._setup.job(
                "search",
                index,
                candidate.text,
                replicate=candidate.replicate,
                thresholds=candidate.thresholds,
                measure=candidate.measure,
                width_of=candidate.width_of,
            )
            self._hand_out(
                f"candidate/{index}", job, lambda found, _: self._keep(candidate.evaluated(found))
            )

    def _replay(self, candidate: Candidate, stored: Candidate) -> None:
        new, old = candidate.proposal(), stored.proposal()
        for key, value in old.items():
            if new[key] != value:
                raise RunError(
                    f"{self._store.folder}: candidate {candidate.index} is another one than when "
                    f"the run was interrupted: {key} was {json.dumps(value)}, is now "
                    f"{json.dumps(new[key])}; the strategy, or something it uses, has changed"
                )
        self._record(stored, restored=True)

    def _run_finals(self) -> tuple[Entry, ...]:
        settings = self._setup.experiment.final
        baselines = [self._baselines[name] for name in self._setup.baselines]
        seeds = seed_names(self._setup.space)
        entries = choose(list(self._table.values()), baselines, settings.candidates, seeds)
        wanted = [(entry, r) for entry in entries for r in range(settings.replicates)]
        there = sum((entry.name, r) in self._finals for entry, r in wanted)
        self._tally.begin("finals", len(wanted), there)
        for entry, replicate in wanted:
            if (entry.name, replicate) in self._finals:
                continue

            def keep(
                evaluation: Evaluation,
                weights: Mapping[str, bytes],
                name: str = entry.name,
                replicate: int = replicate,
            ) -> None:
                files = {
                    task: self._store.write_weights(name, task, replicate, data)
                    for task, data in weights.items()
                }
                found = Final(entry=name, replicate=replicate, evaluation=evaluation, weights=files)
                self._commit(Row("finals", (name, replicate), found.to_row()))
                self._tally.final()

            job = self._setup.job(
                "final",
                -1 if entry.index is None else entry.index,
                entry.text,
                replicate=replicate,
                learning_rates=entry.learning_rates,
            )
            self._hand_out(f"final/{entry.name}/{replicate}", job, keep)
        while self._pending:
            self._wait()
        return entries

    # Jobs and results

    def _hand_out(
        self, key: str, job: Job, keep: Callable[[Evaluation, Mapping[str, bytes]], None]
    ) -> None:
        if self._pool is None:
            self._pool = self._make_pool()
        self._pending[key] = keep
        self._pool.start(key, job)

    def _wait(self) -> None:
        """Take in one result and commit it."""
        if self._pool is None:
            raise RuntimeError("no job was handed out")
        key, outcome = self._pool.wait()
        evaluation, weights = _read(outcome)
        self._pending.pop(key)(evaluation, weights)

    def _keep(self, candidate: Candidate) -> None:
        """Commit a candidate with its result, and the duplicates that waited for it."""
        kept = [candidate]
        for copy in self._copies.pop(candidate.index, ()):
            kept.append(copy.evaluated(copied(candidate.result)))
        self._commit(*(Row("candidates", (one.index,), one.to_row()) for one in kept))
        for one in kept:
            self._record(one, restored=False)

    def _commit(self, *rows: Row) -> None:
        self._store.put(*self._opening, *rows, self._elapsed())
        self._opening = ()

    def _elapsed(self) -> Row:
        return Row("meta", ("elapsed",), round(self._clock() - self._start, 3))

    def _out_of_time(self) -> bool:
        hours = self._setup.experiment.budget.hours
        return hours is not None and self._clock() - self._start >= hours * 3600

    def _record(self, candidate: Candidate, *, restored: bool) -> None:
        self._results[candidate.index] = candidate.result
        self._table[candidate.index] = candidate
        ranked = not candidate.is_super_network
        self._tally.candidate(candidate.index, candidate.result, restored=restored, ranked=ranked)


def _read(outcome: Result | Crash) -> tuple[Evaluation, Mapping[str, bytes]]:
    if isinstance(outcome, Crash):
        return Evaluation(status=outcome.status, message=outcome.message), {}
    evaluation = finite(outcome.evaluation)
    return replace(evaluation, message=evaluation.message[:MAX_MESSAGE]), outcome.weights
