"""Intervals, paired differences and rank correlations against scipy and by hand."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from cellsearch.statistics import interval, paired_difference, rank_correlation

numbers = st.floats(-100, 100).map(lambda value: round(value, 3))


@given(st.lists(numbers, min_size=2, max_size=20), st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_interval_is_students(values: list[float], confidence: float) -> None:
    found = interval(values, confidence)
    half = scipy.stats.sem(values) * scipy.stats.t.ppf((1 + confidence) / 2, len(values) - 1)
    mean = sum(values) / len(values)
    assert found.mean == pytest.approx(mean, abs=1e-9)
    assert found.low == pytest.approx(mean - half, abs=1e-6)
    assert found.high == pytest.approx(mean + half, abs=1e-6)


def test_interval_by_hand() -> None:
    # mean 2, sample deviation 1, t(2 degrees, 97.5 %) = 4.302653
    found = interval([1.0, 2.0, 3.0])
    assert found.mean == 2.0
    assert found.high - 2.0 == pytest.approx(4.302653 / math.sqrt(3), abs=1e-5)
    assert not found.contains_zero or found.low <= 0


def test_one_value_has_an_infinite_interval() -> None:
    found = interval([0.5])
    assert (found.mean, found.low, found.high) == (0.5, -math.inf, math.inf)
    assert not found.known
    assert found.contains_zero
    assert found.to_json() == [None, None]


def test_equal_values_have_an_interval_of_no_width() -> None:
    assert interval([0.25] * 4).to_json() == [0.25, 0.25]


def test_bad_input_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        interval([])
    with pytest.raises(ValueError, match="between 0 and 1"):
        interval([1.0, 2.0], 95)
    with pytest.raises(ValueError, match="found 1 and 2"):
        paired_difference([1.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="found 1 and 2"):
        rank_correlation([1.0], [1.0, 2.0])


def test_pairs_cancel_what_the_seeds_share() -> None:
    seeds = [0.1, 0.5, 0.9]
    found = paired_difference([s + 0.01 for s in seeds], seeds)
    assert found.mean == pytest.approx(0.01)
    assert found.low == pytest.approx(0.01) and found.high == pytest.approx(0.01)
    assert not found.contains_zero


@given(st.lists(st.tuples(numbers, st.integers(-3, 3)), min_size=2, max_size=20))
def test_rank_correlation_is_spearmans(pairs: list[tuple[float, int]]) -> None:
    a, b = [pair[0] for pair in pairs], [float(pair[1]) for pair in pairs]
    found = rank_correlation(a, b)
    if len(set(a)) == 1 or len(set(b)) == 1:
        assert found is None
    else:
        ranks = [scipy.stats.rankdata(side) for side in (a, b)]  # ties share their mean rank
        assert found == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)


def test_rank_correlation_of_a_single_pair_does_not_exist() -> None:
    assert rank_correlation([1.0], [2.0]) is None
