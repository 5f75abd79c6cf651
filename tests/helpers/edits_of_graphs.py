"""Single edits of a cell's graph: what may or may not make another cell of it.

They know nothing of normal forms. Each edits the graph of a cell in place, or returns False where
it does not apply.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from random import Random

import networkx as nx

OWNERS = ("linear", "scale", "layer_norm", "parameter")
ALIKE = (  # operators that may stand for each other
    ("sigmoid", "tanh", "relu", "sin", "identity", "neg", "abs"),
    ("add", "mul", "mean"),
    ("sub", "maximum", "minimum", "div"),
)
INITS = ("uniform", "orthogonal", "identity")


def _pick(graph: nx.MultiDiGraph, rng: Random, *ops: str) -> int | None:
    found = [node for node, op in graph.nodes(data="op") if op in ops]
    return rng.choice(found) if found else None


def _move(graph: nx.MultiDiGraph, old: int, target: int, slot: int, new: int) -> None:
    graph.remove_edge(old, target, key=slot)
    graph.add_edge(new, target, key=slot)


def operator(graph: nx.MultiDiGraph, rng: Random) -> bool:
    """Another operator of as many arguments."""
    group = rng.choice(ALIKE)
    node = _pick(graph, rng, *group)
    if node is None or (group[0] == "sub" and graph.in_degree(node) != 2):
        return False
    graph.nodes[node].update(op=rng.choice(group), attributes={})
    return True


def edge(graph: nx.MultiDiGraph, rng: Random) -> bool:
    """An argument taken from elsewhere."""
    old, target, slot = rng.choice(list(graph.edges(keys=True)))
    barred = {target, *nx.descendants(graph, target)}
    _move(graph, old, target, slot, rng.choice([node for node in graph if node not in barred]))
    return True


def order(graph: nx.MultiDiGraph, rng: Random) -> bool:
    """Two arguments of an operator change places."""
    node = rng.choice([node for node in graph if graph.in_degree(node) > 1] or [None])
    if node is None:
        return False
    (a, _, i), (b, _, j) = rng.sample(list(graph.in_edges(node, keys=True)), 2)
    graph.remove_edges_from([(a, node, i), (b, node, j)])
    graph.add_edges_from([(a, node, j), (b, node, i)])
    return True


def split(graph: nx.MultiDiGraph, rng: Random) -> bool:
    """One of the uses of a learned value gets learned tensors of its own."""
    shared = [n for n, op in graph.nodes(data="op") if op in OWNERS and graph.out_degree(n) > 1]
    node = rng.choice(shared or [None])
    if node is None:
        return False
    _, target, slot = rng.choice(list(graph.out_edges(node, keys=True)))
    copy = max(graph) + 1
    data = {**graph.nodes[node], "name": "", "attributes": dict(graph.nodes[node]["attributes"])}
    graph.add_node(copy, **data)
    graph.add_edges_from((arg, copy, key) for arg, _, key in graph.in_edges(node, keys=True))
    _move(graph, node, target, slot, copy)
    return True


def share(graph: nx.MultiDiGraph, rng: Random) -> bool:
    """Two learned values of equal making become one."""
    made: dict[object, list[int]] = {}
    for node, data in graph.nodes(data=True):
        if data["op"] in OWNERS:
            args = tuple(sorted((slot, arg) for arg, _, slot in graph.in_edges(node, keys=True)))
            made.setdefault((data["op"], repr(data["attributes"]), args), []).append(node)
    twins = [nodes for nodes in made.values() if len(nodes) > 1]
    if not twins:
        return False
    kept, gone = rng.sample(rng.choice(twins), 2)
    for _, target, slot in list(graph.out_edges(gone, keys=True)):
        _move(graph, gone, target, slot, kept)
    states = graph.graph["states"]
    states.update({name: kept for name, node in states.items() if node == gone})
    if graph.graph["output"] == gone:
        graph.graph["output"] = kept
    graph.remove_node(gone)
    return True


def attribute(graph: nx.MultiDiGraph, rng: Random) -> bool:
    """How learned tensors begin, whether there is a bias, another number, another start."""
    node = _pick(graph, rng, "linear", "scale", "parameter", "number", "state")
    if node is None:
        return False
    values: Mapping[str, tuple[str, tuple[object, ...]]] = {
        "linear": rng.choice((("bias", (True, False)), ("bias_init", (0.0, 1.0)), ("init", INITS))),
        "scale": ("init", (1.0, 0.5)),
        "parameter": ("init", (0.0, 1.0)),
        "number": ("value", (0.5, 1.0, 2.0)),
        "state": ("start", (0.0, -1.0)),
    }
    key, choice = values[graph.nodes[node]["op"]]
    graph.nodes[node]["attributes"][key] = rng.choice(choice)
    return True


def update(graph: nx.MultiDiGraph, rng: Random) -> bool:
    """Another value is carried in a state."""
    name = rng.choice(list(graph.graph["states"]))
    graph.graph["states"][name] = rng.choice(list(graph))
    return True


EDITS: tuple[Callable[[nx.MultiDiGraph, Random], bool], ...] = (
    operator,
    edge,
    order,
    split,
    share,
    attribute,
    update,
)
