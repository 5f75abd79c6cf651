"""Who is asked for which proposal after which results: a function of the results alone.

Proposal i may depend on results 0..i-lag and on nothing else, however many workers there are and in
whatever order they answer. That makes a run's table independent of the machine, and makes resuming
the same thing as replaying.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from math import ceil, floor

from cellsearch.run.records import Candidate
from cellsearch.strategies.base import Evaluation, Proposal, Strategy

MIN_SCORES = 4  # a quantile of fewer scores says nothing: nobody is stopped yet
MAX_DUPLICATES = 50  # in a row, from the strategy: it has run dry, or sits at an optimum


@dataclass(frozen=True, slots=True)
class Await:
    """Nothing more can be asked before the result of candidate `index` is there."""

    index: int


@dataclass(frozen=True, slots=True)
class End:
    """The search is over; `message` says why if it was not the number of candidates."""

    message: str = ""


@dataclass(slots=True, eq=False)
class _Source:
    """A strategy and the candidates that came from it."""

    strategy: Strategy
    indices: list[int] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    told: int = 0


class FixedLag:
    """Asks and tells a strategy, and the control beside it, in the one order there is.

    Every proposal with floor((i + 1) * share) > floor(i * share) is drawn by the control, which
    is told its own results only; so is the strategy. `steps` are those of a whole training: a
    rung at its end stops nobody.
    """

    def __init__(
        self,
        strategy: Strategy,
        control: Strategy,
        *,
        share: float,
        lag: int,
        rungs: Sequence[int] = (),
        keep: float = 0.34,
        steps: int = 0,
        candidates: int | None = None,
        total_steps: int | None = None,
        out_of_time: Callable[[int], bool] = lambda index: False,
    ) -> None:
        self.asked: list[Candidate] = []
        self._strategy, self._control = _Source(strategy), _Source(control)
        self._share, self._keep = Fraction(str(share)), Fraction(str(keep))
        self._lag, self._rungs, self._steps = lag, tuple(rungs), steps
        self._candidates, self._total_steps = candidates, total_steps
        self._out_of_time = out_of_time
        self._control_done = share == 0
        self._told = 0
        self._owed = 0  # results to tell before the source that said None is asked again
        self._seen: dict[tuple[str, int, str | None], list[Candidate]] = {}
        self._evaluated = 0  # proposals that are no duplicates
        self._duplicates = 0  # of the strategy, in a row
        self._counted = 0  # results that count for thresholds and for total_steps
        self._spent = 0
        self._scores: list[list[float]] = [[] for _ in self._rungs]

    def advance(
        self, results: Mapping[int, Evaluation]
    ) -> tuple[Candidate, Proposal] | Await | End:
        """Return the next candidate with its proposal, or what to wait for, or the end.

        `results` may hold more than may be used; the answers are the same whatever it holds.
        """
        while True:
            index = len(self.asked)
            horizon = max(0, index - self._lag + 1)
            while self._told < max(horizon, self._owed):
                if self._told not in results:
                    return Await(self._told)
                self._tell(results[self._told])
            self._count(results, horizon)
            if self._candidates is not None and self._evaluated >= self._candidates:
                return End()
            if self._total_steps is not None and self._spent >= self._total_steps:
                return End(
                    f"the search ended as its {self._total_steps:,} training steps are spent"
                )
            if self._out_of_time(index):
                return End("the search ended as its time was up")
            if self._duplicates >= MAX_DUPLICATES:
                return End(
                    f"the strategy proposed nothing new {MAX_DUPLICATES} times in a row, only "
                    "cells that were proposed before"
                )
            source = self._source(index)
            proposal = source.strategy.ask()
            if proposal is not None:
                return self._admit(index, source, proposal), proposal
            if source.told < len(source.indices):
                self._owed = source.indices[source.told] + 1
            elif source is self._control:
                self._control_done = True
            else:
                return End("the strategy has nothing more to propose")

    def finish(self, results: Mapping[int, Evaluation]) -> None:
        """Tell what is left, so that a strategy has seen every result of its proposals."""
        while self._told < len(self.asked):
            self._tell(results[self._told])

    def _source(self, index: int) -> _Source:
        drawn = floor((index + 1) * self._share) > floor(index * self._share)
        return self._control if drawn and not self._control_done else self._strategy

    def _tell(self, evaluation: Evaluation) -> None:
        candidate = self.asked[self._told]
        source = self._control if candidate.control else self._strategy
        source.strategy.tell(source.proposals[source.told], evaluation)
        source.told += 1
        self._told += 1

    def _count(self, results: Mapping[int, Evaluation], horizon: int) -> None:
        """Take the results before the horizon into thresholds and steps; told ones may be more."""
        while self._counted < horizon:
            evaluation = results[self._counted]
            self._spent += evaluation.steps
            counted = self.asked[self._counted]
            if counted.original is None and not counted.is_super_network:
                for scores, score in zip(self._scores, evaluation.rung_scores, strict=False):
                    bisect.insort(scores, score)
            self._counted += 1

    def _thresholds(self, proposal: Proposal) -> tuple[float | None, ...]:
        found: list[float | None] = []
        for rung, scores in zip(self._rungs, self._scores, strict=True):
            ranked = proposal.width_of is None and self._keep < 1  # a super-network is not
            if not ranked or rung >= self._steps or len(scores) < MIN_SCORES:
                found.append(None)
            else:
                found.append(scores[ceil(self._keep * len(scores)) - 1])
        return tuple(found)

    def _admit(self, index: int, source: _Source, proposal: Proposal) -> Candidate:
        candidate = Candidate(
            index=index,
            text=str(proposal.cell),
            cell_id=proposal.cell.id,
            replicate=proposal.replicate,
            measure=tuple(proposal.measure),
            parents=tuple(source.indices[parent] for parent in proposal.parents),
            note=proposal.note,
            width_of=None if proposal.width_of is None else str(proposal.width_of),
            control=source is self._control,
            thresholds=self._thresholds(proposal),
        )
        source.indices.append(index)
        source.proposals.append(proposal)
        width = proposal.width_of.id if proposal.width_of is not None else None
        earlier = self._seen.setdefault((candidate.cell_id, candidate.replicate, width), [])
        # A cell of which more is to be measured than before has to be trained again.
        fits = [one.index for one in earlier if set(candidate.measure) <= set(one.measure)]
        if fits:
            candidate = replace(candidate, original=fits[0])
        else:
            earlier.append(candidate)
            self._evaluated += 1
        if source is self._strategy:
            self._duplicates = self._duplicates + 1 if fits else 0
        self.asked.append(candidate)
        return candidate


def copied(original: Evaluation) -> Evaluation:
    """Return what a duplicate of an evaluated candidate is told: the same result, at no cost."""
    return replace(
        original,
        status="duplicate",
        original=original.outcome,
        operations=0,
        steps=0,
        seconds=0.0,
    )
