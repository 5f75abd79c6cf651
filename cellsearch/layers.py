"""`Recurrent` and `RecurrentCell`: any cell as a torch.nn module."""

from __future__ import annotations

import torch
from torch import Tensor

from cellsearch.backends import make_sequence
from cellsearch.cell import Cell
from cellsearch.shapes import learned_tensors, needs_equal_sizes
from cellsearch.shell import CellShell, Description, RecurrentShell, States


def describe(cell: Cell) -> Description:
    """Return what the modules' shell has to know of a cell."""
    if not isinstance(cell, Cell):  # the first thing that both modules do
        raise TypeError(f"expected a Cell, found {cell!r:.80}; known cells are in cellsearch.zoo")
    tensors = learned_tensors(cell.normal)
    return Description(
        states=cell.states,
        tensors=tuple((tensor.name, tensor.shape, tensor.start) for tensor in tensors),
        has_output=cell.has_output,
        equal_sizes=needs_equal_sizes(cell.normal),
    )


class _Compiled:
    """A cell, its backend, and the order of its states; what both modules run."""

    def __init__(self, cell: Cell, backend: str) -> None:
        self.function = make_sequence(cell, backend)
        order = [name for name, _ in cell.normal.states]
        self.to_normal = [cell.states.index(name) for name in order]
        self.from_normal = [order.index(name) for name in cell.states]

    def __call__(
        self,
        tensors: list[Tensor],
        rows: Tensor,
        batch_sizes: list[int],
        state: States,
        reverse: bool,
    ) -> tuple[Tensor, States]:
        ordered = tuple(state[index] for index in self.to_normal)
        output, last = self.function(tensors, rows, batch_sizes, ordered, reverse)
        return output, tuple(last[index] for index in self.from_normal)


class Recurrent(RecurrentShell):
    """A recurrent layer made of a cell; everything else is as in torch.nn.GRU.

    Shapes: input (steps, batch, input_size), (batch, steps, input_size) if batch_first,
    (steps, input_size) unbatched, or a PackedSequence. `layer(input, state=None)` returns the
    output, as wide as hidden_size times the directions, and the last state, (layers * directions,
    batch, hidden_size): a tensor for one state, else a tuple in the order of `cell.states`.

    Raises ValueError for sizes that cannot be, among them an input_size that differs from
    hidden_size where the cell uses x elementwise.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.cell = cell  # first: later, a statement may have this name
        super().__init__(
            describe(cell),
            _Compiled(cell, backend),
            input_size,
            hidden_size,
            num_layers,
            batch_first,
            dropout,
            bidirectional,
            device,
            dtype,
        )

    def extra_repr(self) -> str:
        return f"{self.cell.id}, {super().extra_repr()}"


class RecurrentCell(CellShell):
    """One step of a cell; everything else is as in torch.nn.GRUCell.

    Shapes: input (batch, input_size) or (input_size,), each state (batch, hidden_size) or
    (hidden_size,). `step(input, state=None)` returns the new state, a tuple in the order of
    `cell.states` if there are several; (output, state) if the cell's output is not its h.
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        backend: str = "auto",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        self.cell = cell  # first: later, a statement may have this name
        super().__init__(
            describe(cell), _Compiled(cell, backend), input_size, hidden_size, device, dtype
        )

    def extra_repr(self) -> str:
        return f"{self.cell.id}, {super().extra_repr()}"
