"""Moves of operators: another one, one more or one less."""

from __future__ import annotations

import random

import networkx as nx

from cellsearch.operators import OPERATORS
from cellsearch.space import Space
from cellsearch.space.rules import ACTIVATIONS
from cellsearch.strategies.draft import (
    add,
    arguments,
    fitting,
    operators,
    pick,
    places,
    redirect,
    say,
    state_of,
    x_of,
)


def replace_operator(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Put another operator of as many arguments in place of one."""
    node = rng.choice(operators(graph))
    old, count = graph.nodes[node]["op"], graph.in_degree(node)
    others = [name for name in fitting(space, count) if name != old]
    if not others:
        return None
    new = rng.choice(others)
    graph.nodes[node].update(op=new, attributes={})
    return f"{new} for {old}"


def insert(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Put a function on a value, for one of its users."""
    place = rng.choice(places(graph))
    ops = fitting(space, 1)
    if not ops:
        return None
    op = rng.choice(ops)
    redirect(graph, place, add(graph, op, [place[0]]))
    return f"{op} of {say(graph, place[0])}"


def add_value(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Compute one more value, and join it into a sum, a product or a linear."""
    ways = [name for name in ("add", "mul") if name in space.operators]
    activations = [name for name in space.operators if name in ACTIVATIONS]
    place = rng.choice(places(graph))
    _, target, _ = place
    joint = None if isinstance(target, str) else graph.nodes[target]["op"]
    if joint not in ("linear", *ways) and not ways:
        return None
    states = [state_of(graph, rng.choice(list(graph.graph["states"])))]
    new = add(graph, "linear", [x_of(graph), *([] if "scan" in space.rules else states)])
    if activations and (joint == "linear" or rng.random() < 0.7):
        new = add(graph, rng.choice(activations), [new])
    if joint in ("linear", *ways) and not isinstance(target, str):
        graph.add_edge(new, target, key=graph.in_degree(target))
        return f"{say(graph, new)} joins a {joint}"
    way = rng.choice(ways)
    redirect(graph, place, add(graph, way, [new, place[0]]))
    return f"{say(graph, new)} and {say(graph, place[0])} in a {way}"


def remove(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Take an operator out: who saw it sees one of its arguments."""
    node = rng.choice(operators(graph))
    arg = rng.choice([a for a in arguments(graph, node) if graph.nodes[a]["op"] != "number"])
    for place in places(graph):
        if place[0] == node:
            redirect(graph, place, arg)
    return f"no {graph.nodes[node]['op']} of {say(graph, arg)}"


def replace(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Put an operator of two other values in place of a value."""
    place = rng.choice(places(graph))
    ops = fitting(space, 2)
    values = [pick(graph, space, rng, place), pick(graph, space, rng, place)]
    if not ops or values[0] == values[1]:
        return None
    op = rng.choice(ops)
    redirect(graph, place, add(graph, op, [value for value in values if value is not None]))
    return f"{op} of two others for {say(graph, place[0])}"


def change_attribute(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Change an attribute of an operator to another value that the space allows."""
    found = [
        (node, key, [OPERATORS[op].attributes[key], *values])
        for op, key, values in space.attributes
        for node in operators(graph)
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
