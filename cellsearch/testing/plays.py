"""Plays: what a strategy was asked and told, in one order; and where two of them differ."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import NoReturn

from cellsearch.errors import told
from cellsearch.strategies.base import Evaluation, Proposal, Strategy
from cellsearch.strategies.checked import problem
from cellsearch.testing.landscape import Landscape

Said = tuple[str, int, tuple[str, ...], tuple[int, ...], str, str | None]


Evaluate = Callable[[int, Proposal], Evaluation]


class BrokenPromiseError(Exception):
    """A promise was broken; the message says where, what was expected and what was found."""


def fail(at: int | None, expected: str, found: object) -> NoReturn:
    place = "" if at is None else f"at proposal {at}, "
    raise BrokenPromiseError(f"{place}expected {expected}, found {found}")


@dataclass(slots=True)
class Play:
    """What was asked and told, in their orders."""

    proposals: list[Proposal] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)  # as it was when it was asked
    results: list[Evaluation] = field(default_factory=list)
    ended: bool = False
    changed: int | None = None  # the first result that tell() changed


def play(strategy: Strategy, length: int, evaluate: Evaluate | None = None, lag: int = 4) -> Play:
    """Ask for `length` proposals, `lag` ahead of the results, which are told in order."""
    landscape = evaluate or Landscape()
    done = Play()
    while True:
        waiting = len(done.proposals) - len(done.results)
        over = done.ended or len(done.proposals) >= length
        if waiting and (over or waiting >= lag):
            tell_next(strategy, done, landscape)
        elif over:
            return done
        else:
            ask_next(strategy, done, landscape)


def ask_next(strategy: Strategy, done: Play, evaluate: Evaluate) -> None:
    index = len(done.proposals)
    with _named(f"ask() for proposal {index}"):
        proposal = strategy.ask()
    wrong = problem(proposal, index)
    if wrong is not None:
        raise BrokenPromiseError(f"at proposal {index}, {wrong}")
    if proposal is not None:
        done.proposals.append(proposal)
        done.said.append(said(proposal))
    elif len(done.results) < index:
        tell_next(strategy, done, evaluate)
    else:
        done.ended = True


def tell_next(strategy: Strategy, done: Play, evaluate: Evaluate) -> None:
    index = len(done.results)
    proposal = done.proposals[index]
    result = evaluate(index, proposal)
    before = json.dumps(result.to_json())
    with _named(f"tell() of proposal {index}, {result.status}"):
        strategy.tell(proposal, result)
    if json.dumps(result.to_json()) != before and done.changed is None:
        done.changed = index
    done.results.append(result)


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except (Exception, SystemExit, GeneratorExit) as error:
        raise BrokenPromiseError(f"expected {what} to return, found {told(error)}") from error


def said(proposal: Proposal) -> Said:
    """Return all that a proposal says, as what can be compared and written."""
    width = None if proposal.width_of is None else str(proposal.width_of)
    words = (str(proposal.cell), proposal.replicate, tuple(proposal.measure))
    return (*words, tuple(proposal.parents), proposal.note, width)


def compare(one: Sequence[Said], other: Sequence[Said], expected: str) -> None:
    """Fail at the first proposal in which two plays differ."""
    for index, (mine, theirs) in enumerate(zip_longest(one, other)):
        if mine != theirs:
            what = f"{expected}: {shortly(mine)}"
            fail(index, what, shortly(theirs))


def shortly(one: Said | None) -> str:
    if one is None:
        return "no proposal"
    text = "; ".join(one[0].split("\n"))
    text = text if len(text) <= 120 else f"{text[:120]}..."
    return f"{text!r} (replicate {one[1]}, parents {one[3]}, note {one[4]!r})"
