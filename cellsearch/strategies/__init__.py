"""Strategies: they propose cells from a space and learn from what evaluating them gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellsearch.strategies.base import Evaluation, Proposal, Strategy
from cellsearch.strategies.loading import (
    STRATEGIES,
    import_strategy,
    load_strategy,
    strategy_names,
)

if TYPE_CHECKING:
    from cellsearch.strategies.enumerate import Enumerate
    from cellsearch.strategies.genetic import Genetic
    from cellsearch.strategies.grow import Grow
    from cellsearch.strategies.prune import Prune
    from cellsearch.strategies.random import Random

__all__ = [
    "STRATEGIES",
    "Enumerate",
    "Evaluation",
    "Genetic",
    "Grow",
    "Proposal",
    "Prune",
    "Random",
    "Strategy",
    "import_strategy",
    "load_strategy",
    "strategy_names",
]


def __getattr__(name: str) -> Any:
    """Import a strategy's class when it is first asked for: `Genetic` brings deap along."""
    for value in STRATEGIES.values():
        if value.endswith(f":{name}"):
            return import_strategy(value)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
