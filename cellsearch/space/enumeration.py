"""Every cell of a small space, once, smallest first.

Cells are built from the updates of the states down to the leaves, one operator after the other. All
arguments of an operator are chosen at once: leaves, operators that are there already, or new ones,
of which only the names are decided. So every graph comes up, some of them several times, and what
breaks a rule of one operator does so at once. What comes up is then judged as any cell is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement, count, product
from types import MappingProxyType
from typing import TYPE_CHECKING

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.operators import OPERATORS
from cellsearch.space import gated_update, highway
from cellsearch.space.rules import RULES, LocalRule

if TYPE_CHECKING:
    import networkx as nx

    from cellsearch.space import Space


def enumerate_cells(space: Space) -> Iterator[Cell]:
    """Yield every cell of a space once, those of fewer operators first."""
    seen: set[str] = set()
    for cell in _FAMILIES.get(space.shape, _all)(space):
        if cell.id not in seen:
            seen.add(cell.id)
            if space.contains(cell) is None:
                yield cell


def size(cell: Cell) -> int:
    """Return the number of operators of a cell's normal form."""
    return sum(node.op in OPERATORS for node in cell.normal.nodes)


def _gated_updates(space: Space) -> Iterator[Cell]:
    found = map(gated_update.write, gated_update.gated_updates(space))
    yield from sorted(map(Cell.from_graph, found), key=size)


def _highways(space: Space) -> Iterator[Cell]:
    yield from map(Cell.from_graph, map(highway.write, highway.highways(space)))


_FAMILIES: Mapping[str, Callable[[Space], Iterator[Cell]]] = MappingProxyType(
    {"gated_update": _gated_updates, "highway": _highways}
)
"""Shapes whose cells are listed from their parts; those of others are built."""


def _all(space: Space) -> Iterator[Cell]:
    """Yield the cells of a space and others, those of fewer operators first, some repeatedly."""
    for total in range(1, space.nodes + 1):
        for states in range(1, len(space.states) + 1):
            builder = _Builder(space, space.states[:states])
            for graph in builder.graphs(total):
                try:
                    cell = Cell.from_graph(graph)
                except CellError:  # such as a state that only sees itself
                    continue
                if size(cell) == total and len(cell.states) == states:  # else it came up before
                    yield cell


@dataclass(frozen=True, slots=True)
class _Leaf:
    """x, a state at t-1 or a number."""

    op: str
    name: str = ""
    value: float = 0.0


@dataclass(frozen=True, slots=True)
class _New:
    """An operator that is added, with its attributes."""

    op: str
    attributes: tuple[tuple[str, bool | float | str], ...] = ()


@dataclass(frozen=True, slots=True)
class _Old:
    """An operator that is there, by its number."""

    number: int


_Argument = _Leaf | _New | _Old


@dataclass(frozen=True, slots=True)
class _Partial:
    """Operators, the first `len(args)` of them with their arguments; the others wait for theirs."""

    operators: tuple[_New, ...]
    args: tuple[tuple[_Argument, ...], ...]
    depths: tuple[int, ...]  # operators in a row from an update down to each, at the least
    updates: tuple[_Argument, ...]


class _Builder:
    """Builds the graphs of a space with some states."""

    def __init__(self, space: Space, states: Sequence[str]) -> None:
        self.space = space
        self.states = tuple(states)
        self.leaves = tuple(_Leaf("state", name) for name in states)
        self.numbers = tuple(_Leaf("number", value=value) for value in space.numbers)
        self.kinds = tuple(kind for op in space.operators for kind in _kinds(space, op))
        rules = (RULES[name] for name in space.rules)
        self.rules = [rule for rule in rules if isinstance(rule, LocalRule)]

    def graphs(self, total: int) -> Iterator[nx.MultiDiGraph]:
        """Yield the graphs of so many operators; the updates of states may also be leaves."""
        values: tuple[_Argument, ...] = (*self.kinds, *self.leaves)
        for updates in product(values, repeat=len(self.states)):
            new = [update for update in updates if isinstance(update, _New)]
            if not isinstance(updates[0], _New) or len(new) > total:
                continue
            placed = _placed(updates, 0)
            partial = _Partial(tuple(new), (), (1,) * len(new), placed)
            for whole in self._complete(partial, total):
                yield self._write(whole)

    def _complete(self, partial: _Partial, total: int) -> Iterator[_Partial]:
        """Yield all ways to give the waiting operators arguments, `total` operators in all."""
        place = len(partial.args)
        if place == len(partial.operators):
            if place == total:
                yield partial
            return
        operator = partial.operators[place]
        left = total - len(partial.operators)
        for args in self._arguments(partial, place, left):
            new = tuple(arg for arg in args if isinstance(arg, _New))
            last = place + 1 == len(partial.operators) and not new
            if last and left:
                continue
            if not self._is_allowed(partial, place, operator.op, args):
                continue
            placed = _placed(args, len(partial.operators))
            grown = _Partial(
                (*partial.operators, *new),
                (*partial.args, placed),
                (*partial.depths, *(partial.depths[place] + 1 for _ in new)),
                partial.updates,
            )
            if self._products(grown) <= self.space.products:
                yield from self._complete(grown, total)

    def _arguments(
        self, partial: _Partial, place: int, left: int
    ) -> Iterator[tuple[_Argument, ...]]:
        """Yield what an operator may see, at most `left` new operators among it.

        The order says nothing where the operator is commutative.
        """
        row = OPERATORS[partial.operators[place].op]
        linear = row.kind == "linear"
        users = _users(partial, place)
        old = [_Old(n) for n in range(len(partial.operators)) if n not in users]
        deeper = self.kinds if left and partial.depths[place] < self.space.depth else ()
        values: list[_Argument] = [*self.leaves, *old, *deeper]
        values = [v for v in values if not self._is_pointless(row.name, self._op(partial, v))]
        if linear:
            values.insert(0, _Leaf("x"))
        low, high = row.arity
        there = sum(not isinstance(value, _New) for value in values)
        most = there + len(self.numbers) + (left if any(deeper) else 0)  # none is seen twice
        for limit in (self.space.products if linear else None, high):
            most = most if limit is None else min(most, limit)
        for width in range(low, most + 1):
            if row.commutative or linear:
                found: Iterator[tuple[_Argument, ...]] = combinations_with_replacement(
                    values, width
                )
            else:
                first = [*values, *self.numbers] if row.name == "sub" else values
                found = product(first, *[values] * (width - 1))
            for args in found:
                seen = [arg for arg in args if not isinstance(arg, _New)]
                if len(set(seen)) == len(seen) >= width - left:
                    yield args

    def _is_pointless(self, operator: str, argument: str) -> bool:
        """Return whether the normal form or every space has no such argument."""
        row = OPERATORS[operator]
        if row.kind == "linear":
            return argument == "linear"
        return row.associative and argument == operator

    def _is_allowed(
        self, partial: _Partial, place: int, operator: str, args: Sequence[_Argument]
    ) -> bool:
        seen = [self._op(partial, arg) for arg in args]
        update = _Old(place) in partial.updates
        return not any(
            rule.check(operator, seen) for rule in self.rules if rule.about == "operators" or update
        )

    def _op(self, partial: _Partial, argument: _Argument) -> str:
        return partial.operators[argument.number].op if isinstance(argument, _Old) else argument.op

    def _products(self, partial: _Partial) -> int:
        """Return how many products with matrices there are at the least."""
        linear = [n for n, one in enumerate(partial.operators) if one.op == "linear"]
        return sum(len(partial.args[n]) if n < len(partial.args) else 1 for n in linear)

    def _write(self, partial: _Partial) -> nx.MultiDiGraph:
        import networkx as nx  # takes a while, and reading a space does without

        graph = nx.MultiDiGraph(output=None)

        def key(argument: _Argument) -> _Argument:
            if isinstance(argument, _Leaf) and argument not in graph:
                attributes = {"value": argument.value} if argument.op == "number" else {}
                graph.add_node(argument, op=argument.op, name=argument.name, attributes=attributes)
            return argument

        for number, one in enumerate(partial.operators):
            graph.add_node(_Old(number), op=one.op, name="", attributes=dict(one.attributes))
        for number, args in enumerate(partial.args):
            for slot, arg in enumerate(args):
                graph.add_edge(key(arg), _Old(number), key=slot)
        graph.graph["states"] = {
            state: key(update) for state, update in zip(self.states, partial.updates, strict=True)
        }
        return graph


def _kinds(space: Space, operator: str) -> Iterator[_New]:
    """Yield an operator with every choice of the attributes that the space allows."""
    names = sorted(OPERATORS[operator].attributes)
    defaults = OPERATORS[operator].attributes
    for values in product(*((defaults[name], *space.allowed(operator, name)) for name in names)):
        given = zip(names, values, strict=True)
        yield _New(operator, tuple((k, value) for k, value in given if value != defaults[k]))


def _placed(values: Sequence[_Argument], first: int) -> tuple[_Argument, ...]:
    """Return the values with each new operator replaced by its number, counted from `first`."""
    numbers = count(first)
    return tuple(_Old(next(numbers)) if isinstance(value, _New) else value for value in values)


def _users(partial: _Partial, place: int) -> set[int]:
    """Return the operator and all that depend on it; it may see none of these."""
    found = {place}
    while True:
        more = {
            number
            for number, args in enumerate(partial.args)
            if number not in found
            and any(isinstance(arg, _Old) and arg.number in found for arg in args)
        }
        if not more:
            return found
        found |= more
