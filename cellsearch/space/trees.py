"""Tree cells: h's update is one tree of operators, grown from the output down to the leaves.

Every operator's value is used once; leaves may be seen often. The update of a further state is an
inner node of the tree, as c's is in an LSTM. Growth begins with one open place, the update of h; a
step replaces an open place by an operator, whose arguments are new open places; in the end leaves
close them all.

Schrimpf, Merity, Bradbury and Socher, 2017, "A Flexible Approach to Automated RNN Architecture
Generation", https://arxiv.org/abs/1712.07316.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from cellsearch.graph import Graph
from cellsearch.operators import OPERATORS, Operator
from cellsearch.space.growth import draw_attributes
from cellsearch.space.rules import ACTIVATIONS

if TYPE_CHECKING:
    import networkx as nx

    from cellsearch.space import Space

OPEN = "open"
"""What stands as the operator of an open place."""


def judge_tree(graph: Graph) -> str | None:
    """Return None if a normal form is a tree, else in one sentence why it is none."""
    uses = [0] * len(graph.nodes)
    for node in graph.nodes:
        for arg in node.args:
            uses[arg] += 1
    for node, count in zip(graph.nodes, uses, strict=True):
        if node.args and count > 1:
            return f"one of its operators, {node.op}, is used {count} times; in a tree, once."
    for name, update in graph.states[1:]:
        if not graph.nodes[update].args:
            return f"its state {name} is updated by a leaf; in a tree, by an operator."
        if not uses[update]:
            return f"its state {name} is not computed on the way to h; a tree has one root."
    return None


# One step of growth. A graph that grows is as `Cell.from_graph` takes it, but for open places.


def begin() -> nx.MultiDiGraph:
    """Return a graph of one open place, the update of h."""
    import networkx as nx  # takes a while, and reading a space does without

    graph = nx.MultiDiGraph(states={"h": 0}, output=None)
    graph.add_node(0, op=OPEN, name="", attributes={})
    return graph


def expand(graph: nx.MultiDiGraph, place: int, op: str, count: int) -> list[int]:
    """Replace an open place by an operator of `count` new ones, in place; return these."""
    graph.nodes[place]["op"] = op
    new = list(range(len(graph), len(graph) + count))
    for slot, node in enumerate(new):
        graph.add_node(node, op=OPEN, name="", attributes={})
        graph.add_edge(node, place, key=slot)
    return new


def close(graph: nx.MultiDiGraph, place: int, leaf: str | float) -> None:
    """Close an open place by a leaf, in place: "x", the name of a carried state, or a number."""
    if isinstance(leaf, float):
        graph.nodes[place].update(op="number", attributes={"value": leaf})
    else:
        graph.nodes[place].update(op="x" if leaf == "x" else "state", name=leaf)


# A random tree. The preferences follow what trains, as in `growth`, and only weigh.

# The roles of open places.
_GATE = "gate"  # says how much of another value passes
_CANDIDATE = "candidate"  # a value that had better see x
_LEAF = "leaf"  # a value that may well be a state
_FUNCTION = "function"  # in an activation, or alone in another operator
_SEEN = "seen"  # in a linear

_NEEDED = {_GATE: 2, _CANDIDATE: 2, _FUNCTION: 1, _LEAF: 0, _SEEN: 0}
"""How many operators close a place: a linear of x and h_prev, maybe in an activation, or none."""

_VALUE = {"mul": 3.0, "blend": 3.0, "tanh": 2.0, "add": 1.5, "sin": 1.0, "sub": 0.7}
_VALUE |= {"sigmoid": 0.5, "layer_norm": 0.5, "relu": 0.3}
_WEIGHTS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        _GATE: {"sigmoid": 10.0, "hard_sigmoid": 5.0, "tanh": 1.0},
        _CANDIDATE: _VALUE,
        _LEAF: _VALUE,
        _FUNCTION: {"linear": 2.0, "add": 1.0, "mul": 1.0, "sub": 0.5, "blend": 0.5},
        _SEEN: {"mul": 3.0, "tanh": 1.0, "sigmoid": 0.5, "blend": 0.5, "add": 0.3},
    }
)
"""How welcome an operator is in a place of each role, if more than `OTHER_WEIGHT`."""

OTHER_WEIGHT = 0.1

LEAF_CHANCE = 0.02
"""How often a place may be a leaf whatever its role would be."""

WILD_CHANCE = 0.1
"""How often a tree is grown without preferences, so that none is out of reach."""


def grow(space: Space, size: int, rng: random.Random) -> nx.MultiDiGraph | None:
    """Return the graph of a random tree of about `size` operators, or None if it got stuck.

    It may still be outside the space. Every tree of the space can be drawn.
    """
    growth = _TreeGrowth(space, rng)
    while size - growth.size > growth.needed:
        if not growth.add(size - growth.size):
            return None
    return growth.finish()


class _TreeGrowth:
    """A tree so far, the roles of its open places, and the preferences for what to add."""

    def __init__(self, space: Space, rng: random.Random) -> None:
        self.space, self.rng = space, rng
        self.states = space.states[: rng.randint(1, len(space.states))]
        self.wild = rng.random() < WILD_CHANCE
        self.graph = begin()
        self.roles = {0: _LEAF if self.wild else self._role(_CANDIDATE)}  # of the open places
        self.above = {0: 0}  # by node, the operators above it
        self.parents: dict[int, int] = {}
        self.leaves: dict[int, list[str]] = {}  # by operator, those among its arguments
        self.size = 0
        self.products = space.products  # those left

    @property
    def needed(self) -> int:
        """How many operators it takes to close all places."""
        return sum(_NEEDED[role] for role in self.roles.values())

    def add(self, left: int) -> bool:
        """Replace some open place by some operator, of which `left` are due."""
        places = [
            place
            for place, role in self.roles.items()
            if self.above[place] + _NEEDED[role] < self.space.depth
        ]
        if not places:
            return False
        seen = 1.0 if self.wild else 0.15
        eager = [seen if self.roles[place] == _SEEN else 1.0 for place in places]
        place = self.rng.choices(places, eager)[0]
        counts = {name: self._count(OPERATORS[name]) for name in self.space.operators}
        weights = [self._weight(self.roles[place], *item, left) for item in counts.items()]
        if not any(weights):
            return False
        op = self.rng.choices(list(counts), weights)[0]
        self._expand(place, op, counts[op])
        return True

    def finish(self) -> nx.MultiDiGraph | None:
        """Close all places, choose what updates the further states, and return the graph."""
        for place, role in list(self.roles.items()):
            if role in (_GATE, _CANDIDATE) and (activation := self._activation(role)):
                (place,) = self._expand(place, activation, 1)
            if role in (_GATE, _CANDIDATE, _FUNCTION):
                for leaf, seen in zip(("x", "h"), self._expand(place, "linear", 2), strict=True):
                    self._close(seen, leaf)
        operators = [node for node in self.above if node and self.graph.pred[node]]  # but the root
        for state in self.states[1:]:
            if not self.roles or not operators:
                return None
            eager = [1.0 if role == _SEEN else 5.0 for role in self.roles.values()]
            place = self.rng.choices(list(self.roles), eager)[0]
            self._close(place, state)
            update = self.rng.choices(operators, self._memory_weights(place, operators))[0]
            self.graph.graph["states"][state] = update
        for place, role in list(self.roles.items()):
            leaves = {state: 1.0 for state in self.states} | {"h": 3.0}
            leaves |= {"x": 4.0} if role == _SEEN else {}
            free = [leaf for leaf in leaves if leaf not in self.leaves[self.parents[place]]]
            if not free:
                return None
            self._close(place, self.rng.choices(free, [leaves[leaf] for leaf in free])[0])
        return self.graph

    def _role(self, role: str) -> str:
        return _LEAF if self.rng.random() < LEAF_CHANCE else role

    def _expand(self, place: int, op: str, count: int) -> list[int]:
        roles = self._argument_roles(op, count)
        if roles[-2:] == [_LEAF, _CANDIDATE] and self.rng.random() < 0.5:
            roles[-2:] = [_CANDIDATE, _LEAF]
        for role, node in zip(roles, new := expand(self.graph, place, op, count), strict=True):
            self.roles[node] = role if role == _SEEN else self._role(role)
            self.above[node] = self.above[place] + 1
            self.parents[node] = place
        self.graph.nodes[place]["attributes"] = draw_attributes(self.space, op, self.rng)
        del self.roles[place]
        self.leaves[place] = []
        self.size += 1
        self.products -= count if op == "linear" else 0
        if op == "sub" and self.space.numbers and self.rng.random() < 0.5:
            self._close(new.pop(0), self.rng.choice(self.space.numbers))
        return new

    def _close(self, place: int, leaf: str | float) -> None:
        close(self.graph, place, leaf)
        del self.roles[place]
        self.leaves[self.parents[place]].append(str(leaf))

    def _count(self, row: Operator) -> int:
        """Return a number of arguments; sums and products mostly have two, linears two or one."""
        count, high = row.arity
        chance = 0.7 if row.kind == "linear" else 0.12
        while (high is None or count < high) and self.rng.random() < chance:
            count, chance = count + 1, 0.12
        return count

    def _weight(self, role: str, op: str, count: int, left: int) -> float:
        """Return how welcome an operator is in a place, if `left` operators are due."""
        if op == "linear" and (role == _SEEN or count > self.products):
            return 0.0
        weight = 1.0 if self.wild else _WEIGHTS[role].get(op, OTHER_WEIGHT)
        roles = [*self.roles.values(), *self._argument_roles(op, count)]
        roles.remove(role)
        nodes = sum(_NEEDED[role] for role in roles) - (left - 1)
        closing = sum(_NEEDED[role] > 0 for role in roles)  # each by a linear of x and h_prev
        products = 2 * closing + (count if op == "linear" else 0) - self.products
        return weight * 0.02 ** (max(0, nodes) + max(0, products))

    def _argument_roles(self, op: str, count: int) -> list[str]:
        if op == "linear":
            return [_SEEN] * count
        if self.wild:
            return [_LEAF] * count
        if op in ("mul", "blend"):
            return [_GATE, _LEAF, *[_CANDIDATE] * (count - 2)]
        return [_FUNCTION] if count == 1 else [_LEAF, *[_CANDIDATE] * (count - 1)]

    def _activation(self, role: str) -> str | None:
        names = [name for name in self.space.operators if name in ACTIVATIONS]
        if not names:
            return None
        weights = [_WEIGHTS[role].get(name, OTHER_WEIGHT) for name in names]
        return self.rng.choices(names, weights)[0]

    def _memory_weights(self, place: int, nodes: list[int]) -> list[float]:
        """Return how welcome nodes are as the update of the state that a place was closed by.

        Those are that see the state without a linear between, so that they carry it on.
        """
        ops = [self.graph.nodes[node]["op"] for node in nodes]
        carrying, node = [], place
        while (node := self.parents.get(node, 0)) and self.graph.nodes[node]["op"] != "linear":
            carrying.append(node)
        return [
            8.0 if node in carrying else 0.05 if op in ("linear", "sigmoid") else 0.3
            for node, op in zip(nodes, ops, strict=True)
        ]
