"""Graphs of cells under other names: such as learned tensors have, and states in other orders."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import networkx as nx

CLASHING = (
    *("h_2", "h_3", "h_prev_2", "output_2", "c", "c_2", "c_2_2", "c_3", "v1", "v1_2", "g1", "n1_2"),
    *("i", "i_2", "i_3", "h_2_prev_2", "v_2", "h_02", "m"),
)


def rename(graph: nx.MultiDiGraph, names: Sequence[str], rng: Random) -> None:
    """Give the states other than h, half of the statements and some other nodes such names."""
    updates = dict(rng.sample(list(graph.graph["states"].items()), len(graph.graph["states"])))
    others = [state for state in updates if state != "h"]
    new = dict(zip(others, rng.sample(names, len(others)), strict=True)) | {"h": "h"}
    graph.graph["states"] = {new[state]: node for state, node in updates.items()}
    for _, data in graph.nodes(data=True):
        if data["op"] == "state":
            data["name"] = new[data["name"]]
        elif rng.random() < (0.5 if data["name"] else 0.1):
            data["name"] = rng.choice((*names, "", ""))


def start(graph: nx.MultiDiGraph, rng: Random) -> None:
    """Let some states begin elsewhere than at zero."""
    for state in graph.graph["states"]:
        value = rng.choice((0.0, -1e30, 1.0, 0.25))
        for _, data in graph.nodes(data=True):
            if data["op"] == "state" and data["name"] == state:
                data["attributes"] = {"start": value}
