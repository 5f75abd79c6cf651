"""A highway cell that is still growing: node by node. See `cellsearch.space.highway`."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from cellsearch.cell import Cell
from cellsearch.space import Space
from cellsearch.space.highway import Highway, activations, most_nodes, write

BARE = Highway((("identity", 0),), "all")
"""What grows: one node without an activation."""


@dataclass(frozen=True, slots=True)
class HighwaySprout:
    """A highway cell; open is what may come behind each node. It begins without an activation."""

    highway: Highway = BARE

    def closed(self, space: Space) -> Cell | None:
        """Return the cell, or None if it is outside the space."""
        cell = Cell.from_graph(write(self.highway))
        return cell if space.contains(cell) is None else None

    def grown(
        self, space: Space, rng: random.Random, sharing: bool
    ) -> tuple[HighwaySprout, str] | None:
        """Return the sprout after a random growth, and what has grown; None if it is full grown.

        A growth is a node more, an activation where there is none, or the mean of the loose ends
        in place of that of all nodes; nothing in such a cell is shared.
        """
        del sharing
        nodes, bare = self.highway.nodes, self._bare()
        functions = activations(space)[1:]
        kinds = ["node"] if len(nodes) < most_nodes(space) else []
        kinds += ["activation"] if bare and functions else []
        kinds += ["ends"] if self.highway.ends == "all" and len(nodes) > 1 else []
        if not kinds:
            return None
        kind = rng.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        if kind == "ends":
            return HighwaySprout(replace(self.highway, ends="loose")), "the mean of the loose ends"
        if kind == "node":
            function, source = rng.choice(activations(space)), rng.randrange(len(nodes) + 1)
            grown, note = (*nodes, (function, source)), f"{function} of s{source}"
        else:
            node, function = rng.choice(bare), rng.choice(functions)
            grown = (*nodes[:node], (function, nodes[node][1]), *nodes[node + 1 :])
            note = f"{function} in s{node + 1}"
        return HighwaySprout(replace(self.highway, nodes=grown)), note

    def _bare(self) -> list[int]:
        return [i for i, (function, _) in enumerate(self.highway.nodes) if function == "identity"]


WEIGHTS = {"node": 4.0, "activation": 1.0, "ends": 1.0}
"""The kinds of growths, each with its share."""
