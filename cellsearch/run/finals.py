"""Who is trained anew at the end of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellsearch.run.records import Baseline, Candidate
from cellsearch.strategies.base import Evaluation, joint_rank


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A cell in the final: a candidate by its index, or a baseline with index None."""

    name: str
    index: int | None
    text: str
    cell_id: str
    control: bool
    learning_rates: Mapping[str, float]

    def to_json(self) -> dict[str, Any]:
        """Return the entry as plain JSON."""
        return {
            "name": self.name,
            "index": self.index,
            "cell": self.text,
            "cell_id": self.cell_id,
            "control": self.control,
            "learning_rates": dict(self.learning_rates),
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Entry:
        """Build the entry that `to_json` wrote."""
        return cls(text=data["cell"], **{key: data[key] for key in data if key != "cell"})


def choose(
    candidates: Sequence[Candidate],
    baselines: Sequence[Baseline],
    count: int,
    seeds: Collection[str] = (),
) -> tuple[Entry, ...]:
    """Return the best `count` distinct cells, the best of the control, and every baseline.

    Only candidates that finished can be chosen, no super-networks; equal scores go by index. A cell
    that was evaluated several times enters once, ranked by all its evaluations together, with the
    learning rates of the best. So does one that is both a baseline and among the `seeds` of the
    space, given by their ids: as a baseline.
    """
    evaluations: dict[str, list[Evaluation]] = {}
    for one in candidates:
        refused = one.replicate > 0 and one.result.status == "rejected"  # as where there is no more
        if one.result.status != "duplicate" and not refused:
            evaluations.setdefault(one.cell_id, []).append(one.result)
    given = {one.cell_id for one in baselines} & set(seeds)
    finished = [
        one
        for one in candidates
        if one.result.status == "ok" and not one.is_super_network
        if one.control or one.cell_id not in given
    ]
    ranks = {cell_id: joint_rank(found) for cell_id, found in evaluations.items()}
    ranked = sorted(finished, key=lambda one: (ranks[one.cell_id], one.result.rank_key, one.index))
    chosen: dict[str, Candidate] = {}
    for candidate in ranked:
        if len(chosen) < count:
            chosen.setdefault(candidate.cell_id, candidate)
    for candidate in ranked:
        if candidate.control:
            chosen.setdefault(candidate.cell_id, candidate)
            break
    entries = [
        Entry(
            name=f"candidate-{one.index}",
            index=one.index,
            text=one.text,
            cell_id=one.cell_id,
            control=one.control,
            learning_rates=one.result.learning_rates,
        )
        for one in chosen.values()
    ]
    entries += [
        Entry(
            name=one.name,
            index=None,
            text=one.text,
            cell_id=one.cell_id,
            control=False,
            learning_rates=one.evaluation.learning_rates,
        )
        for one in baselines
    ]
    return tuple(entries)
