"""networkx graphs that are sent to break the reader.

Most are wrong; some are valid cells of the greatest size, or such that little is left of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

import networkx as nx
from hard_graphs import symmetric_graph
from hostile_texts import NAMES, words
from random_cells import random_cell
from renamed_graphs import CLASHING, rename

from cellsearch.cell import Cell

OPERATORS = (
    *words("x state number parameter tanh sigmoid identity neg add mul sub div mean blend"),
    *words("maximum linear scale layer_norm"),
)
ARITY = {"blend": 3, **dict.fromkeys(words("tanh sigmoid identity neg scale layer_norm"), 1)}
ATTRIBUTES = words("bias bias_init init scalar value start __class__ op")


class Key:
    """A node of which nothing can be told."""

    def __repr__(self) -> str:
        raise RuntimeError("this key cannot be shown")

    def __bool__(self) -> bool:
        raise RuntimeError("this key is neither true nor false")


def _doubled(kind: Callable[[tuple[object, object]], Any], times: int) -> Any:
    """What holds itself twice, so often that its `repr` is longer than any memory."""
    found: Any = kind((1, 2))
    for number in range(times):
        found = kind((found, kind((number, found)) if kind is frozenset else found))
    return found


KEYS: tuple[Any, ...] = (
    *(
        -1,
        10**5000,
        1.5,
        float("nan"),
        float("inf"),
        True,
        "",
        "x",
        b"x",
        (),
        (1, (2, "a")),
        ("h",),
    ),
    *(Key(), Key, frozenset("ab"), frozenset(), "a" * 100_000, ("b" * 1000,) * 50, *NAMES),
    *(_doubled(frozenset, 60), _doubled(tuple, 5), range(10**9), object(), print, 1j),
)
WRONG: tuple[Any, ...] = (
    *(*KEYS, None, False, [], {}, set(), [[]], [None], {"h": 0}, {"h": []}, ["h"], bytearray(b"h")),
    *(_doubled(list, 60), _doubled(tuple, 60), {1: 2}, {None: None}, {"bias": Key()}, iter(())),
    *(-(10**400), 1e308, -1e39, 1e-320, -0.0, {"init": "normal"}, {name: 1 for name in ATTRIBUTES}),
)
Family = Callable[[Random], object]


def graphs() -> Sequence[Family]:
    """The families of graphs."""
    return (
        *(_no_graph, _wrong_values, _wrong_values, _attributes, _edges, _edges, _keys, _cycles),
        *(_large, _deep, _dead, _names, _doubling, _symmetric, _widest),
    )


def _valid(rng: Random) -> nx.MultiDiGraph:
    return Cell.parse(random_cell(rng, equal_sizes=rng.random() < 0.5)).graph


def _chain(size: int, op: str = "tanh") -> nx.MultiDiGraph:
    graph = nx.MultiDiGraph(states={"h": size - 1}, output=None)
    graph.add_node(0, op="x")
    graph.add_nodes_from(range(1, size), op=op)
    graph.add_edges_from((node - 1, node, 0) for node in range(1, size))
    return graph


def _no_graph(rng: Random) -> object:
    classes = (nx.Graph, nx.DiGraph, nx.MultiGraph, nx.MultiDiGraph, dict, list)
    graph = rng.choice((nx.MultiDiGraph(), _valid(rng)))
    graph.graph = rng.choice((*WRONG, {"states": rng.choice(WRONG), "output": rng.choice(WRONG)}))
    return rng.choice((graph, rng.choice(WRONG), rng.choice(classes)(), nx.DiGraph(_valid(rng))))


def _wrong_values(rng: Random) -> object:
    """Put something else in the place of operators, names, attributes, states or the output."""
    graph = _valid(rng)
    for _ in range(rng.choice((1, 1, 2, 5))):
        value, data = rng.choice(WRONG), graph.nodes[rng.choice(list(graph))]
        place = rng.choice(("op", "name", "attributes", "data", "states", "update", "output"))
        if place == "data":
            data.clear()
        elif place == "update" and isinstance(graph.graph["states"], dict):
            graph.graph["states"][rng.choice(("h", "c", rng.choice(KEYS)))] = value
        elif place in ("states", "output"):
            graph.graph[place] = value
        else:
            data[place] = value
    return graph


def _attributes(rng: Random) -> object:
    graph = _valid(rng)
    having = [node for node, op in graph.nodes(data="op") if op in OPERATORS[1:4] + OPERATORS[-3:]]
    for node in rng.sample(having, min(len(having), rng.randint(1, 3))):
        names = rng.choices((*ATTRIBUTES, rng.choice(KEYS)), k=rng.randint(1, 2))
        values = (*WRONG, *(True, False, 0.5, 1, "orthogonal") * 20)
        graph.nodes[node]["attributes"] = {name: rng.choice(values) for name in names}
    return graph


def _edges(rng: Random) -> object:
    """Edges between any nodes, with other slots or with none."""
    graph = _valid(rng)
    for _ in range(rng.choice((1, 1, 2, 5))):
        source, target, edges = *rng.choices(list(graph), k=2), list(graph.edges(keys=True))
        change = rng.choice(("add", "remove", "slot", "operator", "new node"))
        if change == "operator":
            graph.nodes[target]["op"] = rng.choice(OPERATORS)
        elif change == "new node":
            graph.add_edge(rng.choice(KEYS), target, key=rng.choice((0, 1, *KEYS)))
        elif change == "add" or not edges:
            graph.add_edge(source, target, key=rng.choice((0, 1, 2, *KEYS)))
        else:
            source, target, slot = rng.choice(edges)
            graph.remove_edge(source, target, key=slot)
            if change == "slot":
                graph.add_edge(source, target, key=rng.choice((2, -1, 1.0, *KEYS)))
    return graph


def _keys(rng: Random) -> object:
    """Odd keys, of a cell that is right or has a mistake in it."""
    graph = _valid(rng)
    keys = dict(
        zip(graph, rng.sample(list(dict.fromkeys(KEYS)), min(len(graph), 40)), strict=False)
    )
    if rng.random() < 0.3:
        graph.nodes[rng.choice(list(keys))]["op"] = rng.choice(("tahn", "add", None))
    states, output = graph.graph["states"], graph.graph["output"]
    graph.graph["states"] = {name: keys.get(node, node) for name, node in states.items()}
    graph.graph["output"] = keys.get(output, output)
    return nx.relabel_nodes(graph, keys)


def _cycles(rng: Random) -> object:
    size = rng.choice((1, 2, 3, 30, 500, 600))
    graph = _chain(size, rng.choice(("tanh", "linear", "add")))
    keys = rng.choice((lambda node: node, lambda node: ("k" * 500, node), lambda node: "k" * node))
    graph.add_edge(size - 1, 0, key=0)
    graph.nodes[0]["op"] = "tanh"
    return nx.relabel_nodes(graph, {node: keys(node) for node in graph})


def _large(rng: Random) -> object:
    size = rng.choice((500, 511, 512, 513, 2000, 10_000))
    what = rng.choice(("nodes", "edges", "states", "leaves"))
    if what == "nodes":
        return _chain(size, rng.choice(("tanh", "linear", "neg", "identity")))
    graph = _chain(2, rng.choice(("linear", "add", "tanh")))
    if what == "edges":
        graph.add_edges_from(
            (0, 1, slot) for slot in range(rng.choice((255, 256, 257, 4097, size)))
        )
    if what == "states":
        graph.graph["states"] |= {f"s{number}": rng.choice((0, 1)) for number in range(size)}
    if what == "leaves":
        op = rng.choice(("number", "x", "parameter", "state"))
        graph.add_nodes_from(range(2, size), op=op, name=rng.choice(("", "h", "a" * 100_000)))
        graph.add_edges_from((node, 1, node - 1) for node in range(2, min(size, 4000)))
    return graph


def _deep(rng: Random) -> object:
    """Chains of every operator, of which the printed text must not nest too deeply."""
    op, size = rng.choice(OPERATORS[4:]), rng.choice((20, 100, 250, 505))
    graph = _chain(size, op)
    for node in range(1, size):
        for slot in range(1, ARITY.get(op, 2)):
            graph.add_edge(rng.randrange(node), node, key=slot)
    return graph


def _dead(rng: Random) -> object:
    """States and nodes that only read each other and are never used."""
    graph, size = _chain(2), rng.choice((10, 120, 240, 380))
    for number in range(size):
        name = rng.choice(("", "", "dead"))
        graph.add_node(("past", number), op="state", name=f"s{number}")
        update = ("past", number)
        if rng.random() < 120 / size:
            update = ("new", number)
            graph.add_node(update, op="tanh", name=name)
            graph.add_edge(("past", number), update, key=0)
        graph.graph["states"][f"s{number + 1}"] = update
    graph.graph["states"]["s0"] = rng.choice((0, ("past", size - 1)))
    return graph


def _names(rng: Random) -> object:
    """Odd names of statements and states, and such as clash with those of learned tensors."""
    graph = _valid(rng)
    odd = [*NAMES, "a" * 64, "a" * 65, "a" * 100_000]
    rename(graph, CLASHING if rng.random() < 0.7 else odd, rng)
    return graph


def _doubling(rng: Random) -> object:
    """Each node takes the one before it twice or thrice: flattened, sums and products blow up."""
    op, size = rng.choice(words("add mul sub mean linear maximum blend")), rng.randint(3, 512)
    graph = _chain(size, op)
    for node in range(1, size):
        for slot in range(1, ARITY.get(op, 2)):
            graph.add_edge(node - 1, node, key=slot)
    return graph


def _symmetric(rng: Random) -> object:
    """States that read each other at t-1 along the edges of a symmetric graph."""
    graph = nx.MultiDiGraph(states={}, output=None)
    others = symmetric_graph(rng)
    op = rng.choice(("linear", "mean", "add"))
    for number in range(len(others)):
        name = f"s{number}" if number else "h"
        graph.add_node(("past", number), op="state", name=name)
        graph.add_node(("new", number), op=op)
        graph.graph["states"][name] = ("new", number)
    for number, found in enumerate(others):
        for slot, other in enumerate(found):
            graph.add_edge(("past", other), ("new", number), key=slot)
    return graph


def _widest(rng: Random) -> object:
    """Graphs of about the greatest size, with as many edges as there may be."""
    size = rng.choice((17, 60, 200, 512))
    graph = nx.MultiDiGraph(states={"h": size - 1}, output=None)
    graph.add_node(0, op="x")
    graph.add_node(1, op="state", name="h")
    for node in range(2, size):
        op = rng.choice(words("linear add mul mean blend tanh sub"))
        most = 2 if op == "sub" else rng.choice((2, max(2, 2500 // size), 256 if size < 20 else 2))
        count = ARITY.get(op, most)
        graph.add_node(node, op=op, name=rng.choice(("", f"n_{node % 9}")))
        recent = range(max(0, node - rng.choice((3, 500))), node)
        graph.add_edges_from((rng.choice(recent), node, slot) for slot in range(count))
    return graph
