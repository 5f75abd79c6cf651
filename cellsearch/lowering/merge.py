"""Second pass: which linears become one product?

Linears of the loop that read the same recurrent values are one product. Their parts that need
nothing recurrent are products of their own, computed for all steps before the loop, together with
all other linears that read the same values there. Blocks that go through the same activation lie
side by side, so that it is applied to all of them at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cellsearch.graph import Graph
from cellsearch.lowering.program import Stage
from cellsearch.operators import OPERATORS

_EARLY = ("constant", "before")


@dataclass(frozen=True, slots=True)
class Group:
    """Linears (indices of nodes) whose products over `args` are computed as one."""

    members: tuple[int, ...]
    args: tuple[int, ...]
    bias: bool


class Grouping:
    """The groups of a normal form: `outer` before the loop, `inner` in it, by member."""

    def __init__(self, normal: Graph, stages: tuple[Stage, ...]) -> None:
        self.normal = normal
        self.stages = stages
        self.activation = self._activations()
        self.outer: dict[int, Group] = {}
        self.inner: dict[int, Group] = {}
        linears = [index for index, node in enumerate(normal.nodes) if node.op == "linear"]
        early = [index for index in linears if stages[index] in (*_EARLY, "loop")]
        self._collect(self.outer, [index for index in early if self.outer_args(index)])
        self._collect(self.inner, [index for index in linears if stages[index] == "loop"])

    def outer_args(self, index: int) -> tuple[int, ...]:
        """Return the arguments of a linear that are known before the loop."""
        return tuple(a for a in self.normal.nodes[index].args if self.stages[a] in _EARLY)

    def inner_args(self, index: int) -> tuple[int, ...]:
        """Return the arguments of a linear that are known in the loop only."""
        return tuple(a for a in self.normal.nodes[index].args if self.stages[a] not in _EARLY)

    def has_bias(self, index: int) -> bool:
        """Tell whether a linear has a bias."""
        node = self.normal.nodes[index]
        return len(node.tensors) > len(node.args)

    def activation_name(self, index: int) -> str:
        """Return the name of the activation that is a linear's only use, or ""."""
        return self.normal.nodes[self.activation[index]].op if index in self.activation else ""

    def _activations(self) -> dict[int, int]:
        uses = Counter(arg for node in self.normal.nodes for arg in node.args)
        uses.update(self.normal.results)
        found: dict[int, int] = {}
        for index, node in enumerate(self.normal.nodes):
            if len(node.args) == 1 and OPERATORS[node.op].kind == "elementwise":
                source = node.args[0]
                only = uses[source] == 1 and self.stages[source] == self.stages[index]
                if only and self.normal.nodes[source].op == "linear":
                    found[source] = index
        return found

    def _collect(self, groups: dict[int, Group], linears: list[int]) -> None:
        inner = groups is self.inner
        members: dict[tuple[tuple[int, ...], bool], list[int]] = {}
        for index in linears:
            args = self.inner_args(index) if inner else self.outer_args(index)
            # In the loop, a linear with neither bias nor an outer part would need an addend of 0.
            apart = not (self.has_bias(index) or self.outer_args(index))
            members.setdefault((args, apart if inner else self.has_bias(index)), []).append(index)
        for (args, _), found in members.items():
            found.sort(key=self._position)
            # Where there is an outer part, it brings the bias along.
            bias = self.has_bias(found[0]) and not (inner and self.outer_args(found[0]))
            groups.update(dict.fromkeys(found, Group(tuple(found), args, bias)))

    def _position(self, index: int) -> tuple[object, ...]:
        """Sort so that what travels together, and then equal activations, lie side by side."""
        name = self.activation_name(index)
        return (*self.destination(index), self.outer_args(index), self.has_bias(index), name, index)

    def destination(self, index: int) -> tuple[object, ...]:
        """Return what tells apart the products of the loop that an outer part is added to."""
        if self.stages[index] != "loop":
            return (0, ())
        return (1, self.inner_args(index))
