"""Contract tests for people who write a strategy: every promise, and how it is tried."""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from inspect import signature
from itertools import zip_longest
from types import MappingProxyType
from typing import Any

from cellsearch.errors import ExperimentError, shown
from cellsearch.space import Space, load_space
from cellsearch.strategies import Evaluation, Proposal, Strategy, import_strategy
from cellsearch.strategies.loading import make_strategy
from cellsearch.testing.clock import jumping_clock
from cellsearch.testing.elsewhere import digest, play_elsewhere
from cellsearch.testing.generators import generators, generators_kept, seed_generators
from cellsearch.testing.landscape import FAILURES, Landscape, failed
from cellsearch.testing.plays import (
    BrokenPromiseError,
    Play,
    ask_next,
    compare,
    fail,
    play,
    said,
    shortly,
    tell_next,
)

LAGS = (1, 4, 16)
"""How many proposals are asked ahead of the results."""
MOST_REPEATS = 0.5
"""The largest share of proposals that may be of what was proposed before."""
SHORT = 32
"""Proposals of a play in which some trouble is made."""
BAD = 24
"""The first of them that fail: more than a usual first generation."""
COMPARED = 60
"""Proposals of a play that is compared with the long one; more would take long."""
HASH_SEEDS = ("1", "2")


def check_strategy(
    make: str | type[Strategy],
    *,
    space: str | Space = "gated",
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
    proposals: int = 200,
    seeded: bool = True,
) -> None:
    """Hold a strategy to all that runs rely on, or raise AssertionError saying what it broke.

    Args:
        make: the strategy's class, or what an experiment calls it: a name or "module:Class". Other
            processes can be tried only for a class that can be imported by its module's name.
        space: a space, its name or its file; every kind of space that it claims deserves a test.
        seed: of the strategy.
        settings: the strategy's own.
        proposals: how many are asked for in the longest play.
        seeded: False for a strategy that has nothing to draw, as when it lists all cells.

    Raises:
        AssertionError: with the promise, the proposal, what was expected and what was found.
        ExperimentError, SpaceError: if the strategy cannot be made of what is given here.
    """
    if type(proposals) is not int or proposals < 1:
        raise ExperimentError(f"proposals is {shown(proposals)}; expected a whole number from 1 on")
    given = dict(settings or {})
    try:
        json.dumps(given)
    except (TypeError, ValueError) as error:
        raise ExperimentError(
            f"settings: expected what an experiment file can say: {error}"
        ) from None
    where = space if isinstance(space, Space) else load_space(space)
    kind = import_strategy(make) if isinstance(make, str) else make
    name = make if isinstance(make, str) else getattr(make, "__name__", shown(make))
    make_strategy(name, kind, where, seed, given)
    trial = _Trial(kind, where, seed, given, proposals, seeded)
    for promise, check in STRATEGY_PROMISES.items():
        try:
            check(trial)
        except BrokenPromiseError as broken:
            raise AssertionError(f"{kind.__name__}: {promise}: {broken}") from broken.__cause__


@dataclass
class _Trial:
    """A strategy's class, and with what it is tried."""

    kind: type[Strategy]
    space: Space
    seed: int
    settings: dict[str, Any]
    proposals: int
    seeded: bool
    processes: dict[tuple[str, bool], dict[str, Any]] = field(default_factory=dict)

    def make(self, seed: int | None = None, **changed: Any) -> Strategy:
        seed = self.seed if seed is None else seed
        kind: Any = self.kind
        return kind(self.space, seed=seed, **{**self.settings, **changed})  # type: ignore[no-any-return]

    @property
    def name(self) -> str | None:
        """How another process imports the class, if it can."""
        if self.kind.__module__ == "__main__":
            return None
        module = sys.modules[self.kind.__module__]
        there = getattr(module, self.kind.__qualname__, None) is self.kind
        return f"{self.kind.__module__}:{self.kind.__name__}" if there else None

    def elsewhere(self, hash_seed: str, *, jumps: bool = False) -> dict[str, Any] | None:
        """What another process proposed and loaded; None if the class cannot be imported there.

        `jumps` says whether the clock jumps there, from before the class is imported.
        """
        if self.name is None:
            return None
        key = (hash_seed, jumps)
        if key not in self.processes:
            made = (self.name, self.space, self.seed, self.settings)
            self.processes[key] = play_elsewhere(*made, self.compared, hash_seed, jumps)
        return self.processes[key]

    @cached_property
    def played(self) -> tuple[Strategy, Play]:
        """A strategy and its long play, the one that others are compared with."""
        strategy = self.make()
        with generators_kept():
            seed_generators(0)
            return strategy, play(strategy, self.proposals)

    @property
    def long(self) -> Play:
        return self.played[1]

    @property
    def compared(self) -> int:
        """How long the plays are that are compared with the long one's beginning."""
        return min(self.proposals, COMPARED)

    def check_same(self, again: Play, expected: str) -> None:
        compare(self.long.said[: self.compared], again.said, expected)

    def check_digests(self, mine: Sequence[str], found: Sequence[str], expected: str) -> None:
        for index, (here, there) in enumerate(zip_longest(mine, found)):
            if here != there:
                known = self.long.said[index] if index < len(self.long.said) else None
                fail(index, f"{expected}: {shortly(known)}", "another one")


def _answers(trial: _Trial) -> None:
    if not trial.long.said:
        fail(0, "a proposal", "None with nothing outstanding")


def _loads_neither(trial: _Trial) -> None:
    found = trial.elsewhere(HASH_SEEDS[0])
    if found is not None and found["loaded"]:
        fail(
            None, "it to import neither torch nor ray, as workers train", ", ".join(found["loaded"])
        )


def _inside(trial: _Trial, done: Play | None = None) -> None:
    for index, proposal in enumerate((done or trial.long).proposals):
        if proposal.width_of is not None:
            continue  # a super-network may be outside
        reason = trial.space.contains(proposal.cell)
        if reason is not None:
            fail(index, f"a cell of the space {trial.space.name}", f"one that is not: {reason}")


def _replicates(trial: _Trial, done: Play | None = None) -> None:
    known: set[str] = set()
    for index, proposal in enumerate((done or trial.long).proposals):
        # Those of a super-network are independent trainings that compete from the beginning.
        fresh = proposal.cell.id not in known and proposal.width_of is None
        if proposal.replicate and fresh:
            what = f"replicate {proposal.replicate} of a cell never proposed"
            fail(index, "replicate 0 of a cell before any further one", what)
        known.add(proposal.cell.id)


def _repeats(trial: _Trial) -> None:
    seen = Counter(
        (one.cell.id, one.replicate, tuple(one.measure), one.width_of and one.width_of.id)
        for one in trial.long.proposals
    )
    total = len(trial.long.proposals)
    repeated = total - len(seen)
    if repeated > MOST_REPEATS * total:
        share = f"{repeated} of {total} proposals"
        fail(None, f"at most {MOST_REPEATS:.0%} of what was proposed before", share)


def _keeps(trial: _Trial) -> None:
    if trial.long.changed is not None:
        fail(trial.long.changed, "tell() to leave the evaluation as it is", "it changed")
    now = [said(proposal) for proposal in trial.long.proposals]
    compare(trial.long.said, now, "a proposal to stay what it was when it was asked")


def _ends(trial: _Trial) -> None:
    strategy, done = trial.played
    for _ in range(3 if done.ended else 0):
        if (again := strategy.ask()) is not None:
            expected = "None again, after None with nothing outstanding"
            fail(len(done.said), expected, shortly(said(again)))


def _globals(trial: _Trial) -> None:
    for seed in (1, 2):
        with generators_kept():
            seed_generators(seed)
            before = generators()
            again = play(trial.make(), trial.compared)
            for name, state in generators().items():
                if state != before[name]:
                    fail(None, f"the global generator of {name} left as it was", "it moved")
        trial.check_same(again, "the same proposals, however global generators are seeded")


def _clock(trial: _Trial) -> None:
    expected = "the same proposals, whatever the clock says"
    with jumping_clock():
        jumped = play(trial.make(), trial.compared)
    trial.check_same(jumped, expected)
    usual, other = (trial.elsewhere(HASH_SEEDS[0], jumps=jumps) for jumps in (False, True))
    if usual is not None and other is not None:
        trial.check_digests(usual["digests"], other["digests"], expected)
    slow = play(trial.make(), trial.compared, Landscape(seconds=977.0))
    trial.check_same(slow, "the same proposals, whatever seconds results took")


def _same(trial: _Trial) -> None:
    with generators_kept():
        seed_generators(0)
        again = play(trial.make(), trial.compared)
    trial.check_same(again, "what the same seed and results gave before")


def _alone(trial: _Trial) -> None:
    mine, other = trial.make(), trial.make()
    done, beside, landscapes = Play(), Play(), (Landscape(salt=1), Landscape())
    while len(done.said) < trial.compared and not done.ended:
        for strategy, so_far, landscape in zip(
            (other, mine), (beside, done), landscapes, strict=True
        ):
            if len(so_far.proposals) - len(so_far.results) >= 4:
                tell_next(strategy, so_far, landscape)
            elif not so_far.ended:
                ask_next(strategy, so_far, landscape)
    trial.check_same(done, "the same proposals, whatever another one beside it was told")


def _replayed(trial: _Trial) -> None:
    stored = [json.dumps(result.to_json()) for result in trial.long.results]

    def read(index: int, proposal: Proposal) -> Evaluation:
        del proposal
        return Evaluation.from_json(json.loads(stored[index]))

    again = play(trial.make(), min(trial.compared, len(stored)), read)
    trial.check_same(again, "the same proposals from stored results")


def _hashes(trial: _Trial) -> None:
    mine = [digest(one) for one in trial.long.said[: trial.compared]]
    for hash_seed in HASH_SEEDS:
        found = trial.elsewhere(hash_seed)
        if found is not None:
            expected = f"the same under PYTHONHASHSEED={hash_seed}"
            trial.check_digests(mine, found["digests"], expected)


def _seeds(trial: _Trial) -> None:
    if not trial.seeded:
        return
    length = min(SHORT, trial.proposals)
    others = [play(trial.make(trial.seed + more), length).said for more in (1, 2, 3)]
    if all(other == trial.long.said[: len(other)] for other in others):
        fail(None, "other proposals from other seeds", "the same ones from four seeds")


def _lags(trial: _Trial) -> None:
    for lag in LAGS:
        with _while(f"asked {lag} ahead"):
            done = play(trial.make(), SHORT, lag=lag)
            for check in (_inside, _replicates):
                check(trial, done)


def _survives(trial: _Trial) -> None:
    results = [failed(status) for status in FAILURES]
    results += [failed("diverged", math.nan), Evaluation(status="ok", score=math.nan)]
    for bad in results:
        good = Landscape()

        def begin_badly(
            index: int, proposal: Proposal, bad: Evaluation = bad, good: Landscape = good
        ) -> Evaluation:
            return bad if index < BAD else good(index, proposal)

        with _while(f"after a first generation of {bad.status}, score {bad.score}"):
            try:
                done = play(trial.make(), SHORT, begin_badly)
            except BrokenPromiseError as broken:
                # Where a limit leaves no room for what it begins with, it may say which to raise.
                first = str(broken).startswith("expected tell() of proposal 0,")
                refused = isinstance(broken.__cause__, ExperimentError)
                if bad.status == "rejected" and first and refused:
                    continue
                raise
            if done.ended and len(done.said) <= BAD and not trial.long.ended:
                fail(len(done.said), "a further proposal", "None with nothing outstanding")
            _inside(trial, done)


@contextmanager
def _while(what: str) -> Iterator[None]:
    try:
        yield
    except BrokenPromiseError as broken:
        raise BrokenPromiseError(f"{what}: {broken}") from broken.__cause__


def _settings(trial: _Trial) -> None:
    for key, parameter in signature(trial.kind).parameters.items():
        if key in ("space", "seed") or not isinstance(parameter.default, int | float | str):
            continue
        wrong: Any = 17.5 if isinstance(parameter.default, str) else "nonsense"
        expected = f"ExperimentError that names the setting {key}, which was {wrong!r}"
        try:
            trial.make(**{key: wrong})
        except ExperimentError as error:
            if key not in str(error) or "\n" in str(error):
                fail(None, f"{expected}, in one line", str(error))
        except Exception as error:
            fail(None, expected, f"{type(error).__name__}: {error}")
        else:
            fail(None, expected, "it was taken")


STRATEGY_PROMISES: Mapping[str, Callable[[_Trial], None]] = MappingProxyType(
    {
        "answers with proposals": _answers,
        "changes nothing that was given": _keeps,
        "proposes cells of the space": _inside,
        "replicates are of cells proposed before": _replicates,
        "seldom repeats itself": _repeats,
        "the end stays the end": _ends,
        "wrong settings are refused": _settings,
        "same seed, same results, same proposals": _same,
        "leaves global generators alone": _globals,
        "does not look at the clock": _clock,
        "keeps to itself": _alone,
        "can be resumed by replaying": _replayed,
        "another seed, other proposals": _seeds,
        "can be asked ahead": _lags,
        "survives failures": _survives,
        "imports neither torch nor ray": _loads_neither,
        "does not depend on the order of hashes": _hashes,
    }
)
"""What is promised, as messages call it, in the order in which it is checked."""
