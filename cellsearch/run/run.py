"""`Run`: what a run folder holds, read at one moment."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellsearch.errors import RunError
from cellsearch.experiment import Experiment, load_experiment
from cellsearch.run import lock, report
from cellsearch.run.finalist import Finalist
from cellsearch.run.finals import Entry
from cellsearch.run.records import Baseline, Candidate, Final, seed_names
from cellsearch.run.store import Store


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Run:
    """A run as it stood when it was read; nothing in it changes.

    `status` is ``"running"``, ``"interrupted"`` or ``"done"``. `finalists` come best first, known
    baselines at their places among them, and are there when the run is done. `levels` holds each
    task's chance and solved loss and the unit of its metric; `readings` every time that the test
    split was read; `sessions` the machines that worked on it.
    """

    folder: Path
    experiment: Experiment
    status: str
    candidates: tuple[Candidate, ...]
    baselines: tuple[Baseline, ...]
    finalists: tuple[Finalist, ...]
    levels: Mapping[str, Mapping[str, Any]]
    readings: tuple[Mapping[str, Any], ...]
    sessions: tuple[Mapping[str, Any], ...]
    message: str = ""

    @property
    def best(self) -> Finalist | None:
        """The finalist of best mean score that the run found itself; None before the final."""
        return next((one for one in self.finalists if one.index is not None), None)

    @property
    def best_so_far(self) -> Candidate | None:
        """The finished candidate of best score in the search: one training, hence a lucky one.

        No super-network is.
        """
        cells = [one for one in self.candidates if not one.is_super_network]
        finished = [one for one in cells if one.result.status == "ok"]
        return min(finished, key=lambda one: (one.result.rank_key, one.index), default=None)

    def leaderboard(self) -> tuple[Finalist, ...]:
        """Return the finalists, baselines among them, by mean score; lower is better."""
        return self.finalists

    def find(self, which: str) -> Finalist | Candidate | Baseline:
        """Return what ``best``, an index, a cell id (or its beginning) or a baseline's name names.

        An index may be written as 7, #7 or candidate-7. ``best`` is the best finalist, in an
        unfinished run the best candidate so far. Raises RunError when there is no such cell.
        """
        if which == "best":
            found = self.best or self.best_so_far
            if found is None:
                raise RunError(f"{self.folder}: no candidate has finished yet, so none is best")
            return found
        for baseline in self.baselines:
            if baseline.name == which:
                return baseline
        index = re.sub(r"^(#|candidate-)(?=\d)", "", which)
        for candidate in self.candidates:
            if index == str(candidate.index):
                return candidate
        known: tuple[Candidate | Baseline, ...] = (*self.baselines, *self.candidates)
        ids = {one.cell_id: one for one in reversed(known)}
        matches = [cell_id for cell_id in ids if cell_id.startswith(which) and len(which) > 3]
        if len(matches) == 1:
            return ids[matches[0]]
        problem = "several cells begin" if matches else "there is no cell"
        raise RunError(
            f"{self.folder}: {problem} with {which!r}; expected 'best', an index "
            f"0..{len(self.candidates) - 1} (also as #7 or candidate-7), a cell id or one of "
            f"{', '.join(one.name for one in self.baselines) or 'no baselines'}"
        )

    def rank_correlation(self) -> dict[int, float | None]:
        """Return, for each rung, Spearman's correlation of scores there with those at the end."""
        return report.rank_correlation(self.experiment, self.candidates)

    def uninformative_tasks(self) -> dict[str, str]:
        """Return the tasks that cannot tell cells apart, each with the reason."""
        return report.uninformative_tasks(self.levels, self.baselines, self.finalists)

    def verdict(self) -> str:
        """Say how the best cell compares with the baselines; then, with the best of chance.

        The first sentence stands for itself.
        """
        cells = [one for one in self.candidates if not one.is_super_network]
        evaluated = [one for one in cells if one.result.status != "duplicate"]
        drawn = sum(one.control for one in evaluated)
        seeds = sum(one.seed is not None for one in evaluated)
        proposed = len(evaluated) - drawn - seeds
        sentences = report.verdict(
            self.status,
            self.best,
            self.finalists,
            levels=self.levels,
            proposed=proposed,
            drawn=drawn,
        )
        supers = len(self.candidates) - len(cells)
        if self.status == "done" and supers and not proposed:
            sentences += (
                f" All that the strategy proposed were super-networks, {supers} of them, and no"
                " cell was left of one: raise the budget if it is spent, else allow larger cells."
            )
        return sentences

    def __repr__(self) -> str:
        return f"<Run {self.folder}: {self.status}, {len(self.candidates)} candidates>"

    def __str__(self) -> str:
        """Return what ``cellsearch inspect`` prints of the final: leaderboard and verdict."""
        from cellsearch.inspection.leaderboard import leaderboard, plain_text

        return f"{plain_text(leaderboard(self.to_json()))}\n{self.verdict()}"

    def _repr_html_(self) -> str:
        from cellsearch.inspection.notebook import run_html  # loaded here: few are in a notebook

        return run_html(self.to_json())

    def to_json(self) -> dict[str, Any]:
        """Return the run as ``inspect --json`` shows it."""
        counts = {
            status: sum(one.result.status == status for one in self.candidates)
            for status in sorted({one.result.status for one in self.candidates})
        }
        return {
            "run": {
                "experiment": self.experiment.name,
                "seed": self.experiment.seed,
                "status": self.status,
                "folder": str(self.folder),
                "message": self.message,
                "counts": counts,
                "verdict": self.verdict(),
                "rank_correlation": {str(k): v for k, v in self.rank_correlation().items()},
                "uninformative_tasks": self.uninformative_tasks(),
                "levels": {task: dict(level) for task, level in self.levels.items()},
                "readings": [dict(reading) for reading in self.readings],
                "sessions": [dict(session) for session in self.sessions],
                "settings": self.experiment.to_dict(),
            },
            "candidates": [one.to_json() for one in self.candidates],
            "baselines": [one.to_json() for one in self.baselines],
            "finalists": [one.to_json() for one in self.finalists],
        }


def open_run(folder: str | Path) -> Run:
    """Read a run folder, also while another process works on it.

    Raises RunError when there is none, or when it is damaged: the text names what.
    """
    path = Path(folder)
    running = lock.holder(path) is not None
    store = Store.read(path)
    try:
        meta = store.meta()
        seeds = seed_names(meta["identity"].get("space", {}))
        candidates = _candidates(store, seeds)
        baselines = {
            key[0]: Baseline.from_row(str(key[0]), row)
            for key, row in store.rows("baselines").items()
        }
        finals = [
            Final.from_row(str(key[0]), int(key[1]), row)
            for key, row in store.rows("finals").items()
        ]
        readings = tuple(store.rows("readings").values())
    finally:
        store.close()
    done, experiment = meta["done"], load_experiment(meta["experiment"])
    if done and done["candidates"] != len(candidates):
        raise RunError(
            f"{path}: damaged: {done['candidates']} candidates were evaluated, "
            f"{len(candidates)} are there"
        )
    entries = [Entry.from_json(data) for data in done["entries"]] if done else []
    return Run(
        folder=path,
        experiment=experiment,
        status="done" if done else "running" if running else "interrupted",
        candidates=candidates,
        baselines=tuple(
            baselines[name] for name in experiment.budget.baselines if name in baselines
        ),
        finalists=_finalists(path, entries, finals, experiment.final.replicates, seeds),
        levels=meta["levels"],
        readings=readings,
        sessions=tuple(meta["sessions"]),
        message=done["message"] if done else "",
    )


def _candidates(store: Store, seeds: Mapping[str, str]) -> tuple[Candidate, ...]:
    rows = store.rows("candidates")
    return tuple(Candidate.from_row(int(key[0]), row, seeds) for key, row in rows.items())


def _finalists(
    folder: Path,
    entries: Sequence[Entry],
    finals: Sequence[Final],
    replicates: int,
    seeds: Mapping[str, str],
) -> tuple[Finalist, ...]:
    found = {(final.entry, final.replicate): final for final in finals}
    finalists = []
    for entry in entries:
        missing = [r for r in range(replicates) if (entry.name, r) not in found]
        if missing:
            raise RunError(f"{folder}: damaged: final {entry.name}/{missing[0]} is missing")
        trained = [found[entry.name, r] for r in range(replicates)]
        finalists.append(Finalist.build(folder, entry, trained, seeds))
    return tuple(sorted(finalists, key=lambda one: (one.mean, one.index is not None, one.name)))


def record_reading(folder: str | Path, reading: Mapping[str, Any]) -> None:
    """Keep that the test split was read, by whom and of what; `reading` is plain JSON.

    May be called while another process works on the run.
    """
    Store.append_reading(Path(folder), reading)
