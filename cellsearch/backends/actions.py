"""Instructions of a loop program as actions on registers, in plain torch operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from cellsearch.backends.torch_functions import takes_numbers, torch_function
from cellsearch.lowering.program import Apply, Instruction, Join, Load, Product, Split

Registers = list[Any]  # tensors, and Python numbers in the registers of numbers
Action = Callable[[Registers], None]


class Actions:
    """Turns instructions into actions on registers; weights are put side by side once."""

    def __init__(self, tensors: Sequence[Tensor], like: Tensor) -> None:
        self.tensors = tensors
        self.like = like  # tells device and dtype

    def action(self, instruction: Instruction) -> Action:
        if isinstance(instruction, Apply):
            return self._apply(instruction)
        if isinstance(instruction, Product):
            return self._product(instruction)
        if isinstance(instruction, Split):
            return _split(instruction)
        if isinstance(instruction, Join):
            return self._join(instruction)
        return self._load(instruction)

    def _load(self, load: Load) -> Action:
        def run(registers: Registers) -> None:
            registers[load.out] = self.tensors[load.tensor]

        return run

    def _product(self, product: Product) -> Action:
        return product_action(product, stacked(product, self.tensors))

    def _apply(self, apply: Apply) -> Action:
        function = torch_function(apply.op)
        out, args = apply.out, apply.args
        numbers = takes_numbers(apply.op)

        def run_unary(registers: Registers) -> None:
            registers[out] = function(registers[args[0]])

        def run(registers: Registers) -> None:
            registers[out] = function(*(registers[arg] for arg in args))

        def run_on_tensors(registers: Registers) -> None:
            registers[out] = function(*(self._as_tensor(registers[arg]) for arg in args))

        if len(args) == 1:
            return run_unary
        return run if numbers else run_on_tensors

    def _as_tensor(self, value: Tensor | float) -> Tensor:
        return value if isinstance(value, Tensor) else self.like.new_tensor(value)

    def _join(self, join: Join) -> Action:
        def run(registers: Registers) -> None:
            parts = [registers[part] for part in join.parts]
            rows = max((part.size(0) for part in parts if part.dim() == 2), default=None)
            if rows is not None:
                parts = [part.expand(rows, part.size(-1)) for part in parts]
            registers[join.out] = torch.cat(parts, -1)

        return run


def stacked(product: Product, tensors: Sequence[Tensor]) -> list[Tensor]:
    """Return a product's matrices, (blocks * hidden, n) per argument, then its bias if any."""
    rows = [*product.weights, *([product.bias] if product.bias else [])]
    parts = [[tensors[index] for index in blocks] for blocks in rows]
    return [part[0] if len(part) == 1 else torch.cat(part) for part in parts]


def product_action(product: Product, matrices: Sequence[Tensor]) -> Action:
    """Return the action of a product whose matrices and bias are stacked."""
    weights = [matrix.t() for matrix in matrices[: len(product.args)]]
    bias = matrices[-1] if product.bias else None
    out, args, addend = product.out, product.args, product.addend

    def run(registers: Registers) -> None:
        total = bias if addend is None else registers[addend]
        for arg, weight in zip(args, weights, strict=True):
            total = _multiply_add(total, registers[arg], weight)
        registers[out] = total

    return run


def _split(split: Split) -> Action:
    outs, source, total = split.outs, split.source, sum(split.blocks)

    def run_equal(registers: Registers) -> None:
        for out, piece in zip(outs, registers[source].chunk(len(outs), -1), strict=True):
            registers[out] = piece

    def run(registers: Registers) -> None:
        block = registers[source].size(-1) // total
        pieces = registers[source].split([block * count for count in split.blocks], -1)
        for out, piece in zip(outs, pieces, strict=True):
            registers[out] = piece

    return run_equal if len(set(split.blocks)) == 1 else run


def _multiply_add(total: Tensor | None, value: Tensor, weight: Tensor) -> Tensor:
    """Return total + value @ weight for a value of shape (rows, n) or (n,)."""
    if total is None:
        return value @ weight
    if value.dim() == 2:
        return torch.addmm(total, value, weight)
    return total + value @ weight


def full(value: Tensor | float, like: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Repeat a value that is the same for every row."""
    if not isinstance(value, Tensor):
        value = like.new_tensor(value)
    return value if tuple(value.shape) == shape else value.expand(shape)
