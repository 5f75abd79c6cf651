"""What the disk and the file system refuse, as errors that people can repair."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

from cellsearch.errors import CellSearchError, DiskError, RunError

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_CLOSED = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY)


def refused(path: Path, what: str, error: OSError) -> CellSearchError:
    """Return the error to raise when the file at `path` cannot be read or written, as `what` says.

    DiskError when there is no room or the device fails, else RunError.
    """
    text = f"{path}: cannot be {what}: {error.strerror or error}"
    if error.errno in _NO_ROOM:
        return DiskError(f"{text}; make room")
    return DiskError(text) if error.errno == errno.EIO else RunError(text)


def refused_by_sqlite(path: Path, what: str, error: sqlite3.Error) -> CellSearchError:
    """Return the error to raise when SQLite cannot read or write the database at `path`."""
    code: int = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return DiskError(f"{path}: cannot be {what}: {error}; make room")
    if code == sqlite3.SQLITE_IOERR:
        return DiskError(f"{path}: cannot be {what}: {error}")
    if code in _CLOSED:
        return RunError(f"{path}: cannot be {what}: {error}; check its permissions")
    if code in _BUSY:
        return RunError(f"{path}: another program holds the database: {error}")
    return RunError(f"{path}: damaged: {error}")
