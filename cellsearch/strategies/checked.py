"""A strategy as runs ask it: what it says is checked, and where it stumbles is told in one line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from cellsearch.cell import Cell
from cellsearch.errors import ExperimentError, SpaceError, shown, told
from cellsearch.strategies.base import MEASURES, Evaluation, Proposal, Strategy


def problem(proposal: object, made: int) -> str | None:
    """Say what is wrong with what `ask` returned, or None; it is the strategy's `made`-th, from 0.

    Only what it says itself is looked at; whether the cell is inside the space is another question.
    """
    if proposal is None:
        return None
    if not isinstance(proposal, Proposal):
        return f"expected a Proposal or None, found {shown(proposal)}"
    if not isinstance(proposal.cell, Cell):
        return f"expected a Cell as its cell, found {shown(proposal.cell)}"
    if not (proposal.width_of is None or isinstance(proposal.width_of, Cell)):
        return f"expected a Cell or None as width_of, found {shown(proposal.width_of)}"
    if type(proposal.replicate) is not int or proposal.replicate < 0:
        return f"expected a replicate of 0 or more, found {shown(proposal.replicate)}"
    if not isinstance(proposal.note, str):
        return f"expected a text as its note, found {shown(proposal.note)}"
    for name, value in (("parents", proposal.parents), ("measure", proposal.measure)):
        if not isinstance(value, tuple | list):
            return f"expected a tuple as its {name}, found {shown(value)}"
    for parent in proposal.parents:
        if type(parent) is not int or not 0 <= parent < made:
            own = f"0 to {made - 1}" if made else "of which there are none yet"
            return (
                f"expected parents that are numbers of its own earlier proposals, {own}; found "
                f"{shown(parent)}"
            )
    for name in proposal.measure:
        if name not in MEASURES:
            return f"expected measure to name one of {', '.join(MEASURES)}; found {shown(name)}"
    return None


class Checked(Strategy):
    """Another strategy, whose proposals are checked and whose exceptions are told in one line.

    Raises ExperimentError that names the strategy and its proposal.
    """

    def __init__(self, strategy: Strategy, name: str) -> None:
        self._strategy, self._name = strategy, name
        self._file = getattr(sys.modules.get(type(strategy).__module__), "__file__", None)
        self._asked = self._told = 0

    def ask(self) -> Proposal | None:
        """Ask the strategy."""
        at = f"ask() for proposal {self._asked}"
        with self._telling(at):
            proposal = self._strategy.ask()
        wrong = problem(proposal, self._asked)
        if wrong is not None:
            raise ExperimentError(f"strategy {self._name!r}: {at}: {wrong}")
        self._asked += proposal is not None
        return proposal

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Tell the strategy."""
        with self._telling(f"tell() of proposal {self._told}, {evaluation.status},"):
            self._strategy.tell(proposal, evaluation)
        self._told += 1

    @contextmanager
    def _telling(self, what: str) -> Iterator[None]:
        try:
            yield
        except (ExperimentError, SpaceError):  # what it says is wrong with its input
            raise
        except (Exception, SystemExit, GeneratorExit) as error:
            raise ExperimentError(
                f"strategy {self._name!r}: {what} failed: {told(error, self._file)}"
            ) from error
