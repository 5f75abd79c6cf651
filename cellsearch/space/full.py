"""The full cell of a space: ordered slots, in each all operators, and all that may flow into them.

A slot is a sum of operators of one value, which is itself the sum of a linear of all that comes
earlier, of what comes earlier as it is, and of its products by pairs. Dropping all but a few of its
connections leaves, for instance, a gate, a product, a cell's memory or its activation. It is the
mixture of operators that DARTS relaxes a choice to (Liu, Simonyan and Yang, 2019, "DARTS:
Differentiable Architecture Search", https://arxiv.org/abs/1806.09055), with products besides.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from cellsearch.space.connections import Connection, Connections
from cellsearch.space.rules import ACTIVATIONS

if TYPE_CHECKING:
    from cellsearch.space import Space

_WORDS = ("linear", "sum", "slot", "gate")
"""What the statements of a full cell are called, each with a number behind."""


def full_cell(space: Space, slots: int) -> Connections:
    """Return all connections between the inputs, so many slots and the updates of the states.

    Of the space's operators it has linear, add, mul, blend with a state's own former value, the
    activations, and sub as 1 - v where the space has the number 1; no others.
    """
    return _Growth(space).full(slots)


class _Growth:
    def __init__(self, space: Space) -> None:
        self.space = space
        self.connections: list[Connection] = []
        self.previous = [f"{state}_prev" for state in space.states]
        self.prefix = ""  # of all statements, so that no state is called as one of them is
        while any(state.startswith(self._name(word)) for state in space.states for word in _WORDS):
            self.prefix += "v"

    def full(self, slots: int) -> Connections:
        junctions: list[str] = []
        linears: list[str] = []
        earlier: list[str] = []
        operators = [op for op in self.space.operators if op in ACTIVATIONS]
        if "sub" in self.space.operators and 1.0 in self.space.numbers:
            operators.append("complement")
        for number in range(1, slots + 1):
            linear, value, slot = (self._name(f"{word}{number}") for word in _WORDS[:3])
            for source in ("x", *self.previous, *earlier):
                self._connect(linear, "", source)
            self._connect(value, "", linear)
            self._connect_elementwise(value, [*self.previous, *earlier])
            for op in ("", *operators):
                self._connect(slot, op, value)
            junctions += (linear, value, slot)
            linears.append(linear)
            earlier.append(slot)
        for state, previous in zip(self.space.states, self.previous, strict=True):
            carried = self.previous if self.space.carry else []
            self._connect_elementwise(state, [*carried, *earlier])
            if "blend" in self.space.operators and self.space.carry:
                for gate in earlier:
                    for slot in earlier:
                        if gate != slot:
                            self._connect(state, "blend", gate, previous, slot)
        return Connections(
            states=self.space.states,
            junctions=(*junctions, *self.space.states),
            linears=frozenset(linears),
            choices=frozenset(earlier),
            kept=tuple(self.connections),
        )

    def _connect_elementwise(self, target: str, values: list[str]) -> None:
        for value in values:
            self._connect(target, "", value)
        if "mul" in self.space.operators:
            for pair in combinations(values, 2):
                self._connect(target, "mul", *pair)

    def _connect(self, target: str, op: str, *sources: str) -> None:
        gate = self._name(f"gate{len(self.connections) + 1}")
        self.connections.append(Connection(gate, target, op, sources))

    def _name(self, name: str) -> str:
        return f"{self.prefix}_{name}" if self.prefix else name
