"""Intervals of numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cellsearch.operators import INFINITY


@dataclass(frozen=True, slots=True)
class Interval:
    """The numbers from `low` to `high`, ends included; either may be infinite."""

    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        """Whether both ends are finite."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    def within(self, low: float, high: float) -> bool:
        """Return whether all its numbers are between `low` and `high`."""
        return low <= self.low and self.high <= high

    def hull(self, *others: Interval) -> Interval:
        """Return the smallest interval that holds this one and the others."""
        every = (self, *others)
        return Interval(min(each.low for each in every), max(each.high for each in every))

    def meet(self, other: Interval) -> Interval:
        """Return what two intervals have in common, and this one if that is nothing."""
        low, high = max(self.low, other.low), min(self.high, other.high)
        return Interval(low, high) if low <= high else self


ANYTHING = Interval(-INFINITY, INFINITY)
"""All numbers."""
