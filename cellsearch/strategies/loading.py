"""From a name and settings to a strategy."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from cellsearch.errors import ExperimentError, nearest
from cellsearch.strategies.base import Strategy

if TYPE_CHECKING:
    from cellsearch.space import Space

ENTRY_POINTS = "cellsearch.strategies"

STRATEGIES: Mapping[str, str] = MappingProxyType(
    {
        "genetic": "cellsearch.strategies.genetic:Genetic",
        "random": "cellsearch.strategies.random:Random",
    }
)
"""The strategies that come with cellsearch: where each is imported from when it is needed."""


def strategy_names() -> tuple[str, ...]:
    """Return the names of the strategies that are installed, built in or not, sorted."""
    return tuple(sorted({*STRATEGIES, *(entry.name for entry in entry_points(group=ENTRY_POINTS))}))


def load_strategy(
    name: str, space: Space, seed: int = 0, settings: Mapping[str, Any] | None = None
) -> Strategy:
    """Return a strategy at its beginning.

    `name` is what `import_strategy` takes; `settings` are its own settings, the further keys of
    the table [strategy] in an experiment file.

    Raises:
        ExperimentError: for an unknown name or setting, with the nearest valid one, and for a
            setting of the wrong type or range.
    """
    kind = import_strategy(name)
    given = dict(settings or {})
    taken = {
        key: parameter
        for key, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY and key != "seed"
    }
    for key in given:
        if key not in taken:
            has = f"its settings are {', '.join(taken)}" if taken else "it has no settings"
            raise ExperimentError(
                f"strategy {name!r} has no setting {key!r}{nearest(key, taken)}; {has}"
            )
    for key, parameter in taken.items():
        if parameter.default is parameter.empty and key not in given:
            raise ExperimentError(f"strategy {name!r} needs the setting {key!r}")
    return kind(space, seed=seed, **given)  # type: ignore[call-arg]  # Strategy says no constructor


def import_strategy(name: str) -> type[Strategy]:
    """Return the class of a strategy.

    `name` is one of `STRATEGIES`, one that another package registered as an entry point in the
    group "cellsearch.strategies", or "module:Class", which is imported.

    Raises:
        ExperimentError: if there is none of this name, or what is found is no strategy.
    """
    if name in STRATEGIES:
        return _import(name, STRATEGIES[name])
    if ":" in name:
        return _import(name, name)
    values = sorted({entry.value for entry in entry_points(group=ENTRY_POINTS, name=name)})
    if not values:
        known = strategy_names()
        raise ExperimentError(
            f"there is no strategy {name!r}{nearest(name, known)}; the strategies are"
            f" {', '.join(known)}, or 'module:Class' for one of your own"
        )
    if len(values) > 1:
        raise ExperimentError(
            f"several packages give a strategy {name!r} ({', '.join(values)});"
            " say which as 'module:Class'"
        )
    return _import(name, values[0])


def _import(name: str, value: str) -> type[Strategy]:
    module, _, attribute = value.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise ExperimentError(f"strategy {name!r}: expected 'module:Class', found {value!r}")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise ExperimentError(
            f"strategy {name!r}: cannot import {module!r} ({reason}); install it,"
            " or add its folder to PYTHONPATH"
        ) from error
    except AttributeError:
        raise ExperimentError(
            f"strategy {name!r}: the module {module!r} has no {attribute!r}"
        ) from None
    if not (inspect.isclass(kind) and issubclass(kind, Strategy)) or inspect.isabstract(kind):
        raise ExperimentError(
            f"strategy {name!r}: {value!r} is not a class made from cellsearch.strategies.Strategy"
        )
    return kind
