"""Instructions of a loop program as actions on registers, in plain torch operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from cellsearch.backends.torch_functions import Function, takes_numbers, torch_function
from cellsearch.lowering.program import Apply, Instruction, Join, Load, LoopProgram, Product, Split

Registers = list[Any]  # tensors, and Python numbers in the registers of numbers
Action = Callable[[Registers], None]


class Actions:
    """Turns instructions into actions on registers; weights are put side by side once.

    An action runs at every step, so what can be decided beforehand is decided here.
    """

    def __init__(self, program: LoopProgram, tensors: Sequence[Tensor], like: Tensor) -> None:
        self.program = program
        self.numbers = dict(program.numbers)
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

    def _apply(self, apply: Apply) -> Action:
        function = torch_function(apply.op, len(apply.args))
        if not takes_numbers(apply.op) and any(arg in self.numbers for arg in apply.args):
            function = self._on_tensors(function, apply.args)
        out, args = apply.out, apply.args
        first, second = args[0], args[-1]

        def run_unary(registers: Registers) -> None:
            registers[out] = function(registers[first])

        def run_binary(registers: Registers) -> None:
            registers[out] = function(registers[first], registers[second])

        def run(registers: Registers) -> None:
            registers[out] = function(*[registers[arg] for arg in args])

        return {1: run_unary, 2: run_binary}.get(len(args), run)

    def _on_tensors(self, function: Function, args: Sequence[int]) -> Function:
        """Return a function that takes the numbers among its arguments as tensors."""
        numbers = [
            self.like.new_tensor(self.numbers[arg]) if arg in self.numbers else None for arg in args
        ]

        def run(*values: Tensor | float) -> Tensor:
            pairs = zip(values, numbers, strict=True)
            return function(*(value if number is None else number for value, number in pairs))

        return run

    def _product(self, product: Product) -> Action:
        weights = [_stacked(blocks, self.tensors).t() for blocks in product.weights]
        bias = _stacked(product.bias, self.tensors) if product.bias else None
        out, args, addend = product.out, product.args, product.addend
        rows = all(self.program.stages[arg] != "constant" for arg in args)
        if addend is not None and rows and len(args) == 1:  # most products of a loop
            return _added(out, addend, args[0], weights[0])

        def run(registers: Registers) -> None:
            total = bias if addend is None else registers[addend]
            for arg, weight in zip(args, weights, strict=True):
                total = _multiply_add(total, registers[arg], weight)
            registers[out] = total

        return run

    def _join(self, join: Join) -> Action:
        def run(registers: Registers) -> None:
            parts = [registers[part] for part in join.parts]
            rows = [part.size(0) for part in parts if part.dim() == 2]
            if rows:
                parts = [part.expand(rows[0], part.size(-1)) for part in parts]
            registers[join.out] = torch.cat(parts, -1)

        return run


def _stacked(blocks: Sequence[int], tensors: Sequence[Tensor]) -> Tensor:
    """Return the matrices or biases of a product's blocks as one."""
    parts = [tensors[index] for index in blocks]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _added(out: int, addend: int, arg: int, weight: Tensor) -> Action:
    def run(registers: Registers) -> None:
        registers[out] = torch.addmm(registers[addend], registers[arg], weight)

    return run


def _split(split: Split) -> Action:
    outs, source, total = split.outs, split.source, sum(split.blocks)
    count = len(outs)
    first, second = outs[0], outs[-1]

    def run_halves(registers: Registers) -> None:
        registers[first], registers[second] = registers[source].chunk(2, -1)

    def run_equal(registers: Registers) -> None:
        for out, piece in zip(outs, registers[source].chunk(count, -1), strict=True):
            registers[out] = piece

    def run(registers: Registers) -> None:
        block = registers[source].size(-1) // total
        sizes = [block * number for number in split.blocks]
        for out, piece in zip(outs, registers[source].split_with_sizes(sizes, -1), strict=True):
            registers[out] = piece

    if len(set(split.blocks)) > 1:
        return run
    return run_halves if count == 2 else run_equal


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
