"""The spaces and experiments that come with cellsearch, found by name."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

Folder = Literal["search_spaces", "experiments"]

_PACKAGE = Path(__file__).resolve().parent
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
    return path if path.is_file() else None


def names(folder: Folder) -> tuple[str, ...]:
    """Return the names of all files in the folder, sorted; those of a subfolder as ``sub/name``."""
    root = folder_path(folder)
    found = (path.relative_to(root).with_suffix("") for path in root.rglob("*.toml"))
    return tuple(sorted(path.as_posix() for path in found))
