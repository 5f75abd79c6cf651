"""What a run keeps: candidates, baselines, finals; each with its evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cellsearch.strategies.base import Evaluation

if TYPE_CHECKING:
    from cellsearch.cell import Cell


NO_SEEDS: Mapping[str, str] = MappingProxyType({})
"""Of a space that has none."""


def finite(evaluation: Mapping[str, Any]) -> Evaluation:
    """Return the evaluation with every number that is not finite left out, so that it is JSON."""

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {key: value for key, value in values.items() if _is_finite(value)}

    data = {
        key: kept(value) if isinstance(value, Mapping) else value
        for key, value in evaluation.items()
        if isinstance(value, Mapping) or _is_finite(value)
    }
    rungs = tuple(score for score in evaluation.get("rung_scores", ()) if _is_finite(score))
    return Evaluation.from_json({**data, "rung_scores": rungs})


def _is_finite(value: object) -> bool:
    return not isinstance(value, float) or math.isfinite(value)


def seed_names(space: Mapping[str, Any]) -> dict[str, str]:
    """Return the names of a space's seeds by their cells' ids; `space` is its plain JSON."""
    from cellsearch.known import zoo

    return {zoo[name].id: name for name in space.get("seeds", ()) if name in zoo}


def parse_cell(text: str) -> Cell:
    """Return the cell of that text."""
    from cellsearch.cell import Cell  # loaded here: a run is read without networkx

    return Cell.parse(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One proposal of a run and what came of it.

    `parents` are indices of candidates; `control` says that it was drawn at random, beside the
    strategy; `thresholds` are the scores above which its rungs stop it; `original` is the index
    of the candidate that it duplicates; `seed` names the seed of the space whose cell it has, which
    follows from the space, so that no row holds it. A super-network has, in `width_of`, the text of
    the cell that says how wide it is built.
    """

    index: int
    text: str
    cell_id: str
    replicate: int = 0
    measure: tuple[str, ...] = ()
    parents: tuple[int, ...] = ()
    note: str = ""
    width_of: str | None = None
    control: bool = False
    thresholds: tuple[float | None, ...] = ()
    original: int | None = None
    seed: str | None = None
    evaluation: Evaluation | None = None

    @property
    def cell(self) -> Cell:
        """The cell."""
        return parse_cell(self.text)

    @property
    def is_super_network(self) -> bool:
        """Whether it is no cell that was found, but one of which parts are to be kept."""
        return self.width_of is not None

    @property
    def result(self) -> Evaluation:
        """The evaluation of a candidate that has one, as all that are read from a store have."""
        if self.evaluation is None:
            raise ValueError(f"candidate {self.index} has not been evaluated")
        return self.evaluation

    def proposal(self) -> dict[str, Any]:
        """Return what was proposed, without what came of it, as plain JSON."""
        return {
            "cell_id": self.cell_id,
            "cell": self.text,
            "replicate": self.replicate,
            "measure": list(self.measure),
            "parents": list(self.parents),
            "note": self.note,
            "width_of": self.width_of,
            "control": self.control,
            "thresholds": list(self.thresholds),
            "original": self.original,
        }

    def to_row(self) -> dict[str, Any]:
        """Return all but the index as plain JSON."""
        return {"proposal": self.proposal(), "evaluation": self.result.to_json()}

    @classmethod
    def from_row(
        cls, index: int, row: Mapping[str, Any], seeds: Mapping[str, str] = NO_SEEDS
    ) -> Candidate:
        """Build the candidate that `to_row` wrote; `seeds` are those of the space, by id."""
        data = dict(row["proposal"])
        for name in ("measure", "parents", "thresholds"):
            data[name] = tuple(data[name])
        text = data.pop("cell")
        evaluation = Evaluation.from_json(row["evaluation"])
        seed = None if data["control"] else seeds.get(data["cell_id"])
        return cls(index=index, text=text, evaluation=evaluation, seed=seed, **data)

    def evaluated(self, evaluation: Evaluation) -> Candidate:
        """Return this candidate with its evaluation."""
        return replace(self, evaluation=evaluation)

    def to_json(self) -> dict[str, Any]:
        """Return the candidate as ``inspect --json`` shows it."""
        return {
            "index": self.index,
            **shown(self.text, self.cell_id, self.result),
            "parents": list(self.parents),
            "replicate": self.replicate,
            "control": self.control,
            "seed": self.seed,
            "note": self.note,
            "width_of": self.width_of,
            "original": self.original,
            "thresholds": list(self.thresholds),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """A known cell of the zoo, evaluated as every candidate is, but never stopped."""

    name: str
    text: str
    cell_id: str
    evaluation: Evaluation

    @property
    def cell(self) -> Cell:
        """The cell."""
        return parse_cell(self.text)

    def to_row(self) -> dict[str, Any]:
        """Return all but the name as plain JSON."""
        data = {"cell": self.text, "cell_id": self.cell_id}
        return {**data, "evaluation": self.evaluation.to_json()}

    @classmethod
    def from_row(cls, name: str, row: Mapping[str, Any]) -> Baseline:
        """Build the baseline that `to_row` wrote."""
        evaluation = Evaluation.from_json(row["evaluation"])
        return cls(name=name, text=row["cell"], cell_id=row["cell_id"], evaluation=evaluation)

    def to_json(self) -> dict[str, Any]:
        """Return the baseline as ``inspect --json`` shows it, with the keys of a candidate."""
        return {
            "name": self.name,
            "index": None,
            **shown(self.text, self.cell_id, self.evaluation),
            "parents": [],
            "replicate": 0,
            "control": False,
            "seed": None,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Final:
    """One training of a finalist on the selection split; `weights` has a file per task."""

    entry: str
    replicate: int
    evaluation: Evaluation
    weights: Mapping[str, Mapping[str, str]]

    def to_row(self) -> dict[str, Any]:
        """Return all but the key as plain JSON."""
        return {"evaluation": self.evaluation.to_json(), "weights": dict(self.weights)}

    @classmethod
    def from_row(cls, entry: str, replicate: int, row: Mapping[str, Any]) -> Final:
        """Build the final that `to_row` wrote."""
        evaluation = Evaluation.from_json(row["evaluation"])
        return cls(entry=entry, replicate=replicate, evaluation=evaluation, weights=row["weights"])


def shown(text: str, cell_id: str, evaluation: Evaluation) -> dict[str, Any]:
    """Return what ``inspect --json`` shows of every evaluated cell."""
    return {
        "cell_id": cell_id,
        "cell": text,
        "status": evaluation.status,
        "score": evaluation.score,
        "rung_scores": list(evaluation.rung_scores),
        "rung_losses": {task: list(found) for task, found in evaluation.rung_losses.items()},
        "losses": dict(evaluation.losses),
        "metrics": dict(evaluation.metrics),
        "parameters": dict(evaluation.parameters),
        "hidden_size": dict(evaluation.hidden_size),
        "learning_rates": dict(evaluation.learning_rates),
        "operations": evaluation.operations,
        "steps": evaluation.steps,
        "seconds": evaluation.seconds,
        "message": evaluation.message,
    }
