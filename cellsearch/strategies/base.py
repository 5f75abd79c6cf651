"""What a strategy and a run say to each other: `Proposal`, `Evaluation`, `Strategy`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cellsearch.cell import Cell

STATUSES = (
    "ok",
    "stopped",
    "diverged",
    "timeout",
    "out_of_memory",
    "crashed",
    "rejected",
    "duplicate",
)

MEASURES = ("saliency",)
"""What an evaluation can measure beside the score."""

FAILED = 1_000_000
"""First part of the rank of what did not even reach the first rung; see `Evaluation.rank_key`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """A cell that a strategy wants to see evaluated.

    `replicate` asks for a further, independent evaluation of a cell that was evaluated before;
    `measure` names what to measure beside the score (for instance ``"saliency"``); `parents` are
    ordinals of the strategy's own earlier proposals (0 is the first); `note` says to people how
    the cell came to be. `width_of` is for a super-network, of which parts are to be kept: it is
    built as wide as this other cell would be, instead of as wide as the parameters allow, may be
    outside the space, and is never among the cells found.
    """

    cell: Cell
    replicate: int = 0
    measure: tuple[str, ...] = ()
    parents: tuple[int, ...] = ()
    note: str = ""
    width_of: Cell | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What training a candidate gave.

    `score` is 0..1 and lower is better; for a stopped candidate it is the score at the rung that
    stopped it. `rung_scores` and, by task, `rung_losses` are those at the rungs it came to.
    `steps` and `operations` count the whole training, all tasks and learning rates; `operations`
    are multiply-adds and elementwise operations of the forward pass. A duplicate carries what its
    original gave, and the original's status in `original`.
    """

    status: str
    original: str | None = None
    score: float | None = None
    rung_scores: tuple[float, ...] = ()
    rung_losses: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, int] = field(default_factory=dict)
    hidden_size: Mapping[str, int] = field(default_factory=dict)
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    operations: int = 0
    steps: int = 0
    seconds: float = 0.0
    measured: Mapping[str, float] = field(default_factory=dict)
    message: str = ""

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status is {self.status!r}; expected one of {', '.join(STATUSES)}")

    @property
    def outcome(self) -> str:
        """The status, seen through a duplicate to its original's."""
        return self.original or self.status

    @property
    def rank_key(self) -> tuple[int, float]:
        """A total order, lower is better: finished by score, stopped later first, failures last."""
        if self.score is None or self.score != self.score:
            return (FAILED, 0.0)
        if self.outcome == "ok":
            return (0, self.score)
        if self.outcome == "stopped":
            return (1_000 - len(self.rung_scores), self.score)
        return (FAILED, 0.0)

    def to_json(self) -> dict[str, Any]:
        """Return the evaluation as plain JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Evaluation:
        """Build the evaluation that `to_json` wrote."""
        losses = {task: tuple(found) for task, found in data.get("rung_losses", {}).items()}
        return cls(**{**data, "rung_scores": tuple(data["rung_scores"]), "rung_losses": losses})


def joint_rank(evaluations: Iterable[Evaluation]) -> tuple[int, float]:
    """Return the rank of a cell that was evaluated several times; of one, it is its `rank_key`.

    The cell came as far as the worst of them; its score is the mean of those that came so far.
    """
    keys = [evaluation.rank_key for evaluation in evaluations]
    stage = max((stage for stage, _ in keys), default=FAILED)
    scores = [score for found, score in keys if found == stage]
    return stage, sum(scores) / max(1, len(scores))


class Strategy(ABC):
    """Proposes cells and learns from what their evaluation gave.

    Deterministic given its seed and the results it was told: all randomness comes from a generator
    of its own, and nothing depends on time. The constructor takes the space, ``seed`` and the
    strategy's own settings as keyword arguments.
    """

    @abstractmethod
    def ask(self) -> Proposal | None:
        """Return the next proposal, or None.

        None says "tell me the next result first" or, with nothing outstanding, "I am finished".
        """

    @abstractmethod
    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Take in one result; results come in the order in which their proposals were asked."""
