"""Means with their intervals, paired differences, and rank correlations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean of `count` values and the interval that covers the true mean with `confidence`.

    One value says nothing about how far values spread: its interval is infinite.
    """

    mean: float
    low: float
    high: float
    count: int
    confidence: float = 0.95

    @property
    def known(self) -> bool:
        """Whether there were enough values for a finite interval."""
        return math.isfinite(self.low) and math.isfinite(self.high)

    @property
    def contains_zero(self) -> bool:
        """Whether a true mean of zero is within the interval."""
        return self.low <= 0.0 <= self.high

    def to_json(self) -> list[float | None]:
        """Return [low, high], or [None, None] when the interval is infinite (JSON has no inf)."""
        return [self.low, self.high] if self.known else [None, None]


def interval(values: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean and Student's t interval of independent values.

    Raises ValueError for no values at all, and for a confidence outside 0..1.
    """
    if not values:
        raise ValueError("an interval needs at least one value")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence is {confidence}; expected a number between 0 and 1")
    count = len(values)
    mean = math.fsum(values) / count
    if count == 1:
        return Interval(mean, -math.inf, math.inf, 1, confidence)
    from scipy.special import stdtrit  # loaded here: scipy takes a while, most commands skip it

    variance = math.fsum((value - mean) ** 2 for value in values) / (count - 1)
    half = float(stdtrit(count - 1, 0.5 + confidence / 2)) * math.sqrt(variance / count)
    return Interval(mean, mean - half, mean + half, count, confidence)


def paired_difference(a: Sequence[float], b: Sequence[float], confidence: float = 0.95) -> Interval:
    """Return the mean of a - b and its interval, the pairs being trainings on the same seeds.

    Raises ValueError when the numbers of values differ.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need equally many values; found {len(a)} and {len(b)}")
    return interval([x - y for x, y in zip(a, b, strict=True)], confidence)


def rank_correlation(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation (C. Spearman 1904), ties sharing their mean rank.

    None when it does not exist: fewer than two pairs, or all values of one side equal. Raises
    ValueError when the numbers of values differ.
    """
    if len(a) != len(b):
        raise ValueError(f"pairs need equally many values; found {len(a)} and {len(b)}")
    if len(set(a)) < 2 or len(set(b)) < 2:
        return None
    from scipy.stats import spearmanr  # loaded here: it takes a while, most commands skip it

    return float(spearmanr(a, b).statistic)
