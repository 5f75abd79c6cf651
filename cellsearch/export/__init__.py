"""Taking a cell away: one file per format."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from cellsearch.errors import CellSearchError, DiskError

SUFFIXES = (".py", ".safetensors")
"""The formats that `export` writes, by the suffix of the file."""


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all.

    Raises DiskError if the disk is full, CellSearchError if the place cannot be written to.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        kind = DiskError if error.errno in (28, 122) else CellSearchError  # full, over quota
        raise kind(f"{path}: cannot be written: {error.strerror}") from None
