"""Moves of what is carried: gates, and states beside h."""

from __future__ import annotations

import random

import networkx as nx

from cellsearch.space import Space
from cellsearch.strategies.draft import (
    add,
    new_gate,
    operators,
    places,
    redirect,
    say,
    state_of,
)


def insert_gate(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Let a gate say how much of a value passes, or how much of a state instead of it."""
    place = rng.choice(places(graph))
    gate = new_gate(graph, space, rng)
    ways = [name for name in ("mul", "blend") if name in space.operators]
    if gate is None or not ways:
        return None
    if rng.choice(ways) == "mul":
        redirect(graph, place, add(graph, "mul", [gate, place[0]]))
        return f"a gate on {say(graph, place[0])}"
    state = state_of(graph, rng.choice(list(graph.graph["states"])))
    redirect(graph, place, add(graph, "blend", [gate, state, place[0]]))
    return f"a gate between {say(graph, state)} and {say(graph, place[0])}"


def add_state(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Begin to carry a value from step to step, in a state of its own behind a gate."""
    free = [name for name in space.states if name not in graph.graph["states"]]
    values = [node for node in operators(graph) if graph.nodes[node]["op"] != "linear"]
    gate = new_gate(graph, space, rng)
    if not free or not values or gate is None:
        return None
    place = rng.choice([place for place in places(graph) if place[0] in values])
    state = state_of(graph, free[0])
    if "blend" in space.operators and rng.random() < 0.5:
        update = add(graph, "blend", [gate, state, place[0]])
    elif {"add", "mul"} <= set(space.operators):
        update = add(graph, "add", [add(graph, "mul", [gate, state]), place[0]])
    else:
        return None
    redirect(graph, place, update)
    graph.graph["states"][free[0]] = update
    return f"{say(graph, place[0])} is carried in {free[0]}"


def remove_state(graph: nx.MultiDiGraph, space: Space, rng: random.Random) -> str | None:
    """Carry a state no more: what saw it sees another instead."""
    states = list(graph.graph["states"])
    if len(states) == 1:
        return None
    name = rng.choice(states[1:])
    other = state_of(graph, rng.choice([state for state in states if state != name]))
    gone = state_of(graph, name)
    for place in places(graph):
        if place[0] == gone:
            redirect(graph, place, other)
    return f"{name} is carried no more"
