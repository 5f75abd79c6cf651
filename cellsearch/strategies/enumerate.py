"""Enumeration: every cell of a small space, smallest first."""

from __future__ import annotations

from collections.abc import Iterator

from cellsearch.cell import Cell
from cellsearch.space import Space
from cellsearch.strategies.base import Evaluation, Proposal, Strategy
from cellsearch.strategies.settings import check_count


class Enumerate(Strategy):
    """Proposes every cell of the space, those of fewer operators first, and learns nothing.

    It ends when there is no further cell; only a small space comes to that.

    Args:
        space: where the cells come from.
        seed: of nothing; every seed gives the same proposals.
        replicates: how many independent evaluations each cell gets; all cells get their first one
            before any gets its second.
    """

    def __init__(self, space: Space, *, seed: int, replicates: int = 1) -> None:
        del seed
        check_count("enumerate", "replicates", replicates, 1)
        self._proposals = self._list(space, replicates)

    def ask(self) -> Proposal | None:
        """Return the next cell."""
        return next(self._proposals, None)

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Take in one result, and forget it."""
        del proposal, evaluation

    def _list(self, space: Space, replicates: int) -> Iterator[Proposal]:
        cells: list[Cell] = []
        for cell in space.cells():
            cells.append(cell)
            yield Proposal(cell=cell, note="next by size")
        for replicate in range(1, replicates):
            for cell in cells:
                yield Proposal(cell=cell, replicate=replicate, note="evaluated once more")
