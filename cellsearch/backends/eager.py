"""The eager backend: a loop program in plain torch operations, on any device, in any dtype."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from torch import Tensor

from cellsearch.backends.actions import Action, Actions, Registers, full
from cellsearch.lowering.program import LoopProgram
from cellsearch.shell import States, scan


class EagerSequence:
    """Runs one layer of a loop program in one direction; torch differentiates what it does."""

    def __init__(self, program: LoopProgram) -> None:
        self.program = program

    def __call__(
        self,
        tensors: Sequence[Tensor],
        rows: Tensor,
        batch_sizes: list[int],
        state: States,
        reverse: bool,
    ) -> tuple[Tensor, States]:
        """Return the output, (rows, hidden), and the last states; see `cellsearch.shell.scan`.

        States stand in the order of the program's states.
        """
        program = self.program
        registers: Registers = [None] * len(program.stages)
        for register, number in program.numbers:
            registers[register] = number
        if program.x is not None:
            registers[program.x] = rows
        actions = Actions(program, tensors, rows)
        for instruction in (*program.constants, *program.before):
            actions.action(instruction)(registers)
        streams = [registers[register] for register in program.streamed]
        step = self._step(registers, [actions.action(i) for i in program.loop])
        saved, last = scan(step, streams, batch_sizes, state, reverse)
        for register, value in zip(program.streamed, streams, strict=True):
            registers[register] = value
        for register, value in zip(program.saved, saved, strict=True):
            registers[register] = value
        for instruction in program.after:
            actions.action(instruction)(registers)
        return full(registers[program.output], rows, (rows.size(0), state[0].size(1))), last

    def _step(
        self, registers: Registers, actions: list[Action]
    ) -> Callable[[States, list[Tensor]], tuple[States, States]]:
        program = self.program
        streamed, saved = program.streamed, program.saved
        updates = [carried.update for carried in program.states]
        previous = [carried.previous for carried in program.states]
        repeat = any(program.stages[r] in ("number", "constant") for r in updates)

        def step(state: States, rows: list[Tensor]) -> tuple[States, States]:
            for register, value in zip(previous, state, strict=True):
                if register is not None:
                    registers[register] = value
            for register, value in zip(streamed, rows, strict=True):
                registers[register] = value
            for action in actions:
                action(registers)
            new = tuple([registers[register] for register in updates])
            if repeat:
                new = tuple(full(value, state[0], tuple(state[0].shape)) for value in new)
            return new, tuple([registers[register] for register in saved])

        return step
