"""Cells in plain arithmetic, to be compared: what is computed the same is written the same."""

from __future__ import annotations

from cellsearch.graph import Graph, Node
from cellsearch.normal import normalise

_ONE = Node("number", attributes=(("value", 1.0),))


def plain(graph: Graph) -> Graph:
    """Return a graph's normal form with each blend written out: g * a + (1 - g) * b.

    It computes the same up to rounding. Names stay. Raises CellError as `normalise` does.
    """
    nodes: list[Node] = []
    new: list[int] = []
    for node in graph.nodes:
        args = tuple(new[arg] for arg in node.args)
        if node.op == "blend":
            gate, first, second = args
            rest = _complement(nodes, gate)
            nodes += [Node("mul", (gate, first)), Node("mul", (rest, second))]
            nodes.append(Node("add", (len(nodes) - 2, len(nodes) - 1), name=node.name))
        else:
            nodes.append(Node(node.op, args, node.attributes, node.name, node.tensors))
        new.append(len(nodes) - 1)
    states = tuple((name, new[update]) for name, update in graph.states)
    return normalise(
        Graph(tuple(nodes), states, None if graph.output is None else new[graph.output])
    )


def _complement(nodes: list[Node], gate: int) -> int:
    """Return the index of 1 - gate, added to the nodes unless the gate itself is 1 - a value."""
    node = nodes[gate]
    if node.op == "sub" and nodes[node.args[0]].is_number(1.0):
        return node.args[1]
    nodes += [_ONE, Node("sub", (len(nodes), gate))]
    return len(nodes) - 1
