"""Random search: cells drawn from the space, the bar that other strategies have to clear.

Li and Talwalkar, 2019, "Random Search and Reproducibility for Neural Architecture Search",
https://arxiv.org/abs/1902.07638
"""

from __future__ import annotations

import random

from cellsearch.seeds import derive
from cellsearch.space import Space
from cellsearch.strategies.base import Evaluation, Proposal, Strategy

TRIES = 20
"""Draws before a cell is proposed a second time; only a nearly used up space gets there."""


class Random(Strategy):
    """Draws cells from the space and learns nothing; the space's seeds have no part in it.

    A cell that was drawn before is drawn anew.
    """

    def __init__(self, space: Space, *, seed: int) -> None:
        self._space = space
        self._rng = random.Random(derive("random", seed))
        self._drawn: set[str] = set()

    def ask(self) -> Proposal:
        """Return a draw."""
        for _ in range(TRIES):
            cell = self._space.draw(self._rng)
            if cell.id not in self._drawn:
                break
        self._drawn.add(cell.id)
        return Proposal(cell=cell, note="drawn")

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Take in one result, and forget it."""
        del proposal, evaluation
