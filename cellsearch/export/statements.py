"""Instructions of a loop program as lines of Python, the same operations as the eager backend."""

from __future__ import annotations

import builtins
import keyword
from collections.abc import Sequence
from typing import Any

from cellsearch.graph import Graph
from cellsearch.lowering import LoopProgram
from cellsearch.lowering.program import Apply, Instruction, Join, Load, Product, Split
from cellsearch.operators import OPERATORS

_RESERVED = {
    *dir(builtins),
    *keyword.kwlist,
    *("torch", "nn", "math", "rows", "state", "tensors", "batch_sizes", "reverse", "step", "scan"),
    *("streams", "hidden", "kept", "last"),
}


class _Traced:
    """Text of an expression that grows by Python's arithmetic; prints an operator's formula."""

    def __init__(self, text: str) -> None:
        self.text = text

    def _with(self, sign: str, left: Any, right: Any) -> _Traced:
        return _Traced(f"({_text(left)} {sign} {_text(right)})")

    def __add__(self, other: Any) -> _Traced:
        return self._with("+", self, other)

    def __radd__(self, other: Any) -> _Traced:
        return self._with("+", other, self)

    def __sub__(self, other: Any) -> _Traced:
        return self._with("-", self, other)

    def __rsub__(self, other: Any) -> _Traced:
        return self._with("-", other, self)

    def __mul__(self, other: Any) -> _Traced:
        return self._with("*", self, other)

    def __rmul__(self, other: Any) -> _Traced:
        return self._with("*", other, self)

    def __truediv__(self, other: Any) -> _Traced:
        return self._with("/", self, other)

    def __rtruediv__(self, other: Any) -> _Traced:
        return self._with("/", other, self)

    def __neg__(self) -> _Traced:
        return _Traced(f"(-{self.text})")

    def __lt__(self, other: Any) -> _Traced:
        return self._with("<", self, other)

    def __le__(self, other: Any) -> _Traced:
        return self._with("<=", self, other)

    def __gt__(self, other: Any) -> _Traced:
        return self._with(">", self, other)

    def __ge__(self, other: Any) -> _Traced:
        return self._with(">=", self, other)


def _text(value: Any) -> str:
    return value.text if isinstance(value, _Traced) else repr(value)


class _TracedMath:
    """The namespace `m` of the operator table's formulas, as calls of torch."""

    def __getattr__(self, name: str) -> Any:
        def call(*args: Any) -> _Traced:
            return _Traced(f"torch.{name}({', '.join(_text(arg) for arg in args)})")

        return call


class Statements:
    """Writes instructions as lines; every register gets a readable name of its own."""

    def __init__(self, program: LoopProgram, normal: Graph) -> None:
        self.program = program
        self.names: dict[int, str] = {}
        self.taken = set(_RESERVED)
        self.numbers = dict(program.numbers)
        self.tensors = [self._free(t.name.replace(".", "_")) for t in program.tensors]
        for state in program.states:
            if state.previous is not None:
                self.names[state.previous] = self._free(f"{state.name}_prev")
        if program.x is not None:
            self.names[program.x] = "rows"
        for index, node in enumerate(normal.nodes):
            if index not in self.names and node.name and index not in self.numbers:
                self.names[index] = self._free(node.name)

    def name(self, register: int) -> str:
        """Return the name of a register's value."""
        if register not in self.names:
            self.names[register] = self._free(f"v{register}")
        return self.names[register]

    def operand(self, register: int, as_tensor: bool = False) -> str:
        """Return a register's value as an argument: its name, or the number that it is."""
        if register not in self.numbers:
            return self.name(register)
        number = repr(self.numbers[register])
        if not number.lstrip("-")[0].isdigit():  # inf and nan are no literals
            number = f'float("{number}")'
        return f"rows.new_tensor({number})" if as_tensor else number

    def _free(self, wanted: str) -> str:
        name = wanted
        while name in self.taken:
            name += "_"
        self.taken.add(name)
        return name

    def preparation(self, instruction: Product) -> list[str]:
        """Return the lines that put a product's matrices and biases side by side, once."""
        slab = self.name(instruction.out)
        lines = [
            f"{self._weight(slab, k)} = {self._stacked(block)}.t()"
            for k, block in enumerate(instruction.weights)
        ]
        if instruction.bias:
            lines.append(f"{slab}_bias = {self._stacked(instruction.bias)}")
        return lines

    def _weight(self, slab: str, position: int) -> str:
        return f"{slab}_weight_{position}"

    def _stacked(self, indices: Sequence[int]) -> str:
        names = [self.tensors[index] for index in indices]
        return names[0] if len(names) == 1 else f"torch.cat(({', '.join(names)}))"

    def line(self, instruction: Instruction) -> str:
        """Return the line that does what an instruction says."""
        if isinstance(instruction, Split):
            return self._split(instruction)
        return f"{self.name(instruction.out)} = {self._expression(instruction)}"

    def _expression(self, instruction: Apply | Product | Join | Load) -> str:
        if isinstance(instruction, Apply):
            return self._apply(instruction)
        if isinstance(instruction, Product):
            return self._product(instruction)
        if isinstance(instruction, Join):
            return self._join(instruction)
        return self.tensors[instruction.tensor]

    def _product(self, product: Product) -> str:
        slab = self.name(product.out)
        total = f"{slab}_bias" if product.bias else ""
        total = total if product.addend is None else self.name(product.addend)
        for position, arg in enumerate(product.args):
            value, weight = self.name(arg), self._weight(slab, position)
            if not total:
                total = f"{value} @ {weight}"
            elif self.program.stages[arg] == "constant":
                total = f"{total} + {value} @ {weight}"
            else:
                total = f"torch.addmm({total}, {value}, {weight})"
        return total

    def _split(self, split: Split) -> str:
        targets = ", ".join(self.name(out) for out in split.outs)
        source = self.name(split.source)
        if len(set(split.blocks)) == 1:
            return f"{targets} = {source}.chunk({len(split.outs)}, -1)"
        sizes = ", ".join("hidden" if n == 1 else f"{n} * hidden" for n in split.blocks)
        return f"{targets} = {source}.split([{sizes}], -1)"

    def _join(self, join: Join) -> str:
        parts = [self.name(part) for part in join.parts]
        if any(self.program.stages[part] == "before" for part in join.parts):
            parts = [f"{part}.expand(len(rows), {part}.size(-1))" for part in parts]
        return f"torch.cat(({', '.join(parts)}), -1)"

    def _apply(self, apply: Apply) -> str:
        if apply.op == "layer_norm":
            value, weight, bias = (self.name(arg) for arg in apply.args)
            shape = f"({value}.size(-1),)"
            return f"nn.functional.layer_norm({value}, {shape}, {weight}, {bias}, 1e-05)"
        row = OPERATORS[apply.op]
        if row.infix is not None:
            return f" {row.infix} ".join(self.operand(arg) for arg in apply.args)
        if row.torch is None:
            args = [_Traced(self.operand(arg)) for arg in apply.args]
            return _text(row.formula(_TracedMath(), *args))
        single = len(apply.args) == 1
        operands = [self.operand(arg, as_tensor=not single) for arg in apply.args]
        order = row.torch_order or range(len(operands))
        written = [operands[position] for position in order]
        written += [f"{key}={value!r}" for key, value in row.torch_arguments.items()]
        return f"{row.torch}({', '.join(written)})"
