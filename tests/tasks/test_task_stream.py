import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellsearch.errors import TaskError
from cellsearch.tasks.stream import Stream, block_size, permutation, span


@given(
    size=st.integers(1, 9),
    start=st.integers(0, 40),
    counts=st.lists(st.integers(1, 20), min_size=1, max_size=4),
    seed=st.integers(0, 2**63 - 1),
)
def test_a_stream_does_not_depend_on_how_it_is_cut(
    size: int, start: int, counts: list[int], seed: int
) -> None:
    (whole,) = Stream(size, permutation, ("a",)).take(seed, start, sum(counts))
    stream, parts, place = Stream(size, permutation, ("a",)), [], start
    for count in counts:
        parts.append(stream.take(seed, place, count)[0])
        place += count
    assert np.concatenate(parts).tolist() == whole.tolist()


@given(size=st.integers(1, 20), epoch=st.integers(0, 5), seed=st.integers(0, 100))
def test_each_epoch_is_a_permutation(size: int, epoch: int, seed: int) -> None:
    (order,) = Stream(size, permutation, ("a",)).take(seed, epoch * size, size)
    assert sorted(order.tolist()) == list(range(size))


def test_seeds_epochs_and_labels_give_different_orders() -> None:
    orders = {
        tuple(Stream(50, permutation, label).take(seed, epoch * 50, 50)[0].tolist())
        for label in (("a",), ("b",), ("a", 1))
        for seed in (0, 1)
        for epoch in (0, 1)
    }
    assert len(orders) == 12


def test_blocks_are_drawn_once_while_they_are_read_in_order() -> None:
    drawn = []

    def draw(rng: np.random.Generator, size: int) -> tuple[np.ndarray]:
        drawn.append(size)
        return (rng.random(size),)

    stream = Stream(10, draw, ("a",))
    for batch in range(10):
        stream.take(0, batch * 4, 4)
    assert drawn == [10] * 4


def test_what_is_taken_may_be_changed() -> None:
    stream = Stream(10, permutation, ("a",))
    (first,) = stream.take(0, 0, 5)
    before = first.tolist()
    first[:] = -1
    assert stream.take(0, 0, 5)[0].tolist() == before


@pytest.mark.parametrize(("start", "count"), [(-1, 3), (0, 0), (0, -2)])
def test_stretches_that_do_not_exist_are_refused(start: int, count: int) -> None:
    with pytest.raises(TaskError, match=f"found start={start}, count={count}"):
        Stream(10, permutation, ("a",)).take(0, start, count)


@given(count=st.integers(1, 500), length=st.integers(1, 60), most=st.integers(1, 20))
def test_spans_are_disjoint_and_inside(count: int, length: int, most: int) -> None:
    starts = span(count, length, most).tolist()
    assert len(starts) == min(most, count // length)
    assert all(b - a >= length for a, b in itertools.pairwise(starts))
    assert all(0 <= start <= count - length for start in starts)
    if len(starts) > 1:
        assert (starts[0], starts[-1]) == (0, count - length)


def test_blocks_of_long_sequences_are_small() -> None:
    assert block_size(40) == 1024
    assert block_size(20_000) == 52
    assert block_size(10**9) == 16
