import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellsearch.errors import TaskError
from cellsearch.tasks.parts import deal


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 30), min_size=4, max_size=25),
    seed=st.integers(0, 2**63 - 1),
    shuffle=st.randoms(use_true_random=False),
)
def test_parts_are_disjoint_complete_and_keep_groups_together(
    sizes: list[int], seed: int, shuffle: object
) -> None:
    groups = [group for group, size in enumerate(sizes) for _ in range(size)]
    shuffle.shuffle(groups)  # type: ignore[attr-defined]
    parts = deal(np.array(groups), seed)
    assert list(parts) == ["training", "validation", "selection", "test"]
    assert sorted(row for rows in parts.values() for row in rows) == list(range(len(groups)))
    assert sum(len({groups[row] for row in rows}) for rows in parts.values()) == len(sizes)
    assert all(len(rows) for rows in parts.values())
    assert len(parts["training"]) == max(len(rows) for rows in parts.values())


@given(count=st.integers(10, 3000), seed=st.integers(0, 100))
@settings(max_examples=20, deadline=None)
def test_single_samples_are_dealt_in_proportion(count: int, seed: int) -> None:
    parts = deal(np.arange(count), seed)
    for name in ("validation", "selection", "test"):
        assert len(parts[name]) == count // 10


def test_seeds_deal_differently() -> None:
    assert len({deal(np.arange(50), seed)["test"].tobytes() for seed in range(10)}) == 10


def test_groups_too_large_to_hold_out_are_for_training() -> None:
    groups = np.repeat(np.arange(33), [35, 35, *[1] * 30, 30])
    parts = deal(groups, 0)
    assert {0, 1, 32} <= set(groups[parts["training"]].tolist())
    assert [len(rows) for rows in parts.values()] == [100, 10, 10, 10]


def test_fewer_groups_than_parts_are_refused() -> None:
    with pytest.raises(TaskError, match="there are 3 groups; at least 4 are needed"):
        deal(np.array([0, 1, 2] * 5), 0)
