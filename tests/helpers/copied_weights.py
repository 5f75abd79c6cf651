"""Known cells beside another implementation of the same: weights copied, both run, compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from cellsearch.cell import Cell
from cellsearch.layers import Recurrent

STEPS, BATCH = 20, 2
Copied = Mapping[str, Tensor]  # our learned tensors by name, from theirs
Convert = Callable[[Mapping[str, Tensor]], Copied]
Results = list[Tensor]  # the outputs, (steps, batch, hidden), and then the last states


def fill(module: nn.Module, seed: int = 0) -> dict[str, Tensor]:
    """Give a module weights that keep 20 steps small, and return them by name."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.normal_(std=0.4, generator=generator)
    return dict(module.state_dict())


def add_up(theirs: Mapping[str, Tensor], ours: str, suffix: str = "") -> dict[str, Tensor]:
    """Return our tensors of statements `linear(x, h_prev)`, of which they stack the matrices.

    `ours` are the statements in the order of their blocks. They have two biases, which add up.
    """
    names = ours.split()
    blocks = [
        theirs[f"{kind}{suffix}"].chunk(len(names))
        for kind in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    ]
    found = {}
    for name, of_x, of_h, bias, other in zip(names, *blocks, strict=True):
        found |= {f"{name}.weight_0": of_x, f"{name}.weight_1": of_h, f"{name}.bias": bias + other}
    return found


def run(
    cell: Cell, weights: Copied, size: int, hidden: int, states: Results | None, backend: str
) -> Results:
    """Return what our layer gives for `draw_inputs(size)`."""
    layer = Recurrent(cell, size, hidden, backend=backend, dtype=torch.float64)
    layer.load_state_dict({f"l0.{name}": value for name, value in weights.items()})
    begin = None if states is None else tuple(state.unsqueeze(0) for state in states)
    with torch.no_grad():
        output, last = layer(draw_inputs(size), begin)
    return [output, *([last[0]] if isinstance(last, Tensor) else [part[0] for part in last])]


def draw_inputs(size: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(STEPS, BATCH, size, generator=generator, dtype=torch.float64)


def draw_states(count: int, hidden: int) -> Results:
    generator = torch.Generator().manual_seed(2)
    shape = (BATCH, hidden)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for _ in range(count)]


def largest_difference(found: Results, expected: Results) -> float:
    pairs = zip(found, expected, strict=True)
    return max(float((one - other).abs().max()) for one, other in pairs)
