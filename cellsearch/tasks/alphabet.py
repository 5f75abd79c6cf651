"""From a text to numbered symbols."""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Iterator
from typing import Any

import numpy as np

from cellsearch.tasks.base import Array

LETTERS = " " + string.ascii_lowercase
MAX_SYMBOLS = 128

_PIECE = 2**20  # characters handled at a time: what they grow to in between stays small
_CODE_POINTS = 0x110000
_COMBINING = re.compile("[\u0300-\u036f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]+")
_TO_LETTERS = bytes(
    ord(chr(i).lower()) if chr(i) in string.ascii_letters else 32 for i in range(256)
)


def fold(text: str) -> str:
    """Return the text in 27 symbols: a to z, and one space for each run of anything else.

    Accents are stripped and compatible forms taken apart (a ligature becomes its letters).
    """
    pieces = []
    for start in range(0, len(text), _PIECE):
        piece = text[start : start + _PIECE]
        if not piece.isascii():
            piece = _COMBINING.sub("", unicodedata.normalize("NFKD", piece).casefold())
        pieces.append(piece.encode("ascii", "replace").translate(_TO_LETTERS))
    letters = np.frombuffer(b"".join(pieces), dtype=np.uint8)
    space = letters == ord(" ")
    again = np.concatenate([[False], space[1:] & space[:-1]])[: len(space)]
    return str(letters[~again].tobytes(), "ascii")


def count_characters(text: str) -> Array:
    """Return how often each code point occurs, (0x110000,) int64."""
    counts = np.zeros(_CODE_POINTS, dtype=np.int64)
    for codes in _codes(text):
        counts += np.bincount(codes, minlength=_CODE_POINTS)
    return counts


def most_frequent(counts: Array) -> str:
    """Return the 127 most frequent characters, fewer if there are fewer, in that order."""
    known = np.flatnonzero(counts)
    order = np.argsort(-counts[known], kind="stable")  # equal counts: by code point
    return "".join(map(chr, known[order][: MAX_SYMBOLS - 1]))


def encode(text: str, symbols: str) -> Array:
    """Return each character's place in `symbols`, or their number if it is not one of them.

    Shapes: (len(text),) uint8.
    """
    table = np.full(_CODE_POINTS, len(symbols), dtype=np.uint8)
    table[[ord(character) for character in symbols]] = np.arange(len(symbols))
    return np.concatenate([table[codes] for codes in _codes(text)])


def _codes(text: str) -> Iterator[np.ndarray[Any, np.dtype[np.uint32]]]:
    for start in range(0, len(text), _PIECE):
        piece = text[start : start + _PIECE]
        yield np.frombuffer(piece.encode("utf-32-le"), dtype=np.dtype("<u4"))
