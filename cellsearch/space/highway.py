"""Highway cells: chains of highway nodes whose mean is h, as ENAS, DARTS and NAO search them.

Node 0 blends h_prev with a function of x and h_prev, each further node an earlier node with a
function of that node, each behind a gate of its own (linears without bias, f_i an activation):

    s_0 = blend(sigmoid(linear(x, h_prev)), tanh(linear(x, h_prev)), h_prev)
    s_i = blend(sigmoid(linear(s_j)), f_i(linear(s_j)), s_j)

Pham, Guan, Zoph, Le and Dean, 2018, "Efficient Neural Architecture Search via Parameter Sharing",
https://arxiv.org/abs/1802.03268, take as h the mean of the loose ends, the nodes that no other node
sees; Liu, Simonyan and Yang, 2019, "DARTS: Differentiable Architecture Search",
https://arxiv.org/abs/1806.09055, that of all nodes but s_0.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product
from typing import TYPE_CHECKING, Literal, get_args

from cellsearch.graph import Graph
from cellsearch.space.rules import ACTIVATIONS

if TYPE_CHECKING:
    import networkx as nx

    from cellsearch.space import Space

PUBLISHED = 8
"""Nodes of a cell in the published searches of DARTS; a draw rarely has more."""

LONGER_CHANCE = 0.1
"""How often a draw may have more nodes than that, where the space allows it."""

FIRST, EACH, MEAN = 5, 5, 1
"""Operators of s_0, the most of each further node, and those of the mean."""

Ends = Literal["all", "loose"]


@dataclass(frozen=True, slots=True)
class Highway:
    """The nodes after s_0, each as its activation and the node it sees, and which the mean is of.

    An activation "identity" is none. Node i, the first being 1, sees one of 0 to i - 1.
    """

    nodes: tuple[tuple[str, int], ...]
    ends: Ends

    @property
    def averaged(self) -> tuple[int, ...]:
        """The nodes whose mean is h."""
        seen = {source for _, source in self.nodes} if self.ends == "loose" else set()
        return tuple(node for node in range(1, len(self.nodes) + 1) if node not in seen)


def choose_size(space: Space, rng: random.Random) -> int:
    """Return a number of nodes after s_0, spread evenly but for the smallest.

    There are few cells of one to three nodes; drawn as often as larger ones, they would mostly be
    repeats.
    """
    most = most_nodes(space)
    if rng.random() > LONGER_CHANCE:
        most = min(most, PUBLISHED)
    sizes = range(1, most + 1)
    return rng.choices(sizes, [min(1.0, (size / 4) ** 3) for size in sizes])[0]


def grow(space: Space, size: int, rng: random.Random) -> nx.MultiDiGraph:
    """Return the graph of a random highway cell with that many nodes after s_0."""
    functions = activations(space)
    nodes = tuple((rng.choice(functions), rng.randrange(node)) for node in range(1, size + 1))
    return write(Highway(nodes, rng.choice(("all", "loose"))))


def smallest() -> nx.MultiDiGraph:
    """Return the graph of the cell with one node after s_0, and no activation in that."""
    return write(Highway((("identity", 0),), "all"))


def activations(space: Space) -> list[str]:
    """Return what may stand as a node's activation, "identity" first."""
    return ["identity", *(name for name in space.operators if name in ACTIVATIONS)]


def most_nodes(space: Space) -> int:
    """Return how many nodes after s_0 the limit on operators leaves room for."""
    return max(1, (space.nodes - FIRST - MEAN) // EACH)


def highways(space: Space) -> Iterator[Highway]:
    """Yield the highway cells of a space, those of fewer operators first, some repeatedly."""
    for total in range(FIRST, space.nodes + 1):
        for count in range(1, most_nodes(space) + 1):
            bare = FIRST + EACH * count - total  # so many nodes have no activation
            if bare + MEAN >= 0 and bare <= count:
                yield from _of_size(space, count, bare)


def _of_size(space: Space, count: int, bare: int) -> Iterator[Highway]:
    """Yield those of `count` nodes; `bare` have no activation, one more where there is a mean."""
    functions = activations(space)[1:]
    for sources in product(*map(range, range(1, count + 1))):
        for ends in get_args(Ends):
            mean = len(Highway(tuple(("", source) for source in sources), ends).averaged) > 1
            number = bare + MEAN * mean
            for without in combinations(range(count), number) if 0 <= number <= count else ():
                choices = (["identity"] if n in without else functions for n in range(count))
                for names in product(*choices):
                    yield Highway(tuple(zip(names, sources, strict=True)), ends)


def write(highway: Highway) -> nx.MultiDiGraph:
    """Return the graph of a highway cell, as `Cell.from_graph` takes it."""
    import networkx as nx  # takes a while, and reading a space does without

    graph = nx.MultiDiGraph(output=None)

    def add(op: str, *args: str, name: str = "") -> str:
        key = name or f"node {len(graph)}"
        attributes = {"bias": False} if op == "linear" else {}
        graph.add_node(key, op=op, name=name.removesuffix("_prev"), attributes=attributes)
        graph.add_edges_from((arg, key, slot) for slot, arg in enumerate(args))
        return key

    def node(number: int, activation: str, carried: str, *seen: str) -> str:
        gate = add("sigmoid", add("linear", *seen))
        value = add("linear", *seen)
        if activation != "identity":
            value = add(activation, value)
        return add("blend", gate, value, carried, name=f"s{number}")

    x, h_prev = add("x", name="x"), add("state", name="h_prev")
    keys = [node(0, "tanh", h_prev, x, h_prev)]
    for number, (activation, source) in enumerate(highway.nodes, start=1):
        keys.append(node(number, activation, keys[source], keys[source]))
    ends = [keys[number] for number in highway.averaged]
    graph.graph["states"] = {"h": add("mean", *ends) if len(ends) > 1 else ends[0]}
    return graph


def read(graph: Graph) -> Highway | str:
    """Return the highway cell that a normal form is, or in one sentence why it is none.

    Its nodes stand in an order in which each sees earlier ones; there may be several such orders.
    """
    if len(graph.states) > 1:
        return "it carries more than h, the one state of a highway cell."
    reader = _Reader(graph)
    for index, node in enumerate(graph.nodes):
        reason = reader.add(index) if node.op == "blend" else None
        if reason is not None:
            return reason
    update = graph.states[0][1]
    ends = graph.nodes[update].args if graph.nodes[update].op == "mean" else (update,)
    if not all(end in reader.numbers for end in ends):
        return "its h is neither a highway node nor the mean of some."
    numbers = sorted(reader.numbers[end] for end in ends)
    for kind in get_args(Ends):
        highway = Highway(tuple(reader.nodes), kind)
        if numbers == list(highway.averaged):
            return highway
    return "its h is the mean of some nodes; expected all but the first, or the loose ends."


class _Reader:
    """Takes the blends of a normal form as highway nodes, one after the other."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.numbers: dict[int, int] = {}  # of the nodes, by the index of their blend
        self.nodes: list[tuple[str, int]] = []  # those after s_0
        self.owned: set[int] = set()  # the linears of the nodes so far

    def add(self, index: int) -> str | None:
        """Take a blend as the next node, or say in one sentence why it is none."""
        gate, value, source = self.graph.nodes[index].args
        number = len(self.numbers)
        if number and source not in self.numbers:
            return "one of its nodes carries on something else than an earlier node."
        if not number and self.graph.nodes[source].op != "state":
            return "its first node carries on something else than h_prev."
        if self._op(gate) != "sigmoid":
            return f"the gate of one of its nodes is {self._op(gate)}; expected sigmoid."
        activation = self._op(value)
        if activation in ACTIVATIONS:
            value = self.graph.nodes[value].args[0]
        else:
            activation = "identity"
        if not number and activation != "tanh":
            return f"the activation of its first node is {activation}; expected tanh."
        for linear in (self.graph.nodes[gate].args[0], value):
            reason = self._judge_linear(linear, source, first=not number)
            if reason is not None:
                return reason
            self.owned.add(linear)
        if number:
            self.nodes.append((activation, self.numbers[source]))
        self.numbers[index] = number
        return None

    def _judge_linear(self, index: int, source: int, first: bool) -> str | None:
        linear = self.graph.nodes[index]
        if linear.op != "linear":
            return f"one of its nodes has {linear.op} in place of a linear."
        if index in self.owned:
            return "one of its linears is used twice; a gate and a value have one each."
        if linear.attribute("bias", True):
            return "one of its linears has a bias."
        others = [self._op(arg) for arg in linear.args if arg != source]
        if source not in linear.args or others != ["x"] * first:
            expected = "x and h_prev" if first else "the node that it carries on"
            return f"a linear of one of its nodes sees other values than {expected}."
        return None

    def _op(self, index: int) -> str:
        return self.graph.nodes[index].op
