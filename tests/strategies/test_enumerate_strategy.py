"""Specification of the strategy that proposes every cell of a space."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellsearch.errors import ExperimentError
from cellsearch.space import load_space
from cellsearch.space.enumeration import size
from cellsearch.strategies import load_strategy

SPACE = replace(load_space("minimal"), operators=("linear", "mul", "sigmoid"), nodes=3)


def test_every_cell_once_and_then_once_more() -> None:
    strategy = load_strategy("enumerate", SPACE, 0, {"replicates": 2})
    proposals = []
    while (proposal := strategy.ask()) is not None:
        proposals.append(proposal)
    assert strategy.ask() is None
    half = len(proposals) // 2
    ids = [cell.id for cell in SPACE.cells()]
    assert [one.cell.id for one in proposals] == [*ids, *ids]
    assert [one.replicate for one in proposals] == [0] * half + [1] * half
    sizes = [size(one.cell) for one in proposals[:half]]
    assert sizes == sorted(sizes)


@pytest.mark.parametrize("value", [0, True, "2", 1.5])
def test_wrong_replicates_are_refused(value: object) -> None:
    with pytest.raises(ExperimentError, match=r"replicates is .*; expected a whole number"):
        load_strategy("enumerate", SPACE, 0, {"replicates": value})
