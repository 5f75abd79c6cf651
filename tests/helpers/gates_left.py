"""Which gates a super-network has, and which are left when some connections go."""

from __future__ import annotations

from collections import Counter

import networkx as nx

from cellsearch.cell import Cell
from cellsearch.shapes import learned_tensors
from cellsearch.space.connections import Connections


def gates(cell: Cell) -> list[str]:
    """Return the gates of a super-network as its learned tensors show them."""
    names = [tensor.name for tensor in learned_tensors(cell.normal)]
    return sorted(name for name in names if name.startswith("gate"))


def alive(full: Connections, gone: set[str]) -> set[str] | None:
    """Say which gates are left, by reachability in a graph of what depends on what."""
    graph = nx.DiGraph()
    graph.add_edges_from((f"{state}_prev", state) for state in full.states)
    present = {one.gate: one for one in full.kept if one.gate not in gone}
    while True:
        inflow = Counter(one.target for one in present.values())
        targets = {name for name, count in inflow.items() if count >= full.least.get(name, 1)}
        unfed = {
            gate
            for gate, one in present.items()
            if any(source != "x" and source.removesuffix("_prev") not in targets
                   for source in one.sources)
        }  # fmt: skip
        if not unfed:
            break
        present = {gate: one for gate, one in present.items() if gate not in unfed}
    for gate, one in present.items():
        graph.add_edge(one.target, gate)
        graph.add_edges_from((gate, source) for source in one.sources)
    reached = nx.descendants(graph, "h") if "h" in graph else set()
    left = {gate for gate in present if gate in reached}
    states = {f"{state}_prev" for state in full.states}
    return left if "x" in reached and states & reached else None
