"""A cell's graph while it is edited: what is in it, and the edits that all moves are made of.

The graph is as `Cell.graph` returns it. Its order of nodes decides what a random choice picks, so
nothing here may use sets.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

import networkx as nx

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.operators import OPERATORS
from cellsearch.space import Space

Place = tuple[int, int | str, int]
"""A value, what sees it (a node or a state's update), the slot."""

LEAVES = ("x", "state", "number")


def born(graph: nx.MultiDiGraph, space: Space) -> Cell | None:
    """Return the cell of a graph, or None if it is none or outside the space."""
    try:
        cell = Cell.from_graph(graph)
    except CellError:
        return None
    return cell if space.contains(cell) is None else None


def operators(graph: nx.MultiDiGraph) -> list[int]:
    return [node for node, data in graph.nodes(data=True) if data["op"] not in LEAVES]


def places(graph: nx.MultiDiGraph) -> list[Place]:
    """Return where values are seen: as arguments, numbers aside, and as updates of states."""
    seen: list[Place] = [
        (source, target, slot)
        for target in graph
        for slot, source in enumerate(arguments(graph, target))
        if graph.nodes[source]["op"] != "number"
    ]
    return seen + [(node, name, 0) for name, node in graph.graph["states"].items()]


def arguments(graph: nx.MultiDiGraph, node: int) -> list[int]:
    slots = {slot: source for source, _, slot in graph.in_edges(node, keys=True)}
    return [slots[slot] for slot in sorted(slots)]


def redirect(graph: nx.MultiDiGraph, place: Place, new: int) -> None:
    old, target, slot = place
    if isinstance(target, str):
        graph.graph["states"][target] = new
    else:
        graph.remove_edge(old, target, key=slot)
        graph.add_edge(new, target, key=slot)


def add(graph: nx.MultiDiGraph, op: str, args: Sequence[int], name: str = "") -> int:
    node: int = max(graph) + 1
    graph.add_node(node, op=op, name=name, attributes={})
    graph.add_edges_from((arg, node, slot) for slot, arg in enumerate(args))
    return node


def copy_of(
    graph: nx.MultiDiGraph, donor: nx.MultiDiGraph, node: int, keys: Mapping[int, int]
) -> int:
    """Copy a node of another graph, whose arguments were copied to `keys`; leaves are matched."""
    data = donor.nodes[node]
    if data["op"] == "x":
        return x_of(graph)
    if data["op"] == "state":
        return state_of(graph, data["name"] if data["name"] in graph.graph["states"] else "h")
    new = add(graph, data["op"], [keys[arg] for arg in arguments(donor, node)])
    graph.nodes[new]["attributes"] = dict(data["attributes"])
    return new


def x_of(graph: nx.MultiDiGraph) -> int:
    found: list[int] = [node for node, data in graph.nodes(data=True) if data["op"] == "x"]
    return found[0] if found else add(graph, "x", [])


def state_of(graph: nx.MultiDiGraph, name: str) -> int:
    found: list[int] = [
        node
        for node, data in graph.nodes(data=True)
        if data["op"] == "state" and data["name"] == name
    ]
    return found[0] if found else add(graph, "state", [], name)


def new_gate(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> int | None:
    """Add an activation between 0 and 1 of a linear of x and h, in a scan of x alone."""
    ops = [name for name in fitting(space, 1) if OPERATORS[name].range == (0, 1)]
    if not ops:
        return None
    seen = [x_of(graph)] if "scan" in space.rules else [x_of(graph), state_of(graph, "h")]
    return add(graph, rng.choice(ops), [add(graph, "linear", seen)])


def pick(graph: nx.MultiDiGraph, space: Space, rng: random.Random, place: Place) -> int | None:
    """Return another value that may stand in a place without a cycle; x only in a linear.

    In a tree, where every other value is in use already, it is a leaf.
    """
    old, target, _ = place
    above = {} if isinstance(target, str) else {target, *nx.descendants(graph, target)}
    linear = not isinstance(target, str) and graph.nodes[target]["op"] == "linear"
    barred = ("linear", "number") if linear else ("x", "number")
    values = [
        node
        for node, data in graph.nodes(data=True)
        if node != old and node not in above and data["op"] not in barred
        if space.shape != "tree" or data["op"] in LEAVES
    ]
    return rng.choice(values) if values else None


def fitting(space: Space, count: int) -> list[str]:
    """Return the space's operators of that many arguments."""
    rows = [OPERATORS[name] for name in space.operators]
    return [
        row.name
        for row in rows
        if row.arity[0] <= count and (row.arity[1] is None or count <= row.arity[1])
    ]


def say(graph: nx.MultiDiGraph, node: int) -> str:
    data = graph.nodes[node]
    return f"{data['name']}_prev" if data["op"] == "state" else str(data["op"])
