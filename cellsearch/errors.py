"""Errors that people can repair: bad input, a damaged run, a lost cluster."""

from __future__ import annotations

import difflib
import traceback
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

_LONGEST = 300  # characters of somebody else's message


class CellSearchError(Exception):
    """Bad input, told in one line: what, where, what was expected, how to repair."""

    exit_code = 2


class CellError(CellSearchError):
    """A cell's text or graph is not a valid cell, or does not fit the given sizes."""


class SpaceError(CellSearchError):
    """A search space file cannot be read or makes no sense."""


class TaskError(CellSearchError):
    """A task or its data cannot be used."""


class ExperimentError(CellSearchError):
    """An experiment file is missing, malformed or asks for the impossible."""


class RunError(CellSearchError):
    """A run folder cannot be used as asked."""


class DiskError(CellSearchError):
    """The disk is full or does not accept what has to be written."""

    exit_code = 74


class ClusterError(CellSearchError):
    """The machinery under the workers went away; trying again later may help."""

    exit_code = 75


def nearest(word: str, known: Iterable[str], few: int = 1) -> str:
    """Return ``" (did you mean 'x'?)"`` for the known word nearest to `word`, or ``""``.

    Of many known words, the first 200 are looked at. Up to `few` of them are named.
    """
    looked_at = list(islice(known, 200))
    close = [repr(one) for one in difflib.get_close_matches(word[:80], looked_at, few, 0.5)]
    if not close:
        return ""
    first = f"{', '.join(close[:-1])} or " if close[:-1] else ""
    return f" (did you mean {first}{close[-1]}?)"


def quoted(name: str | None) -> str:
    """Return a name in quotation marks, cut off where it is too long for one line."""
    if name is None:
        return repr(name)
    shown = repr(name[:70])
    return shown if len(name) <= 70 and len(shown) <= 72 else f"{shown[:68]}{shown[0]}..."


def shown(value: object) -> str:
    """Return whatever stands where something else was expected: short, in one line.

    A value of another kind than texts, numbers and tuples is shown by its type: its own `repr` may
    be longer than memory, or fail.
    """
    if isinstance(value, str):
        return quoted(value)
    if type(value) is tuple:
        first = [shown(part) if type(part) is not tuple else "<tuple>" for part in value[:4]]
        text = ", ".join(first + ["..."] * (len(value) > 4)) + "," * (len(value) == 1)
        return f"({text})" if len(text) <= 70 else f"({text[:66]}..."
    if value is None or type(value) in (bool, float):
        return repr(value)
    if type(value) is int:
        return repr(value) if abs(value) < 10**20 else "<large int>"
    name = type(value).__name__[:70]
    return f"<{name if name.isprintable() else quoted(name)}>"


def text_of(error: BaseException) -> str:
    """Return an exception's text, whatever somebody else's `__str__` may do."""
    try:
        return str(error)
    except Exception:
        return "(its text cannot be shown)"


def told(error: BaseException, file: str | None = None) -> str:
    """Return what somebody else's code raised, in one short line: kind, message, file and line.

    The line is the last one that led there, of those in `file` if one is given.
    """
    text = " ".join(text_of(error).split())
    text = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
    if isinstance(error, SyntaxError):  # it names its place
        return f"{type(error).__name__}: {text}"
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if file in (None, frame.filename)]
    place = f" ({Path(own[-1].filename).name}, line {own[-1].lineno})" if own else ""
    return f"{type(error).__name__}: {text or 'without a message'}{place}"
