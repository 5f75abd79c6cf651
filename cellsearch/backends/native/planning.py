"""From a loop program to the plan of its kernel."""

from __future__ import annotations

from collections import Counter

from cellsearch.backends.native.plan import (
    STAGES,
    Call,
    NormaliseCall,
    Plan,
    ProductCall,
    Value,
)
from cellsearch.backends.native.schedule import schedule
from cellsearch.lowering.program import (
    Apply,
    Instruction,
    Join,
    Load,
    LoopProgram,
    Product,
    Split,
    Stage,
)
from cellsearch.shapes import HIDDEN, INPUT, SCALAR


def make_plan(program: LoopProgram, equal_sizes: bool) -> Plan:
    """Return the plan of a loop program; `equal_sizes` if its cell demands that of its sizes."""
    planner = _Planner(program, equal_sizes)
    planner.read()
    updates = [planner.result(state.update, "loop") for state in program.states]
    output = planner.result(program.output, "after")
    return Plan(
        constants=tuple(planner.slots),
        constant_widths=tuple(planner.constant_width[register] for register in planner.slots),
        prelude=planner.prelude(),
        values=tuple(planner.values),
        calls=tuple(planner.calls),
        steps=schedule(planner.values, planner.calls),
        updates=tuple(updates),
        output=output,
        registers=planner.registers,
    )


class _Planner:
    """Reads the instructions in order; `of` holds the values of a register, one per block."""

    def __init__(self, program: LoopProgram, equal_sizes: bool) -> None:
        self.program = program
        self.input = HIDDEN if equal_sizes else INPUT
        self.values: list[Value] = []
        self.calls: list[Call] = []
        self.of: dict[int, list[int]] = {}
        self.slots: dict[int, int] = {}  # register of a constant -> its slot
        self.constant_width: dict[int, tuple[str, int]] = {}
        self.constants = list(program.constants)
        self.registers = len(program.stages)
        self.readers = Counter(
            register
            for instruction in (*program.before, *program.loop, *program.after)
            for register in instruction.reads
        )

    def read(self) -> None:
        """Turn all instructions into values and calls."""
        program = self.program
        for register, number in program.numbers:
            self.of[register] = [self._add(Value("number", "number", SCALAR, number=number))]
        for instruction in program.constants:
            self._constant(instruction)
        if program.x is not None:
            self.of[program.x] = [self._add(Value("x", "before", self.input))]
        for index, state in enumerate(program.states):
            if state.previous is not None:
                value = Value("previous", "loop", HIDDEN, source=index)
                self.of[state.previous] = [self._add(value)]
        code = (program.before, program.loop, program.after)
        for stage, instructions in zip(STAGES, code, strict=True):
            for instruction in instructions:
                self._read(instruction, stage)

    def result(self, register: int, stage: Stage) -> int:
        """Return the value of a result, computed by a pass of the loop or, if allowed, after it."""
        (index,) = self._get(register)
        value = self.values[index]
        if value.kind == "apply" and value.stage in ("loop", stage):
            return index
        return self._add(Value("apply", stage, HIDDEN, op="identity", args=(index,)))

    def prelude(self) -> tuple[Instruction, ...]:
        """Return the instructions that compute constants; none where all are learned tensors."""
        needed = set(self.slots)
        kept: list[Instruction] = []
        for instruction in reversed(self.constants):
            if needed & set(instruction.outs):
                needed.update(instruction.reads)
                kept.append(instruction)
        return tuple(reversed(kept))

    def _add(self, value: Value) -> int:
        self.values.append(value)
        return len(self.values) - 1

    # ---- constants -------------------------------------------------------------------------------

    def _constant(self, instruction: Instruction) -> None:
        """Note how wide constants are; torch computes them."""
        widths = self.constant_width
        if isinstance(instruction, Load):
            shape = self.program.tensors[instruction.tensor].shape
            width = SCALAR if not shape else self.input if shape[0] == INPUT else HIDDEN
            widths[instruction.out] = (width, 1)
        elif isinstance(instruction, Product):
            widths[instruction.out] = (HIDDEN, instruction.blocks)
        elif isinstance(instruction, Split):
            for out, blocks in zip(instruction.outs, instruction.blocks, strict=True):
                widths[out] = (widths[instruction.source][0], blocks)
        elif isinstance(instruction, Join):
            widths[instruction.out] = (HIDDEN, sum(widths[part][1] for part in instruction.parts))
            self.of[instruction.out] = [v for part in instruction.parts for v in self._get(part)]
        else:
            known = [widths[arg] for arg in instruction.args if arg in widths]
            order = (HIDDEN, INPUT, SCALAR)
            width = min((width for width, _ in known), key=order.index)
            widths[instruction.out] = (width, max(blocks for _, blocks in known))

    def _get(self, register: int) -> list[int]:
        """Return the values of a register; a constant becomes one when it is first read."""
        if register not in self.of:
            slot = self.slots.setdefault(register, len(self.slots))
            width, blocks = self.constant_width[register]
            self.of[register] = [
                self._add(Value("constant", "constant", width, source=slot, block=block))
                for block in range(blocks)
            ]
        return self.of[register]

    # ---- what depends on rows --------------------------------------------------------------------

    def _read(self, instruction: Instruction, stage: Stage) -> None:
        if isinstance(instruction, Product):
            self.of[instruction.out] = self._product(instruction, stage)
        elif isinstance(instruction, Split):
            values = self._get(instruction.source)
            start = 0
            for out, blocks in zip(instruction.outs, instruction.blocks, strict=True):
                self.of[out] = values[start : start + blocks]
                start += blocks
        elif isinstance(instruction, Join):
            self.of[instruction.out] = [v for part in instruction.parts for v in self._get(part)]
        elif isinstance(instruction, Apply) and instruction.op == "layer_norm":
            self.of[instruction.out] = [self._layer_norm(instruction, stage)]
        elif isinstance(instruction, Apply):
            columns = zip(*(self._get(arg) for arg in instruction.args), strict=True)
            self.of[instruction.out] = [self._apply(stage, instruction.op, *c) for c in columns]

    def _apply(self, stage: Stage, op: str, *args: int) -> int:
        widths = {self.values[arg].width for arg in args}
        width = HIDDEN if HIDDEN in widths else self.input
        return self._add(Value("apply", stage, width, op=op, args=args))

    def _layer_norm(self, instruction: Apply, stage: Stage) -> int:
        (source,), (weight,), (bias,) = (self._get(arg) for arg in instruction.args)
        self.calls.append(NormaliseCall(stage, (source,)))
        width = self.values[source].width
        normal = self._add(Value("normal", stage, width, source=len(self.calls) - 1))
        return self._apply(stage, "add", self._apply(stage, "mul", normal, weight), bias)

    def _product(self, product: Product, stage: Stage) -> list[int]:
        """A product of rows; its part in constants is a constant that is added to it."""
        fixed = [k for k, a in enumerate(product.args) if self.program.stages[a] == "constant"]
        varying = [k for k in range(len(product.args)) if k not in fixed]
        addends: list[list[int]] = []
        if fixed:
            args = tuple(product.args[k] for k in fixed)
            constant = Product(self.registers, args, tuple(product.weights[k] for k in fixed))
            self.registers += 1
            self.constants.append(constant)
            self._constant(constant)
            addends.append(self._get(constant.out))
        home = None if product.addend is None else self._home(product.addend, stage)
        if product.addend is not None and home is None:
            addends.append(self._get(product.addend))
        call = ProductCall(
            stage,
            tuple(self._get(product.args[k])[0] for k in varying),
            tuple(product.weights[k] for k in varying),
            product.bias,
            home,
        )
        self.calls.append(call)
        source = len(self.calls) - 1
        results = [
            self._add(Value("column", stage, HIDDEN, source=source, block=block))
            for block in range(call.blocks)
        ]
        for values in addends:
            pairs = zip(results, values, strict=True)
            results = [self._apply(stage, "add", column, value) for column, value in pairs]
        return results

    def _home(self, addend: int, stage: Stage) -> tuple[int, int] | None:
        """Return the slab and block that a product may add to in place, if nobody else reads it."""
        values = [self.values[index] for index in self._get(addend)]
        first = values[0]
        adjacent = all(
            (value.kind, value.source, value.block) == ("column", first.source, first.block + j)
            for j, value in enumerate(values)
        )
        alone = stage == "loop" and first.stage == "before" and self.readers[addend] == 1
        return (first.source, first.block) if adjacent and alone else None
