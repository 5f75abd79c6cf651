"""Every cell of a small space, once, smallest first."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from cellsearch.cell import Cell
from cellsearch.operators import OPERATORS
from cellsearch.space import gated_update

if TYPE_CHECKING:
    from cellsearch.space import Space


def enumerate_cells(space: Space) -> Iterator[Cell]:
    """Yield every cell of a space once, those of fewer operators first."""
    family = [
        Cell.from_graph(gated_update.write(update)) for update in gated_update.gated_updates(space)
    ]
    for cell in sorted(family, key=size):
        if space.contains(cell) is None:
            yield cell


def size(cell: Cell) -> int:
    """Return the number of operators of a cell's normal form."""
    return sum(node.op in OPERATORS for node in cell.normal.nodes)
