"""`Remains`: the cells that prunings leave, what is known of each, and variations of the best."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from math import exp

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.space import Space
from cellsearch.space.connections import Connections
from cellsearch.space.enumeration import size
from cellsearch.strategies.base import FAILED, Evaluation, joint_rank

SPREAD = 0.25
"""Standard deviation of the logarithm of what saliencies are disturbed by, so that others go."""
REACH = 8
"""Connections of which it is tried whether the cell without them is inside the space."""
BEST = 10
"""Cells of which variations are tried where one after the other has no new one."""
TRIES = 5
"""Disturbances of one cell's saliencies that may all lead to nothing new."""


@dataclass(slots=True, eq=False)
class Remain:
    """A cell that is left of a pruning, and what is known of it."""

    cell: Cell
    left: Connections  # of the pruning that it ends, after its last round
    saliency: Mapping[str, float]  # which led from there to the cell
    parent: int | None  # ordinal of what it comes from
    ordinal: int = -1
    asked: int = 0  # evaluations that were asked for
    results: list[Evaluation] = field(default_factory=list)
    rank: tuple[int, float] = (FAILED, 0.0)

    def take_in(self, evaluation: Evaluation) -> None:
        """Add a result."""
        self.results.append(evaluation)
        self.rank = joint_rank(self.results)


class Remains:
    """The cells so far, none twice."""

    def __init__(self, space: Space, most: int) -> None:
        self._space, self._most = space, most  # operators of a cell
        self._by_id: dict[str, Remain] = {}

    def best(self) -> list[Remain]:
        """Return those that could be trained, best first."""
        known = [one for one in self._by_id.values() if one.rank[0] < FAILED]
        return sorted(known, key=lambda one: (one.rank, one.ordinal))

    def fits(self, left: Connections, most: int | None = None) -> bool:
        """Return whether the cell without gates has no more operators than it may."""
        most = self._most if most is None else most
        if left.least_operators > most:
            return False
        try:
            return size(left.cell) <= most
        except CellError:  # sums within sums, joined, may have too many terms
            return False

    def on_the_way(
        self,
        left: Connections,
        saliency: Mapping[str, float],
        count: int,
        *,
        parent: int | None,
        most: int | None = None,
    ) -> list[Remain]:
        """Return the largest new cells on the way from what is chosen of a pruning to nothing.

        Where dropping one of the least useful connections leads into the space, that one goes, else
        the least useful.
        """
        found: list[Remain] = []
        rest = left.chosen(saliency)
        while rest is not None and len(found) < count:
            if self.fits(rest, most):
                near = chain([rest], islice(each_less(rest, saliency), REACH))
                inside = next((one for one in near if self._is_inside(one, most)), None)
                rest = rest if inside is None else inside
                if inside is not None and inside.cell.id not in self._by_id:
                    found.append(Remain(inside.cell, left, saliency, parent))
                    self._by_id[inside.cell.id] = found[-1]
            rest = without_least(rest, saliency)
        return found

    def _is_inside(self, left: Connections, most: int | None) -> bool:
        return self.fits(left, most) and self._space.contains(left.cell) is None

    def variation(self, rng: random.Random) -> Remain | None:
        """Return a new cell from disturbed saliencies of the best cell of which there is one."""
        for one in self.best()[:BEST]:
            most = min(self._most, size(one.cell) + 1)
            for _ in range(TRIES):
                saliency = disturbed(one.saliency, rng)
                found = self.on_the_way(one.left, saliency, 1, parent=one.ordinal, most=most)
                if found:
                    return found[0]
        return None


def disturbed(saliency: Mapping[str, float], rng: random.Random) -> dict[str, float]:
    """Return saliencies that lead to other cells, though not to any."""
    return {gate: value * exp(rng.gauss(0, SPREAD)) for gate, value in saliency.items()}


def each_less(left: Connections, saliency: Mapping[str, float]) -> Iterator[Connections]:
    """Yield what is left without each one connection that can go, the least useful first."""
    for gate in sorted(left.gates, key=saliency.__getitem__):
        less = left.without([gate])
        if less is not None:
            yield less


def without_least(left: Connections, saliency: Mapping[str, float]) -> Connections | None:
    """Return what is left without the least useful connection that can go, None if none can."""
    return next(each_less(left, saliency), None)
