"""Running a cell's sequence function on drawn weights and data, and comparing two runs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf
from random import Random

import torch
from torch import Tensor

from cellsearch.backends import SequenceFunction
from cellsearch.cell import Cell
from cellsearch.shapes import learned_tensors

Results = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Trial:
    """Weights, packed rows, their batch sizes, initial states and a direction, in float64."""

    tensors: dict[str, Tensor]
    rows: Tensor  # (rows, input_size)
    sizes: list[int]  # how many sequences go on at each step, the longest sequences first
    states: dict[str, Tensor]  # (batch, hidden_size) each
    reverse: bool

    @property
    def leaves(self) -> list[Tensor]:
        return [self.rows, *self.states.values(), *self.tensors.values()]

    def to(self, dtype: torch.dtype) -> Trial:
        """The same numbers, rounded to a dtype."""

        def rounded(tensor: Tensor) -> Tensor:
            return tensor.detach().to(dtype, copy=True).requires_grad_()

        return replace(
            self,
            tensors={name: rounded(tensor) for name, tensor in self.tensors.items()},
            rows=rounded(self.rows),
            states={name: rounded(state) for name, state in self.states.items()},
        )

    def run(self, function: SequenceFunction) -> Results:
        """Outputs, last states, and the gradients of a fixed weighted sum of all of them."""
        output, last = function(
            list(self.tensors.values()), self.rows, self.sizes, tuple(self.states.values()),
            self.reverse,
        )  # fmt: skip
        results = {"output": output, **dict(zip(self.states, last, strict=True))}
        return results | self.gradients(results)

    def gradcheck(self, function: SequenceFunction, *, thorough: bool) -> bool:
        """Whether the gradients are the slopes of the values; thorough: each one by itself."""
        count = 1 + len(self.states)

        def run(*leaves: Tensor) -> tuple[Tensor, ...]:
            output, last = function(
                list(leaves[count:]), leaves[0], self.sizes, leaves[1:count], self.reverse
            )
            return tuple(value for value in (output, *last) if value.requires_grad)

        return torch.autograd.gradcheck(
            run, self.leaves, check_undefined_grad=False, fast_mode=not thorough
        )

    def gradients(self, results: Results) -> Results:
        total = torch.zeros((), dtype=torch.float64)
        for name in sorted(results):
            value = results[name]
            weights = torch.arange(1.0, value.numel() + 1, dtype=torch.float64).reshape(value.shape)
            total = total + (value * (weights + len(name)).cos()).sum()
        names = ["rows", *self.states, *self.tensors]
        if not total.requires_grad:  # every result is a plain number
            total = total + 0 * self.rows.sum()
        found = torch.autograd.grad(total, self.leaves, allow_unused=True, materialize_grads=True)
        return {f"gradient of {n}": g for n, g in zip(names, found, strict=True)}


def trial(
    cell: Cell,
    rng: Random,
    *,
    input_size: int = 2,
    hidden_size: int = 3,
    steps: int | None = None,
    batch: int = 3,
) -> Trial:
    """Draw a trial for a cell; its states are in the normal form's order.

    `steps` are 1 to 4 unless given, and `batch` is the most sequences that there may be.
    """
    generator = torch.Generator().manual_seed(rng.getrandbits(60))

    def draw(*sizes: int) -> Tensor:
        value = 0.6 * torch.randn(sizes, generator=generator, dtype=torch.float64)
        return value.requires_grad_()

    count = rng.randint(1, 4) if steps is None else steps
    sizes = sorted((rng.randint(1, batch) for _ in range(count)), reverse=True)
    return Trial(
        {t.name: draw(*t.sizes(input_size, hidden_size)) for t in learned_tensors(cell.normal)},
        draw(sum(sizes), input_size),
        sizes,
        {name: draw(sizes[0], hidden_size) for name, _ in cell.normal.states},
        rng.random() < 0.4,
    )


def largest_difference(found: Results, expected: Results) -> float:
    """The largest difference, relative to the largest magnitude of values or of gradients."""
    worst = 0.0
    for gradients in (False, True):
        names = [name for name in expected if name.startswith("gradient") == gradients]
        scale = max([1.0, *(float(expected[name].detach().abs().max()) for name in names)])
        for name in names:
            difference = (found[name] - expected[name]).detach().abs()
            worst = max(worst, float(difference.nan_to_num(nan=inf).max()) / scale)
    return worst
