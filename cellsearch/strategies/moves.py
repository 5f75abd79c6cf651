"""Moves: small edits of a cell, and the crossover of two; every child is inside the space.

The edits are those of Jozefowicz, Zaremba and Sutskever, 2015, "An Empirical Exploration of
Recurrent Network Architectures", https://proceedings.mlr.press/v37/jozefowicz15.html (another
operator, an operator inserted, removed, or put in place of another and fed from two values), and of
Ororbia, ElSaid and Desell, 2019, "Investigating Recurrent Neural Network Memory Structures using
Neuro-Evolution", https://arxiv.org/abs/1902.02390 (edges added, removed and led elsewhere).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence

import networkx as nx

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.operators import OPERATORS
from cellsearch.space import Space
from cellsearch.space.growth import tidy
from cellsearch.strategies import highway_moves

Move = Callable[[nx.MultiDiGraph, Space, random.Random], str | None]
Place = tuple[int, int | str, int]  # a value, what sees it (a node or a state's update), the slot

LEAVES = ("x", "state", "number")
TRIES = 12
"""Moves that are tried before a mutation gives up; most that fail would leave the space."""


def mutate(cell: Cell, space: Space, rng: random.Random, count: int = 1) -> tuple[Cell, str] | None:
    """Return a cell that is `count` moves away and inside the space, and what was done.

    None if no valid one was found within a bounded number of tries. The given cell is unchanged.
    """
    if space.shape == "highway":
        return highway_moves.mutate(cell, space, rng, count)
    for _ in range(TRIES):
        graph = tidy(cell.graph)
        notes: list[str] = []
        for _ in range(TRIES * count):
            if len(notes) == count or not _operators(graph):
                break
            note = rng.choices(list(MOVES), list(MOVES.values()))[0](graph, space, rng)
            tidy(graph)
            notes += [note] if note else []
        child = _born(graph, space)
        if child is not None and child != cell:
            return child, ", ".join(notes)
    return None


def cross(first: Cell, second: Cell, space: Space, rng: random.Random) -> Cell | None:
    """Return the first cell with a random value replaced by a random one of the second.

    What the second's value is computed from comes with it; x and the states are matched by name,
    a state that the first lacks becomes its h. None if no valid child was found. Highway cells are
    cut and joined between two nodes.
    """
    if space.shape == "highway":
        return highway_moves.cross(first, second, space, rng)
    for _ in range(TRIES):
        graph, donor = tidy(first.graph), second.graph
        target, source = rng.choice(_operators(graph)), rng.choice(_operators(donor))
        needed = nx.ancestors(donor, source) | {source}
        keys: dict[int, int] = {}
        for node in donor:  # in topological order
            if node in needed:
                keys[node] = _copy(graph, donor, node, keys)
        for place in _places(graph):
            if place[0] == target:
                _redirect(graph, place, keys[source])
        child = _born(tidy(graph), space)
        if child is not None and child not in (first, second):
            return child
    return None


def _born(graph: nx.MultiDiGraph, space: Space) -> Cell | None:
    try:
        cell = Cell.from_graph(graph)
    except CellError:
        return None
    return cell if space.contains(cell) is None else None


# The moves. Each edits the graph in place and returns what it did, or None where it does not apply;
# whether the result is inside the space is seen afterwards.


def _swap(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    node = rng.choice(_operators(graph))
    old, count = graph.nodes[node]["op"], graph.in_degree(node)
    fitting = [name for name in _fitting(space, count) if name != old]
    if not fitting:
        return None
    new = rng.choice(fitting)
    graph.nodes[node].update(op=new, attributes={})
    return f"{new} for {old}"


def _rewire(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    place = rng.choice(_places(graph))
    new = _pick(graph, space, rng, place)
    if new is None:
        return None
    _redirect(graph, place, new)
    seen_by = place[1] if isinstance(place[1], str) else graph.nodes[place[1]]["op"]
    return f"{_say(graph, new)} for {_say(graph, place[0])} in {seen_by}"


def _insert(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    place = rng.choice(_places(graph))
    ops = _fitting(space, 1)
    if not ops:
        return None
    op = rng.choice(ops)
    _redirect(graph, place, _add(graph, op, [place[0]]))
    return f"{op} of {_say(graph, place[0])}"


def _gate(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Let a gate say how much of a value passes, or how much of a state instead of it."""
    place = rng.choice(_places(graph))
    gate = _new_gate(graph, space, rng)
    ways = [name for name in ("mul", "blend") if name in space.operators]
    if gate is None or not ways:
        return None
    if rng.choice(ways) == "mul":
        _redirect(graph, place, _add(graph, "mul", [gate, place[0]]))
        return f"a gate on {_say(graph, place[0])}"
    state = _state(graph, rng.choice(list(graph.graph["states"])))
    _redirect(graph, place, _add(graph, "blend", [gate, state, place[0]]))
    return f"a gate between {_say(graph, state)} and {_say(graph, place[0])}"


def _remove(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    node = rng.choice(_operators(graph))
    arg = rng.choice([a for a in _arguments(graph, node) if graph.nodes[a]["op"] != "number"])
    for place in _places(graph):
        if place[0] == node:
            _redirect(graph, place, arg)
    return f"no {graph.nodes[node]['op']} of {_say(graph, arg)}"


def _replace(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Put an operator of two other values in place of a value."""
    place = rng.choice(_places(graph))
    ops = _fitting(space, 2)
    values = [_pick(graph, space, rng, place), _pick(graph, space, rng, place)]
    if not ops or values[0] == values[1]:
        return None
    op = rng.choice(ops)
    _redirect(graph, place, _add(graph, op, [value for value in values if value is not None]))
    return f"{op} of two others for {_say(graph, place[0])}"


def _widen(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Let a linear see one more value."""
    linears = [node for node in _operators(graph) if graph.nodes[node]["op"] == "linear"]
    if not linears:
        return None
    node = rng.choice(linears)
    slot = graph.in_degree(node)
    new = _pick(graph, space, rng, (-1, node, slot))
    if new is None:
        return None
    graph.add_edge(new, node, key=slot)
    return f"linear sees {_say(graph, new)} too"


def _narrow(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Take an argument from a linear, a sum or a product that keeps enough of them."""
    wide = [
        node
        for node in _operators(graph)
        if graph.in_degree(node) > OPERATORS[graph.nodes[node]["op"]].arity[0]
    ]
    if not wide:
        return None
    node = rng.choice(wide)
    args = _arguments(graph, node)
    gone = args.pop(rng.randrange(len(args)))
    graph.remove_edges_from(list(graph.in_edges(node, keys=True)))
    graph.add_edges_from((arg, node, slot) for slot, arg in enumerate(args))
    return f"{graph.nodes[node]['op']} sees {_say(graph, gone)} no more"


def _carry(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Begin to carry a value from step to step, in a state of its own behind a gate."""
    free = [name for name in space.states if name not in graph.graph["states"]]
    values = [node for node in _operators(graph) if graph.nodes[node]["op"] != "linear"]
    gate = _new_gate(graph, space, rng)
    if not free or not values or gate is None:
        return None
    place = rng.choice([place for place in _places(graph) if place[0] in values])
    state = _state(graph, free[0])
    if "blend" in space.operators and rng.random() < 0.5:
        update = _add(graph, "blend", [gate, state, place[0]])
    elif {"add", "mul"} <= set(space.operators):
        update = _add(graph, "add", [_add(graph, "mul", [gate, state]), place[0]])
    else:
        return None
    _redirect(graph, place, update)
    graph.graph["states"][free[0]] = update
    return f"{_say(graph, place[0])} is carried in {free[0]}"


def _drop(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Carry a state no more: what saw it sees another instead."""
    states = list(graph.graph["states"])
    if len(states) == 1:
        return None
    name = rng.choice(states[1:])
    other = _state(graph, rng.choice([state for state in states if state != name]))
    gone = _state(graph, name)
    for place in _places(graph):
        if place[0] == gone:
            _redirect(graph, place, other)
    return f"{name} is carried no more"


def _say_otherwise(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Change an attribute of an operator to another value that the space allows."""
    found = [
        (node, key, [OPERATORS[op].attributes[key], *values])
        for op, key, values in space.attributes
        for node in _operators(graph)
        if graph.nodes[node]["op"] == op
    ]
    if not found:
        return None
    node, key, values = rng.choice(found)
    attributes = graph.nodes[node]["attributes"]
    old = attributes.pop(key, values[0])
    new = rng.choice([value for value in values if value != old])
    if new != values[0]:
        attributes[key] = new
    return f"{key}={new} in {graph.nodes[node]['op']}"


MOVES: Mapping[Move, float] = {
    _swap: 1.0,
    _rewire: 1.0,
    _insert: 1.0,
    _gate: 1.0,
    _remove: 1.0,
    _replace: 1.0,
    _widen: 1.0,
    _narrow: 1.0,
    _carry: 1.0,
    _drop: 1.0,
    _say_otherwise: 0.3,
}
"""Every move with its share of the tries."""


# The graph. Its order of nodes decides what a random choice picks, so nothing here may use sets.


def _operators(graph: nx.MultiDiGraph) -> list[int]:
    return [node for node, data in graph.nodes(data=True) if data["op"] not in LEAVES]


def _places(graph: nx.MultiDiGraph) -> list[Place]:
    """Return where values are seen: as arguments, numbers aside, and as updates of states."""
    seen: list[Place] = [
        (source, target, slot)
        for target in graph
        for slot, source in enumerate(_arguments(graph, target))
        if graph.nodes[source]["op"] != "number"
    ]
    return seen + [(node, name, 0) for name, node in graph.graph["states"].items()]


def _arguments(graph: nx.MultiDiGraph, node: int) -> list[int]:
    slots = {slot: source for source, _, slot in graph.in_edges(node, keys=True)}
    return [slots[slot] for slot in sorted(slots)]


def _redirect(graph: nx.MultiDiGraph, place: Place, new: int) -> None:
    old, target, slot = place
    if isinstance(target, str):
        graph.graph["states"][target] = new
    else:
        graph.remove_edge(old, target, key=slot)
        graph.add_edge(new, target, key=slot)


def _add(graph: nx.MultiDiGraph, op: str, args: Sequence[int], name: str = "") -> int:
    node: int = max(graph) + 1
    graph.add_node(node, op=op, name=name, attributes={})
    graph.add_edges_from((arg, node, slot) for slot, arg in enumerate(args))
    return node


def _copy(
    graph: nx.MultiDiGraph, donor: nx.MultiDiGraph, node: int, keys: Mapping[int, int]
) -> int:
    """Copy a node of another graph, whose arguments were copied to `keys`; leaves are matched."""
    data = donor.nodes[node]
    if data["op"] == "x":
        return _x(graph)
    if data["op"] == "state":
        return _state(graph, data["name"] if data["name"] in graph.graph["states"] else "h")
    new = _add(graph, data["op"], [keys[arg] for arg in _arguments(donor, node)])
    graph.nodes[new]["attributes"] = dict(data["attributes"])
    return new


def _x(graph: nx.MultiDiGraph) -> int:
    found: list[int] = [node for node, data in graph.nodes(data=True) if data["op"] == "x"]
    return found[0] if found else _add(graph, "x", [])


def _state(graph: nx.MultiDiGraph, name: str) -> int:
    found: list[int] = [
        node
        for node, data in graph.nodes(data=True)
        if data["op"] == "state" and data["name"] == name
    ]
    return found[0] if found else _add(graph, "state", [], name)


def _new_gate(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> int | None:
    """Add an activation between 0 and 1 of a linear of x and h, in a scan of x alone."""
    ops = [name for name in _fitting(space, 1) if OPERATORS[name].range == (0, 1)]
    if not ops:
        return None
    seen = [_x(graph)] if "scan" in space.rules else [_x(graph), _state(graph, "h")]
    return _add(graph, rng.choice(ops), [_add(graph, "linear", seen)])


def _pick(graph: nx.MultiDiGraph, space: Space, rng: random.Random, place: Place) -> int | None:
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


def _fitting(space: Space, count: int) -> list[str]:
    """Return the space's operators of that many arguments."""
    rows = [OPERATORS[name] for name in space.operators]
    return [
        row.name
        for row in rows
        if row.arity[0] <= count and (row.arity[1] is None or count <= row.arity[1])
    ]


def _say(graph: nx.MultiDiGraph, node: int) -> str:
    data = graph.nodes[node]
    return f"{data['name']}_prev" if data["op"] == "state" else str(data["op"])
