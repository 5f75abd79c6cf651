"""The known cell that a cell is nearest to, and in words what is different."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import dataclass, replace

from cellsearch.analysis.edits import EditPath, edit_path
from cellsearch.analysis.matching import least_cost, size
from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.graph import Graph
from cellsearch.inspection.phrases import listed, tell
from cellsearch.inspection.plain import plain
from cellsearch.known import zoo

MOST_PHRASES = 5
"""Most changes that are put in words; of more, only the number of edits is told."""

ALIKE, FAR = 0.15, 0.25
"""Shares of what both cells cost. Up to the first, all changes are told; beyond the second, only
those that take few words (`FEW_PHRASES`); between them, those that can all be put in words."""

FEW_PHRASES = 2

MOST = 400
"""Cells whose nodes and edges cost more than this are not compared; the largest known cell's cost
221."""

_LIKELY = 1.1
"""Times the least cost of quick searches, up to which a known cell may yet be the nearest."""


@dataclass(frozen=True, slots=True)
class Kin:
    """The nearest known cell.

    `distance` is the cost of the edits (see `cellsearch.analysis.matching`), `edits` their number;
    both are 0 for cells that differ in nothing but how blends are written. `changes` tells the
    edits, the known cell being what is changed, in fewer phrases than there are edits; it is empty
    where the cells have little in common. `sentence` says all of it.
    """

    name: str
    distance: int
    edits: int
    changes: tuple[str, ...]
    sentence: str


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A known cell and the edits from it, both in the form in which they are compared."""

    name: str
    known: Graph
    cell: Graph
    path: EditPath

    @property
    def key(self) -> tuple[int, int, int, str]:
        return self.path.cost, len(self.path.edits), len(self.known.nodes), self.name


def nearest_known(cell: Cell, among: Iterable[str] = zoo) -> Kin | None:
    """Return the known cell from which the fewest and smallest edits lead to a cell.

    `among` names the known cells to compare with. Of several at equal cost it is the one with fewer
    edits, then the smaller one, then the first by name. None if there is none to compare with, or
    if the cell is too large (see `MOST`).
    """
    if size(cell.normal) > MOST:
        return None
    forms = _forms(cell)
    ranked = sorted(
        (least_cost(known, own), name, way)
        for name in among
        for way, (known, own) in enumerate(zip(_known(name), forms, strict=False))
    )
    quick: list[_Candidate] = []
    for bound, name, way in ranked:
        if quick and bound > min(each.path.cost for each in quick):
            break  # none of the rest can be nearer
        known, own = _known(name)[way], forms[way]
        quick.append(_Candidate(name, known, own, edit_path(known, own, quick=True)))
    quick.sort(key=lambda each: each.path.cost)
    found = [
        replace(each, path=edit_path(each.known, each.cell))
        for each in quick
        if each.path.cost <= _LIKELY * quick[0].path.cost
    ]
    best = min(found, key=lambda each: each.key, default=None)
    return None if best is None else _told(best, cell)


def _forms(cell: Cell) -> tuple[Graph, ...]:
    """Return a cell in plain arithmetic and, if it has blends, as it is.

    Two cells that both have blends may be nearer as they are.
    """
    normal = cell.normal
    if all(node.op != "blend" for node in normal.nodes):
        return (normal,)
    try:
        return plain(normal), normal
    except CellError:  # its sums would have too many arguments
        return (normal,)


@functools.cache
def _known(name: str) -> tuple[Graph, ...]:
    return _forms(zoo[name])


def _told(found: _Candidate, cell: Cell) -> Kin:
    name, cost, edits = found.name, found.path.cost, len(found.path.edits)
    if cost == 0:
        same = zoo[name] == cell
        return Kin(name, 0, 0, (), name if same else f"{name}, but for how its blends are written")
    share = cost / (size(found.known) + size(found.cell))
    told = tell(found.known, found.cell, found.path, zoo.terms(name))
    short = len(told) <= FEW_PHRASES and not any("..." in text for text, _ in told)
    if not short and edits > MOST_PHRASES and share > (ALIKE if len(told) > MOST_PHRASES else FAR):
        sentence = f"unlike any known cell (the nearest is {name}, {edits} edits away)"
        return Kin(name, cost, edits, (), sentence)
    changes = [text for text, _ in told[:MOST_PHRASES]]
    more = sum(count for _, count in told[MOST_PHRASES:])
    if more:
        changes.append(f"{more} more edit{'s' if more > 1 else ''}")
    return Kin(name, cost, edits, tuple(changes), f"{name}, with {listed(changes)}")
