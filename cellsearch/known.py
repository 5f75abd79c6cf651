"""Known cells, one text file each, whose head names author, year and source."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cellsearch.cell import Cell
from cellsearch.errors import CellError, nearest

_FOLDER = Path(__file__).parent / "zoo"
_AUTHORS = re.compile(r"(?P<authors>.+), (?P<year>\d{4})")


@dataclass(frozen=True, slots=True)
class Source:
    """Where a known cell comes from: what it is, by whom, when, and a link to the article."""

    sentence: str
    authors: str
    year: int
    link: str

    @property
    def short(self) -> str:
        """Authors and year, of more than two authors the first: "Lei et al., 2018"."""
        first, *others = re.split(", | and ", self.authors)
        return f"{first} et al., {self.year}" if len(others) > 1 else f"{self.authors}, {self.year}"


class UnknownCellError(CellError, KeyError):
    """No known cell has this name; a KeyError too, as a mapping's users expect."""

    __str__ = CellError.__str__  # KeyError would show the message in quotation marks


class Zoo(Mapping[str, Cell]):
    """The known cells by name, read when they are first asked for; it cannot be changed."""

    def __init__(self, folder: Path = _FOLDER) -> None:
        self._folder = folder
        self._names = tuple(sorted(path.stem for path in folder.glob("*.cell")))
        self._cells: dict[str, Cell] = {}

    def __getitem__(self, name: str) -> Cell:
        """Return a known cell.

        Raises:
            UnknownCellError: a CellError and a KeyError, with the nearest name.
        """
        if name not in self._cells:
            self._cells[name] = Cell.parse(self._text(name))
        return self._cells[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __repr__(self) -> str:
        return f"Zoo({', '.join(self._names)})"

    def source(self, name: str) -> Source:
        """Return author, year and link of a known cell, as the head of its file tells them."""
        head = [line[1:].strip() for line in self._text(name).splitlines() if line.startswith("#")]
        *sentences, authors, link = head
        match = _AUTHORS.fullmatch(authors)
        if match is None:
            raise CellError(
                f"{self._folder / name}.cell: line {len(sentences) + 1} is {authors!r}; expected"
                " the authors, a comma and the year"
            )
        return Source(" ".join(sentences), match["authors"], int(match["year"]), link)

    def terms(self, name: str) -> Mapping[str, str]:
        """Return the usual terms of a known cell's statements, as {"r": "reset gate", ...}.

        They are what its file says behind the statements; not every statement has one.
        """
        found = {}
        for line in self._text(name).splitlines():
            statement, _, term = line.partition("#")
            if statement and term:
                found[statement.partition("=")[0].strip()] = term.strip()
        return found

    def name_of(self, cell_id: str) -> str | None:
        """Return the name of the known cell of this id, or None."""
        return next((name for name, cell in self.items() if cell.id == cell_id), None)

    def _text(self, name: str) -> str:
        if name not in self._names:
            raise UnknownCellError(
                f"no known cell is called {name!r}{nearest(str(name), self._names, few=3)};"
                " `cellsearch list cells` shows them all"
            )
        return (self._folder / f"{name}.cell").read_text(encoding="utf-8")


zoo = Zoo()
"""The known cells by name."""
