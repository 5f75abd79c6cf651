"""One writer per run folder: a lock that the kernel releases however the process ends."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path

from cellsearch.errors import RunError
from cellsearch.run.disk import refused

FILE = "lock"
ELSEWHERE = "choose another folder with --run (in Python run=...)"
"""What to do where a folder cannot be searched into."""
_TRIES = 20  # `holder` takes the lock for an instant; that must not look like a second writer
_PAUSE = 0.01  # seconds


class Lock:
    """An exclusive lock on a run folder, held until `release` or the end of the process.

    Raises RunError that names the holder's process id when another process holds it.
    """

    def __init__(self, folder: Path, name: str = FILE) -> None:
        path = folder / name
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise refused(path, "written", error) from None
        for attempt in range(_TRIES):
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == _TRIES - 1:
                    pid = os.pread(self._file, 20, 0).decode(errors="replace").strip()
                    os.close(self._file)
                    raise RunError(
                        f"{folder}: process {pid} is working on this run; wait for it, stop it, "
                        f"or {ELSEWHERE}"
                    ) from None
                time.sleep(_PAUSE)
            except OSError as error:
                os.close(self._file)
                raise RunError(f"{path}: cannot be locked: {error.strerror}") from None
        try:
            os.ftruncate(self._file, 0)
            os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)
        except OSError as error:
            os.close(self._file)
            raise refused(path, "written", error) from None

    def release(self) -> None:
        """Let others have the folder."""
        os.close(self._file)


def holder(folder: Path, name: str = FILE) -> str | None:
    """Return the id of the process that holds the folder's lock, or None when none does."""
    try:
        file = os.open(folder / name, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.pread(file, 20, 0).decode(errors="replace").strip() or "unknown"
    except OSError:
        return None
    else:
        return None
    finally:
        os.close(file)
