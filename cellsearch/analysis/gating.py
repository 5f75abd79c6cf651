"""Which values of a cell decide, as factors, how much of others passes.

A blend(g, a, b) is two products, g * a and (1 - g) * b, and so is a + g * (b - a), where g takes b
in and 1 - g keeps a. Numbers count for nothing: in 2 * g * a, g multiplies a.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cellsearch.analysis.intervals import Interval
from cellsearch.analysis.updates import Updates
from cellsearch.graph import Graph

ROUNDING = 1e-6
"""By how much a value may leave 0..1, or -1..1, and still count as within."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The selector, or 1 minus it, multiplies a value; `at` is the node of the product."""

    at: int
    selector: int
    value: int
    complement: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """The factors of a product that are not numbers: those between 0 and 1, and what they select.

    What they select, `contents`, carries a memory, or may be negative or without bound; a factor
    such as 1 + tanh(x) is neither the one nor the other.
    """

    at: int
    shares: tuple[int, ...]
    contents: tuple[int, ...]


class Products:
    """The products of a graph, nested ones taken together."""

    def __init__(self, graph: Graph, ranges: Sequence[Interval], updates: Updates) -> None:
        self.nodes, self.ranges, self.updates = graph.nodes, ranges, updates
        self.users: list[list[int]] = [[] for _ in graph.nodes]  # -1: it leaves the step
        for index, node in enumerate(graph.nodes):
            for arg in node.args:
                self.users[arg].append(index)
        for update in graph.results:
            self.users[update].append(-1)
        self.blends = tuple(
            Selection(index, node.args[0], node.args[slot], complement=slot == 2)
            for index, node in enumerate(graph.nodes)
            for slot in (1, 2)
            if node.op == "blend" and self.updates.varies[node.args[slot]]
        )
        self.all = tuple(
            self._product(index)
            for index, node in enumerate(graph.nodes)
            if node.op == "mul" and not self._is_inside(index)
        )

    def is_share(self, index: int) -> bool:
        """Return whether a value varies between 0 and 1 at most."""
        return self.updates.varies[index] and self.ranges[index].within(-ROUNDING, 1 + ROUNDING)

    def is_signed_share(self, index: int) -> bool:
        """Return whether a value varies between -1 and 1 at most."""
        return self.updates.varies[index] and self.ranges[index].within(-1 - ROUNDING, 1 + ROUNDING)

    def spelled_out(self, selections: Iterable[Selection]) -> list[Selection]:
        """Return all that selections mean: for differences, and for what a selector is 1 minus.

        A selector without a name that is 1 minus a gate only speaks for the gate.
        """
        return [found for selection in selections for found in self._spelled_out(selection)]

    def _spelled_out(self, selection: Selection) -> list[Selection]:
        selector, value = selection.selector, selection.value
        found = []
        base, complement = selector, selection.complement
        while (inner := self._complemented(base)) is not None and self.is_share(inner):
            base, complement = inner, not complement
        if base == selector or self.nodes[selector].name:
            found += self._of_difference(selection)
        if base != selector and (self.nodes[base].name or not self.nodes[selector].name):
            found += self._of_difference(Selection(selection.at, base, value, complement))
        return found

    def _product(self, index: int) -> Product:
        shares, contents = [], []
        for factor in self._factors(index):
            interval = self.ranges[factor]
            if not self.updates.varies[factor]:
                continue
            if self.is_share(factor) and not self.updates.carries_memory(factor):
                shares.append(factor)
            elif self.updates.carries_memory(factor) or interval.low < 0 or not interval.is_bounded:
                contents.append(factor)
        return Product(index, tuple(shares), tuple(contents))

    def _factors(self, index: int) -> list[int]:
        return [
            factor
            for arg in self.nodes[index].args
            for factor in (self._factors(arg) if self._is_inside(arg) else [arg])
        ]

    def _is_inside(self, index: int) -> bool:
        """Return whether a node is a product that only stands as a factor of another one."""
        node, users = self.nodes[index], self.users[index]
        if node.op != "mul" or node.name or len(users) != 1 or users[0] < 0:
            return False
        return self.nodes[users[0]].op == "mul"

    def _complemented(self, index: int) -> int | None:
        """Return the value that a node is 1 minus, if it is that."""
        node = self.nodes[index]
        if node.op == "sub" and self.nodes[node.args[0]].is_number(1.0):
            return node.args[1]
        if node.op == "add" and len(node.args) == 2:
            for one, other in (node.args, node.args[::-1]):
                if self.nodes[one].is_number(1.0) and self.nodes[other].op == "neg":
                    return self.nodes[other].args[0]
        return None

    def _of_difference(self, selection: Selection) -> list[Selection]:
        """Return a selection of b - a that is added to a as that of b and, complemented, of a."""
        found = [selection]
        node, users = self.nodes[selection.value], self.users[selection.at]
        if node.op != "sub" or len(users) != 1 or users[0] < 0:
            return found
        user = self.nodes[users[0]]
        new, old = node.args if user.op == "add" else node.args[::-1]
        minuend = user.op == "sub" and user.args[1] == selection.at
        if (user.op == "add" or minuend) and old in user.args:
            at, selector, turned = selection.at, selection.selector, selection.complement
            return [
                Selection(at, selector, new, turned),
                Selection(at, selector, old, not turned),
            ]
        return found
