"""What tests of the command line share."""

from collections.abc import Callable
from pathlib import Path

Say = Callable[..., tuple[int, str, str]]
"""Runs a command; returns its exit code and what it printed, to standard output and error."""


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.suffix not in (".sqlite-shm", ".sqlite-wal")
    }
