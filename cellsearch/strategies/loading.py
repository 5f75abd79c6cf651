"""From a name and settings to a strategy."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cellsearch.errors import ExperimentError
from cellsearch.plugins import Plugins
from cellsearch.strategies.base import Strategy

if TYPE_CHECKING:
    from cellsearch.space import Space

STRATEGIES: Mapping[str, str] = MappingProxyType(
    {
        "enumerate": "cellsearch.strategies.enumerate:Enumerate",
        "genetic": "cellsearch.strategies.genetic:Genetic",
        "grow": "cellsearch.strategies.grow:Grow",
        "prune": "cellsearch.strategies.prune:Prune",
        "random": "cellsearch.strategies.random:Random",
    }
)
"""The strategies that come with cellsearch: where each is imported from when it is needed."""

_PLUGINS: Plugins[Strategy] = Plugins(
    "strategy", "cellsearch.strategies", STRATEGIES, Strategy, ExperimentError
)


def strategy_names() -> tuple[str, ...]:
    """Return the names of the strategies that are installed, built in or not, sorted."""
    return _PLUGINS.names()


def import_strategy(name: str) -> type[Strategy]:
    """Return the class of a strategy.

    `name` is one of `STRATEGIES`, one that another package registered as an entry point in the
    group "cellsearch.strategies", or "module:Class", which is imported. Raises ExperimentError if
    there is none of this name, or what is found is no strategy.
    """
    return _PLUGINS.find(name)


def load_strategy(
    name: str, space: Space, seed: int = 0, settings: Mapping[str, Any] | None = None
) -> Strategy:
    """Return a strategy at its beginning.

    `name` is what `import_strategy` takes; `settings` are its own settings, the further keys of
    the table [strategy] in an experiment file. Raises ExperimentError for an unknown name or
    setting, with the nearest valid one, and for a setting of the wrong type or range.
    """
    return make_strategy(name, import_strategy(name), space, seed, settings)


def make_strategy(
    name: str,
    kind: type[Strategy],
    space: Space,
    seed: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> Strategy:
    """Return a strategy of a class at its beginning, as `load_strategy` does; `name` is for errors.

    Raises ExperimentError if the class does not take this.
    """
    given = dict(settings or {})
    _PLUGINS.check_class(name, kind)
    try:
        signature(kind).bind_partial(space, seed=seed)
    except TypeError as error:
        raise ExperimentError(
            f"strategy {name!r}: its constructor takes no space and seed ({error}); expected "
            "__init__(self, space, *, seed) and settings of its own after these"
        ) from None
    _PLUGINS.check_settings(name, kind, given, without=("space", "seed"))
    return _PLUGINS.make(name, kind, given, space, seed=seed)
