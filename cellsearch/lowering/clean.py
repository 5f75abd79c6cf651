"""Fourth pass: a Split into one piece is only another name; use the first name everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cellsearch.lowering.program import Apply, Instruction, Join, Load, LoopProgram, Product, Split


def drop_renamings(program: LoopProgram) -> LoopProgram:
    """Return the program without splits into one piece."""
    names: dict[int, int] = {}
    for instruction in _all(program):
        if isinstance(instruction, Split) and len(instruction.outs) == 1:
            names[instruction.outs[0]] = names.get(instruction.source, instruction.source)

    def first(register: int) -> int:
        return names.get(register, register)

    def cleaned(code: Iterable[Instruction]) -> tuple[Instruction, ...]:
        kept = (i for i in code if not (isinstance(i, Split) and len(i.outs) == 1))
        return tuple(_renamed(instruction, names) for instruction in kept)

    return replace(
        program,
        states=tuple(replace(state, update=first(state.update)) for state in program.states),
        output=first(program.output),
        constants=cleaned(program.constants),
        before=cleaned(program.before),
        loop=cleaned(program.loop),
        after=cleaned(program.after),
    )


def _all(program: LoopProgram) -> Iterable[Instruction]:
    return (*program.constants, *program.before, *program.loop, *program.after)


def _renamed(instruction: Instruction, names: dict[int, int]) -> Instruction:
    if isinstance(instruction, Load):
        return instruction
    if isinstance(instruction, Split):
        return replace(instruction, source=names.get(instruction.source, instruction.source))
    if isinstance(instruction, Join):
        return replace(instruction, parts=tuple(names.get(r, r) for r in instruction.parts))
    args = tuple(names.get(register, register) for register in instruction.args)
    if isinstance(instruction, Apply):
        return replace(instruction, args=args)
    addend = instruction.addend
    return Product(
        instruction.out,
        args,
        instruction.weights,
        instruction.bias,
        None if addend is None else names.get(addend, addend),
    )
