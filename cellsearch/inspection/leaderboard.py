"""Tables of a run for the terminal: the leaderboard of its final, and its candidates."""

from __future__ import annotations

import io
import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, JustifyMethod, RenderableType
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.inspection.standings import (
    NOTHING,
    SHORT_ID,
    Standing,
    number,
    one_line,
    replicates,
    standings,
    units,
)
from cellsearch.shapes import needs_equal_sizes
from cellsearch.strategies.base import STATUSES, Evaluation

_STYLES = {"found": "bold", "random": "yellow", "seed": "cyan", "baseline": "cyan"}
_HEADER_WIDTH = 10
TIED = "as x enters it elementwise: its hidden_size is the input_size"
_FULL = 0.9  # of the parameters allowed: from there on cells count as equally large
_CANDIDATE_COLUMNS: tuple[tuple[str, JustifyMethod], ...] = (
    ("#", "right"),
    ("cell", "left"),
    ("status", "left"),
    ("score", "right"),
)


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """The final of a run, best first, baselines at their places; `data` is the run's plain JSON.

    Print it with rich. It shows what there is room for: always the score, with its interval if it
    has one, then the metrics of the tasks, the number of parameters, the hidden size, whole ids.
    """

    data: Mapping[str, Any]

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        rows = standings(self.data)
        if not rows:
            yield Text("There is no leaderboard yet: the final has not been run.")
            return
        run = self.data.get("run", {})
        name, seed = one_line(run.get("experiment", "the run")), one_line(run.get("seed", NOTHING))
        yield Text(f"Leaderboard of {name}, seed {seed} (score: lower is better)", style="bold")
        tasks = _measured(self.data, rows)
        table, layout = _fitting(console, options, rows, tasks)
        yield table
        yield from (Text(line, style="dim") for line in _captions(self.data, rows))
        hidden = layout.hidden(tasks)
        if hidden:
            text = f"no room for {', '.join(hidden)}: use a wider terminal or --json"
            yield Text(text, style="dim")


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of a run, best first, at most `limit` of them; `data` is its plain JSON."""

    data: Mapping[str, Any]
    limit: int | None = 20

    def __rich_console__(
        self, console: Console, options: ConsoleOptions
    ) -> Iterator[RenderableType]:
        ranked = ranked_candidates(self.data)
        shown = ranked[: self.limit]
        yield Text(status_line(self.data), style="bold")
        if not shown:
            return
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
        for head, justify in _CANDIDATE_COLUMNS:
            table.add_column(head, justify=justify, no_wrap=True)
        table.add_column("note")  # the only one that rich may shrink
        for row in shown:
            note = Text(_note(row), overflow="ellipsis", no_wrap=True)
            style = "" if _status(row) == "ok" else "dim"
            table.add_row(*map(Text, _candidate_cells(row)), note, style=style)
        yield table
        yield Text("one training each: chance has a part in this order", style="dim")
        if len(shown) < len(ranked):
            yield Text(f"and {len(ranked) - len(shown)} more, in --json", style="dim")


def leaderboard(data: Mapping[str, Any]) -> Leaderboard:
    """Return the leaderboard of a run's plain JSON, to be printed with rich."""
    return Leaderboard(data)


def candidate_table(data: Mapping[str, Any], limit: int | None = 20) -> Candidates:
    """Return the candidates of a run's plain JSON, to be printed with rich; None shows all."""
    return Candidates(data, limit)


def status_line(data: Mapping[str, Any]) -> str:
    """Return how many candidates ended how, such as ``12 candidates: 9 ok, 3 stopped``."""
    candidates = data.get("candidates", ())
    count = Counter(_status(row) for row in candidates)
    order = [*STATUSES, *sorted(set(count) - set(STATUSES))]
    parts = ", ".join(f"{count[status]} {status}" for status in order if count[status])
    supers = sum(map(_is_super_network, candidates))
    parts += f" ({supers} of them super-network{'s' * (supers > 1)})" if supers else ""
    plural = "" if len(candidates) == 1 else "s"
    return f"{len(candidates)} candidate{plural}" + (f": {parts}" if parts else "")


def ranked_candidates(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the candidates of a run's JSON: finished ones by score, then stopped, then failed.

    Super-networks come last, in the order in which they were trained: their scores rank no cells.
    """
    rows = {row.get("index"): row for row in data.get("candidates", ())}

    def key(row: Mapping[str, Any]) -> tuple[bool, tuple[float, float], bool, int]:
        if _is_super_network(row):
            return True, (0, 0.0), False, int(row.get("index", 0))
        original = rows.get(row.get("original"), row)
        rank = Evaluation(
            status=_known(original),
            score=row.get("score"),
            rung_scores=tuple(original.get("rung_scores", ())),
        ).rank_key
        return False, rank, row.get("original") is not None, int(row.get("index", 0))

    return sorted(rows.values(), key=key)


def plain_text(renderable: RenderableType, width: int = 100) -> str:
    """Return what rich would print, without colours, for files and pipes."""
    file = io.StringIO()
    console = Console(
        file=file, width=width, color_system=None, force_terminal=False, legacy_windows=False
    )
    console.print(renderable)
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()).rstrip() + "\n"


def _candidate_cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    cell_id = one_line(row.get("cell_id", NOTHING))[:SHORT_ID]
    return one_line(row.get("index")), cell_id, _status(row), number(row.get("score"))


def _fitting(
    console: Console, options: ConsoleOptions, rows: Sequence[Standing], tasks: Mapping[str, str]
) -> tuple[Table, _Layout]:
    """Return the richest table that fits, and what of the leaderboard it shows."""
    every = len(tasks)
    narrow = _Layout(every, gap=1, short=True)
    bare = replace(narrow, hidden_size=False, parameters=False)
    layouts = [
        _Layout(every, id_length=None),
        _Layout(every),
        narrow,
        replace(narrow, hidden_size=False),
        bare,
        replace(bare, id_length=0),
        *(replace(bare, tasks=count) for count in range(every - 1, -1, -1)),
    ]
    for layout in layouts:
        table = layout.table(rows, tasks)
        wide = options.update(max_width=10_000)
        if Measurement.get(console, wide, table).maximum <= options.max_width:
            break
    return table, layout


@dataclass(frozen=True, slots=True)
class _Layout:
    """What of the leaderboard is shown."""

    tasks: int
    id_length: int | None = SHORT_ID  # None: whole
    short: bool = False
    gap: int = 2
    hidden_size: bool = True
    parameters: bool = True

    def hidden(self, tasks: Mapping[str, str]) -> list[str]:
        """Return the names of what is left out."""
        columns = {"parameters": self.parameters, "hidden size": self.hidden_size}
        return [*list(tasks)[self.tasks :], *(name for name, shown in columns.items() if not shown)]

    def table(self, rows: Sequence[Standing], tasks: Mapping[str, str]) -> Table:
        """Return the table."""
        shown = list(tasks)[: self.tasks]
        table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, self.gap, 0, 0))
        table.add_column("#", justify="right", no_wrap=True)
        table.add_column("name", no_wrap=True)
        table.add_column("kind", no_wrap=True)
        table.add_column("score", justify="right", no_wrap=True)
        if intervals := any(row.interval != NOTHING for row in rows):
            table.add_column("95 % interval", justify="right", no_wrap=True)
        for task in shown:
            table.add_column(Text(_header(task, tasks[task])), justify="right", no_wrap=True)
        if self.parameters:
            table.add_column("params" if self.short else "parameters", justify="right")
        if self.hidden_size:
            table.add_column("hidden\nsize", justify="right", no_wrap=True)
        for row in rows:
            table.add_row(*map(Text, self._cells(row, shown, intervals)), style=_STYLES[row.kind])
        return table

    def _cells(self, row: Standing, tasks: Sequence[str], intervals: bool) -> list[str]:
        cell_id = "" if row.kind == "baseline" else row.cell_id[: self.id_length]
        cells = [row.rank, f"{row.name} {cell_id}".rstrip(), row.kind, row.score]
        cells += [row.interval] if intervals else []
        cells += [row.metrics.get(task, NOTHING) for task in tasks]
        if self.parameters:
            cells.append(row.parameters_short if self.short else row.parameters)
        if self.hidden_size:
            cells.append(row.hidden_size)
        return cells


def _measured(data: Mapping[str, Any], rows: Sequence[Standing]) -> dict[str, str]:
    """Return the tasks that have a metric, and its unit; those looked up in a table have none."""
    found = {task for row in rows for task, metric in row.metrics.items() if metric != NOTHING}
    return {task: unit for task, unit in units(data).items() if task in found}


def _header(task: str, unit: str) -> str:
    return "\n".join(line for text in (task, unit) for line in textwrap.wrap(text, _HEADER_WIDTH))


def _captions(data: Mapping[str, Any], rows: Sequence[Standing]) -> list[str]:
    count = replicates(data)
    mean = f"mean of {count} trainings and its 95 % interval" if count > 1 else "of one training"
    lines = [f"score: 0 is solved, 1 is chance; {mean}"]
    if shown := sum(row.kind == "random" for row in rows):
        lines.append(_drawn(data, shown))
    lines += [f"{row.name}: {row.remark}, each counts as 1" for row in rows if row.remark]
    return lines + _known_cells(data) + _narrow(data)


def _drawn(data: Mapping[str, Any], shown: int) -> str:
    """Say against how many draws how many proposals of the strategy stand."""
    cells = [row for row in data.get("candidates", ()) if not _is_super_network(row)]
    evaluated = [row for row in cells if _status(row) != "duplicate"]
    drawn = sum(bool(row.get("control")) for row in evaluated)
    begun = [row.get("cell_id") for row in evaluated if row.get("seed")]
    seeds = len(set(begun))
    best = "the best" if shown == 1 else f"the best {shown}"
    proposed = f"the strategy proposed {len(evaluated) - drawn - len(begun)}"
    beside = f", beside {seeds} seed{'' if seeds == 1 else 's'} of the space" if seeds else ""
    return f"random: {best} of {drawn} drawn at random; {proposed}{beside}"


def _known_cells(data: Mapping[str, Any]) -> list[str]:
    """Say which candidates are a seed of the space, a baseline, or both."""
    finalists = data.get("finalists", ())
    baselines = {
        row.get("cell_id"): one_line(row.get("name", NOTHING))
        for row in finalists
        if row.get("index") is None
    }
    found = {row["index"]: row for row in finalists if row.get("index") is not None}
    lines = []
    for index, row in found.items():
        if row.get("seed"):
            lines.append(f"#{index}: {one_line(row['seed'])}, a seed of the space")
        elif row.get("cell_id") in baselines:
            lines.append(f"#{index}: the same cell as {baselines[row['cell_id']]}")
    for row in data.get("candidates", ()):
        name = baselines.get(row.get("cell_id"))
        again = row.get("replicate") or _status(row) == "duplicate"
        if name and row.get("seed") and not again and row.get("index") not in found:
            lines.append(f"{name}: also #{row['index']}, a seed of the space; it is listed once")
    return lines


def _narrow(data: Mapping[str, Any]) -> list[str]:
    """Say where not the limit of the parameters made a cell small, but that of the width or x."""
    settings = data.get("run", {}).get("settings", {}).get("evaluation", {})
    allowed, widest = settings.get("parameters"), settings.get("max_hidden_size")
    lines = []
    for entry in data.get("finalists", ()):
        sizes, index = entry.get("hidden_size", {}), entry.get("index")
        tied = _is_tied(entry)
        uses = [
            f"{one_line(task)} uses {count:,} of {allowed:,} parameters"
            for task, count in entry.get("parameters", {}).items()
            if sizes.get(task) is not None
            and (tied or sizes[task] == widest)
            and count < _FULL * allowed
        ]
        if uses:
            name = one_line(entry.get("name", NOTHING)) if index is None else f"#{index}"
            limit = TIED if tied else f"as hidden_size is limited to {widest}"
            lines.append(f"{name}: {' and '.join(uses)}, {limit}")
    return lines


def _is_tied(entry: Mapping[str, Any]) -> bool:
    """Tell whether an entry's cell takes x elementwise, so that its width is that of the input."""
    try:
        return needs_equal_sizes(Cell.parse(str(entry.get("cell", ""))).normal)
    except CellError:
        return False


def _status(row: Mapping[str, Any]) -> str:
    return one_line(row.get("status", NOTHING))


def _is_super_network(row: Mapping[str, Any]) -> bool:
    """Tell whether a candidate is none of the cells found, but one that is pruned to find them."""
    return row.get("width_of") is not None


def _known(row: Mapping[str, Any]) -> str:
    """Return the status for ranking; one that is not known ranks as a failure."""
    return _status(row) if _status(row) in STATUSES else "crashed"


def _note(row: Mapping[str, Any]) -> str:
    parts = []
    if row.get("control"):
        parts.append("random")
    if _is_super_network(row):
        parts.append("super-network, not ranked")
    if row.get("original") is not None:
        parts.append(f"as #{row['original']}")
    if parents := " and ".join(f"#{parent}" for parent in row.get("parents") or ()):
        parts.append(f"from {parents}")
    if row.get("replicate"):
        parts.append(f"replicate {row['replicate']}")
    failed = row.get("status") not in ("ok", "stopped", "duplicate")
    parts += [one_line(text) for text in (failed and row.get("message"), row.get("note")) if text]
    return "; ".join(parts)
