"""Equations of cells: LaTeX for articles and notebooks, plain text for the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellsearch.graph import Graph, Node
from cellsearch.inspection import symbols
from cellsearch.inspection.templates import ATOM, PRODUCT, SUM, TIGHT, Formula, fill
from cellsearch.inspection.written import targets, written
from cellsearch.operators import OPERATORS
from cellsearch.printing import format_number

if TYPE_CHECKING:
    from cellsearch.cell import Cell


def equations(cell: Cell) -> list[str]:
    r"""Return one LaTeX equation for each statement, such as ``c_t = f_t \odot c_{t-1} + ...``.

    Names are those of the cell as it was written; dead code is left out. In ``W_{ix}``, i is the
    statement and x the argument of its linear; ``W_{n_2 x}`` belongs to a second linear in n, whose
    tensors are called ``n_2.weight_0`` and so on.
    """
    return [f"{left} = {right}" for left, right in _statements(written(cell), latex=True)]


def latex(cell: Cell) -> str:
    """Return the equations as one LaTeX block, aligned at the equals signs."""
    lines = [f"{left} &= {right}" for left, right in _statements(written(cell), latex=True)]
    return "\\begin{aligned}\n" + " \\\\\n".join(lines) + "\n\\end{aligned}"


def plain_equations(cell: Cell) -> list[str]:
    """Return one line of text for each statement, such as ``cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ``."""
    pairs = _statements(written(cell), latex=False)
    width = max(len(left) for left, _ in pairs)
    return [f"{left.ljust(width)} = {right}" for left, right in pairs]


def _statements(graph: Graph, latex: bool) -> list[tuple[str, str]]:
    """Return the left and the right side of each statement."""
    writer = _Writer(graph, latex)
    found = [
        (symbols.value(node.name, latex, "0"), writer.number(float(node.attribute("start", 0.0))))
        for node in graph.nodes
        if node.op == "state" and node.attributes
    ]
    for index, node in enumerate(graph.nodes):
        if node.op == "parameter" and node.name:
            found.append((symbols.constant(node.name, latex), writer.declaration(node)))
        elif node.op != "state" and node.name:
            found.append((symbols.value(node.name, latex), writer.formula(index, top=True).text))
    for name, index in targets(graph):
        node = graph.nodes[index]
        if node.op == "state" or node.name != name or node.op == "parameter":
            found.append((symbols.value(name, latex), writer.formula(index).text))
    return found


class _Writer:
    """Writes the formulas of a graph's nodes."""

    def __init__(self, graph: Graph, latex: bool) -> None:
        self._graph = graph
        self._latex = latex

    def declaration(self, node: Node) -> str:
        """Return what stands behind the name of a learned vector or number."""
        words = f"learned {'number' if node.attribute('scalar', False) else 'vector'}"
        return rf"\mathrm{{{words.replace(' ', chr(92) + ' ')}}}" if self._latex else words

    def number(self, value: float) -> str:
        """Return a number that stands alone."""
        return self._number(value).text

    def formula(self, index: int, top: bool = False) -> Formula:
        """Return the formula of a node: its name if it has a statement, unless at the top of it."""
        node = self._graph.nodes[index]
        if node.op == "parameter":
            return Formula(self._parameter(node))
        if node.op == "state":
            return Formula(symbols.value(node.name, self._latex, "t-1"))
        if node.op == "x" or (node.name and not top):
            return Formula(symbols.value(node.name or "x", self._latex))
        if node.op == "number":
            return self._number(float(node.attribute("value", 0.0)))
        if node.op == "linear":
            return self._linear(node)
        args = [self.formula(arg) for arg in node.args]
        return fill(node.op, args, self._weight(node), self._latex)

    def _linear(self, node: Node) -> Formula:
        owner = symbols.owner(node)
        terms = []
        labels = symbols.argument_labels(self._graph, node)
        for label, arg in zip(labels, node.args, strict=True):
            matrix = symbols.learned("W", (owner, label), self._latex)
            vector = self.formula(arg).within(TIGHT, self._latex)
            terms.append(Formula(f"{matrix} {vector}", TIGHT))
        if len(node.tensors) > len(node.args):
            terms.append(Formula(symbols.learned("b", (owner,), self._latex)))
        return fill(node.op, terms, "", self._latex)

    def _weight(self, node: Node) -> str:
        if OPERATORS[node.op].kind == "scale":
            return self._tensor(node, "w")
        if OPERATORS[node.op].kind == "layer_norm":
            return symbols.subscript((symbols.owner(node),), self._latex)
        return ""

    def _parameter(self, node: Node) -> str:
        return symbols.constant(node.name, self._latex) if node.name else self._tensor(node, "v")

    def _tensor(self, node: Node, letter: str) -> str:
        """Return the symbol of a learned vector, or of a learned number, which is an alpha."""
        if node.attribute("scalar", False):
            letter = r"\alpha" if self._latex else "\N{GREEK SMALL LETTER ALPHA}"
        return symbols.learned(letter, (symbols.owner(node),), self._latex)

    def _number(self, value: float) -> Formula:
        text = format_number(value)
        mantissa, letter, exponent = text.partition("e")
        if letter and self._latex:
            text = rf"{mantissa} \cdot 10^{{{int(exponent)}}}"
        return Formula(text, SUM if value < 0 else PRODUCT if letter else ATOM)
