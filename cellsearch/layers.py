"""`Recurrent` and `RecurrentCell`: any cell as a torch.nn module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cellsearch.backends import make_sequence, make_stream
from cellsearch.cell import Cell
from cellsearch.shapes import learned_tensors, needs_equal_sizes
from cellsearch.shell import CellShell, Description, RecurrentShell, States

if TYPE_CHECKING:
    from cellsearch.backends.native.streaming import Stream


def describe(cell: Cell) -> Description:
    """Return what the modules' shell has to know of a cell."""
    if not isinstance(cell, Cell):  # the first thing that both modules do
        raise TypeError(f"expected a Cell, found {cell!r:.80}; known cells are in cellsearch.zoo")
    tensors = learned_tensors(cell.normal)
    starts = {
        node.name: float(node.attribute("start", 0.0))
        for node in cell.normal.nodes
        if node.op == "state"
    }
    return Description(
        states=cell.states,
        tensors=tuple((tensor.name, tensor.shape, tensor.start) for tensor in tensors),
        has_output=cell.has_output,
        equal_sizes=needs_equal_sizes(cell.normal),
        starts=tuple(starts.get(name, 0.0) for name in cell.states) if any(starts.values()) else (),
    )


class _Compiled:
    """A cell, its backend, and the order of its states; what both modules run."""

    def __init__(self, cell: Cell, backend: str) -> None:
        self.function = make_sequence(cell, backend)
        order = [name for name, _ in cell.normal.states]
        self.to_normal = [cell.states.index(name) for name in order]
        self.from_normal = [order.index(name) for name in cell.states]
        self.in_order = self.to_normal == sorted(self.to_normal)

    def stream(
        self, groups: Mapping[str, torch.nn.Module | None], rows: Tensor, state: States
    ) -> Stream | None:
        """Return what takes steps like this one faster, if the backend has such."""
        return make_stream(self.function, groups, rows, state)

    def __call__(
        self,
        tensors: list[Tensor],
        rows: Tensor,
        batch_sizes: list[int],
        state: States,
        reverse: bool,
    ) -> tuple[Tensor, States]:
        if self.in_order:
            return self.function(tensors, rows, batch_sizes, state, reverse)
        ordered = tuple(state[index] for index in self.to_normal)
        output, last = self.function(tensors, rows, batch_sizes, ordered, reverse)
        return output, tuple(last[index] for index in self.from_normal)


class Recurrent(RecurrentShell):
    """A recurrent layer made of a cell; everything else is as in torch.nn.GRU.

    Shapes: input (steps, batch, input_size), (batch, steps, input_size) if batch_first,
    (steps, input_size) unbatched, or a PackedSequence. `layer(input, state=None)` returns the
    output, as wide as hidden_size times the directions, and the last state, (layers * directions,
    batch, hidden_size): a tensor for one state, else a tuple in the order of `cell.states`.

    `backend` is "auto", what is fastest where the module's tensors are; "native", compiled kernels
    on the CPU; "eager", plain torch operations; or "reference", slow, exact, in float64. What
    kernels cannot do, such as gradients of gradients, native leaves to torch operations.

    Raises ValueError for sizes that cannot be, among them an input_size that differs from
    hidden_size where the cell uses x elementwise, and for an input of another dtype.
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
    `backend` is as in `Recurrent`.
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
        description, compiled = describe(cell), _Compiled(cell, backend)
        super().__init__(description, compiled, input_size, hidden_size, device, dtype)
        self._compiled = compiled
        self._stream: Stream | None = None

    def forward(self, input: Tensor, state: Tensor | States | None = None) -> object:
        """Take one step; see `cellsearch.shell.CellShell.forward`.

        A step without gradients like the one before, as in streaming, takes a short way.
        """
        if state is None or torch.is_grad_enabled():
            return super().forward(input, state)
        stream = self._stream
        new = None if stream is None else stream.step(input, state)
        if new is not None:
            return new
        result = super().forward(input, state)
        plain = input.dim() == 2 and self._compiled.in_order and not self.description.has_output
        parts: States = (state,) if isinstance(state, Tensor) else tuple(state)
        self._stream = self._compiled.stream(self._modules, input, parts) if plain else None
        return result

    def streaming(self) -> Streaming:
        """Return this step for inference, as fast as steps of one sequence can be.

        `step = cell.streaming(); state = step(input, state)`: bit for bit what the module gives
        under torch.no_grad(), without its hooks; never gradients. Values that change in place are
        seen, as from an optimiser or load_state_dict, and so is a move to another device or dtype.
        Ask again after a parameter was exchanged for another, or its `.data` for another view of
        the same memory: until then, the old one may count.

        The native backend is fast for up to four sequences at a time; for more, and where the
        module is eager or its output is not its h, it takes the module's own step.
        """
        return Streaming(self)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_stream": None}

    def extra_repr(self) -> str:
        return f"{self.cell.id}, {super().extra_repr()}"


class Streaming:
    """Steps of a cell for inference; see `RecurrentCell.streaming`.

    What makes it fast is what it leaves out: half the time of a module's step of one sequence goes
    into the call of a module and into asking whether it holds the same parameters still.
    """

    def __init__(self, cell: RecurrentCell) -> None:
        self.cell = cell
        self._quick: Callable[..., object] | None = None  # takes a step like the one before

    def __call__(self, input: Tensor, state: Tensor | States | None = None) -> object:
        """Take one step: shapes, results and errors are those of the module."""
        if self._quick is not None and state is not None:
            new = self._quick(input, state, True)
            if new is not None:
                return new
        forward = self.cell.forward
        with torch.no_grad():
            result = forward(input, state)
        # Without a state the module did not look at its parameters; a subclass may do more.
        plain = getattr(forward, "__func__", None) is RecurrentCell.forward
        stream = self.cell._stream if state is not None and plain else None
        self._quick = None if stream is None else stream.step
        return result

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_quick": None}
