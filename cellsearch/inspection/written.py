"""A cell as it was written, without what it does not need."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellsearch.graph import Graph, Node

if TYPE_CHECKING:
    from cellsearch.cell import Cell


def written(cell: Cell) -> Graph:
    """Return the graph of a cell as it was written, its dead code and dead states left out.

    Unlike in the normal form, names, identities and the nesting of sums stay as they are.
    """
    graph = cell.structure
    live = set(cell.states)
    states = tuple((name, update) for name, update in graph.states if name in live)
    reached = graph.reached(Graph(graph.nodes, states, graph.output).results)
    new = {old: index for index, old in enumerate(sorted(reached))}
    nodes = []
    for old in new:
        node = graph.nodes[old]
        args = tuple(new[arg] for arg in node.args)
        nodes.append(Node(node.op, args, node.attributes, node.name, node.tensors))
    output = None if graph.output is None else new[graph.output]
    return Graph(tuple(nodes), tuple((name, new[update]) for name, update in states), output)


def targets(graph: Graph) -> tuple[tuple[str, int], ...]:
    """Return what leaves a step and the node it is: each carried state, then the output if any."""
    output = () if graph.output is None else (("output", graph.output),)
    return (*graph.states, *output)


def printable(text: str) -> str:
    """Return the text with all that could steer a terminal (escape codes) replaced.

    Cells and notes come from files, and a comment may hold any character.
    """
    return "".join(
        char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}"
        for char in text
    )
