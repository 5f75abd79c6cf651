"""The verifier: what must hold of every loop program."""

from __future__ import annotations

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
from cellsearch.operators import OPERATORS

_VISIBLE: dict[Stage, tuple[Stage, ...]] = {
    "number": (),
    "constant": ("number", "constant"),
    "before": ("number", "constant", "before"),
    "loop": ("number", "constant", "before", "loop"),
    "after": ("number", "constant", "before", "loop", "after"),
}


def verify(program: LoopProgram) -> None:
    """Raise ValueError unless the program can run.

    Every register is written once, before it is read, in its stage; every product has a matrix for
    each argument and block; slabs are cut up and put together as wide as they are.
    """
    _Verifier(program).run()


class _Verifier:
    def __init__(self, program: LoopProgram) -> None:
        self.program = program
        self.blocks: dict[int, int] = {}  # of each register that was written, its width

    def run(self) -> None:
        program = self.program
        given = [register for register, _ in program.numbers]
        given += [] if program.x is None else [program.x]
        given += [state.previous for state in program.states if state.previous is not None]
        self.blocks = dict.fromkeys(given, 1)
        code: dict[Stage, tuple[Instruction, ...]] = {
            "constant": program.constants,
            "before": program.before,
            "loop": program.loop,
            "after": program.after,
        }
        for stage, instructions in code.items():
            for instruction in instructions:
                self._check_registers(instruction, stage)
                self.blocks.update(zip(instruction.outs, self._widths(instruction), strict=True))
        for register in (program.output, *(state.update for state in program.states)):
            _require(self.blocks.get(register) == 1, f"result {register} is never written")
        for state in program.states:
            late = program.stages[state.update] == "after"
            _require(not late, f"state {state.name} is updated after the loop")

    def _check_registers(self, instruction: Instruction, stage: Stage) -> None:
        stages = self.program.stages
        for register in instruction.reads:
            _require(
                register in self.blocks, f"{instruction} reads {register} before it is written"
            )
            seen = register < len(stages) and stages[register] in _VISIBLE[stage]
            _require(seen, f"{instruction} of stage {stage} reads {register} of a later stage")
        for register in instruction.outs:
            _require(register not in self.blocks, f"{instruction} writes {register} again")
            right = register < len(stages) and stages[register] == stage
            _require(right, f"{instruction} is in the wrong stage")

    def _widths(self, instruction: Instruction) -> list[int]:
        """Check what an instruction does; return how many blocks wide its results are."""
        if isinstance(instruction, Load):
            self._check_tensors(instruction, (instruction.tensor,))
            return [1]
        if isinstance(instruction, Product):
            return [self._product(instruction)]
        if isinstance(instruction, Split):
            whole = sum(instruction.blocks) == self.blocks[instruction.source]
            fits = whole and min(instruction.blocks) > 0
            _require(fits, f"{instruction} does not cut up the whole slab")
            count = len(instruction.outs) == len(instruction.blocks)
            _require(count, f"{instruction} does not say how wide each piece is")
            return list(instruction.blocks)
        if isinstance(instruction, Join):
            _require(bool(instruction.parts), f"{instruction} joins nothing")
            return [sum(self.blocks[part] for part in instruction.parts)]
        return [self._apply(instruction)]

    def _product(self, product: Product) -> int:
        both = bool(product.bias) and product.addend is not None
        _require(not both, f"{product} has a bias beside its addend")
        complete = 0 < len(product.args) == len(product.weights)
        _require(complete, f"{product} does not have matrices for each argument")
        counts = {len(tensors) for tensors in product.weights} | ({len(product.bias)} - {0})
        if product.addend is not None:
            counts.add(self.blocks[product.addend])
        _require(len(counts) == 1 and min(counts) > 0, f"{product} has blocks of different numbers")
        for tensors in (*product.weights, product.bias):
            self._check_tensors(product, tensors)
        return product.blocks

    def _apply(self, apply: Apply) -> int:
        _require(apply.op in OPERATORS, f"{apply} applies an operator that is not there")
        widths = [self.blocks[arg] for arg in apply.args]
        # Only what takes one argument is applied to several blocks at once.
        fits = len(widths) == 1 or widths.count(1) == len(widths) > 0
        _require(fits, f"{apply} brings slabs of several blocks together")
        return widths[0]

    def _check_tensors(self, instruction: Instruction, tensors: tuple[int, ...]) -> None:
        known = all(0 <= tensor < len(self.program.tensors) for tensor in tensors)
        _require(known, f"{instruction} reads a learned tensor that is not there")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(f"loop program: {message}")
