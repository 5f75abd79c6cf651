"""Checks of a task's settings, and of the files they name."""

from __future__ import annotations

import hashlib
import math
import numbers
import os
import stat
from pathlib import Path
from typing import Any, NoReturn, get_args

import numpy as np

from cellsearch.errors import TaskError, nearest
from cellsearch.seeds import derive
from cellsearch.tasks.base import Split

MAX_STEPS = 10_000
"""Steps of the longest sequences that the built-in tasks make."""


def shown(value: object) -> str:
    """Return a value and its type as an error shows them, cut to a readable length."""
    text = repr(value)
    text = text if len(text) <= 60 else text[:57] + "..."
    return f"{text} ({type(value).__name__})"


def refuse(task: str, setting: str, expected: str, value: object) -> NoReturn:
    """Raise the TaskError for a setting of the wrong type or range."""
    raise TaskError(
        f"task {task!r}, setting {setting!r}: expected {expected}, found {shown(value)}"
    )


def whole(task: str, setting: str, value: object, low: int, high: int) -> int:
    """Return `value` as an int if it is a whole number from `low` to `high`."""
    if isinstance(value, numbers.Integral) and not isinstance(value, bool):
        number = int(value)
        if low <= number <= high:
            return number
    refuse(task, setting, f"a whole number from {low} to {high}", value)


def choice(task: str, setting: str, value: object, allowed: tuple[str, ...]) -> str:
    """Return `value` if it is one of the allowed words."""
    if isinstance(value, str):
        if value in allowed:
            return value
        hint = nearest(value, allowed)
    else:
        hint = ""
    refuse(task, setting, " or ".join(repr(word) for word in allowed) + hint, value)


def file_path(task: str, setting: str, value: object) -> Path:
    """Return `value` as an absolute path, with ``~`` expanded."""
    if isinstance(value, str | Path) and str(value) and "\0" not in str(value):
        return Path(os.path.abspath(os.path.expanduser(value)))
    refuse(task, setting, "the path of a file", value)


def digest(task: str, setting: str, value: object) -> str | None:
    """Return `value` if it is a SHA-256 in hexadecimal, or None."""
    if value is None:
        return None
    if isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef"):
        return value
    refuse(task, setting, "a SHA-256 (64 hexadecimal digits)", value)


def read_file(task: str, path: Path, limit: int) -> bytes:
    """Return what is in a regular file of at most `limit` bytes, or raise a TaskError."""
    where = f"task {task!r}: {str(path)!r}"
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise TaskError(f"{where} is a folder; name a file in it")
        if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its other end
            raise TaskError(f"{where} is not a regular file; name a file with the data")
        with path.open("rb") as file:
            data = file.read(limit + 1)
    except FileNotFoundError:
        raise TaskError(f"{where} does not exist; check the setting 'path'") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise TaskError(f"{where} cannot be read ({reason}); check its permissions") from None
    if len(data) > limit:
        size = max(status.st_size, len(data)) / 2**20
        raise TaskError(f"{where} has {size:.1f} MiB; at most {limit // 2**20} MiB are accepted")
    return data


def check_digest(task: str, what: str, data: bytes, expected: str | None) -> str:
    """Return the SHA-256 of `data`, after comparing it with the expected one, if there is one."""
    found = hashlib.sha256(data).hexdigest()
    if expected is not None and found != expected:
        raise TaskError(
            f"task {task!r}: {what} is not what it was: its SHA-256 begins with {found[:12]}, "
            f"expected was {expected[:12]}; restore it, or leave out the setting 'sha256'"
        )
    return found


def check_split(task: str, split: str) -> Split:
    """Return `split` if it names a held-out split."""
    known = get_args(Split)
    if split not in known:
        raise TaskError(
            f"task {task!r} has no split {split!r}{nearest(str(split), known)}; "
            f"there are {', '.join(known)}"
        )
    return split  # type: ignore[return-value]  # a member of get_args(Split) is a Split


def generator(*parts: int | str) -> np.random.Generator:
    """Return a random generator whose seed is derived from all parts."""
    return np.random.Generator(np.random.PCG64(derive(*parts)))


def entropy(counts: np.ndarray[Any, Any]) -> float:
    """Return the entropy, in nats, of the distribution that the counts estimate."""
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def calibrated_loss(accuracy: float, classes: int) -> float:
    """Return the cross entropy, in nats, of one who is right that often and knows it.

    Such a predictor gives its choice the probability `accuracy`, and the others equal shares.
    """
    wrong = 1 - accuracy
    return -accuracy * math.log(accuracy) - wrong * math.log(wrong / (classes - 1))
