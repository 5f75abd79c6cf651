"""What commands print: a run, a cell, a comparison."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from cellsearch.cell import Cell
    from cellsearch.compare import Contestant
    from cellsearch.run import Run
    from cellsearch.statistics import Interval
    from cellsearch.tasks import Task

_WIDTH_ELSEWHERE = 100  # of lines in files and pipes


def console() -> Console:
    """Return the console for standard output."""
    width = None if sys.stdout.isatty() else _WIDTH_ELSEWHERE
    return Console(highlight=False, markup=False, width=width)


def show_run(run: Run, candidates: bool = False) -> None:
    """Print the leaderboard, the best cell as text, and one honest sentence about it."""
    from cellsearch.inspection.leaderboard import candidate_table, leaderboard, status_line

    data = run.to_json()
    out = console()
    if candidates:
        out.print(candidate_table(data))
        out.print()
    out.print(leaderboard(data))
    if not candidates:
        out.print(status_line(data))
    for steps, correlation in run.rank_correlation().items():
        if correlation is not None:
            out.print(
                f"ranks at step {steps} and at the end correlate by {correlation:.2f} (Spearman, "
                "candidates that finished)"
            )
    for task, reason in run.uninformative_tasks().items():
        out.print(f"task {task} cannot tell cells apart: {reason}")
    if run.message:
        out.print(run.message)
    if run.readings:
        times = "once" if len(run.readings) == 1 else f"{len(run.readings)} times"
        out.print(f"the test split was read {times} for cells of this run")
    best = run.best or run.best_so_far
    if best is not None:
        out.print(f"\nBest cell, candidate {best.index}, {best.cell_id}:\n")
        for line in best.cell.text.rstrip("\n").splitlines():
            out.print(f"    {line}", soft_wrap=True)
    out.print(f"\n{run.verdict()}")
    if run.best is not None:
        folder = shlex.quote(str(run.folder))
        out.print(f"\ncellsearch export {folder} --to best.py --weights   # takes it away")


def show_cell(cell: Cell, name: str, equations: bool) -> None:
    """Print a cell as text with what there is to say of it."""
    from cellsearch.inspection.equations import plain_equations
    from cellsearch.inspection.summary import render_cell

    out = console()
    out.print(f"{name}\n", style="bold")
    out.print(render_cell(cell, 64, 64))
    if equations:
        out.print()
        for line in plain_equations(cell):
            out.print(line, soft_wrap=True)


def show_comparison(found: Sequence[Contestant], task: Task) -> None:
    """Print contestants, best first, each with its paired difference to the one named first."""
    out = console()
    first = next(one.name for one in found if one.gain is None)
    seeds = len(found[0].scores)
    out.print(f"Test split of task {task.name}, {seeds} paired seeds (score: lower is better)")
    unit, gain = task.unit.replace(" ", "\n"), f"gain over\n{first}"
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1))
    for head in ("cell", "score", "95 % interval", unit, gain, "95 % interval", "params"):
        table.add_column(Text(head), justify="left" if head == "cell" else "right", no_wrap=True)
    for one in found:
        spread = one.interval
        table.add_row(
            one.name,
            f"{spread.mean:.4f}",
            _ends(spread),
            "-" if one.metric is None else f"{one.metric:.4f}",
            "" if one.gain is None else f"{one.gain.mean:+.4f}",
            "" if one.gain is None else _ends(one.gain, sign="+"),
            str(one.parameters),
        )
    out.print(table)
    for one in found:
        if one.failures:
            out.print(f"{one.name}: {one.failures} trainings failed, each counts as 1")
        if one.gain is not None and one.gain.known and one.gain.contains_zero:
            out.print(f"{one.name} and {first} cannot be told apart: the interval contains zero")


def _ends(spread: Interval, sign: str = "") -> str:
    return f"{spread.low:{sign}.4f} to {spread.high:{sign}.4f}" if spread.known else "-"
