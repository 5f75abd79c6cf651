"""The spaces and experiments that come with cellsearch, found by name."""

from __future__ import annotations

import os
import re
import tomllib
from pathlib import Path
from typing import Any, Literal

from cellsearch.errors import CellSearchError

Folder = Literal["search_spaces", "experiments"]

_PACKAGE = Path(__file__).resolve().parent
MAX_BYTES = 2**20
MAX_DEPTH = 32  # of tables and lists within each other
_NAME = re.compile(r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*")


def folder_path(folder: Folder) -> Path:
    """Return where the folder lies: inside the installed package, or beside it in a checkout."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder


def find(folder: Folder, name: str) -> Path | None:
    """Return the file of that name (without its ending), or None when there is no such file."""
    if not _NAME.fullmatch(name):
        return None
    path = folder_path(folder) / f"{name}.toml"
    return path if os.path.isfile(path) else None  # unlike the method, False for a name too long


def names(folder: Folder) -> tuple[str, ...]:
    """Return the names of all files in the folder, sorted; those of a subfolder as ``sub/name``."""
    root = folder_path(folder)
    found = (path.relative_to(root).with_suffix("") for path in root.rglob("*.toml"))
    return tuple(sorted(path.as_posix() for path in found))


def read_toml(path: Path, error: type[CellSearchError]) -> dict[str, Any]:
    """Return the tables of a TOML file of bounded size and depth.

    Raises `error` that names the file and what is wrong with it.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as problem:
        raise error(f"{path}: cannot be read: {problem.strerror}") from None
    if len(content) > MAX_BYTES:
        raise error(f"{path}: larger than {MAX_BYTES} bytes; expected a file of settings")
    try:
        data = tomllib.loads(content.decode())
    except ValueError as problem:  # of text, of TOML, or a number of too many digits
        raise error(f"{path}: not valid TOML: {problem}") from None
    except RecursionError:
        raise error(f"{path}: not valid TOML: nested too deeply") from None
    level: list[Any] = [data]
    for _ in range(MAX_DEPTH):
        inner = [value for value in level if isinstance(value, dict | list)]
        level = [item for one in inner for item in (one.values() if isinstance(one, dict) else one)]
    if level:
        raise error(f"{path}: nested too deeply; expected at most {MAX_DEPTH} levels")
    return data
