"""What a cell is, in numbers and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from cellsearch.analysis.recurrence import KINDS, Recurrence, recurrences
from cellsearch.inspection.kin import nearest_known
from cellsearch.inspection.values import Value, plain_gates, plain_values, rows, values
from cellsearch.inspection.written import printable
from cellsearch.operators import OPERATORS
from cellsearch.printing import format_number
from cellsearch.shapes import needs_equal_sizes, products

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from cellsearch.cell import Cell

_EQUAL = "input_size must equal hidden_size, as x enters elementwise"
_LONGEST = 36
"""Longer expressions of values without a name end in dots."""


def summarise(cell: Cell, input_size: int = 64, hidden_size: int = 64) -> dict[str, Any]:
    """Return what a cell is, as plain JSON.

    `starts` says where each state begins, `equal_sizes` whether input_size must equal hidden_size,
    as x enters elementwise. `nodes` (operators, as a space's limit counts them), `parameters`,
    `products` (weight matrices that are multiplied in a step) and `operations` (multiply-adds and
    elementwise operations of a step of one sequence) are those of the normal form. `kind` is that
    of the recurrence, and `recurrences` which states read each other and of what kind that is.
    `values` are those of the cell as it was written: for each its name or expression, its range,
    its role and what it does. `gates` are those between 0 and 1 that multiply something: for each
    its name, what it multiplies, and what its complement, 1 minus the gate, multiplies. `nearest`
    is the known cell that it is nearest to and what is different, None for very large cells.

    Raises CellError if x enters elementwise operators and the sizes differ.
    """
    return _facts(cell, values(cell), input_size, hidden_size)


def _facts(cell: Cell, found: Sequence[Value], input_size: int, hidden_size: int) -> dict[str, Any]:
    kin = nearest_known(cell)
    leaves = (node for node in cell.normal.nodes if node.op == "state")
    starts = {node.name: float(node.attribute("start", 0.0)) for node in leaves}
    return {
        "id": cell.id,
        "states": list(cell.states),
        "starts": {name: starts.get(name, 0.0) for name in cell.states},
        "output": "output" if cell.has_output else "h",
        "equal_sizes": needs_equal_sizes(cell.normal),
        "kind": cell.kind,
        "recurrences": [
            {"states": list(each.states), "kind": each.kind} for each in recurrences(cell.normal)
        ],
        "nodes": sum(node.op in OPERATORS for node in cell.normal.nodes),
        "input_size": input_size,
        "hidden_size": hidden_size,
        "parameters": cell.parameters(input_size, hidden_size),
        "products": products(cell.normal),
        "operations": cell.operations(input_size, hidden_size),
        "gates": plain_gates(found),
        "values": plain_values(found),
        "nearest": None if kin is None else {**asdict(kin), "changes": list(kin.changes)},
    }


def render_cell(cell: Cell, input_size: int = 64, hidden_size: int = 64) -> RenderableType:
    """Return a cell's text and its summary, to be printed with rich."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    found = values(cell)
    facts = _facts(cell, found, input_size, hidden_size)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    sizes = f"input size {input_size}, hidden size {hidden_size}"
    for name, value in (
        ("id", facts["id"]),
        ("states", ", ".join(_begun(*each) for each in facts["starts"].items())),
        ("output", facts["output"]),
        ("kind", kind_text(recurrences(cell.normal))),
        ("nodes", f"{facts['nodes']} operator{'' if facts['nodes'] == 1 else 's'}"),
        *([("sizes", _EQUAL)] if facts["equal_sizes"] else []),
        ("parameters", f"{facts['parameters']:,} ({sizes})"),
        ("products", f"{facts['products']} matri{'x' if facts['products'] == 1 else 'ces'} a step"),
        ("operations", f"{facts['operations']:,} a step"),
        *([("nearest", facts["nearest"]["sentence"])] if facts["nearest"] else []),
    ):
        table.add_row(Text(name), Text(value))
    return Group(_highlighted(cell.text), Text(), table, Text(), _value_table(found))


def _begun(state: str, start: float) -> str:
    return f"{state} (begins at {format_number(start)})" if start else state


def kind_text(found: Sequence[Recurrence]) -> str:
    """Return the kind of a cell, given its recurrences, with what makes it so."""
    kind = max((each.kind for each in found), key=KINDS.index, default="scan")
    states = [state for each in found if each.kind == kind for state in each.states]
    if not states:
        return "scan: nothing is carried from step to step"
    whose = " and ".join(filter(None, (", ".join(states[:-1]), states[-1])))
    if kind == "dense":
        return f"dense: each step mixes all features of {whose}"
    carried = f"{whose} {'is' if len(states) == 1 else 'are'} carried feature by feature"
    if kind == "diagonal":
        return f"diagonal: {carried}, but not affinely"
    return f"scan: {carried} and affinely, so a parallel scan can run it"


def _value_table(found: Sequence[Value]) -> Table:
    """Return a table of what is worth a line: name, range, role."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False, header_style="dim")
    for heading in ("value", "range", "role"):
        table.add_column(heading, no_wrap=heading == "range")
    for name, interval, role in rows(found):
        cut = name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
        table.add_row(Text(cut), Text(interval), Text(role))
    return table


def _highlighted(text: str) -> Text:
    """Return a cell's text with light colours: targets, inputs, operators, comments."""
    from rich.text import Text

    found = Text()
    for line in printable(text.strip("\n")).splitlines(keepends=True):
        code, mark, comment = line.partition("#")
        part = Text(code)
        part.highlight_regex(r"^\s*\w+(?=\s*=)", "bold")
        part.highlight_regex(r"\b(x|\w+_prev)\b", "green")
        part.highlight_regex(r"\b\w+(?=\()", "cyan")
        found.append_text(part).append(mark + comment, "dim")
    return found
