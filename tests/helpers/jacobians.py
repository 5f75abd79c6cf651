"""What kind a cell's recurrence is, from numbers alone: Jacobians and second differences of a step.

A step runs in the tests' own interpreter. Nothing is known here of graphs and operators.
"""

from __future__ import annotations

import itertools

import networkx as nx
import torch
from interpreter import Step
from torch import Tensor

from cellsearch.cell import Cell
from cellsearch.shapes import learned_tensors

SIZE = 3
POINTS = 6
"""Draws of weights and inputs."""
COUNT = 8
"""Draws of states for each."""
SCALES = (0.3, 1.0, 3.0)
BENT = 1e-7
"""What a second difference is at least, beside the values, if the map is not affine."""


def numerical_kind(cell: Cell, seed: int) -> str:
    """Return the kind of a cell as numbers tell it."""
    generator = torch.Generator().manual_seed(seed)
    reads = torch.zeros(len(cell.states), len(cell.states), dtype=torch.bool)
    mixes = reads.clone()
    points = [_Point(cell, generator, SCALES[place % len(SCALES)]) for place in range(POINTS)]
    own = torch.eye(SIZE, dtype=torch.bool)
    for point in points:
        found = (point.jacobian() != 0).any(3)  # (state, feature, state at t-1, feature)
        reads |= found.any(3).any(1)
        mixes |= (found & ~own[None, :, None, :]).any(3).any(1)
    graph = nx.DiGraph((int(s), int(t)) for s, t in reads.nonzero())
    groups = [
        sorted(group)
        for group in nx.strongly_connected_components(graph)
        if len(group) > 1 or graph.has_edge(*(tuple(group) * 2))
    ]
    if any(bool(mixes[s, t]) for group in groups for s, t in itertools.product(group, repeat=2)):
        return "dense"
    bent = any(point.is_bent(group) for group in groups for point in points)
    return "diagonal" if bent else "scan"


class _Point:
    """Weights, an input and states, all drawn at random."""

    def __init__(self, cell: Cell, generator: torch.Generator, scale: float) -> None:
        self.cell, self.scale, self.generator = cell, scale, generator
        self.tensors = {
            tensor.name: self._draw(*tensor.sizes(SIZE, SIZE))
            for tensor in learned_tensors(cell.normal)
        }
        self.x = self._draw(SIZE)
        self.states = (
            self._draw(len(cell.states), COUNT, SIZE) * torch.logspace(-1, 1, COUNT)[:, None]
        )

    def _draw(self, *shape: int) -> Tensor:
        return self.scale * torch.randn(shape, generator=self.generator, dtype=torch.float64)

    def step(self, states: Tensor) -> Tensor:
        """Return the states at t, (state, draw, feature), from those at t-1."""
        given = dict(zip(self.cell.states, states, strict=True))
        shape = states.shape[1:]
        step = Step(self.cell.text, self.tensors, self.x.expand(shape), given)
        return torch.stack([step.value(name).expand(shape) for name in given])

    def jacobian(self) -> Tensor:
        """Return the derivatives, (state, feature, state at t-1, draw, feature)."""
        states = self.states.clone().requires_grad_()
        values = self.step(states).sum(1)  # draws have nothing to do with each other
        shape = (*values.shape, *states.shape)
        if not values.requires_grad:
            return torch.zeros(shape, dtype=torch.float64)
        rows = torch.eye(values.numel(), dtype=torch.float64).view(-1, *values.shape)
        (found,) = torch.autograd.grad(values, states, rows, is_grads_batched=True)
        return found.view(shape)

    def is_bent(self, group: list[int]) -> bool:
        """Tell whether the map of the group's states, all else fixed, is not affine."""
        first = self.states[:, :1].repeat(1, COUNT, 1)
        last = first.clone()
        for ends in (first, last):
            ends[group] = 3 * self._draw(len(group), COUNT, SIZE)
        a, b, c = (self.step(states)[group] for states in (first, (first + last) / 2, last))
        return bool(((a - 2 * b + c).abs() > BENT * (1 + a.abs() + c.abs())).any())
