"""The full cell of a space: ordered slots, in each all operators, and all that may flow into them.

A slot mixes what its operators make of all that comes earlier: as it is, by pairs multiplied, and
in a linear, which always goes through an activation. Dropping all but a few of its connections
leaves, for instance, a gate, a product, a cell's memory or its activation. It is the mixture of
operators that DARTS relaxes a choice to, and as there, one operator of a slot stays in the end, and
two terms of a sum (Liu, Simonyan and Yang, 2019, "DARTS: Differentiable Architecture Search",
https://arxiv.org/abs/1806.09055); with products besides.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from cellsearch.space.connections import Connection, Connections
from cellsearch.space.rules import ACTIVATIONS

if TYPE_CHECKING:
    from cellsearch.space import Space

TERMS = 2
"""Of what comes earlier, as it is or multiplied, so many terms of a sum stay in the end."""
_WORDS = ("linear", "plain", "sum", "slot", "gate")
"""What the statements of a full cell are called, each with a number behind."""


def full_cell(space: Space, slots: int) -> Connections:
    """Return all connections between the inputs, so many slots and the updates of the states.

    Of the space's operators it has linear, add, mul, the activations, blend where an update may
    blend a state's own former value behind a sigmoid, and sub as 1 - v where the space has the
    number 1; no others. Rules on what a linear or an update sees are kept to as far as they can be
    while it is open what stays.
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
        most = dict.fromkeys(self.space.states, TERMS)
        least: dict[str, int] = {}
        earlier: list[str] = []
        sums: list[str] = []
        activations = [op for op in self.space.operators if op in ACTIVATIONS]
        opposite = "sub" in self.space.operators and 1.0 in self.space.numbers
        for number in range(1, slots + 1):
            linear, plain, both, slot = (self._name(f"{word}{number}") for word in _WORDS[:4])
            for source in ("x", *self.previous, *earlier):
                self._connect(linear, "", source)
            self._connect_elementwise(plain, [*self.previous, *earlier])
            for part in (linear, plain):
                self._connect(both, "", part)
            for op in ("", "complement") if opposite else ("",):
                self._connect(slot, op, plain)
            for op in activations:
                self._connect(slot, op, both)
            junctions += (linear, plain, both, slot)
            most |= {plain: TERMS, slot: 1}
            if "linears_of_2_or_3" in self.space.rules:
                most[linear], least[linear] = 3, 2
            linears.append(linear)
            earlier.append(slot)
            sums.append(both)
        direct = self.space.carry and "indirect_carry" not in self.space.rules
        for state, previous in zip(self.space.states, self.previous, strict=True):
            self._connect_elementwise(state, [*(self.previous if direct else []), *earlier])
            if direct and {"blend", "sigmoid"} <= set(self.space.operators):
                for gate, own in zip(sums, earlier, strict=True):
                    for slot in earlier:
                        if slot != own:
                            self._connect(state, "update", gate, previous, slot)
        return Connections(
            states=self.space.states,
            junctions=(*junctions, *self.space.states),
            linears=frozenset(linears),
            most=most,
            least=least,
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
