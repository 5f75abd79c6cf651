"""Options that several commands take, and how their words are read."""

from __future__ import annotations

import argparse
import tomllib
from typing import TYPE_CHECKING, Any

from cellsearch.errors import TaskError

if TYPE_CHECKING:
    from cellsearch.tasks import Task


def positive(text: str) -> int:
    """Read a whole number of at least 1."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return value


def add_task(parser: argparse.ArgumentParser) -> None:
    """Add --task."""
    parser.add_argument(
        "--task",
        required=True,
        metavar="NAME[,KEY=VALUE...]",
        help="a task and its settings, for instance text,alphabet=letters,length=20",
    )


def read_task(text: str) -> Task:
    """Return the task that --task names.

    Raises TaskError if there is none, or for a setting that it does not have.
    """
    from cellsearch.tasks import load_task

    name, *rest = text.split(",")
    settings: dict[str, Any] = {}
    for part in rest:
        key, equals, value = part.partition("=")
        if not equals:
            raise TaskError(f"--task {text}: expected KEY=VALUE after the name, found {part!r}")
        try:
            settings[key.strip()] = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            settings[key.strip()] = value
    return load_task(name.strip(), **settings)
