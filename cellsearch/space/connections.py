"""`Connections`: a cell as junctions and what flows into them, each piece of which may be dropped.

A junction adds up what its connections bring, or is a linear of it. A connection brings a value, or
what an operator makes of one or more. While it is decided which are of use, each stands behind a
gate, a learned number, and the cell is a super-network; without the gates, it is a cell.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from types import MappingProxyType

from cellsearch.cell import Cell
from cellsearch.printing import format_number

_FORMS: Mapping[str, Callable[..., str]] = MappingProxyType(
    {
        "": "{}".format,
        "mul": "{} * {}".format,
        "complement": "1 - {}".format,
        "update": "blend(sigmoid({}), {}, {})".format,
    }
)
"""How operators are written that are not written as a call; "" brings a value as it is."""


@dataclass(frozen=True, slots=True)
class Connection:
    """What flows into a junction: `op` of the values `sources`.

    Beside operators, "" is v, "complement" 1 - v, and "update" a blend behind the sigmoid of its
    first source: with any other value there, what it blends would grow from step to step.

    A source is "x", a state at t-1 such as "h_prev", or a junction that comes earlier.
    """

    gate: str
    target: str
    op: str
    sources: tuple[str, ...]

    def expression(self) -> str:
        """Return what it brings, in the text form of cells."""
        form = _FORMS.get(self.op)
        return form(*self.sources) if form else f"{self.op}({', '.join(self.sources)})"


@dataclass(frozen=True)
class Connections:
    """Connections of which each has a part in h.

    `junctions` are the names of all junctions in the order of computation, the updates of the
    states last; those in `linears` are linears, the others sums. `most` says how many values of a
    junction stay in the end, where not all that are of use may; with fewer than `least` of them,
    nothing flows out of it.
    """

    states: tuple[str, ...]
    junctions: tuple[str, ...]
    linears: frozenset[str]
    most: Mapping[str, int]
    least: Mapping[str, int]
    kept: tuple[Connection, ...]

    def __len__(self) -> int:
        return len(self.kept)

    @property
    def gates(self) -> tuple[str, ...]:
        """The names of the gates."""
        return tuple(connection.gate for connection in self.kept)

    @cached_property
    def least_operators(self) -> int:
        """Operators that the cell without gates has at least, whatever of its sums is joined."""
        functions = {(one.op, one.sources) for one in self.kept if one.op not in ("", "mul")}
        return len(functions) + len({one.target for one in self.kept} & self.linears)

    def without(self, gates: Iterable[str]) -> Connections | None:
        """Return what is left when these go, and what dies with them.

        A connection dies when too little flows into a source of it, and when nothing that h depends
        on is left of what it flows into. None if h would be left without x, or without a carried
        state.
        """
        gone = frozenset(gates)
        kept = tuple(connection for connection in self.kept if connection.gate not in gone)
        while True:
            alive = _needed(self._fed(kept))
            if len(alive) == len(kept):
                break
            kept = alive
        seen = {source for connection in kept for source in connection.sources}
        recurrent = any(f"{state}_prev" in seen for state in self.states)
        return replace(self, kept=kept) if "x" in seen and recurrent else None

    @cached_property
    def super_network(self) -> Cell:
        """The cell in which each connection has its gate; its tensor is ``<gate>.weight``.

        Gates begin so that a junction is as large with many connections as with few: in a sum, at
        one by their number; in a linear, whose matrices are drawn at random, at one by its root.
        States are kept between -1 and 1: products of products, of values that nothing bounds, are
        out of range after few steps of training.

        Raises CellError if it is larger than a cell may be.
        """
        lines: list[str] = []
        products: dict[str, str] = {}  # each written once, as there are so many
        for junction, connections in self._by_target():
            power = -0.5 if junction in self.linears else -1.0
            start = format_number(round(len(connections) ** power, 4))
            for one in connections:
                brought = one.expression()
                if one.op == "mul":
                    if brought not in products:
                        products[brought] = f"{one.gate}_product"
                        lines.append(f"{products[brought]} = {brought}")
                    brought = products[brought]
                lines.append(f"{one.gate} = scale({brought}, init={start}, scalar=True)")
            value = self._value(junction, [one.gate for one in connections])
            bounded = f"maximum(minimum({value}, 1), -1)" if junction in self.states else value
            lines.append(f"{junction} = {bounded}")
        return Cell.parse("\n".join(lines))

    @cached_property
    def cell(self) -> Cell:
        """The cell without gates, its statements named anew."""
        written = [
            f"{junction} = {self._value(junction, [one.expression() for one in connections])}"
            for junction, connections in self._by_target()
        ]
        graph = Cell.parse("\n".join(written)).graph
        for _, data in graph.nodes(data=True):
            if data["op"] != "state":
                data["name"] = ""
        return Cell.from_graph(graph)

    def chosen(self, saliency: Mapping[str, float]) -> Connections | None:
        """Return what is left when of each junction the most salient stay, as many as may."""
        gone: set[str] = set()
        for junction, connections in self._by_target():
            ranked = sorted((one.gate for one in connections), key=saliency.__getitem__)
            most = self.most.get(junction, len(ranked))
            gone |= set(ranked[: max(len(ranked) - most, 0)])
        return self.without(gone)

    def _fed(self, kept: tuple[Connection, ...]) -> tuple[Connection, ...]:
        """Return the connections that have all their sources."""
        counts = Counter(connection.target for connection in kept)
        there = {name for name, count in counts.items() if count >= self.least.get(name, 1)}
        there |= {"x", *(f"{state}_prev" for state in self.states if state in there)}
        return tuple(connection for connection in kept if there.issuperset(connection.sources))

    def _by_target(self) -> list[tuple[str, list[Connection]]]:
        """Return the junctions that something flows into, each with its connections."""
        found: dict[str, list[Connection]] = {junction: [] for junction in self.junctions}
        for connection in self.kept:
            found[connection.target].append(connection)
        return [(junction, connections) for junction, connections in found.items() if connections]

    def _value(self, junction: str, values: list[str]) -> str:
        if junction in self.linears:
            return f"linear({', '.join(values)})"
        return values[0] if len(values) == 1 else f"add({', '.join(values)})"


def _needed(kept: tuple[Connection, ...]) -> tuple[Connection, ...]:
    """Return the connections that h depends on, at this step or a later one."""
    into: dict[str, list[Connection]] = {}
    for connection in kept:
        into.setdefault(connection.target, []).append(connection)
    reached, ahead = {"h"}, ["h"]
    while ahead:
        for connection in into.get(ahead.pop(), ()):
            for source in connection.sources:
                target = source.removesuffix("_prev")
                if target not in reached:
                    reached.add(target)
                    ahead.append(target)
    return tuple(connection for connection in kept if connection.target in reached)
