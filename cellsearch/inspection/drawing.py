"""Drawings of cells, laid out by Graphviz: x and the states at t-1 below, the new states above."""

from __future__ import annotations

import html
import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellsearch.analysis.ranges import ranges
from cellsearch.analysis.roles import RoleName, roles
from cellsearch.errors import CellSearchError
from cellsearch.files import check_new, write
from cellsearch.graph import Graph, Node
from cellsearch.inspection.written import targets, written
from cellsearch.operators import OPERATORS
from cellsearch.printing import format_number

if TYPE_CHECKING:
    from cellsearch.cell import Cell

_FONT = "Helvetica,Arial,sans-serif"
_LINE_COLOUR = "#555555"
_KINDS: Mapping[str, tuple[str, str, str]] = {  # fill, line, and what the legend says
    "input": ("#d9f2e3", "#1b7f4b", "input, output"),
    "state": ("#d9e8fb", "#2461a8", "state"),
    "gate": ("#ffe29a", "#b87503", "gate, 0 to 1"),
    "learned": ("#eadff7", "#7444ab", "learned weights"),
    "elementwise": ("#f4f4f4", "#6b6b6b", "elementwise"),
    "number": ("#ffffff", "#ffffff", ""),
}
_SLOTS = "pqrstuvw"  # how arguments are told apart where their order matters; further ones are not
_SIGNS = {
    "add": "+",
    "mul": "\N{MULTIPLICATION SIGN}",
    "sub": "p - q",
    "div": "p / q",
    "neg": "-p",
    "blend": "p·q + (1 - p)·r",
}
_FINE, _MOST = 1_000, 30_000
"""How much edge length, in ranks, is laid out with care, and at most: the time grows faster."""
_LONGEST_NAME = 24
"""Longer names end in dots."""


def draw(cell: Cell) -> str:
    """Return a drawing of a cell as SVG text, to stand in a file or inside a page.

    The same cell gives the same text, as long as Graphviz and the fonts it finds are the same.
    Raises CellSearchError for a cell of hundreds of nodes that nobody could follow.
    """
    svg = _render(cell, "svg").decode()
    svg = svg[svg.index("<svg") :]
    # What Graphviz writes for its own use would show as tooltips, and its ids would clash where a
    # page holds several drawings.
    svg = re.sub(r"<!--.*?-->\n", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<title>.*?</title>\n", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="\w+"', "<g", svg)
    head, bracket, rest = svg.partition(">")
    return f'{head} role="img"{bracket}\n<title>cell {cell.id}</title>{rest}'


def draw_to(cell: Cell, path: str | os.PathLike[str]) -> None:
    """Write a drawing of a cell to a file, SVG or PNG as its name ends.

    Raises CellSearchError for another ending, a file that exists, a cell too large to be drawn,
    and where the file cannot be written (DiskError where the disk is full).
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (".svg", ".png"):
        raise CellSearchError(
            f"{path}: drawings are written to .svg or .png files; found the ending {suffix!r}"
        )
    check_new(path)
    write(path, draw(cell).encode() if suffix == ".svg" else _render(cell, "png"))


def _render(cell: Cell, form: str) -> bytes:
    graph = written(cell)
    length = _length(graph)
    if length > _MOST:
        raise CellSearchError(
            f"cell {cell.id}: {len(graph.nodes)} nodes are too many to be drawn; its equations "
            "can be shown"
        )
    import pygraphviz  # loaded here: most of cellsearch works without

    canvas = pygraphviz.AGraph(strict=False, directed=True)
    canvas.graph_attr.update(
        rankdir="BT", nodesep="0.3", ranksep="0.4", fontname=_FONT, fontsize="11", bgcolor="white"
    )
    kinds = _kinds(graph)
    canvas.graph_attr.update(label=_legend(kinds), labelloc="b", dpi=_DPI[form])
    if length > _FINE:
        canvas.graph_attr.update(nslimit="0.1", nslimit1="0.1", mclimit="0.01", splines="line")
    canvas.node_attr.update(shape="box", style="filled,rounded", fixedsize="true")
    canvas.node_attr.update(fontname=_FONT, fontsize="13")
    canvas.edge_attr.update(color=_LINE_COLOUR, arrowsize="0.6")
    canvas.edge_attr.update(labeldistance="1.9", labelangle="-20")
    canvas.edge_attr.update(fontname=_FONT, fontsize="11", fontcolor=_LINE_COLOUR)
    _add_nodes(canvas, graph, kinds)
    with _quiet():
        image: bytes = canvas.draw(format=form, prog="dot")
    return image


def _length(graph: Graph) -> int:
    """Return the summed length of all edges, in ranks."""
    ranks: list[int] = []
    for node in graph.nodes:
        ranks.append(1 + max((ranks[arg] for arg in node.args), default=-1))
    edges = ((arg, index) for index, node in enumerate(graph.nodes) for arg in node.args)
    inner = sum(ranks[index] - ranks[arg] for arg, index in edges)
    return inner + sum(max(ranks) - ranks[node] for _, node in targets(graph))


_DPI = {"svg": "72", "png": "144"}


def _add_nodes(canvas: Any, graph: Graph, kinds: Sequence[str]) -> None:
    results = targets(graph)
    unnamed = {node for _, node in results}  # their name stands at the arrow's other end
    for index, node in enumerate(graph.nodes):
        name = "" if index in unnamed else node.name
        canvas.add_node(f"n{index}", **_look(node, kinds[index], name))
        row = OPERATORS.get(node.op)
        ordered = row is not None and not row.commutative and len(node.args) > 1
        for slot, arg in enumerate(node.args):
            order = {"headlabel": _SLOTS[slot : slot + 1]} if ordered else {}
            canvas.add_edge(f"n{arg}", f"n{index}", key=str(slot), **order)
    for place, (name, index) in enumerate(results):
        kind = "input" if name == "output" else "state"
        is_output = name == "h" and graph.output is None
        canvas.add_node(f"t{place}", **_box([name, "(output)"] if is_output else [name], kind))
        canvas.add_edge(f"n{index}", f"t{place}")
    updates = {name: f"t{place}" for place, (name, _) in enumerate(graph.states)}
    leaves = [index for index, node in enumerate(graph.nodes) if node.op in ("x", "state")]
    for leaf in leaves:
        if graph.nodes[leaf].op == "state":
            # Drawn backwards: laid out like any other edge, it runs around the nodes.
            look = {"style": "dashed", "dir": "back", "color": _KINDS["state"][1]}
            canvas.add_edge(f"n{leaf}", updates[graph.nodes[leaf].name], weight="0", **look)
    canvas.add_subgraph([f"n{leaf}" for leaf in leaves], rank="source")
    canvas.add_subgraph([f"t{place}" for place in range(len(results))], rank="sink")


def _kinds(graph: Graph) -> tuple[str, ...]:
    """Return for each node which of `_KINDS` it is."""
    found = roles(graph, ranges(graph))
    return tuple(_kind(node, role.name) for node, role in zip(graph.nodes, found, strict=True))


def _kind(node: Node, role: RoleName) -> str:
    if node.op in ("state", "number"):
        return node.op
    if node.op == "x":
        return "input"
    if node.op == "parameter" or OPERATORS[node.op].owns_tensors:
        return "learned"
    return "gate" if role == "gate" else "elementwise"


def _look(node: Node, kind: str, name: str) -> dict[str, str]:
    """Return how a node is drawn; `name` is that of its statement."""
    if kind == "number":
        text = format_number(float(node.attribute("value", 0.0)))
        return {**_box([text], kind), "width": "0.3", "height": "0.2", "fontsize": "11"}
    if node.op == "state":
        start = float(node.attribute("start", 0.0))
        lines = [f"{node.name}_prev", *([f"at first {format_number(start)}"] if start else [])]
        return _box(lines, kind)
    sign = _SIGNS.get(node.op, node.op)
    if len(sign) == 1 and node.op != "x" and not name:
        return {**_box([sign], kind), "shape": "circle", "width": "0.38", "fontsize": "16"}
    return _box([name, sign] if name else [sign], kind)


def _box(lines: list[str], kind: str) -> dict[str, str]:
    """Return a box around lines of text, its size independent of the fonts of the machine."""
    cut = [line[: _LONGEST_NAME - 1] + "…" if len(line) > _LONGEST_NAME else line for line in lines]
    fill, line, _ = _KINDS[kind]
    return {
        "class": kind,
        # Graphviz reads a backslash as the beginning of an escape, and &...; as a character.
        "label": "\\n".join(html.escape(part.replace("\\", "\\\\"), quote=False) for part in cut),
        "fillcolor": fill,
        "color": line,
        "width": f"{max(0.5, 0.24 + 0.105 * max(map(len, cut))):.2f}",
        "height": f"{0.16 + 0.2 * len(cut):.2f}",
    }


def _legend(found: Sequence[str]) -> str:
    """Return the legend of the kinds that occur, as a table in Graphviz's HTML."""
    kinds = {"state", *found}
    cells = [
        f'<TD BGCOLOR="{fill}" COLOR="{line}" STYLE="ROUNDED">{words}</TD>'
        for kind, (fill, line, words) in _KINDS.items()
        if words and kind in kinds
    ]
    cells.append(
        f'<TD BORDER="0"><FONT COLOR="{_KINDS["state"][1]}">- - to the next step</FONT></TD>'
    )
    table = f'<TABLE BORDER="0" CELLBORDER="1" CELLSPACING="6"><TR>{"".join(cells)}</TR></TABLE>'
    return f"<{table}>"


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what is written to standard error meanwhile.

    The library for fonts in Graphviz's wheels is older than the font settings of many systems and
    complains about them; what matters is raised as an error.
    """
    sys.stderr.flush()
    try:
        kept = os.dup(2)
    except OSError:  # there is none, as in a service
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
