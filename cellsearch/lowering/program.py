"""The loop program: what a cell does to a whole sequence, split by what depends on what.

Values live in registers. There are four stages: `constants` are computed once per sequence from the
learned tensors, `before` once for all steps from the inputs, `loop` step by step, `after` once for
all steps from what the loop left behind.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cellsearch.shapes import LearnedTensor

Stage = Literal["number", "constant", "before", "loop", "after"]


@dataclass(frozen=True, slots=True)
class Load:
    """Put a learned tensor into a register."""

    out: int
    tensor: int

    @property
    def outs(self) -> tuple[int, ...]:
        return (self.out,)

    @property
    def reads(self) -> tuple[int, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Product:
    """Multiply each argument by its stacked matrices and add up: several linears in one.

    The result is a slab, (rows, blocks * hidden). `weights[k]` holds the tensor of every block for
    argument k, `bias` the bias tensor of every block or nothing, `addend` a register added to it.
    """

    out: int
    args: tuple[int, ...]
    weights: tuple[tuple[int, ...], ...]
    bias: tuple[int, ...] = ()
    addend: int | None = None

    @property
    def blocks(self) -> int:
        return len(self.weights[0])

    @property
    def outs(self) -> tuple[int, ...]:
        return (self.out,)

    @property
    def reads(self) -> tuple[int, ...]:
        return self.args if self.addend is None else (*self.args, self.addend)


@dataclass(frozen=True, slots=True)
class Split:
    """Cut a slab into narrower ones, each of so many blocks."""

    outs: tuple[int, ...]
    source: int
    blocks: tuple[int, ...]

    @property
    def reads(self) -> tuple[int, ...]:
        return (self.source,)


@dataclass(frozen=True, slots=True)
class Join:
    """Put slabs side by side; a constant part is repeated for every row."""

    out: int
    parts: tuple[int, ...]

    @property
    def outs(self) -> tuple[int, ...]:
        return (self.out,)

    @property
    def reads(self) -> tuple[int, ...]:
        return self.parts


@dataclass(frozen=True, slots=True)
class Apply:
    """Apply an operator to registers; layer_norm is followed by its weight and bias."""

    out: int
    op: str
    args: tuple[int, ...]

    @property
    def outs(self) -> tuple[int, ...]:
        return (self.out,)

    @property
    def reads(self) -> tuple[int, ...]:
        return self.args


Instruction = Load | Product | Split | Join | Apply


@dataclass(frozen=True, slots=True)
class CarriedState:
    """A carried state: the register of its value at t-1 (None: never read) and of its update."""

    name: str
    previous: int | None
    update: int


@dataclass(frozen=True, slots=True)
class LoopProgram:
    """A lowered cell. `stages` tells the stage of every register; `x` is None if it is not read."""

    tensors: tuple[LearnedTensor, ...]
    stages: tuple[Stage, ...]
    numbers: tuple[tuple[int, float], ...]
    x: int | None
    states: tuple[CarriedState, ...]
    output: int
    constants: tuple[Instruction, ...]
    before: tuple[Instruction, ...]
    loop: tuple[Instruction, ...]
    after: tuple[Instruction, ...]

    @property
    def streamed(self) -> tuple[int, ...]:
        """The registers of stage before that the loop reads or a state takes, step by step."""
        read = [register for instruction in self.loop for register in instruction.reads]
        read += [state.update for state in self.states]
        return tuple(r for r in dict.fromkeys(read) if self.stages[r] == "before")

    @property
    def saved(self) -> tuple[int, ...]:
        """The registers of the loop that are needed for all steps once it is over."""
        read = [register for instruction in self.after for register in instruction.reads]
        return tuple(r for r in dict.fromkeys([*read, self.output]) if self.stages[r] == "loop")
