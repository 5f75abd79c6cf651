"""Search spaces: which cells are allowed, read from a TOML file, and cells drawn from them."""

from __future__ import annotations

import json
import math
import os
import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from cellsearch import resources
from cellsearch.cell import Cell
from cellsearch.errors import CellError, SpaceError, nearest, quoted, shown
from cellsearch.known import zoo
from cellsearch.limits import MAX_NODES
from cellsearch.notation import check_state
from cellsearch.operators import INITIALISATIONS, OPERATORS
from cellsearch.space import gated_update, growth, highway, scans, trees
from cellsearch.space.enumeration import enumerate_cells
from cellsearch.space.membership import judge
from cellsearch.space.rules import RULES

if TYPE_CHECKING:
    import networkx as nx

MAX_TRIES = 1000
"""Cells that a draw grows before it gives up; a space with a fair share of valid ones needs few."""

KEYS = ("states", "operators", "numbers", "carry", "shape", "rules", "seeds")
TABLES = ("limits", "attributes")
"""What a space's file may say, in single lines and in tables."""

Value = bool | float | str
Shape = Literal["graph", "tree", "highway", "gated_update"]

Choose = Callable[["Space", random.Random], int]
Grow = Callable[["Space", int, random.Random], "nx.MultiDiGraph | None"]

_DRAWING: Mapping[Shape, tuple[Choose, Grow]] = {
    "graph": (growth.choose_size, growth.grow),
    "tree": (growth.choose_size, trees.grow),
    "highway": (highway.choose_size, highway.grow),
    "gated_update": (gated_update.choose_size, gated_update.grow),
}
"""How a size is chosen and a cell of about that size is grown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A set of cells, said by what they may be built from and how large they may be.

    A cell is judged by its normal form, so that equal cells are all inside or all outside.

    Beside the limits below, some rules hold in every space: x enters nothing but linears; a linear
    sees x, states and values of other operators, not another linear directly; no operator sees
    the same value twice; h depends on x and on a carried state; every state learns of x sooner or
    later, begins at zero and leaves it, and differs from the others, which is looked at in the
    graph and when the cell is run (see `reaction`); the output is h.

    Attributes:
        name: the name of the space's file, without its ending.
        operators: names of the operators.
        shape: whether a cell is any graph, a tree (see `trees`), a highway cell (see `highway`) or
            a gated update (see `gated_update`).
        rules: names of further rules (see `rules`).
        states: names of the carried states, h first; a cell may carry fewer.
        nodes: the most operators.
        depth: the most operators in a row, between a leaf and the update of a state.
        products: the most products with weight matrices, one for each argument of a linear.
        carry: whether a state may reach an update without passing through a linear.
        numbers: constants that may stand as the first argument of sub, as in ``1 - z``.
        attributes: by operator and attribute, the values allowed beside the default.
        seeds: known cells of the space that a strategy may begin with.
    """

    name: str
    operators: tuple[str, ...]
    shape: Shape = "graph"
    rules: tuple[str, ...] = ()
    states: tuple[str, ...] = ("h",)
    nodes: int = 12
    depth: int = 8
    products: int = 8
    carry: bool = True
    numbers: tuple[float, ...] = ()
    attributes: tuple[tuple[str, str, tuple[Value, ...]], ...] = ()
    seeds: tuple[str, ...] = ()

    def draw(self, rng: random.Random) -> Cell:
        """Return a cell of the space, grown at random; sizes are spread over what is allowed.

        Args:
            rng: a generator of the standard library; one with the same seed gives the same cell.

        Raises:
            TypeError: if `rng` is something else, such as a generator of NumPy.
            SpaceError: if a thousand tries gave no cell of the space, as when its limits leave
                no room for any.
        """
        if not isinstance(rng, random.Random):
            raise TypeError(
                f"expected a random.Random, found {shown(rng)}; say random.Random(seed)"
            )
        choose_size, grow = _DRAWING[self.shape]
        if self.shape == "graph" and "scan" in self.rules:
            grow = scans.grow
        size = choose_size(self, rng)  # once: else large cells, more often refused, would be rare
        why = "its operators cannot be joined"
        for attempt in range(MAX_TRIES):
            if attempt % 20 == 19:
                size = choose_size(self, rng)
            graph = grow(self, size, rng)
            if graph is None:
                continue
            try:
                cell = Cell.from_graph(graph)
            except CellError as error:  # larger than any cell may be
                why = str(error)
                continue
            reason = self.contains(cell)
            if reason is None:
                return cell
            why = reason.removesuffix(".")
        raise SpaceError(
            f"space {self.name}: {MAX_TRIES} draws gave no cell inside it, the last one because"
            f" {why}; allow what that says, or more operators, nodes, depth or products"
        )

    def contains(self, cell: Cell) -> str | None:
        """Return None for a cell of the space, else in one sentence why it is outside."""
        if not isinstance(cell, Cell):
            raise TypeError(f"expected a Cell, found {cell!r:.80}; known ones: cellsearch.zoo")
        return judge(self, cell.normal)

    def cells(self) -> Iterator[Cell]:
        """Yield every cell of the space once, those of fewer operators first.

        Small spaces come to an end: `small` in seconds, a graph of up to six operators in minutes.
        """
        return enumerate_cells(self)

    def allowed(self, operator: str, attribute: str) -> tuple[Value, ...]:
        """Return what an operator's attribute may be beside its default."""
        for name, key, values in self.attributes:
            if (name, key) == (operator, attribute):
                return values
        return ()

    def to_dict(self) -> dict[str, Any]:
        """Return the space as plain JSON, in the layout of its file with the name added."""
        attributes: dict[str, dict[str, list[Value]]] = {}
        for operator, key, values in self.attributes:
            attributes.setdefault(operator, {})[key] = list(values)
        return {
            "name": self.name,
            "shape": self.shape,
            "rules": list(self.rules),
            "states": list(self.states),
            "operators": list(self.operators),
            "numbers": list(self.numbers),
            "carry": self.carry,
            "seeds": list(self.seeds),
            "limits": {"nodes": self.nodes, "depth": self.depth, "products": self.products},
            "attributes": attributes,
        }


def load_space(name: str | Path) -> Space:
    """Return the space of this name, or the one that a TOML file describes.

    Raises:
        SpaceError: with the file and the key, what was expected there, and the nearest valid name.
    """
    if not isinstance(name, str | os.PathLike):
        raise TypeError(f"expected the name of a space or its file, found {shown(name)}")
    path = Path(name)
    if path.suffix != ".toml":
        found = resources.find("search_spaces", str(name))
        if found is None and (path.suffix or path.is_absolute() or os.path.exists(path)):
            what = "is a folder; " if os.path.isdir(path) else ""
            raise SpaceError(
                f"{name}: {what}a space's file ends in .toml; one that comes along is said by its"
                " name alone"
            )
        if found is None:
            known = resources.names("search_spaces")
            raise SpaceError(
                f"no space is called {str(name)!r}{nearest(str(name), known)}; there are"
                f" {', '.join(known)}; a file of your own ends in .toml"
            )
        path = found
    data = resources.read_toml(path, SpaceError)
    return read_space(data, name=path.stem, where=str(path))


def read_space(data: Mapping[str, Any], *, name: str, where: str) -> Space:
    """Return the space that the tables of a TOML file describe; `where` is named in errors.

    Raises:
        SpaceError: with the key, what was expected there, and the nearest valid name.
    """
    _check_keys(data, (*KEYS, *TABLES), where)
    limits = data.get("limits", {})
    _expect(isinstance(limits, dict), f"{where}: limits", "a table", limits)
    _check_keys(limits, ("nodes", "depth", "products"), f"{where}: limits")
    for key, value in limits.items():
        good = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MAX_NODES
        _expect(good, f"{where}: limits.{key}", f"a whole number from 1 to {MAX_NODES}", value)
    shape, shapes = data.get("shape", "graph"), get_args(Shape)
    _expect(shape in shapes, f"{where}: shape", f"one of {', '.join(shapes)}", shape)
    carry = data.get("carry", True)
    _expect(isinstance(carry, bool), f"{where}: carry", "true or false", carry)
    numbers = data.get("numbers", [])
    good = isinstance(numbers, list) and all(_is_number(value) for value in numbers)
    _expect(good, f"{where}: numbers", "a list of finite numbers", numbers)
    numbers = [float(value) for value in numbers]
    _check_once(numbers, f"{where}: numbers")
    operators = _words(data, "operators", OPERATORS, where)
    if numbers and "sub" not in operators:
        raise SpaceError(
            f"{where}: numbers: they stand in sub alone, which is not among the operators; add it "
            "there or leave numbers out"
        )
    space = Space(
        name=name,
        operators=operators,
        shape=shape,
        rules=_words({"rules": [], **data}, "rules", RULES, where),
        states=_states(data, where),
        carry=carry,
        numbers=tuple(numbers),
        attributes=_attributes(data.get("attributes", {}), operators, f"{where}: attributes"),
        seeds=_words({"seeds": [], **data}, "seeds", zoo, where),
        **limits,
    )
    if "linear" not in space.operators:
        raise SpaceError(f"{where}: operators: linear is missing; nothing else may see x")
    if space.shape == "highway":
        _check_highway(space, where)
    for seed in space.seeds:
        reason = space.contains(zoo[seed])
        if reason is not None:
            raise SpaceError(f"{where}: seeds: {seed} is outside the space: {reason}")
    return space


def _check_highway(space: Space, where: str) -> None:
    if len(space.states) > 1:
        found = _as_toml(space.states)
        raise SpaceError(f"{where}: states: a highway cell carries h alone, found {found}")
    reason = space.contains(Cell.from_graph(highway.smallest()))
    if reason is not None:
        raise SpaceError(
            f"{where}: shape: no highway cell is inside; the smallest is not because "
            f"{reason.removesuffix('.')}; it takes linear, blend, sigmoid and tanh, "
            "[attributes.linear] bias = [false], limits of at least 9 nodes, 6 products, depth 6"
        )


def _expect(good: bool, where: str, expected: str, found: object) -> None:
    if not good:
        raise SpaceError(f"{where}: expected {expected}, found {_as_toml(found)[:80]}")


def _as_toml(value: object) -> str:
    """Return a value as a space's file would say it."""
    if value is None:
        return "nothing"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_as_toml, value))}]"
    if isinstance(value, dict):
        keys = [key if key.isidentifier() else _as_toml(key) for key in value]
        pairs = zip(keys, map(_as_toml, value.values()), strict=True)
        return f"{{{', '.join(f'{key} = {item}' for key, item in pairs)}}}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=not value.isprintable())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _check_keys(table: Mapping[str, Any], known: Collection[str], where: str) -> None:
    for key in table:
        if key not in known:
            raise SpaceError(
                f"{where}: unknown key {key!r}{nearest(key, known)}; expected {', '.join(known)}"
            )


def _check_once(values: Sequence[Value], where: str) -> None:
    for index, value in enumerate(values):
        if value in values[:index]:
            raise SpaceError(f"{where}: {value!r} stands there twice")


def _words(
    data: Mapping[str, Any], key: str, known: Collection[str] | None, where: str
) -> tuple[str, ...]:
    """Return a list of names, each once and each known."""
    words = data.get(key)
    good = isinstance(words, list) and all(isinstance(word, str) for word in words)
    _expect(good, f"{where}: {key}", "a list of names", words)
    _check_once(words := list(words or []), f"{where}: {key}")
    for word in words:
        if known is not None and word not in known:
            there = f"there are {', '.join(known)}"
            if known is zoo:  # too many to be named
                there = "`cellsearch list cells` shows the known cells"
            raise SpaceError(f"{where}: {key}: unknown {word!r}{nearest(word, known)}; {there}")
    return tuple(words)


def _states(data: Mapping[str, Any], where: str) -> tuple[str, ...]:
    states = _words({"states": ["h"], **data}, "states", None, where)
    _expect(states[:1] == ("h",), f"{where}: states", "h as the first state", states)
    for state in states:
        reason = check_state(state)
        if reason is not None:
            raise SpaceError(f"{where}: states: {quoted(state)} cannot be a state's name: {reason}")
    return states


def _attributes(
    tables: Mapping[str, Any], operators: Collection[str], where: str
) -> tuple[tuple[str, str, tuple[Value, ...]], ...]:
    _expect(isinstance(tables, dict), where, "a table for each operator", tables)
    owners = {name: row.attributes for name, row in OPERATORS.items() if row.attributes}
    _check_keys(tables, owners, where)
    found: list[tuple[str, str, tuple[Value, ...]]] = []
    for operator, table in tables.items():
        place = f"{where}.{operator}"
        if operator not in operators:
            raise SpaceError(
                f"{place}: {operator} is not among the operators; add it there or leave this out"
            )
        _expect(isinstance(table, dict), place, "a table of attributes", table)
        _check_keys(table, owners[operator], place)
        for key, values in table.items():
            default = owners[operator][key]
            if isinstance(default, bool):
                expected, good = "a list of true and false", _all(values, lambda v: type(v) is bool)
            elif isinstance(default, str):
                expected = f"a list of {', '.join(INITIALISATIONS)}"
                good = _all(values, lambda v: v in INITIALISATIONS)
            else:
                expected, good = "a list of finite numbers", _all(values, _is_number)
            _expect(good, f"{place}.{key}", expected, values)
            _expect(values != [], f"{place}.{key}", "at least one value", values)
            plain = [value if isinstance(default, bool | str) else float(value) for value in values]
            _check_once(plain, f"{place}.{key}")
            others = tuple(value for value in plain if value != default)
            if others:
                found.append((operator, key, others))
    return tuple(found)


def _all(values: object, test: Callable[[Any], bool]) -> bool:
    return isinstance(values, list) and all(test(value) for value in values)
