"""The normal form of a cell: what runs, what is counted and what has an identity.

Dead code, identities and attributes of no effect are gone; nested sums and products are one node
each; equal leaves, equal numbers and equal nodes without learned tensors are merged; nodes,
arguments of commutative operators and states (h first) stand in canonical order. Two cells have the
same identity exactly when their normal forms are equal up to names.
"""

from __future__ import annotations

import hashlib

from cellsearch.canonical import Edge, canonical_order
from cellsearch.errors import CellError
from cellsearch.graph import Graph, Node, topological_order
from cellsearch.limits import MAX_ARGUMENTS, MAX_EDGES
from cellsearch.operators import OPERATORS
from cellsearch.shapes import HIDDEN, SCALAR, widths

VERSION = "c1"
"""Version of the identity; it stands in front of every id."""


def normalise(graph: Graph) -> Graph:
    """Return the normal form of a graph.

    Raises CellError if a sum or product has more than `MAX_ARGUMENTS` arguments when flattened, or
    all nodes together have more than `MAX_EDGES`, or an operator of vectors sees a single number.
    """
    live = _without_idle_attributes(_prune(_without_dead_states(graph)))
    return _in_canonical_order(_prune(_simplify(live)))


def identity(normal: Graph) -> str:
    """Return the id of a normal form: the version and 80 bits of SHA-256, for instance "c1-9f…"."""
    lines = []
    for node in normal.nodes:
        op = f"state {'h' if node.name == 'h' else ''}" if node.op == "state" else node.op
        lines.append(f"{op} {node.attributes!r} {node.args!r}")
    previous = {node.name: index for index, node in enumerate(normal.nodes) if node.op == "state"}
    states = [(previous.get(name), update) for name, update in normal.states]
    lines.append(f"{states!r} {normal.output!r}")
    return f"{VERSION}-{hashlib.sha256(chr(10).join(lines).encode()).hexdigest()[:20]}"


def _without_dead_states(graph: Graph) -> Graph:
    """Drop the states other than h that neither h nor the output ever depends on."""
    updates = dict(graph.states)
    live = {"h"}
    roots = {updates["h"]} if graph.output is None else {updates["h"], graph.output}
    while True:
        reached = graph.reached(roots)
        read = {graph.nodes[i].name for i in reached if graph.nodes[i].op == "state"}
        if read <= live:
            break
        live |= read
        roots |= {updates[name] for name in live}
    states = tuple((name, update) for name, update in graph.states if name in live)
    return Graph(graph.nodes, states, graph.output)


def _without_idle_attributes(graph: Graph) -> Graph:
    """Drop what a node says of learned tensors that it does not have.

    That is how its square matrices begin, of a linear that sees x alone and so has none; where a
    bias begins, if there is none; and that one number scales all features of what is one number.
    """
    found = widths(graph)
    nodes: list[Node] = []
    for node in graph.nodes:
        seen = {found[arg] for arg in node.args}
        idle = {
            "init": node.op == "linear" and HIDDEN not in seen,
            "bias_init": node.op == "linear" and not node.attribute("bias", True),
            "scalar": node.op == "scale" and seen == {SCALAR},
        }
        attributes = tuple(pair for pair in node.attributes if not idle.get(pair[0]))
        nodes.append(Node(node.op, node.args, attributes, node.name, node.tensors))
    return Graph(tuple(nodes), graph.states, graph.output)


def _simplify(graph: Graph) -> Graph:
    """Skip identities, fold signs into numbers, flatten sums and products, merge equal nodes."""
    nodes: list[Node] = []
    merged: dict[object, int] = {}
    new: list[int] = []  # new index of each old node
    edges = 0
    for node in graph.nodes:
        args = tuple(new[arg] for arg in node.args)
        attributes, op = node.attributes, node.op
        if op == "identity":
            new.append(args[0])
            continue
        if op == "neg" and nodes[args[0]].op == "number":
            value = nodes[args[0]].attribute("value", 0.0)
            op, args = "number", ()
            attributes = (("value", 0.0 - float(value)),)  # never minus zero
        row = OPERATORS.get(op)
        if row is not None and row.associative:
            args = tuple(
                inner
                for arg in args
                for inner in (nodes[arg].args if nodes[arg].op == op else (arg,))
            )
            if len(args) > MAX_ARGUMENTS:
                raise CellError(
                    f"cell: `{op}` has {len(args)} arguments once nested ones are joined; "
                    f"at most {MAX_ARGUMENTS} are allowed"
                )
        edges += len(args)
        if edges > MAX_EDGES:
            raise CellError(
                f"cell: more than {MAX_EDGES} arguments in all, once nested sums and products "
                "are joined"
            )
        if row is not None and row.commutative and not row.owns_tensors:
            args = tuple(sorted(args))
        candidate = Node(op, args, attributes, node.name, node.tensors)
        if op == "parameter" or (row is not None and row.owns_tensors):
            new.append(len(nodes))
            nodes.append(candidate)
            continue
        key = (op, args, attributes, node.name if op == "state" else "")
        if key not in merged:
            merged[key] = len(nodes)
            nodes.append(candidate)
        new.append(merged[key])
    states = tuple((name, new[update]) for name, update in graph.states)
    output = None if graph.output is None else new[graph.output]
    if output == states[0][1]:
        output = None
    return Graph(tuple(nodes), states, output)


def _prune(graph: Graph) -> Graph:
    """Drop the nodes that no result depends on."""
    kept = sorted(graph.reached(graph.results))
    return _reordered(graph, kept)


def _reordered(graph: Graph, order: list[int]) -> Graph:
    new = {old: index for index, old in enumerate(order)}
    nodes = []
    for old in order:
        node = graph.nodes[old]
        args = tuple(new[arg] for arg in node.args)
        nodes.append(Node(node.op, args, node.attributes, node.name, node.tensors))
    states = tuple((name, new[update]) for name, update in graph.states)
    return Graph(tuple(nodes), states, None if graph.output is None else new[graph.output])


def _in_canonical_order(graph: Graph) -> Graph:
    """Put nodes, commutative arguments and states in an order that names do not influence."""
    colours = [_colour(graph, index) for index in range(len(graph.nodes))]
    rank = [0] * len(graph.nodes)
    for position, index in enumerate(canonical_order(colours, _edges(graph))):
        rank[index] = position
    graph = _reordered(graph, topological_order([node.args for node in graph.nodes], rank))
    nodes = tuple(_with_sorted_arguments(node) for node in graph.nodes)
    previous = {node.name: index for index, node in enumerate(nodes) if node.op == "state"}
    rest = sorted(graph.states[1:], key=lambda state: previous[state[0]])
    return Graph(nodes, (graph.states[0], *rest), graph.output)


def _colour(graph: Graph, index: int) -> str:
    """Describe a node without names of states other than h, and without positions."""
    node = graph.nodes[index]
    roles = ("h" if index == graph.states[0][1] else "") + ("o" if index == graph.output else "")
    label = "h" if node.op == "state" and node.name == "h" else ""
    return f"{node.op} {label} {roles} {node.attributes!r}"


def _edges(graph: Graph) -> list[Edge]:
    """Return the edges: label 0 for commutative arguments, else the slot; -1 carries a state."""
    edges = []
    for index, node in enumerate(graph.nodes):
        row = OPERATORS.get(node.op)
        ordered = row is not None and not row.commutative
        edges += [(arg, index, slot if ordered else 0) for slot, arg in enumerate(node.args)]
    previous = {node.name: index for index, node in enumerate(graph.nodes) if node.op == "state"}
    edges += [(update, previous[name], -1) for name, update in graph.states if name in previous]
    return edges


def _with_sorted_arguments(node: Node) -> Node:
    row = OPERATORS.get(node.op)
    if row is None or not row.commutative:
        return node
    slots = sorted(range(len(node.args)), key=lambda slot: node.args[slot])
    args = tuple(node.args[slot] for slot in slots)
    if not row.owns_tensors:
        return Node(node.op, args, node.attributes, node.name)
    # Each argument of a linear keeps its matrix; what comes after the matrices is the bias.
    tensors = (*(node.tensors[slot] for slot in slots), *node.tensors[len(slots) :])
    return Node(node.op, args, node.attributes, node.name, tensors)
