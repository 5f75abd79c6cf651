"""How long does a cell's identity take, and is it as cheap as the inexact hash of networkx?

Draws cells of 13 to 17 nodes, leaves included, from the space gated. For each, in turns: the
identity from the parsed graph (normal form, canonical order, SHA-256), and networkx's
Weisfeiler-Lehman hash of the same graph, which takes different cells for one. Prints a table and
writes identity.json beside itself.

    python experiments/benchmarks/identity.py [--cells 200] [--rounds 5]
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path

import networkx as nx
from timing import claim, interleaved, spread, table, write

from cellsearch import normal
from cellsearch.cell import Cell
from cellsearch.seeds import derive
from cellsearch.space import load_space

SIZES = range(13, 18)
THRESHOLD = ("at most", 2.0)  # milliseconds


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    ours, theirs, ratios = [], [], []
    for cell in _drawn(options.cells):
        graph = _labelled(cell)
        timing = interleaved(
            {
                "ours": lambda cell=cell: normal.identity(normal.normalise(cell.structure)),
                "networkx": lambda graph=graph: nx.weisfeiler_lehman_graph_hash(
                    graph, node_attr="label", edge_attr="label"
                ),
            },
            options.rounds,
            least=0.002,
        )
        ours.append(1e3 * timing.seconds("ours"))
        theirs.append(1e3 * timing.seconds("networkx"))
        ratios.append(timing.ratio("ours", "networkx"))
    rows = [
        [name, *spread(values).values()]
        for name, values in (("identity ms", ours), ("networkx ms", theirs), ("ratio", ratios))
    ]
    title = f"{options.cells} cells of {SIZES[0]} to {SIZES[-1]} nodes"
    table(title, ["", *spread(ours)], rows)
    content = {
        "cells": options.cells,
        **{str(row[0]): dict(zip(spread(ours), row[1:], strict=True)) for row in rows},
        "claims": [
            claim("identity of a cell, slowest:", max(ours), THRESHOLD, " ms"),
            claim("as long as networkx's hash, median:", spread(ratios)["median"], None, " times"),
        ],
    }
    write(Path(__file__).with_suffix(".json"), {"identity": content})


def _drawn(count: int) -> list[Cell]:
    space, rng = load_space("gated"), random.Random(derive("identity", 0))
    found: list[Cell] = []
    while len(found) < count:
        cell = space.draw(rng)
        if len(cell.normal.nodes) in SIZES:
            found.append(cell)
    return found


def _labelled(cell: Cell) -> nx.DiGraph:
    graph = nx.DiGraph()
    for index, node in enumerate(cell.normal.nodes):
        graph.add_node(index, label=f"{node.op} {node.attributes}")
        for slot, arg in enumerate(node.args):
            graph.add_edge(arg, index, label=str(slot))
    return graph


if __name__ == "__main__":
    main()
