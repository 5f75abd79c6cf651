"""How a cell runs: backends that share one face and are chosen by name.

A backend makes, from a cell, a function of the learned tensors, the input rows, the batch sizes,
the states and the direction; see `cellsearch.shell.scan`.
"""

from __future__ import annotations

from cellsearch.backends.eager import EagerSequence
from cellsearch.backends.reference import ReferenceSequence
from cellsearch.cell import Cell
from cellsearch.lowering import lower
from cellsearch.shell import SequenceFunction

BACKENDS = ("auto", "eager", "reference")


def make_sequence(cell: Cell, backend: str) -> SequenceFunction:
    """Return the function that runs a layer of a cell; its states are in the normal form's order.

    "auto" takes the fastest backend there is for the device.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; expected one of {', '.join(BACKENDS)}")
    if backend == "reference":
        return ReferenceSequence(cell.normal)
    return EagerSequence(lower(cell.normal))
