"""networkx as the judge of whether two normal forms are the same graph up to names."""

from __future__ import annotations

import networkx as nx

from cellsearch.graph import Graph
from cellsearch.operators import OPERATORS


def as_digraph(graph: Graph) -> nx.DiGraph:
    """A normal form without names; the slots of commutative operators do not matter."""
    made = nx.DiGraph()
    for index, node in enumerate(graph.nodes):
        own = node.op == "state" and node.name == "h"
        roles = (index == graph.states[0][1], index == graph.output, own)
        made.add_node(index, label=(node.op, node.attributes, roles))
        for slot, arg in enumerate(node.args):
            label = 0 if OPERATORS[node.op].commutative else slot
            if not made.has_edge(arg, index):
                made.add_edge(arg, index, labels=[])
            made.edges[arg, index]["labels"] += [label]
    for index, node in enumerate(graph.nodes):
        if node.op == "state":
            made.add_edge(dict(graph.states)[node.name], index, labels=["carried"])
    return made


def isomorphic(first: Graph, second: Graph) -> bool:
    """Whether a bijection of nodes keeps operators, attributes, roles and arguments."""
    return bool(
        nx.is_isomorphic(
            as_digraph(first),
            as_digraph(second),
            node_match=lambda a, b: a["label"] == b["label"],
            edge_match=lambda a, b: sorted(a["labels"]) == sorted(b["labels"]),
        )
    )
