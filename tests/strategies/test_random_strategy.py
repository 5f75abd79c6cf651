"""Specification of random search."""

from __future__ import annotations

import random

from cellsearch.space import Space, load_space
from cellsearch.strategies import Evaluation, Random


def test_draws_are_inside_new_and_reproducible() -> None:
    space = load_space("minimal")
    random.seed(1)
    outside = random.getstate()
    strategies = [Random(space, seed=1), Random(space, seed=1), Random(space, seed=2)]
    drawn = [[str(strategy.ask().cell) for _ in range(60)] for strategy in strategies]
    assert random.getstate() == outside
    assert drawn[0] == drawn[1]
    assert not set(drawn[0]) & set(drawn[2][:1])
    proposals = [Random(space, seed=3).ask() for _ in range(3)]
    assert len({p.cell.id for p in proposals}) == 1
    strategy = Random(space, seed=4)
    cells = [strategy.ask().cell for _ in range(150)]
    assert all(space.contains(cell) is None for cell in cells)
    assert len({cell.id for cell in cells}) == 150


def test_results_change_nothing() -> None:
    space = load_space("minimal")
    deaf, told = Random(space, seed=1), Random(space, seed=1)
    for _ in range(20):
        proposal = told.ask()
        assert proposal == deaf.ask()
        told.tell(proposal, Evaluation(status="diverged"))


def test_used_up_space_repeats_itself() -> None:
    space = Space(name="one", operators=("linear",), nodes=1, depth=1, products=2)
    strategy = Random(space, seed=0)
    assert strategy.ask().cell == strategy.ask().cell
