"""From a name and settings to a task."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from cellsearch.errors import TaskError
from cellsearch.plugins import Plugins
from cellsearch.tasks.adding import AddingTask
from cellsearch.tasks.arrays import ArraysTask
from cellsearch.tasks.base import Task
from cellsearch.tasks.checks import check_task
from cellsearch.tasks.copy import CopyTask
from cellsearch.tasks.digits import DigitsTask
from cellsearch.tasks.text import TextTask

TASKS: Mapping[str, type[Task]] = MappingProxyType(
    {
        "adding": AddingTask,
        "arrays": ArraysTask,
        "copy": CopyTask,
        "digits": DigitsTask,
        "text": TextTask,
    }
)

_PLUGINS: Plugins[Task] = Plugins(
    "task",
    "cellsearch.tasks",
    {name: f"{kind.__module__}:{kind.__name__}" for name, kind in TASKS.items()},
    Task,
    TaskError,
)


def task_names() -> tuple[str, ...]:
    """Return the names of the tasks that are installed, built in or not, in alphabetical order."""
    return _PLUGINS.names()


def import_task(name: str) -> type[Task]:
    """Return the class of a task; `name` is as in `load_task`."""
    return _PLUGINS.find(name)


def load_task(name: str, **settings: Any) -> Task:
    """Return the task of that name with these settings.

    `name` is one of `TASKS`, one that another package registered as an entry point in the group
    "cellsearch.tasks", or "module:Class", which is imported. What ``task.describe()`` gives is
    accepted: ``load_task(**task.describe())`` equals the task. Raises TaskError for an unknown
    name or setting, and for a setting of the wrong type or range.
    """
    if not isinstance(name, str):
        raise TaskError(f"a task's name is a string; found {name!r}")
    if name.endswith(".npz"):
        raise TaskError(
            f"there is no task {name!r}; a file of arrays is the task "
            f'{{"name": "arrays", "path": "{name}"}}, on the command line arrays,path={name}'
        )
    kind = _PLUGINS.find(name)
    _PLUGINS.check_settings(name, kind, settings)
    task = _PLUGINS.make(name, kind, settings)
    check_task(task)
    return task
