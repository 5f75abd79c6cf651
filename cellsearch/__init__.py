"""cellsearch: search for recurrent cells, compare them honestly, take the best one away.

Names are loaded when they are first used, so that importing the package is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellsearch import strategies
    from cellsearch.cell import Cell
    from cellsearch.errors import CellError, CellSearchError, ExperimentError
    from cellsearch.known import zoo
    from cellsearch.layers import Recurrent, RecurrentCell
    from cellsearch.run import Run, open_run, search
    from cellsearch.space import Space, load_space
    from cellsearch.strategies.base import Evaluation, Proposal, Strategy
    from cellsearch.tasks import Task, load_task

__version__ = "0.1.0"

_HOMES = {
    "Cell": "cellsearch.cell",
    "CellError": "cellsearch.errors",
    "CellSearchError": "cellsearch.errors",
    "Evaluation": "cellsearch.strategies.base",
    "ExperimentError": "cellsearch.errors",
    "Proposal": "cellsearch.strategies.base",
    "Recurrent": "cellsearch.layers",
    "RecurrentCell": "cellsearch.layers",
    "Run": "cellsearch.run",
    "Space": "cellsearch.space",
    "Strategy": "cellsearch.strategies.base",
    "Task": "cellsearch.tasks",
    "load_space": "cellsearch.space",
    "load_task": "cellsearch.tasks",
    "open_run": "cellsearch.run",
    "search": "cellsearch.run",
    "zoo": "cellsearch.known",
}

__all__ = [
    "Cell",
    "CellError",
    "CellSearchError",
    "Evaluation",
    "ExperimentError",
    "Proposal",
    "Recurrent",
    "RecurrentCell",
    "Run",
    "Space",
    "Strategy",
    "Task",
    "load_space",
    "load_task",
    "open_run",
    "search",
    "strategies",
    "zoo",
]


def __getattr__(name: str) -> Any:
    if name == "strategies":
        return importlib.import_module("cellsearch.strategies")
    if name not in _HOMES:
        raise AttributeError(f"module 'cellsearch' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
