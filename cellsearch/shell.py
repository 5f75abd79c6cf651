"""The part of a recurrent module that does not depend on the cell: torch.nn.GRU's face.

Imports torch only and nothing of this package: exported sources carry this file along.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

States = tuple[Tensor, ...]
SequenceFunction = Callable[[list[Tensor], Tensor, list[int], States, bool], tuple[Tensor, States]]
"""Runs one layer in one direction: learned tensors, rows, batch sizes, states and direction in (see
`scan`); the output, (rows, hidden), and the last states, (batch, hidden) each, out."""


class Description(NamedTuple):
    """What a shell has to know of a cell.

    `states` are the carried states, h first. `tensors` are the learned tensors in the order in
    which they are drawn: name, shape in words ("hidden", "input") and start (see `_start`).
    `starts` are the values of the states before the first step; none are given where all are zero.
    """

    states: tuple[str, ...]
    tensors: tuple[tuple[str, tuple[str, ...], str | float], ...]
    has_output: bool = False
    equal_sizes: bool = False
    starts: tuple[float, ...] = ()


def scan(
    step: Callable[[States, list[Tensor]], tuple[States, States]],
    streams: Sequence[Tensor],
    batch_sizes: list[int],
    state: States,
    reverse: bool,
) -> tuple[list[Tensor], States]:
    """Run a step over packed rows, forward or in reverse.

    `streams` are values of shape (rows, features), the rows of step t following those of step
    t-1, `batch_sizes[t]` of them and never more than at t-1. `step(state, rows)` returns the new
    state and the values to keep. Returns the kept values, (rows, features) each, and the last
    state of every sequence, (batch, hidden) each.
    """
    pieces = [torch.split(stream, batch_sizes) for stream in streams]
    kept: list[States] = []
    finished: list[States] = []
    full = state
    size = batch_sizes[-1] if reverse else batch_sizes[0]
    state = tuple(part[:size] for part in full) if size < full[0].size(0) else full
    if not reverse and size < full[0].size(0):
        finished.append(tuple(part[size:] for part in full))
    order = range(len(batch_sizes) - 1, -1, -1) if reverse else range(len(batch_sizes))
    for t in order:
        if batch_sizes[t] < size:  # sequences that ended; the shortest stand last
            finished.append(tuple(part[batch_sizes[t] :] for part in state))
            state = tuple(part[: batch_sizes[t]] for part in state)
        elif batch_sizes[t] > size:  # in reverse, sequences that begin here
            state = tuple(
                torch.cat((part, begin[size : batch_sizes[t]]))
                for part, begin in zip(state, full, strict=True)
            )
        size = batch_sizes[t]
        state, values = step(state, [piece[t] for piece in pieces])
        kept.append(values)
    if reverse:
        kept.reverse()
    if finished:
        finished.append(state)
        state = tuple(torch.cat(parts) for parts in zip(*reversed(finished), strict=True))
    return [torch.cat(values) for values in zip(*kept, strict=True)], state


class _Owner(nn.Module):
    """Holds learned tensors under the names of statements, whatever these are."""

    def train(self, mode: bool = True) -> _Owner:
        """Set the mode of training; nn.Module's own fails if a statement is called "training"."""
        self.__dict__["training"] = mode
        for child in self.children():
            child.train(mode)
        return self


class _Shell(_Owner):
    """Learned tensors by name, and their start."""

    def __init__(
        self,
        description: Description,
        sequence: SequenceFunction,
        input_size: int,
        hidden_size: int,
    ) -> None:
        super().__init__()
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if size < 1:
                raise ValueError(f"{name} is {size}; expected at least 1")
        self.description = description
        self.sequence = sequence
        self.input_size = input_size
        self.hidden_size = hidden_size
        self._paths = [tuple(name.split(".", 1)) for name, _, _ in description.tensors]

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw all learned tensors anew, from torch's global generator unless one is given."""
        for owner in self._owners():
            for name, shape, start in self.description.tensors:
                _start(_lookup(owner, name), shape, start, self.hidden_size, generator)

    def _owners(self) -> list[nn.Module]:
        return [self]

    def _declare(
        self,
        owner: nn.Module,
        input_size: int,
        device: torch.device | str | None,
        dtype: torch.dtype | None,
    ) -> None:
        if self.description.equal_sizes and input_size != self.hidden_size:
            raise ValueError(
                f"this cell uses its input elementwise: input_size {input_size} must equal "
                f"hidden_size {self.hidden_size}"
            )
        for name, shape, _ in self.description.tensors:
            sizes = [self.hidden_size if axis == "hidden" else input_size for axis in shape]
            group, _, role = name.partition(".")
            if group not in owner._modules:
                # Not add_module: it refuses names that nn.Module uses itself, such as "type".
                owner._modules[group] = nn.Module()
            value = torch.empty(sizes, device=device, dtype=dtype)
            _group(owner, group).register_parameter(role, nn.Parameter(value))

    def _tensors(self, owner: nn.Module) -> list[Tensor]:
        groups = owner._modules
        try:  # of a module of few operations, a step takes no longer than looking these up
            found = [groups[group]._parameters[role] for group, role in self._paths]  # type: ignore[union-attr]
        except KeyError:  # one is computed from others: torch.nn.utils.parametrize
            return [_lookup(owner, name) for name, _, _ in self.description.tensors]
        return found  # type: ignore[return-value]

    def _begin(self, rows: Tensor, *shape: int) -> States:
        """Return the states before the first step."""
        starts = self.description.starts
        if not starts:
            return (rows.new_zeros(shape),) * len(self.description.states)
        most = torch.finfo(rows.dtype).max if rows.is_floating_point() else 0  # less in half
        return tuple(rows.new_full(shape, min(max(start, -most), most)) for start in starts)

    def _as_tuple(self, state: Tensor | States) -> States:
        parts = (state,) if isinstance(state, Tensor) else tuple(state)
        fit = len(parts) == len(self.description.states)
        if not fit or not all(isinstance(part, Tensor) for part in parts):
            found = len(parts) if not fit else "something else than tensors"
            hint = "; of (output, state) give the state" if self.description.has_output else ""
            raise RuntimeError(
                f"expected the states {', '.join(self.description.states)}, found {found}{hint}"
            )
        return parts

    def _as_given(self, parts: States) -> Tensor | States:
        return parts[0] if len(parts) == 1 else parts


class CellShell(_Shell):
    """One step at a time: torch.nn.GRUCell's face."""

    def __init__(
        self,
        description: Description,
        sequence: SequenceFunction,
        input_size: int,
        hidden_size: int,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(description, sequence, input_size, hidden_size)
        self._declare(self, input_size, device, dtype)
        self.reset_parameters()

    def forward(self, input: Tensor, state: Tensor | States | None = None) -> object:
        """Take one step.

        Shapes: input (batch, input_size) or (input_size,); each state (batch, hidden_size) or
        (hidden_size,), where the cell begins (mostly zeros) if not given. Returns the new state, a
        tuple if there are several; (output, state) if the cell's output is not its h.
        """
        dimensions = input.dim()
        if dimensions not in (1, 2):
            raise RuntimeError(f"expected 1-D or 2-D input, found {dimensions}-D")
        rows = input if dimensions == 2 else input.unsqueeze(0)
        batch, size = rows.shape
        if size != self.input_size:
            raise RuntimeError(f"expected input_size {self.input_size}, found {size}")
        description = self.description
        if state is None:
            parts = self._begin(rows, batch, self.hidden_size)
        else:
            parts = self._as_tuple(state)
            if dimensions == 1:
                parts = tuple(part.unsqueeze(0) for part in parts)
        _check_states(parts, (batch, self.hidden_size), description.states)
        tensors = self._tensors(self)
        _check_dtypes(tensors, rows, parts, description.states)
        output, new = self.sequence(tensors, rows, [batch], parts, False)
        if dimensions == 1:
            output, new = output.squeeze(0), tuple(part.squeeze(0) for part in new)
        return (output, self._as_given(new)) if description.has_output else self._as_given(new)

    def extra_repr(self) -> str:
        return f"{self.input_size}, {self.hidden_size}"


class RecurrentShell(_Shell):
    """Whole sequences: torch.nn.GRU's face."""

    def __init__(
        self,
        description: Description,
        sequence: SequenceFunction,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__(description, sequence, input_size, hidden_size)
        if num_layers < 1:
            raise ValueError(f"num_layers is {num_layers}; expected at least 1")
        if not 0 <= dropout <= 1:
            raise ValueError(f"dropout is {dropout}; expected a probability, 0..1")
        if description.equal_sizes and bidirectional and num_layers > 1:
            raise ValueError(
                "this cell uses its input elementwise, so each layer's must be as wide as "
                f"hidden_size {hidden_size}; layer 2 is given both directions of layer 1, "
                f"{2 * hidden_size} wide: take bidirectional=False or num_layers=1"
            )
        self.num_layers = num_layers
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        for layer in range(num_layers):
            size = input_size if layer == 0 else hidden_size * self._directions
            for name in self._names(layer):
                owner = _Owner()
                self._modules[name] = owner
                self._declare(owner, size, device, dtype)
        self.reset_parameters()

    def forward(
        self, input: Tensor | PackedSequence, state: Tensor | States | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor | States]:
        """Run the sequences.

        Shapes: input (steps, batch, input_size), (batch, steps, input_size) if batch_first,
        (steps, input_size) unbatched, or a PackedSequence; each state (layers * directions, batch,
        hidden_size), where the cell begins (mostly zeros) if not given. Returns the output,
        hidden_size * directions wide, and the last state, a tuple if there are several.
        """
        if isinstance(input, PackedSequence):
            return self._packed(input, state)
        if input.dim() not in (2, 3):
            raise RuntimeError(f"expected 2-D or 3-D input, found {input.dim()}-D")
        batched = input.dim() == 3
        parts = None if state is None else self._as_tuple(state)
        if not batched:
            input = input.unsqueeze(1)
            parts = None if parts is None else tuple(part.unsqueeze(1) for part in parts)
        elif self.batch_first:
            input = input.transpose(0, 1)
        steps, batch = input.shape[:2]
        if steps == 0:
            raise RuntimeError("expected at least one step")
        rows = input.reshape(steps * batch, input.size(2))
        output, new = self._layers(rows, [batch] * steps, parts)
        output = output.reshape(steps, batch, output.size(1))
        if not batched:
            return output.squeeze(1), self._as_given(tuple(part.squeeze(1) for part in new))
        return output.transpose(0, 1) if self.batch_first else output, self._as_given(new)

    def _packed(
        self, input: PackedSequence, state: Tensor | States | None
    ) -> tuple[PackedSequence, Tensor | States]:
        parts = None if state is None else self._as_tuple(state)
        if parts is not None and input.sorted_indices is not None:
            parts = tuple(part.index_select(1, input.sorted_indices) for part in parts)
        output, new = self._layers(input.data, input.batch_sizes.tolist(), parts)
        if input.unsorted_indices is not None:
            new = tuple(part.index_select(1, input.unsorted_indices) for part in new)
        packed = PackedSequence(
            output, input.batch_sizes, input.sorted_indices, input.unsorted_indices
        )
        return packed, self._as_given(new)

    def _layers(
        self, rows: Tensor, batch_sizes: list[int], state: States | None
    ) -> tuple[Tensor, States]:
        """Run all layers over packed rows, (rows, input_size)."""
        if rows.size(1) != self.input_size:
            raise RuntimeError(f"expected input_size {self.input_size}, found {rows.size(1)}")
        count = self.num_layers * self._directions
        if state is None:
            state = self._begin(rows, count, batch_sizes[0], self.hidden_size)
        _check_states(state, (count, batch_sizes[0], self.hidden_size), self.description.states)
        last: list[States] = []
        for layer in range(self.num_layers):
            outputs = []
            for direction, name in enumerate(self._names(layer)):
                begin = tuple(part[len(last)] for part in state)
                tensors = self._tensors(self._modules[name] or self)
                _check_dtypes(tensors, rows, begin, self.description.states)
                output, new = self.sequence(tensors, rows, batch_sizes, begin, direction == 1)
                outputs.append(output)
                last.append(new)
            rows = outputs[0] if len(outputs) == 1 else torch.cat(outputs, 1)
            if self.dropout and layer < self.num_layers - 1:
                rows = nn.functional.dropout(rows, self.dropout, self.training)
        return rows, tuple(torch.stack(parts) for parts in zip(*last, strict=True))

    @property
    def _directions(self) -> int:
        return 2 if self.bidirectional else 1

    def _names(self, layer: int) -> tuple[str, ...]:
        return (f"l{layer}", f"l{layer}_reverse")[: self._directions]

    def _owners(self) -> list[nn.Module]:
        names = (name for layer in range(self.num_layers) for name in self._names(layer))
        return [_group(self, name) for name in names]

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (("num_layers", 1), ("dropout", 0.0)):
            value = getattr(self, name)
            text += f", {name}={value}" if value != default else ""
        for name in ("batch_first", "bidirectional"):
            text += f", {name}=True" if getattr(self, name) else ""
        return text


def _group(owner: nn.Module, name: str) -> nn.Module:
    module = owner._modules[name]
    if module is None:
        raise KeyError(name)
    return module


def _lookup(owner: nn.Module, name: str) -> Tensor:
    group, _, role = name.partition(".")
    tensor: Tensor = getattr(_group(owner, group), role)
    return tensor


def _start(
    tensor: Tensor,
    shape: tuple[str, ...],
    start: str | float,
    hidden_size: int,
    generator: torch.Generator | None,
) -> None:
    """Fill a tensor: uniform as in torch.nn.LSTM, orthogonal, identity, or with a number."""
    with torch.no_grad():
        if not isinstance(start, str):
            tensor.fill_(start)
        elif start == "uniform":
            bound = 1 / math.sqrt(hidden_size)
            tensor.uniform_(-bound, bound, generator=generator)
        elif start == "orthogonal":
            nn.init.orthogonal_(tensor, generator=generator)
        else:
            nn.init.eye_(tensor)


def _check_states(states: States, shape: tuple[int, ...], names: tuple[str, ...]) -> None:
    for name, state in zip(names, states, strict=True):
        if state.shape != shape:
            raise RuntimeError(
                f"expected state {name} of shape {shape}, found {tuple(state.shape)}"
            )


def _check_dtypes(
    tensors: list[Tensor], rows: Tensor, states: States, names: tuple[str, ...]
) -> None:
    dtype = (*tensors, rows)[0].dtype
    for name, part in zip(("input", *names), (rows, *states), strict=True):
        if part.dtype != dtype and not torch.is_autocast_enabled(rows.device.type):
            which = name if part is rows else f"state {name}"
            expected = f"as the {'weights are' if tensors else 'input is'}"
            raise ValueError(f"expected {which} of type {dtype}, {expected}, found {part.dtype}")
