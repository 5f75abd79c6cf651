"""How far a run is: what the driver tells whoever watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from cellsearch.strategies.base import Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A moment of a run.

    `phase` is ``"baselines"``, ``"search"``, ``"finals"`` or ``"done"``; `done` of `total` jobs of
    the phase have ended (total is None where only hours or steps limit the search), `restored` of
    them came from the store. `best` and `baselines` are scores of the search, lower is better.
    """

    phase: str = "baselines"
    done: int = 0
    total: int | None = None
    restored: int = 0
    failed: int = 0
    stopped: int = 0
    duplicates: int = 0
    best: float | None = None
    best_index: int | None = None
    baselines: Mapping[str, float | None] = field(default_factory=dict)
    notice: str = ""


Watch = Callable[[Progress], None]


def nobody(progress: Progress) -> None:
    """Watch nothing."""


class Tally:
    """Counts what happens and shows every change to a watcher."""

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._now = Progress()

    def begin(self, phase: str, total: int | None, done: int = 0) -> None:
        """Enter a phase of which some jobs may be done from before."""
        self._show(replace(self._now, phase=phase, total=total, done=done, restored=done))

    def baseline(self, name: str, evaluation: Evaluation, *, restored: bool = False) -> None:
        """Count a baseline."""
        scores = {**self._now.baselines, name: evaluation.score}
        done = self._now.done + (not restored)
        self._show(replace(self._now, baselines=scores, done=done))

    def candidate(
        self, index: int, evaluation: Evaluation, *, restored: bool, ranked: bool = True
    ) -> None:
        """Count a candidate; a duplicate is none of the budget's, what is not `ranked` no best."""
        now = self._now
        if evaluation.status == "duplicate":
            self._show(replace(now, duplicates=now.duplicates + 1))
            return
        now = replace(now, done=now.done + 1, restored=now.restored + restored)
        if evaluation.status == "stopped":
            now = replace(now, stopped=now.stopped + 1)
        elif evaluation.status != "ok":
            now = replace(now, failed=now.failed + 1)
        elif (
            ranked
            and evaluation.score is not None
            and (now.best is None or evaluation.score < now.best)
        ):
            now = replace(now, best=evaluation.score, best_index=index)
        self._show(now)

    def final(self) -> None:
        """Count a training of a finalist."""
        self._show(replace(self._now, done=self._now.done + 1))

    def end(self, notice: str = "") -> None:
        """Say that the run is done; the counts of the last phase stay."""
        self._show(replace(self._now, phase="done", notice=notice))

    def _show(self, progress: Progress) -> None:
        self._now = progress
        self._watch(progress)
