"""The next character of a text."""

from __future__ import annotations

import math
from typing import Any, final

import numpy as np

from cellsearch.errors import TaskError
from cellsearch.tasks.alphabet import LETTERS, count_characters, encode, fold, most_frequent
from cellsearch.tasks.base import EMBEDDING_SIZE, SPLITS, Array, Examples, Split, Task
from cellsearch.tasks.settings import (
    MAX_STEPS,
    check_digest,
    check_split,
    choice,
    digest,
    entropy,
    file_path,
    read_file,
    whole,
)
from cellsearch.tasks.stream import Stream, span

MAX_BYTES = 64 * 2**20
HELD_OUT = 256
FEWEST_WINDOWS = 4  # of a held-out part

ENGLISH_FREQUENCIES = 4.03
ENGLISH = 1.3
"""Shannon's figures for printed English of 27 letters, in bits a character: where only the
letters' frequencies are known, and at most where all that stands before is known."""


@final
class TextTask(Task):
    """Say which character comes next, at each step of a window of text.

    Shannon 1951, "Prediction and entropy of printed English",
    https://doi.org/10.1002/j.1538-7305.1951.tb01366.x, put the question and measured people on
    it; Elman 1990, "Finding structure in time", https://doi.org/10.1207/s15516709cog1402_1, put
    it to a recurrent network. Each window starts from an empty state, so figures are somewhat
    above published ones, for which the state is carried through the whole text.

    The first 80 % are for training, the rest in equal parts for validation, selection and test;
    of each part up to 256 windows are read, spread evenly. An epoch of training is all windows
    side by side, in a seeded order and from a seeded first character.

    Chance: the entropy of the characters' frequencies in the training part, measured on it.
    Solved, 1.3 / 4.03 = 0.32 of chance. For English in 27 letters Shannon found 4.03 bits a
    character from frequencies alone, and 1.3 bits at most for people who know what came before.
    Small models that are trained briefly end well above that (about 2 bits), so it clamps nothing;
    taken as a share it serves other alphabets and languages too, and always lies below chance.

    Settings:
        path: a UTF-8 text file of at most 64 MiB. Without it, the help texts on the language
            that Python itself carries (`pydoc_data.topics`, about 450,000 characters).
        alphabet: "characters", the 127 most frequent ones of the training part and one symbol
            for all others; or "letters", a to z and space: accents are stripped, and each run of
            anything else becomes one space.
        length: steps of a window, 8 to 10000.
        sha256: what the text must be, to make sure of it; a description always says it.
    """

    name = "text"
    input_size = EMBEDDING_SIZE
    readout = "each"
    objective = "classification"
    unit = "bits per character"

    vocabulary: int

    def __init__(
        self,
        *,
        path: str | None = None,
        alphabet: str = "characters",
        length: int = 50,
        sha256: str | None = None,
    ) -> None:
        self.path = None if path is None else file_path(self.name, "path", path)
        self.alphabet = choice(self.name, "alphabet", alphabet, ("characters", "letters"))
        self.length = whole(self.name, "length", length, 8, MAX_STEPS)
        expected = digest(self.name, "sha256", sha256)
        self._where = "the built-in text" if self.path is None else repr(str(self.path))

        data = _built_in() if self.path is None else read_file(self.name, self.path, MAX_BYTES)
        self.sha256 = check_digest(self.name, self._where, data, expected)
        text = original = self._decoded(data)
        if self.alphabet == "letters":
            text = fold(text)
        cut = len(text) * 8 // 10
        self._part = (len(text) - cut) // 3
        self._parts = {split: cut + self._part * number for number, split in enumerate(SPLITS)}
        counts = count_characters(text[:cut])
        lost = 2 * len(text) < len(original)
        self._check_enough(
            len(text), counts, "; for other than Latin script take 'characters'" if lost else ""
        )

        self.symbols = LETTERS if self.alphabet == "letters" else most_frequent(counts)
        self._text = encode(text, self.symbols)
        self.vocabulary = len(self.symbols) + (self.alphabet == "characters")
        self.encoding = {"symbols": list(self.symbols)}  # by number; one more is any other
        self.output_size = self.vocabulary
        self.chance = entropy(np.bincount(self._text[:cut]))
        self.solved = self.chance * ENGLISH / ENGLISH_FREQUENCIES
        # One window less than fit, so that an epoch may begin at any of the first characters.
        windows = (cut - self.length) // self.length
        self._stream = Stream(windows, self._draw, (self.name, self.alphabet, self.length))

    def training(self, seed: int, start: int, count: int) -> Examples:
        """Return a stretch of the stream; inputs and targets are (count, length) int64."""
        (places,) = self._stream.take(seed, start, count)
        return self._windows(places)

    def held_out(self, split: Split, seed: int) -> Examples:
        """Return up to 256 disjoint windows of the split; they do not depend on the seed."""
        del seed
        first = self._parts[check_split(self.name, split)]
        return self._windows(first + span(self._part - 1, self.length, HELD_OUT))

    def metric(self, loss: float, predictions: Array, examples: Examples) -> float:
        """Return the loss in bits per character."""
        del predictions, examples
        return float(loss) / math.log(2)

    def describe(self) -> dict[str, Any]:
        """Return the name, the settings, and the text's SHA-256."""
        return {
            "name": self.name,
            "path": None if self.path is None else str(self.path),
            "alphabet": self.alphabet,
            "length": self.length,
            "sha256": self.sha256,
        }

    def _draw(self, rng: np.random.Generator, windows: int) -> tuple[Array]:
        return (rng.integers(self.length) + self.length * rng.permutation(windows),)

    def _windows(self, places: Array) -> Examples:
        both = self._text[places[:, None] + np.arange(self.length + 1)].astype(np.int64)
        return Examples(both[:, :-1].copy(), both[:, 1:].copy())

    def _decoded(self, data: bytes) -> str:
        try:
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise TaskError(
                f"task 'text': {self._where} is not UTF-8 text ({error.reason} at byte "
                f"{error.start}); save it as UTF-8, or name another file"
            ) from None
        if "\0" in text:
            raise TaskError(
                f"task 'text': {self._where} is binary, not text (a zero byte at "
                f"{data.index(0)}); name a text file"
            )
        return text.replace("\r\n", "\n")

    def _check_enough(self, count: int, counts: Array, hint: str) -> None:
        """Raise a TaskError if there is too little to learn from, or to measure on."""
        found = f"task 'text': {self._where} has {count} characters in the alphabet "
        needed = 15 * (FEWEST_WINDOWS * self.length + 2)
        if self._part < FEWEST_WINDOWS * self.length + 1:
            raise TaskError(
                f"{found}{self.alphabet!r}, and windows of {self.length} need about {needed}; "
                f"give a longer text or a smaller length{hint}"
            )
        if np.count_nonzero(counts) < 2:
            raise TaskError(
                f"{found}{self.alphabet!r}, but its first 80 % are all the same one, so there is "
                f"nothing to predict; give another text{hint}"
            )


def _built_in() -> bytes:
    """Return the built-in text: the topics in alphabetical order, an empty line between them."""
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise TaskError(
            "task 'text': this Python comes without pydoc_data, the built-in text; "
            "name a text file with the setting 'path'"
        ) from None
    return "\n\n".join(topics[name] for name in sorted(topics)).encode()
