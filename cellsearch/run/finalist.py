"""`Finalist`: a cell trained anew several times at the end of a run."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellsearch.errors import RunError, nearest
from cellsearch.run.disk import refused
from cellsearch.run.finals import Entry
from cellsearch.run.records import NO_SEEDS, Final, parse_cell
from cellsearch.statistics import Interval, interval
from cellsearch.strategies.base import Evaluation

if TYPE_CHECKING:
    from cellsearch.cell import Cell

FAILED = 1.0  # the score of a training that failed: as if it had learnt nothing


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Finalist:
    """A cell of the final: a candidate of the run, or with index None a baseline.

    `control` and `seed` are those of the candidate: drawn at random, a seed of the space.
    `scores` has one score per replicate, lower is better, 1.0 for a failed training; `losses` and
    `metrics` are means over the replicates that finished; `weights` has a file per task for each
    replicate, `digests` their SHA-256 digests: `weights_file` checks one before it is used.
    """

    name: str
    index: int | None
    text: str
    cell_id: str
    control: bool
    evaluations: tuple[Evaluation, ...]
    scores: tuple[float, ...]
    interval: Interval
    losses: Mapping[str, float]
    metrics: Mapping[str, float]
    weights: tuple[Mapping[str, Path], ...]
    digests: tuple[Mapping[str, str], ...]
    folder: Path
    seed: str | None = None

    @classmethod
    def build(
        cls,
        folder: Path,
        entry: Entry,
        finals: Sequence[Final],
        seeds: Mapping[str, str] = NO_SEEDS,
    ) -> Finalist:
        """Build a finalist from its trainings, replicate 0 first; `seeds` are named by id."""
        candidate = entry.index is not None and not entry.control
        evaluations = tuple(final.evaluation for final in finals)
        scores = tuple(_score(one) for one in evaluations)
        finished = [one for one in evaluations if one.status == "ok"]
        return cls(
            name=entry.name,
            index=entry.index,
            text=entry.text,
            cell_id=entry.cell_id,
            control=entry.control,
            evaluations=evaluations,
            scores=scores,
            interval=interval(scores),
            losses=_means([one.losses for one in finished]),
            metrics=_means([one.metrics for one in finished]),
            weights=tuple(
                {task: folder / data["file"] for task, data in final.weights.items()}
                for final in finals
            ),
            digests=tuple(
                {task: data["sha256"] for task, data in final.weights.items()} for final in finals
            ),
            folder=folder,
            seed=seeds.get(entry.cell_id) if candidate else None,
        )

    def __repr__(self) -> str:
        spread = self.interval
        return f"<Finalist {self.name}: {spread.mean:.4f}, {spread.low:.4f} to {spread.high:.4f}>"

    @property
    def cell(self) -> Cell:
        """The cell."""
        return parse_cell(self.text)

    @property
    def mean(self) -> float:
        """The mean score, lower is better."""
        return self.interval.mean

    @property
    def parameters(self) -> Mapping[str, int]:
        """The number of parameters per task, readout included."""
        return self.evaluations[0].parameters

    @property
    def hidden_size(self) -> Mapping[str, int]:
        """The hidden size per task."""
        return self.evaluations[0].hidden_size

    @property
    def failures(self) -> int:
        """How many of its trainings failed."""
        return sum(one.status != "ok" for one in self.evaluations)

    def weights_file(self, task: str, replicate: int) -> Path:
        """Return the file of the weights that this training ended with, checked to be whole.

        Raises RunError when there are none, or when the file is not the one that was written.
        """
        kept = self.weights[replicate] if 0 <= replicate < len(self.weights) else {}
        if task not in kept:
            raise RunError(
                f"{self.folder}: {self.name} has no weights for task {task!r}, replicate "
                f"{replicate}{nearest(task, kept)}"
            )
        path = kept[task]
        try:
            inside = path.resolve().is_relative_to(self.folder.resolve())
            if not inside or not path.is_file():
                raise RunError(f"{path}: damaged: is not a file of the run folder")
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise refused(path, "read", error) from None
        if found != self.digests[replicate][task]:
            raise RunError(f"{path}: damaged: the file does not fit its digest")
        return path

    def to_json(self) -> dict[str, Any]:
        """Return the finalist as ``inspect --json`` shows it."""
        first = self.evaluations[0]
        failed = [one.status for one in self.evaluations if one.status != "ok"]
        return {
            "name": self.name,
            "index": self.index,
            "cell_id": self.cell_id,
            "cell": self.text,
            "control": self.control,
            "seed": self.seed,
            "status": failed[0] if failed else "ok",
            "score": self.mean,
            "scores": list(self.scores),
            "interval": self.interval.to_json(),
            "failures": self.failures,
            "losses": dict(self.losses),
            "metrics": dict(self.metrics),
            "parameters": dict(self.parameters),
            "hidden_size": dict(self.hidden_size),
            "learning_rates": dict(first.learning_rates),
            "steps": sum(one.steps for one in self.evaluations),
            "seconds": math.fsum(one.seconds for one in self.evaluations),
            "weights": [
                {task: str(path) for task, path in files.items()} for files in self.weights
            ],
        }


def _score(evaluation: Evaluation) -> float:
    if evaluation.status != "ok" or evaluation.score is None:
        return FAILED
    return evaluation.score


def _means(values: Sequence[Mapping[str, float]]) -> dict[str, float]:
    if not values:
        return {}
    return {
        task: math.fsum(one[task] for one in values) / len(values)
        for task in values[0]
        if all(task in one for one in values)
    }
