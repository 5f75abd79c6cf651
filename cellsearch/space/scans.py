"""A random cell whose states can be computed for a whole sequence at once, by a parallel scan.

It grows as in `growth`, with further preferences: linears and gates see x, an update is an affine
function of its state. See `recurrence` for what makes a scan.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellsearch.analysis.recurrence import seen_by_derivative
from cellsearch.operators import Operator
from cellsearch.space import growth
from cellsearch.space.growth import Growth, Value

if TYPE_CHECKING:
    import networkx as nx

    from cellsearch.space import Space

X_ALONE_CHANCE = 0.6
"""How often a linear sees x and nothing else."""

UNREAD_CHANCE = 0.5
"""How often, of several states, nothing reads the h of the step before, as in a QRNN."""

X_SIZE = 3.0
"""What sees x alone is taken to be no larger, so that updates that add it count as bounded."""

NONE: frozenset[str] = frozenset()


def grow(space: Space, size: int, rng: random.Random) -> nx.MultiDiGraph | None:
    """Return the graph of a random cell as `growth.grow` does, most often one that is a scan."""
    return growth.grow(space, size, rng, ScanGrowth)


class ScanGrowth(Growth):
    """Prefers linears and gates that see x alone, and updates that are affine in the states."""

    def __init__(self, space: Space, rng: random.Random, states: Sequence[str]) -> None:
        super().__init__(space, rng, states)
        self.reads_h = len(states) == 1 or rng.random() > UNREAD_CHANCE
        if not self.reads_h:
            self.values = [value for value in self.values if value.name != "h"]
        self.reads = {value: frozenset({value.name}) for value in self.values}  # which states
        self.bends: dict[Value, frozenset[str]] = {}  # those of them that it is not affine in

    def _value(self, row: Operator, args: list[Value]) -> Value:
        value = super()._value(row, args)
        reads = [self.reads.get(arg, NONE) for arg in args]
        if not any(reads):
            value.bounds = (max(value.bounds[0], -X_SIZE), min(value.bounds[1], X_SIZE))
        bends = NONE.union(*(self.bends.get(arg, NONE) for arg in args))
        if row.kind in ("linear", "layer_norm"):
            bends = bends.union(*reads)
        elif row.derivative is not None:
            for read, seen in zip(
                reads, seen_by_derivative(row.derivative, len(args)), strict=True
            ):
                bends = bends.union(*(read & reads[slot] for slot in seen))
        self.reads[value], self.bends[value] = NONE.union(*reads), bends
        return value

    def _is_allowed(self, value: Value, as_update: bool) -> bool:
        if self.heed == 1 and "h" in self.bends.get(value, NONE):
            return False  # no update of a scan can see it
        return super()._is_allowed(value, as_update)

    def _operator_weight(self, row: Operator) -> float:
        closing = self.last and self.reads_h and row.arity[1] == 1
        return super()._operator_weight(row) * (0.02 if closing else 1.0)

    def _argument_weight(self, row: Operator, slot: int, value: Value) -> float:
        weight = super()._argument_weight(row, slot, value)
        bends = self.bends.get(value, NONE)
        gate = row.name in ("mul", "blend") and slot == 0
        if gate or row.arity == (1, 1) or (row.name == "div" and slot == 1):
            bends = self.reads.get(value, NONE)
        return weight * self._factor(bends)

    def _linear_arguments(self) -> list[Value]:
        if self.join < 2 and self.rng.random() < X_ALONE_CHANCE:
            return [self.x]
        return super()._linear_arguments()

    def _linear_weight(self, value: Value) -> float:
        return super()._linear_weight(value) * self._factor(self.reads.get(value, NONE))

    def _update_weight(self, value: Value, state: str) -> float:
        weight = super()._update_weight(value, state)
        if state in self.bends.get(value, NONE):
            return weight * (0.001 if self.heed < 1 else 0.0)
        reads = self.reads.get(value, NONE)
        if state not in reads and not self.reads_h:
            weight *= 0.01  # else nothing would be recurrent
        return weight * (0.005 if reads - {state} else 1.0) * (10.0 if state in reads else 1.0)

    def _factor(self, bends: frozenset[str]) -> float:
        """Return how welcome it is that a value will not be affine in these states."""
        if not bends:
            return 1.0
        return 0.002 if "h" in bends else 1.0 if self.last else 0.05
