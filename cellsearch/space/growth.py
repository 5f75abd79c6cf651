"""A random cell of a space, grown bottom up: from the leaves to the updates of the states."""

from __future__ import annotations

import math
import random
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from cellsearch.operators import OPERATORS, Operator
from cellsearch.space.rules import DIVISIONS, POSITIVE, RULES, UNKNOWN, LocalRule, sign

if TYPE_CHECKING:
    import networkx as nx

    from cellsearch.space import Space

ATTRIBUTE_CHANCE = 0.1
"""How often an operator takes an attribute that is not its default, where the space has some."""

TRIES = 10
"""How often an operator is chosen anew that leaves values over, or the update unbounded or zero."""

OTHER_LAST_CHANCE = 0.2
"""How often any state's update may be what is computed last, instead of h."""

UNBOUNDED_CHANCE = 0.1
"""How often an update may be unbounded although the states are bounded; many such cells diverge."""

WILD_CHANCE = 0.1
"""How often a cell is grown with hardly any preferences, so that none is out of reach."""

Item = TypeVar("Item")


def choose_size(space: Space, rng: random.Random) -> int:
    """Return a number of operators, spread evenly over what the space allows but for the smallest.

    There are few cells of one to six operators; drawn as often as larger ones, they would mostly be
    repeats.
    """
    sizes = range(1, space.nodes + 1)
    return rng.choices(sizes, [min(1.0, (size / 7) ** 3) for size in sizes])[0]


def grow(
    space: Space, size: int, rng: random.Random, kind: type[Growth] | None = None
) -> nx.MultiDiGraph | None:
    """Return the graph of a random cell of about the space's kind and of about `size` operators.

    It may still be outside the space; None says that the growth got stuck.

    Operators are added one after the other, each fed from what is there, until the chosen size is
    reached; values that nothing uses yet are preferred, and once they would otherwise be left over,
    only operators that join them are taken. The preferences follow what trains: gates multiply
    states, activations follow linears, updates are bounded (`Growth` says which, or the `kind` of
    it that is given). They only weigh: every cell of the space can be drawn.
    """
    growth = (kind or Growth)(space, rng, space.states[: rng.randint(1, len(space.states))])
    while growth.size < size:
        if not growth.add(size - growth.size):
            return None
    return growth.finish()


def tidy(graph: nx.MultiDiGraph) -> nx.MultiDiGraph:
    """Drop from a cell's graph, in place, what h never depends on: nodes and carried states."""
    import networkx as nx

    updates: dict[str, Hashable] = graph.graph["states"]
    live, reached = {"h"}, {updates["h"]} | nx.ancestors(graph, updates["h"])
    while (
        read := {data["name"] for key in reached if (data := graph.nodes[key])["op"] == "state"}
        - live
    ):
        live |= read
        for update in (updates[name] for name in read):
            reached |= {update} | nx.ancestors(graph, update)
    graph.graph["states"] = {name: key for name, key in updates.items() if name in live}
    graph.remove_nodes_from([key for key in graph if key not in reached])
    return graph


def draw_attributes(
    space: Space, operator: str, rng: random.Random
) -> dict[str, bool | float | str]:
    """Return attributes of an operator that differ from its defaults, now and then some."""
    chosen: dict[str, bool | float | str] = {}
    for key in sorted(OPERATORS[operator].attributes):
        allowed = space.allowed(operator, key)
        if allowed and rng.random() < ATTRIBUTE_CHANCE:
            chosen[key] = rng.choice(allowed)
    return chosen


@dataclass(slots=True, eq=False, repr=False)
class Value:
    """A value that operators may see: a leaf or the result of an operator."""

    op: str
    name: str = ""
    args: tuple[Value, ...] = ()
    attributes: tuple[tuple[str, bool | float | str], ...] = ()
    bounds: tuple[float, float] = (-1.0, 1.0)  # states are taken to stay there
    depth: int = 0
    raw: bool = False  # a linear, or a sum or product of some: in need of an activation
    carried: frozenset[str] = frozenset()  # states that it sees without a linear between
    zero: bool = False  # whether it is zero as long as the states are
    sign: int = UNKNOWN  # see `rules.sign`
    uses: int = 0

    @property
    def is_gate(self) -> bool:
        """Whether it is between 0 and 1, so that it may say how much of another value passes."""
        return _is_gate(self.bounds)

    @property
    def is_state(self) -> bool:
        return self.op == "state"


class Growth:
    """Values so far, and the preferences for the next."""

    def __init__(self, space: Space, rng: random.Random, states: Sequence[str]) -> None:
        self.space, self.rng, self.states = space, rng, states
        self.x = Value("x")
        self.values = [  # all but x
            Value("state", name, carried=frozenset({name}), zero=True) for name in states
        ]
        self.rows = [OPERATORS[name] for name in space.operators]
        self.unary = sum(row.arity == (1, 1) for row in self.rows)
        rules = (RULES[name] for name in space.rules)
        self.rules = [rule for rule in rules if isinstance(rule, LocalRule)]
        self.safe = "positive_divisors" in space.rules
        self.products = space.products  # those left
        self.size = 0
        wild = rng.random() < WILD_CHANCE
        self.heed = 0.2 if wild else 1.0  # how far preferences are heeded
        self.bounded = not wild and rng.random() > UNBOUNDED_CHANCE
        self.carried = False  # whether a gate multiplies a state somewhere
        # What the preferences look at; set for each operator anew.
        self.usable: list[Value] = []
        self.ops: set[str] = set()  # the operators of these
        self.gates = self.last = False
        self.join = 0  # how many loose values the operator has to see
        self.raw = 0  # linears and the like that wait for an activation
        self.haste = 0.0  # the share of what is left to do that finishes loose values

    def add(self, left: int) -> bool:
        """Add one operator and return whether there was one to add; `left` are due, it included."""
        self._look(left)
        weights = [self._operator_weight(row) for row in self.rows]
        if not any(weights):
            return False
        value: Value | None = None
        for _ in range(TRIES):
            row = self._pick(self.rows, weights)
            new = self._value(row, self._arguments(row))
            if not self._is_allowed(new, as_update=self.last):
                continue
            if sum(not arg.uses and not arg.is_state for arg in new.args) >= self.join:
                value = new
                if not self.last or not self.bounded or not (_is_open(value.bounds) or value.zero):
                    break
        if value is None:
            return False
        if value.op in ("mul", "blend") and any(arg.is_state for arg in value.args):
            self.carried |= any(arg.is_gate for arg in value.args)
        for arg in value.args:
            arg.uses += 1
        self.values.append(value)
        self.size += 1
        self.products -= len(value.args) if OPERATORS[value.op].kind == "linear" else 0
        return True

    def finish(self) -> nx.MultiDiGraph | None:
        """Choose the updates, the last value mostly for h, and return the graph if it will do."""
        import networkx as nx  # takes a while, and reading a space does without

        last, others = self.values[-1], self.values[:-1]
        if self.bounded and _is_open(last.bounds):
            return None
        final = self.rng.choice(self.states) if self.rng.random() < OTHER_LAST_CHANCE else "h"
        updates: dict[str, Value] = {}
        for state in self.states:
            taken = updates.values()
            weights = [
                0.0 if value in taken else self._update_weight(value, state) for value in others
            ]
            if state != final and not any(weights):
                return None
            updates[state] = last if state == final else self._pick(others, weights)
        graph = nx.MultiDiGraph(states=updates, output=None)
        numbers = [arg for value in self.values for arg in value.args if arg.op == "number"]
        for value in (self.x, *numbers, *self.values):
            graph.add_node(value, op=value.op, name=value.name, attributes=dict(value.attributes))
            for slot, arg in enumerate(value.args):
                graph.add_edge(arg, value, key=slot)
        lost = len(graph) - len(tidy(graph))
        return graph if lost <= 2 else None  # much was over: small cells would be drawn too often

    def _look(self, left: int) -> None:
        self.last = left == 1
        # A value as deep as the space allows could only become an update: mostly left for h.
        most = self.space.depth if self.last or self.rng.random() < 0.05 else self.space.depth - 1
        usable = [value for value in self.values if value.depth < most]
        loose = [value for value in usable if not value.uses and not value.is_state]
        # What nothing uses in the end becomes an update. All else must be joined by then: an
        # operator that sees two loose values leaves one less, one that sees none one more.
        spare = len(loose) - len(self.states)
        self.join = max(0, spare - left + 2)
        self.raw = sum(value.raw for value in loose)
        self.haste = (max(0, spare + 1) + self.raw + 1) / left
        self.usable = usable
        self.ops = {value.op for value in usable}
        self.gates = any(value.is_gate for value in usable)

    def _value(self, row: Operator, args: list[Value]) -> Value:
        attributes = tuple(draw_attributes(self.space, row.name, self.rng).items())
        value = Value(row.name, "", tuple(args), attributes, _bounds(row, args))
        value.depth = 1 + max(arg.depth for arg in args)
        value.sign = sign(row.name, [arg.sign for arg in args])
        zeros = [arg.zero for arg in args]
        if row.kind == "linear":
            value.raw, value.zero = True, all(zeros)
            return value
        value.carried = frozenset().union(*(arg.carried for arg in args))
        if row.arity == (1, 1):
            value.zero = zeros[0] and not value.is_gate
        else:
            value.raw = _is_open(value.bounds) or any(arg.raw for arg in args)
            value.zero = any(zeros) if row.name == "mul" else all(zeros)
        return value

    def _is_allowed(self, value: Value, as_update: bool) -> bool:
        """Return whether the space's rules allow a value, as far as can be told by now."""
        if self.safe and value.op in DIVISIONS and value.args[-1].sign < POSITIVE:
            return False
        seen = [arg.op for arg in value.args]
        return not any(
            rule.check(value.op, seen)
            for rule in self.rules
            if rule.about == "operators" or as_update
        )

    # What is preferred. Weights are relative, and 1 is the usual one.

    def _operator_weight(self, row: Operator) -> float:
        low, high = row.arity
        numbers = int(row.name == "sub" and bool(self.space.numbers))
        if len(self.usable) + numbers < low or (self.join > 1 and high == 1):
            return 0.0
        if row.kind == "linear":
            if self.products < max(1, self.join):
                return 0.0
            return 0.02 + 3.0 * max(0.0, 1.0 - self.haste) / (1 + self.raw)
        if high == 1:
            weight = 2.0 if _is_gate(row.range) and not self.gates else 1.0
            weight *= 1.0 if not _is_open(row.range) else 0.05 if self.haste >= 1 else 0.5
            due = 10.0 if self.raw and self.haste >= 1 else 4.0 if self.raw else 0.3
            return weight * due / self.unary
        weight = 0.3 if row.associative and row.name in self.ops else 1.0
        if row.name in ("mul", "blend"):
            return weight * (0.1 if not self.gates else 2.0 if self.carried else 4.0)
        return weight * (1.0 if row.name == "add" else 0.5)

    def _arguments(self, row: Operator) -> list[Value]:
        if row.kind == "linear":
            return self._linear_arguments()
        if row.name == "sub" and self.space.numbers and self._wants_complement():
            return self._complement_arguments()
        count, high = row.arity
        most = len(self.usable) if high is None else min(high, len(self.usable))
        while count < most and self.rng.random() < 0.12:
            count += 1
        args: list[Value] = []
        for slot in range(count):
            others = [value for value in self.usable if value not in args]
            weights = [self._argument_weight(row, slot, value) for value in others]
            args.append(self._pick(others, weights))
        return args

    def _argument_weight(self, row: Operator, slot: int, value: Value) -> float:
        weight = 1.0 if value.uses else 6.0
        if self.join and not value.uses and not value.is_state:
            weight *= 10.0**self.join
        if row.arity == (1, 1):  # activations follow linears, and sums and products of them
            done = value.is_state or OPERATORS[value.op].arity == (1, 1)
            return weight * (10.0 if value.raw else 0.05 if done else 0.5)
        if row.name == "div" and slot == 1:
            return weight * (10.0 if value.sign == POSITIVE else 0.01)
        if value.raw or _is_open(value.bounds):
            weight *= 0.05 if self.last else 0.3
        if row.associative and value.op == row.name:
            weight *= 0.02  # a sum in a sum is only a longer sum
        if row.name in ("mul", "blend"):
            if slot == 0:
                return weight * (10.0 if value.is_gate else 0.5)
            eager = self.last or not self.carried
            return weight * (1.0 if not value.is_state else 8.0 if eager else 2.0)
        if self.last and value.op == "mul" and any(arg.is_state for arg in value.args):
            return weight * 4.0
        return weight * (0.3 if value.is_state or value.is_gate else 1.0)

    def _linear_arguments(self) -> list[Value]:
        others = [value for value in self.usable if value.op != "linear"]
        count = 0 if self.rng.random() < 0.15 else 1
        more = 0.18**self.heed
        while 0 < count < len(others) and self.rng.random() < more:
            count += 1
        count = min(max(self.join, count), len(others), self.products)
        chance = 0.5 if self.heed < 1 else 0.85 if self.x.uses else 0.97
        args: list[Value] = []
        if count == 0 or (count < self.products and self.rng.random() < chance):
            args.append(self.x)
        for _ in range(count):
            args.append(self._pick(others, [self._linear_weight(value) for value in others]))
            others.remove(args[-1])
        return args

    def _linear_weight(self, value: Value) -> float:
        if value.is_state:
            return 6.0 if value.name == "h" else 2.0
        modulated = value.op == "mul" and any(arg.is_state for arg in value.args)
        weight = (4.0 if modulated else 0.5) * (0.2 if value.uses else 1.0)
        return weight if value.uses else weight * 10.0**self.join

    def _wants_complement(self) -> bool:
        return len(self.usable) == 1 or self.rng.random() < (0.8 if self.gates else 0.1)

    def _complement_arguments(self) -> list[Value]:
        number = self.rng.choice(self.space.numbers)
        weights = [1.0 if value.is_gate else 0.02 for value in self.usable]
        first = Value("number", attributes=(("value", number),), bounds=(number, number))
        return [first, self._pick(self.usable, weights)]

    def _update_weight(self, value: Value, state: str) -> float:
        if not self._is_allowed(value, as_update=True):
            return 0.0
        if value.is_state:  # of another state: it is h at t-2; its own would stay at zero
            return 0.0 if value.name == state else 0.1
        if value.op == "linear":
            return 0.02
        weight = 1.0 if value.uses else 1000.0
        weight *= 8.0 if state in value.carried else 1.0
        return weight * (0.3 if value.is_gate or value.raw or value.zero else 1.0)

    def _pick(self, items: list[Item], weights: list[float]) -> Item:
        if self.heed < 1:
            weights = [weight**self.heed for weight in weights]
        return self.rng.choices(items, weights)[0]


def _is_gate(bounds: tuple[float, float]) -> bool:
    return bounds[0] >= 0 and bounds[1] <= 1


def _is_open(bounds: tuple[float, float]) -> bool:
    return math.isinf(bounds[0]) or math.isinf(bounds[1])


def _bounds(row: Operator, args: Sequence[Value]) -> tuple[float, float]:
    """Return bounds of an operator's value; rough ones where exact ones would take long to say."""
    lows = [arg.bounds[0] for arg in args]
    highs = [arg.bounds[1] for arg in args]
    if row.name == "add":
        return sum(lows), sum(highs)
    if row.name == "sub":
        return lows[0] - highs[1], highs[0] - lows[1]
    if row.name == "blend" and args[0].is_gate:
        return min(lows[1:]), max(highs[1:])
    size = math.prod(max(-low, high) for low, high in zip(lows, highs, strict=True))
    if row.name == "mul" and math.isfinite(size):
        return (0.0 if min(lows) >= 0 else -size), size
    return row.range
