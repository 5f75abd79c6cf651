"""How cells and runs show themselves in notebooks."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cellsearch.errors import CellSearchError
from cellsearch.inspection.standings import NOTHING, standings, units

if TYPE_CHECKING:
    from cellsearch.cell import Cell


def cell_svg(cell: Cell) -> str | None:
    """Return what ``Cell._repr_svg_`` shows: the drawing; None where the cell is too large."""
    from cellsearch.inspection.drawing import draw

    try:
        return draw(cell)
    except CellSearchError:
        return None


def cell_latex(cell: Cell) -> str:
    """Return what ``Cell._repr_latex_`` shows: the equations as displayed mathematics."""
    from cellsearch.inspection.equations import latex

    return f"$$\n{latex(cell)}\n$$"


def run_html(data: Mapping[str, Any]) -> str:
    """Return what ``Run._repr_html_`` shows: the leaderboard, from the run's plain JSON.

    Before the final has been run it is a sentence.
    """
    rows = standings(data)
    run = data.get("run", {})
    name = f"{run.get('experiment', 'run')}, seed {run.get('seed', NOTHING)}"
    if not rows:
        status = html.escape(f"{name}: {run.get('status', 'not finished')}, no final yet")
        return f"<p>{status}</p>"
    tasks = units(data)
    heads = ["#", "name", "cell", "kind", "score", "95 % interval"]
    heads += [f"{task} ({unit})" if unit else task for task, unit in tasks.items()]
    heads += ["parameters", "hidden size"]
    lines = [
        "<table>",
        f"<caption>Leaderboard of {html.escape(name)}; score: lower is better</caption>",
        f"<thead>{_row('th', heads)}</thead>",
        "<tbody>",
    ]
    for row in rows:
        cells = [row.rank, row.name, row.cell_id, row.kind, row.score, row.interval]
        cells += [row.metrics.get(task, NOTHING) for task in tasks]
        lines.append(_row("td", [*cells, row.parameters, row.hidden_size]))
    return "\n".join((*lines, "</tbody>", "</table>"))


def _row(tag: str, texts: Sequence[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{html.escape(text)}</{tag}>' for text in texts)}</tr>"
