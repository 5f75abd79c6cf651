"""What a cell is, in numbers and words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cellsearch.graph import Node
from cellsearch.inspection.written import is_gate, printable, written
from cellsearch.operators import OPERATORS
from cellsearch.printing import format_number

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from cellsearch.cell import Cell


def summarise(cell: Cell, input_size: int = 64, hidden_size: int = 64) -> dict[str, Any]:
    """Return what a cell is, as plain JSON.

    `nodes` (operators, as a space's limit counts them), `parameters`, `products` (weight matrices
    that are multiplied in a step) and `operations` (multiply-adds and elementwise operations of a
    step of one sequence) are those of the normal form. `gates` are the values between 0 and 1 that
    multiply something: for each its name, what it multiplies, and what its complement, 1 minus the
    gate, multiplies.

    Raises CellError if x enters elementwise operators and the sizes differ.
    """
    return {
        "id": cell.id,
        "states": list(cell.states),
        "output": "output" if cell.has_output else "h",
        "nodes": sum(node.op in OPERATORS for node in cell.normal.nodes),
        "input_size": input_size,
        "hidden_size": hidden_size,
        "parameters": cell.parameters(input_size, hidden_size),
        "products": sum(len(node.args) for node in cell.normal.nodes if node.op == "linear"),
        "operations": cell.operations(input_size, hidden_size),
        "gates": _gates(written(cell).nodes),
    }


def render_cell(cell: Cell, input_size: int = 64, hidden_size: int = 64) -> RenderableType:
    """Return a cell's text and its summary, to be printed with rich."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    facts = summarise(cell, input_size, hidden_size)
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", no_wrap=True)
    table.add_column()
    sizes = f"input size {input_size}, hidden size {hidden_size}"
    for name, value in (
        ("id", facts["id"]),
        ("states", ", ".join(facts["states"])),
        ("output", facts["output"]),
        ("nodes", f"{facts['nodes']} operators"),
        ("parameters", f"{facts['parameters']:,} ({sizes})"),
        ("products", f"{facts['products']} matri{'x' if facts['products'] == 1 else 'ces'} a step"),
        ("operations", f"{facts['operations']:,} a step"),
        *(("gate", _sentence(gate)) for gate in facts["gates"]),
    ):
        table.add_row(Text(name), Text(value))
    return Group(_highlighted(cell.text), Text(), table)


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


def _gates(nodes: tuple[Node, ...]) -> list[dict[str, Any]]:
    found = []
    for index, node in enumerate(nodes):
        if not is_gate(node):
            continue
        multiplies = _multiplied(nodes, index)
        complement = [
            partner
            for other, user in enumerate(nodes)
            if user.op == "sub" and user.args[1] == index and _is_one(nodes[user.args[0]])
            for partner in _multiplied(nodes, other)
        ]
        for user in nodes:
            if user.op == "blend" and user.args[0] == index:
                multiplies.append(_words(nodes, user.args[1]))
                complement.append(_words(nodes, user.args[2]))
        if multiplies or complement:
            name = _words(nodes, index)
            found.append({"name": name, "multiplies": multiplies, "complement": complement})
    return found


def _multiplied(nodes: tuple[Node, ...], index: int) -> list[str]:
    """Return the other factors of the products in which a node stands."""
    factors = []
    for user in nodes:
        if user.op == "mul" and index in user.args:
            slots = list(user.args)
            slots.remove(index)
            factors += [_words(nodes, slot) for slot in slots]
    return factors


def _is_one(node: Node) -> bool:
    return node.op == "number" and node.attribute("value", 0.0) == 1.0


def _words(nodes: tuple[Node, ...], index: int) -> str:
    """Return a node's name, or its expression as in a cell's text, attributes left out."""
    node = nodes[index]
    if node.op == "state":
        return f"{node.name}_prev"
    if node.name or node.op == "x":
        return node.name or "x"
    if node.op == "number":
        return format_number(float(node.attribute("value", 0.0)))
    args = [_words(nodes, arg) for arg in node.args]
    row = OPERATORS.get(node.op)
    if row is not None and row.infix is not None:
        return f"({f' {row.infix} '.join(args)})"
    return f"{node.op}({', '.join(args)})"


def _sentence(gate: dict[str, Any]) -> str:
    parts = []
    if gate["multiplies"]:
        parts.append(f"multiplies {', '.join(gate['multiplies'])}")
    if gate["complement"]:
        parts.append(f"its complement multiplies {', '.join(gate['complement'])}")
    return f"{gate['name']} {'; '.join(parts)}"
