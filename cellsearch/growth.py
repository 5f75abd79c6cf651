"""A random cell of a space, grown bottom up: from the leaves to the updates of the states."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx

from cellsearch.operators import OPERATORS, Operator

if TYPE_CHECKING:
    from cellsearch.space import Space

ATTRIBUTE_CHANCE = 0.1
"""How often an operator takes an attribute that is not its default, where the space has some."""


def grow(space: Space, rng: random.Random) -> nx.MultiDiGraph:
    """Return the graph of a random cell of about the space's kind; it may still be outside.

    Operators are added one after the other, each fed from what is there, until the chosen size is
    reached; values that nothing uses yet are preferred, and from the moment on when they would
    otherwise be left over only operators that join them are taken. The preferences (see `_Growth`)
    follow what trains: gates multiply states, linears are followed by an activation. They are
    weights and never zero, so every cell of the space can be drawn.
    """
    count = rng.randint(1, len(space.states))
    sizes = range(1, space.nodes + 1)
    # There are few small cells; drawn as often as the others, they would mostly be repeats.
    size = rng.choices(sizes, [min(1.0, (size / 7) ** 3) for size in sizes])[0]
    growth = _Growth(space, rng, space.states[:count])
    while growth.size < size:
        growth.add(size - growth.size)
    return growth.finish()


@dataclass(slots=True)
class _Value:
    """A value that operators may see: a leaf or the result of an operator."""

    op: str
    name: str = ""
    args: tuple[int, ...] = ()
    attributes: tuple[tuple[str, bool | float | str], ...] = ()
    bounds: tuple[float, float] = (-1.0, 1.0)  # states are taken to stay there
    depth: int = 0
    uses: int = 0

    @property
    def is_leaf(self) -> bool:
        return self.op in ("x", "state")

    @property
    def is_gate(self) -> bool:
        """Whether it is between 0 and 1, so that it may say how much of another value passes."""
        return self.bounds[0] >= 0 and self.bounds[1] <= 1

    @property
    def is_raw(self) -> bool:
        """Whether it is unbounded, as linears are: in need of an activation."""
        return math.isinf(self.bounds[0]) or math.isinf(self.bounds[1])


class _Growth:
    """Values so far, and the preferences for the next."""

    def __init__(self, space: Space, rng: random.Random, states: Sequence[str]) -> None:
        self.space, self.rng, self.states = space, rng, states
        self.values = [_Value("x", bounds=(-math.inf, math.inf))]
        self.values += [_Value("state", name) for name in states]
        self.size = self.matrices = 0

    def add(self, left: int) -> None:
        """Add one operator; `left` are to be added in all, this one included."""
        loose = sum(not value.uses and not value.is_leaf for value in self.values)
        # Each operator of two arguments leaves one loose value less; the last ones become updates.
        join = loose > len(self.states) - 1 and loose - len(self.states) + 1 >= left
        usable = [i for i in range(1, len(self.values)) if self.values[i].depth < self.space.depth]
        rows = [OPERATORS[name] for name in self.space.operators]
        weights = [self._operator_weight(row, usable, join, left == 1) for row in rows]
        row = self.rng.choices(rows, weights)[0]
        if row.kind == "linear":
            args = self._linear_arguments(usable, join)
        elif row.name == "sub" and self.space.numbers and self.rng.random() < 0.7:
            args = self._one_minus(usable)
        else:
            args = self._arguments(row, usable, join)
        attributes = tuple(
            (key, self.rng.choice(allowed))
            for key in sorted(row.attributes)
            if (allowed := self.space.allowed(row.name, key))
            and self.rng.random() < ATTRIBUTE_CHANCE
        )
        operands = [self.values[arg] for arg in args]
        value = _Value(row.name, "", tuple(args), attributes, _bounds(row, operands))
        value.depth = 1 + max(operand.depth for operand in operands)
        for operand in operands:
            operand.uses += 1
        self.values.append(value)
        self.size += 1
        self.matrices += len(args) if row.kind == "linear" else 0

    def finish(self) -> nx.MultiDiGraph:
        """Choose the updates and return the graph; the last value becomes h."""
        updates = {"h": len(self.values) - 1}
        for state in self.states[1:]:
            others = [
                i
                for i, value in enumerate(self.values)
                if value.op not in ("x", "number", "linear") and i not in updates.values()
            ]
            if others:
                weights = [self._update_weight(i, state) for i in others]
                updates[state] = self.rng.choices(others, weights)[0]
        graph = nx.MultiDiGraph(states=updates, output=None)
        for index, value in enumerate(self.values):
            attributes = dict(value.attributes)
            graph.add_node(index, op=value.op, name=value.name, attributes=attributes)
            for slot, arg in enumerate(value.args):
                graph.add_edge(arg, index, key=slot)
        return graph

    # What is preferred. Weights are relative; 1 is the usual one.

    def _operator_weight(self, row: Operator, usable: list[int], join: bool, last: bool) -> float:
        values = [self.values[i] for i in usable]
        raw = sum(value.is_raw and not value.uses for value in values)
        gated = any(value.is_gate for value in values)
        low, high = row.arity
        if len(values) < low or (join and high is not None and high < 2):
            return 0.0
        if row.kind == "linear":
            full = self.matrices + 2 > self.space.matrices
            return (0.02 if last or full else 3.0) / (1 + raw)
        if high == 1:
            siblings = sum(OPERATORS[name].arity == (1, 1) for name in self.space.operators)
            return (4.0 if raw else 0.3) / siblings
        if row.name in ("mul", "blend"):
            return 2.0 if gated else 0.1
        return 1.0 if row.name == "add" else 0.5

    def _linear_arguments(self, usable: list[int], join: bool) -> list[int]:
        others = [i for i in usable if self.values[i].op not in ("linear", "number")]
        count = self.rng.choices((0, 1, 2, 3), (0.15, 0.7, 0.1, 0.05))[0]
        count = min(max(2, count) if join else count, len(others))
        args = [0] if count == 0 or self.rng.random() < 0.85 else []
        weights = {i: self._seen_by_linear(self.values[i]) for i in others}
        for _ in range(count):
            chosen = self._pick(weights)
            args.append(chosen)
            weights[chosen] = 0.0
        return args

    def _seen_by_linear(self, value: _Value) -> float:
        if value.op == "state":
            return 6.0 if value.name == "h" else 2.0
        modulated = value.op == "mul" and any(self.values[arg].is_leaf for arg in value.args)
        return (4.0 if modulated else 0.5) * (0.2 if value.uses else 1.0)

    def _one_minus(self, usable: list[int]) -> list[int]:
        weights = {i: 1.0 if self.values[i].is_gate else 0.02 for i in usable}
        subject = self._pick(weights)
        number = self.rng.choice(self.space.numbers)
        self.values.append(
            _Value("number", "", (), (("value", number),), (number, number), uses=1)
        )
        return [len(self.values) - 1, subject]

    def _arguments(self, row: Operator, usable: list[int], join: bool) -> list[int]:
        low, high = row.arity
        count = low
        while (high is None or count < high) and count < len(usable) and self.rng.random() < 0.12:
            count += 1
        args: list[int] = []
        for slot in range(count):
            weights = {
                i: 0.0 if i in args else self._argument_weight(row, slot, self.values[i], join)
                for i in usable
                if self.values[i].op != "number"
            }
            args.append(self._pick(weights))
        return args

    def _argument_weight(self, row: Operator, slot: int, value: _Value, join: bool) -> float:
        weight = 1.0 if value.uses else 6.0
        if join and value.is_leaf:
            weight *= 0.1
        if row.arity == (1, 1):
            return weight * (8.0 if value.is_raw else 0.1 if value.is_leaf else 0.5)
        if slot == 0 and row.name in ("mul", "blend"):
            return weight * (10.0 if value.is_gate else 0.5)
        if row.associative and value.op == row.name:
            return weight * 0.2  # a sum in a sum is only a longer sum
        if value.op == "state":
            return weight * (2.0 if row.name in ("mul", "blend") else 0.3)
        return weight * (0.5 if value.is_gate else 1.0)

    def _update_weight(self, index: int, state: str) -> float:
        value = self.values[index]
        if value.is_leaf:
            return 0.02
        own = any(self.values[arg].name == state for arg in self._below(index))
        return (8.0 if own else 1.0) * (0.3 if value.is_gate or value.is_raw else 1.0)

    def _below(self, index: int) -> set[int]:
        """Return what a value sees without a linear between."""
        found, waiting = set(), [index]
        while waiting:
            value = self.values[waiting.pop()]
            if value.op != "linear":
                found.update(value.args)
                waiting.extend(value.args)
        return found

    def _pick(self, weights: dict[int, float]) -> int:
        return self.rng.choices(list(weights), list(weights.values()))[0]


def _bounds(row: Operator, operands: Sequence[_Value]) -> tuple[float, float]:
    """Return bounds of an operator's value; rough ones where exact ones would take long to say."""
    low, high = row.range
    bounds = [operand.bounds for operand in operands]
    if row.name == "add":
        return sum(b[0] for b in bounds), sum(b[1] for b in bounds)
    if row.name == "sub":
        return bounds[0][0] - bounds[1][1], bounds[0][1] - bounds[1][0]
    if row.name == "blend" and operands[0].is_gate:
        return min(b[0] for b in bounds[1:]), max(b[1] for b in bounds[1:])
    if row.name == "mul" and not any(operand.is_raw for operand in operands):
        size = math.prod(max(abs(b[0]), abs(b[1])) for b in bounds)
        return (0.0 if all(b[0] >= 0 for b in bounds) else -size), size
    return low, high
