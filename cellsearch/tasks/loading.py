"""From a name and settings to a task."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from importlib.metadata import entry_points
from types import MappingProxyType
from typing import Any

from cellsearch.errors import TaskError, nearest
from cellsearch.tasks.adding import AddingTask
from cellsearch.tasks.arrays import ArraysTask
from cellsearch.tasks.base import Task
from cellsearch.tasks.checks import check_task
from cellsearch.tasks.copy import CopyTask
from cellsearch.tasks.digits import DigitsTask
from cellsearch.tasks.text import TextTask

ENTRY_POINTS = "cellsearch.tasks"

TASKS: Mapping[str, type[Task]] = MappingProxyType(
    {
        "adding": AddingTask,
        "arrays": ArraysTask,
        "copy": CopyTask,
        "digits": DigitsTask,
        "text": TextTask,
    }
)


def task_names() -> tuple[str, ...]:
    """Return the names of the tasks that are installed, built in or not, in alphabetical order."""
    return tuple(sorted({*TASKS, *(entry.name for entry in entry_points(group=ENTRY_POINTS))}))


def load_task(name: str, **settings: Any) -> Task:
    """Return the task of that name with these settings.

    `name` is one of `TASKS`, one that another package registered as an entry point in the group
    "cellsearch.tasks", or "module:Class", which is imported. What ``task.describe()`` gives is
    accepted: ``load_task(**task.describe())`` equals the task. Raises TaskError for an unknown
    name or setting, and for a setting of the wrong type or range.
    """
    if not isinstance(name, str):
        raise TaskError(f"a task's name is a string; found {name!r}")
    kind = TASKS.get(name) or _third_party(name)
    _check_settings(name, kind, settings)
    task = kind(**settings)
    check_task(task)
    return task


def _third_party(name: str) -> type[Task]:
    if ":" in name:
        return _import(name, name)
    values = sorted({entry.value for entry in entry_points(group=ENTRY_POINTS, name=name)})
    if not values:
        known = task_names()
        raise TaskError(
            f"there is no task {name!r}{nearest(name, known)}; the tasks are "
            f"{', '.join(known)}, or 'module:Class' for one of your own"
        )
    if len(values) > 1:
        raise TaskError(
            f"several packages give a task {name!r} ({', '.join(values)}); "
            f"say which as 'module:Class'"
        )
    return _import(name, values[0])


def _import(name: str, value: str) -> type[Task]:
    module, _, attribute = value.partition(":")
    if not all(part.isidentifier() for part in (*module.split("."), attribute)):
        raise TaskError(f"task {name!r}: expected 'module:Class', found {value!r}")
    try:
        kind = getattr(importlib.import_module(module), attribute)
    except ImportError as error:
        reason = " ".join(str(error).split())
        raise TaskError(
            f"task {name!r}: cannot import {module!r} ({reason}); install it, "
            f"or add its folder to PYTHONPATH"
        ) from error
    except AttributeError:
        raise TaskError(f"task {name!r}: the module {module!r} has no {attribute!r}") from None
    if not (inspect.isclass(kind) and issubclass(kind, Task)) or inspect.isabstract(kind):
        raise TaskError(f"task {name!r}: {value!r} is not a class made from cellsearch.Task")
    return kind


def _check_settings(name: str, kind: type[Task], settings: Mapping[str, Any]) -> None:
    """Raise for settings that the constructor does not take, or that are missing."""
    taken = {
        setting: parameter
        for setting, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind in (parameter.KEYWORD_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    }
    for setting in settings:
        if setting not in taken:
            has = f"its settings are {', '.join(taken)}" if taken else "it has no settings"
            raise TaskError(
                f"task {name!r} has no setting {setting!r}{nearest(setting, taken)}; {has}"
            )
    for setting, parameter in taken.items():
        if parameter.default is parameter.empty and setting not in settings:
            raise TaskError(f"task {name!r} needs the setting {setting!r}")
