"""The networkx form of a cell: a `MultiDiGraph`, read and written.

A node has `op`, `name` and `attributes`; an edge's key is the slot of the argument that it brings.
`graph.graph["states"]` maps each carried state to the node that updates it, and
`graph.graph["output"]` is the output's node, or None where that is the new h.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from contextlib import suppress
from numbers import Integral

import networkx as nx

from cellsearch import limits, notation
from cellsearch.errors import CellError, nearest, quoted, shown
from cellsearch.graph import Attributes, Graph, Node, order_of_computation, without_defaults
from cellsearch.operators import INITIALISATIONS, LEAVES, OPERATORS, PARAMETER_ATTRIBUTES

_OF_LEAVES: Mapping[str, Mapping[str, bool | float | str]] = {
    "number": {"value": 0.0},
    "state": {"start": 0.0},
    "parameter": PARAMETER_ATTRIBUTES,
}
_KEYS = ("op", "name", "attributes")  # of a node
_ROLES = ("states", "output")  # of the graph
_MAX_PARTS = 100  # of an update's key, which is looked up: a tuple is hashed with all it holds
_MAX_NAME = 65  # a longer name is as wrong as its first 65 characters


def write(graph: Graph) -> nx.MultiDiGraph:
    """Return a graph in its networkx form, under the keys 0, 1, ... in topological order."""
    found = nx.MultiDiGraph(states=dict(graph.states), output=graph.output)
    for index, node in enumerate(graph.nodes):
        found.add_node(index, op=node.op, name=node.name, attributes=dict(node.attributes))
        for slot, arg in enumerate(node.args):
            found.add_edge(arg, index, key=slot)
    return found


def read(graph: object) -> Graph:
    """Return the graph that a networkx graph says; its nodes may have any keys, in any order.

    Raises CellError that names the node if there is a cycle, an unknown operator or key, or what
    does not fit; first of all if there are more nodes, edges or states than `limits` says.
    """
    if not isinstance(graph, nx.MultiDiGraph):
        raise CellError(
            f"cell graph: expected a networkx.MultiDiGraph, found {shown(graph)}; "
            "`Cell.graph` shows what one looks like"
        )
    if len(graph) > limits.MAX_NODES:
        raise CellError(f"cell graph: more than {limits.MAX_NODES} nodes")
    if graph.number_of_edges() > limits.MAX_EDGES:
        raise CellError(f"cell graph: more than {limits.MAX_EDGES} edges")
    roles = graph.graph if isinstance(graph.graph, Mapping) else {}
    for key in roles:  # others are free, but for what one of these is meant by
        close = difflib.get_close_matches(key[:80], _ROLES, 1, 0.8) if isinstance(key, str) else []
        if close and key not in _ROLES:
            raise CellError(
                f"cell graph: graph.graph has {quoted(key)}; expected {' or '.join(_ROLES)} "
                f"(did you mean {close[0]!r}?)"
            )
    states = roles.get("states", {})
    if not isinstance(states, Mapping):
        raise CellError(
            f"cell graph: graph.graph['states'] is {shown(states)}; expected a mapping of each "
            "state to the node that updates it, such as {'h': 3}"
        )
    if len(states) > limits.MAX_NODES:
        raise CellError(f"cell graph: more than {limits.MAX_NODES} states")
    return _Reader(graph).read(states, roles.get("output"))


class _Reader:
    """Reads a graph of moderate size; the place of a node is when it was added."""

    def __init__(self, graph: nx.MultiDiGraph) -> None:
        self.keys: list[object] = list(graph)
        self.places = {key: place for place, key in enumerate(self.keys)}
        self.data: list[dict[str, object]] = [data for _, data in graph.nodes(data=True)]
        self.inputs: list[list[tuple[object, int]]] = [[] for _ in self.keys]  # slots and places
        for source, target, slot in graph.edges(keys=True):
            self.inputs[self.places[target]].append((slot, self.places[source]))

    def read(self, states: Mapping[object, object], output: object) -> Graph:
        args = [[place for _, place in inputs] for inputs in self.inputs]
        order = order_of_computation(args, "cell graph", lambda place: shown(self.keys[place]))
        index = {place: position for position, place in enumerate(order)}
        nodes = tuple(self._node(place, index) for place in order)
        starts: dict[str, Attributes] = {}
        for place, node in zip(order, nodes, strict=True):
            start = node.attributes
            if node.op == "state" and starts.setdefault(node.name, start) != start:
                raise self._wrong(
                    place, f"state {node.name} has two different starts; give its nodes the same"
                )
        updates: dict[str, int] = {}
        for name, key in states.items():
            problem = _no_state(name)
            if problem is not None:
                raise CellError(f"cell graph, states: {problem}")
            updates[str(name)] = index[self._place(key, f"{name} is updated by")]
        if "h" not in updates:
            raise CellError("cell graph: graph.graph['states'] has no 'h'; every cell carries h")
        result = None if output is None else index[self._place(output, "output is")]
        return Graph(nodes, tuple(updates.items()), result)

    def _place(self, key: object, what: str) -> int:
        """Return the place of the node that updates a state or is the output, as `what` says."""
        place = None
        if _is_small(key):
            with suppress(TypeError):  # it may have no hash
                place = self.places.get(key)
        if place is None:
            raise CellError(
                f"cell graph: {what} {shown(key)}, which is not a node; expected the key of a node"
            )
        return place

    def _node(self, place: int, index: Mapping[int, int]) -> Node:
        op, name = self.data[place].get("op"), self.data[place].get("name")
        if not isinstance(op, str) or (op not in OPERATORS and op not in LEAVES):
            hint = nearest(op, [*OPERATORS, *LEAVES]) if isinstance(op, str) else ""
            raise self._wrong(
                place, f"unknown operator {shown(op)}{hint}; expected its name, such as 'tanh'"
            )
        self._check_keys(place, op)
        if not isinstance(name, str | None):
            raise self._wrong(place, f"its name is {shown(name)}; expected a text, '' for none")
        name = (name or "")[:_MAX_NAME]
        problem = _no_state(name) if op == "state" else None
        if problem is not None:
            raise self._wrong(place, problem)
        args = tuple(index[arg] for arg in self._arguments(place, op))
        return Node(op, args, self._attributes(place, op), name)

    def _check_keys(self, place: int, op: str) -> None:
        for key in self.data[place]:
            if key not in _KEYS:
                hint = nearest(key, _KEYS) if isinstance(key, str) else ""
                if key in _attributes_of(op):
                    hint = f", an attribute of {op} that belongs in its attributes"
                raise self._wrong(
                    place, f"unknown key {shown(key)}{hint}; expected {', '.join(_KEYS)}"
                )

    def _arguments(self, place: int, op: str) -> list[int]:
        """Return the places of a node's arguments, in the order of their slots."""
        inputs = self.inputs[place]
        slots = dict(inputs)
        whole = all(isinstance(slot, Integral) and not isinstance(slot, bool) for slot, _ in inputs)
        if not whole or len(slots) < len(inputs) or set(slots) != set(range(len(slots))):
            found = [shown(slot) for slot, _ in inputs[:4]] + ["..."] * (len(inputs) > 4)
            raise self._wrong(
                place,
                f"argument slots are [{', '.join(found)}]; expected each of 0, 1, ... once, "
                "as keys of the edges to the node",
            )
        low, high = (0, 0) if op in LEAVES else OPERATORS[op].arity
        high = limits.MAX_ARGUMENTS if high is None else high
        if not low <= len(slots) <= high:
            expected = f"{low}" if low == high else f"{low} to {high}"
            raise self._wrong(
                place, f"{op} does not take {len(slots)} arguments; expected {expected}"
            )
        return [slots[slot] for slot in range(len(slots))]

    def _attributes(self, place: int, op: str) -> Attributes:
        """Check a node's attributes against the operator's."""
        known = _attributes_of(op)
        given = self.data[place].get("attributes")
        if not isinstance(given, Mapping | None):
            raise self._wrong(
                place, f"its attributes are {shown(given)}; expected a mapping, {{}} for none"
            )
        found: dict[str, bool | float | str] = {}
        for name, value in (given or {}).items():
            if not isinstance(name, str) or name not in known:
                hint = nearest(name, known) if isinstance(name, str) else ""
                expected = ", ".join(known) or "none"
                raise self._wrong(
                    place, f"{op} has no attribute {shown(name)}{hint}; expected: {expected}"
                )
            try:
                found[name] = _like(known[name], value)
            except ValueError as error:
                raise self._wrong(
                    place, f"{op}: {name}: expected {error}, found {shown(value)}"
                ) from None
        return without_defaults(found, known)

    def _wrong(self, place: int, problem: str) -> CellError:
        return CellError(f"cell graph, node {shown(self.keys[place])}: {problem}")


def _attributes_of(op: str) -> Mapping[str, bool | float | str]:
    return _OF_LEAVES.get(op, {}) if op in LEAVES else OPERATORS[op].attributes


def _is_small(key: object) -> bool:
    """Tell whether a key, looked into, has few parts; a tuple may hold itself many times over."""
    parts = [key]
    for part in parts:
        if isinstance(part, tuple):
            parts += part
        if len(parts) > _MAX_PARTS:
            return False
    return True


def _no_state(name: object) -> str | None:
    """Return why a state cannot have this name, or None if it can."""
    if not isinstance(name, str):
        return f"{shown(name)} cannot be a state's name; expected a text"
    reason = notation.check_state(name)
    return None if reason is None else f"{shown(name)} cannot be a state's name: {reason}"


def _like(default: bool | float | str, value: object) -> bool | float | str:
    """Return an attribute's value as it is kept; raises ValueError with what was expected."""
    if isinstance(default, str):
        if isinstance(value, str) and value in INITIALISATIONS:
            return str(value)
        raise ValueError(f"one of {', '.join(INITIALISATIONS)}")
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        raise ValueError("True or False")
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            number = float(value) + 0.0  # no negative zero
            if math.isfinite(number):
                return number
    raise ValueError("a finite number")
