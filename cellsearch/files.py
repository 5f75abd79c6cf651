"""Files that people ask for: written whole or not at all, and not over what is there already."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path

from cellsearch.errors import CellSearchError, DiskError


def check_new(path: Path) -> None:
    """Raise CellSearchError if something is there already."""
    if os.path.lexists(path):  # unlike the method, False for a name that no file can have
        raise CellSearchError(
            f"{path} exists already; nothing is written over: choose another name, or remove it"
        )


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; whoever must not replace one asks `check_new` first.

    Raises DiskError if the disk is full, CellSearchError if the place cannot be written to.
    """
    temporary = path.with_name(f".{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        kind = DiskError if error.errno in (errno.ENOSPC, errno.EDQUOT) else CellSearchError
        raise kind(f"{path}: cannot be written: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
