"""Enumeration: every cell of a small space, smallest first."""

from __future__ import annotations

from collections.abc import Iterator

from cellsearch.errors import ExperimentError
from cellsearch.space import Space
from cellsearch.strategies.base import Evaluation, Proposal, Strategy


class Enumerate(Strategy):
    """Proposes every cell of the space, those of fewer operators first, and learns nothing.

    It ends when there is no further cell; only a small space comes to that.

    Args:
        space: where the cells come from.
        seed: of nothing; every seed gives the same proposals.
        replicates: how many independent evaluations each cell gets, one after the other.
    """

    def __init__(self, space: Space, *, seed: int, replicates: int = 1) -> None:
        del seed
        if isinstance(replicates, bool) or not isinstance(replicates, int) or replicates < 1:
            raise ExperimentError(
                f"strategy 'enumerate': replicates is {replicates!r}; expected a whole number,"
                " 1 or more"
            )
        self._proposals = self._list(space, replicates)

    def ask(self) -> Proposal | None:
        """Return the next cell, or the next replicate of the last one."""
        return next(self._proposals, None)

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Take in one result, and forget it."""
        del proposal, evaluation

    def _list(self, space: Space, replicates: int) -> Iterator[Proposal]:
        for cell in space.cells():
            for replicate in range(replicates):
                yield Proposal(cell=cell, replicate=replicate, note="next by size")
