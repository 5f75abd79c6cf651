"""The plan of a native kernel: single values, the calls between them, and fused passes.

A loop program speaks of slabs, several blocks side by side. A kernel computes element by element,
so here every block is a value of its own. Values that are computed elementwise are gathered in
passes; between the passes stand calls: matrix products and normalisations, which need whole rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from cellsearch.lowering.program import Instruction, Load, Stage

Kind = Literal["number", "constant", "x", "previous", "column", "normal", "apply"]
STAGES: tuple[Stage, ...] = ("before", "loop", "after")


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a row: `width` elements ("input", "hidden", or "scalar": the same for all).

    `source` is the index of what it comes from: the slot of a constant, the state of a previous
    value, the call of a column or of normalised values; `block` counts in blocks.
    """

    kind: Kind
    stage: Stage
    width: str
    source: int = 0
    block: int = 0
    number: float = 0.0
    op: str = ""
    args: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class ProductCall:
    """A product of values with stacked matrices: a slab of `blocks` columns.

    `weights[k][j]` is the tensor of argument k and block j; `bias` the bias tensors or nothing.
    `home` is the slab, and the first block in it, of an earlier product that this one adds to.
    """

    stage: Stage
    args: tuple[int, ...]
    weights: tuple[tuple[int, ...], ...]
    bias: tuple[int, ...]
    home: tuple[int, int] | None = None

    @property
    def blocks(self) -> int:
        return len(self.weights[0])


@dataclass(frozen=True, slots=True)
class NormaliseCall:
    """Give a value mean 0 and variance 1 over the features of its row."""

    stage: Stage
    args: tuple[int, ...]


Call = ProductCall | NormaliseCall


@dataclass(frozen=True, slots=True)
class Pass:
    """Values of one width that are computed together, row by row, in this order."""

    stage: Stage
    width: str
    values: tuple[int, ...]


Step = int | Pass
"""What a stage does next: the call of this index, or a pass."""


@dataclass(frozen=True)
class Plan:
    """What a kernel computes.

    `constants` are registers of the loop program that are known before any row; `prelude` are the
    instructions that compute them (none if all are learned tensors). `previous` says which states
    are read. `steps` are the steps of each stage.
    """

    constants: tuple[int, ...]
    constant_widths: tuple[tuple[str, int], ...]  # of each: its width, and how many blocks
    prelude: tuple[Instruction, ...]
    values: tuple[Value, ...]
    calls: tuple[Call, ...]
    steps: dict[Stage, tuple[Step, ...]]
    updates: tuple[int, ...]
    output: int
    registers: int  # as many as the prelude needs

    @cached_property
    def learned(self) -> frozenset[int]:
        """The learned tensors that products read; the others come in as constants."""
        products = [call for call in self.calls if isinstance(call, ProductCall)]
        tensors = [t for call in products for k in (*call.weights, call.bias) for t in k]
        return frozenset(tensors)

    @cached_property
    def loaded(self) -> tuple[int, ...] | None:
        """The learned tensors that are the constants, if nothing has to be computed."""
        loads = {load.out: load.tensor for load in self.prelude if isinstance(load, Load)}
        plain = len(loads) == len(self.prelude)
        return tuple(loads[register] for register in self.constants) if plain else None

    @cached_property
    def output_is_first(self) -> bool:
        """Whether the output is the new value of the first state."""
        return self.output == self.updates[0]

    @cached_property
    def _columns(self) -> dict[tuple[int, int], int]:
        found = {}
        for index, value in enumerate(self.values):
            if value.kind in ("column", "normal"):
                found[value.source, value.block] = index
        return found

    def column(self, call: int, block: int = 0) -> int:
        """Return the value that is a block of what a call computes."""
        return self._columns[call, block]

    @cached_property
    def reads_x(self) -> bool:
        """Whether x is read elementwise, not only by products."""
        return any(
            self.values[arg].kind == "x"
            for value in self.values
            if value.kind == "apply"
            for arg in value.args
        ) or any(
            self.values[arg].kind == "x"
            for call in self.calls
            if isinstance(call, NormaliseCall)
            for arg in call.args
        )
