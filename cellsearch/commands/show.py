"""What commands print: a run, a cell, a comparison."""

from __future__ import annotations

import shlex
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from cellsearch.cell import Cell
    from cellsearch.compare import Contestant
    from cellsearch.run import Run
    from cellsearch.settings import EvaluationTable
    from cellsearch.statistics import Interval
    from cellsearch.tasks import Task
    from cellsearch.trained import Trained

_WIDTH_ELSEWHERE = 100  # of lines in files and pipes


def console() -> Console:
    """Return the console for standard output."""
    width = None if sys.stdout.isatty() else _WIDTH_ELSEWHERE
    return Console(highlight=False, markup=False, width=width)


def show_run(run: Run, candidates: bool = False) -> None:
    """Print the leaderboard, the best cell as text, and one honest sentence about it."""
    from cellsearch.inspection.leaderboard import candidate_table, leaderboard, status_line
    from cellsearch.inspection.standings import one_line

    data = run.to_json()
    out = console()
    if candidates:
        out.print(candidate_table(data))
        out.print()
    out.print(leaderboard(data))
    if not candidates:
        out.print(status_line(data))
    if rejected := [one for one in run.candidates if one.result.outcome == "rejected"]:
        first = rejected[0]
        out.print(one_line(f"rejected, such as #{first.index}: {first.result.message}"))
    for steps, correlation in run.rank_correlation().items():
        if correlation is not None:
            out.print(
                f"ranks at step {steps} and at the end correlate by {correlation:.2f} (Spearman, "
                "candidates that finished)"
            )
    for task, reason in run.uninformative_tasks().items():
        can = "cannot" if run.finalists else "may not"
        out.print(f"task {task} {can} tell cells apart: {reason}")
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
        out.print("\nTo take it away:", style="dim")
        trained = run.experiment.evaluation.table is None
        weights = " --weights" if trained else ""
        out.print(f"cellsearch export {folder} --to best.py{weights}", soft_wrap=True)


def show_cell(cell: Cell, name: str, equations: bool, trained: Trained | None = None) -> None:
    """Print a cell as text with what there is to say of it, and what it was trained as."""
    from cellsearch.inspection.equations import plain_equations
    from cellsearch.inspection.summary import render_cell

    out = console()
    out.print(f"{name}\n", style="bold")
    if trained is None:
        out.print(render_cell(cell, 64, 64))
    else:
        out.print(render_cell(cell, trained.input_size, trained.hidden_size))
        layers = _counted(trained.layers, "layer")
        weights = sum(tensor.numel() for tensor in trained.tensors.values())
        out.print(f"\nTrained on task {trained.task}: {layers}, {weights:,} weights in all")
    if equations:
        out.print()
        for line in plain_equations(cell):
            out.print(line, soft_wrap=True)


def show_comparison(
    found: Sequence[Contestant], task: Task, evaluation: EvaluationTable, origin: str
) -> None:
    """Print contestants, best first, each with its paired difference to the one named first.

    `origin` says where the settings of the `evaluation` come from.
    """
    from cellsearch.inspection.leaderboard import TIED
    from cellsearch.shapes import needs_equal_sizes

    out = console()
    first = next(one.name for one in found if one.gain is None)
    seeds = _counted(len(found[0].scores), "paired seed")
    out.print(f"Test split of task {task.name}, {seeds} (score: lower is better)")
    columns = _comparison(found, task)
    hidden = []
    for key in ("params", "metric", "interval"):  # dropped in this order, for want of room
        wide = out.options.update(max_width=10_000)
        if Measurement.get(out, wide, _table(columns)).maximum <= out.width:
            break
        hidden.append(columns.pop(key)[0])
    out.print(_table(columns))
    if hidden:
        out.print(f"no room for {', '.join(hidden)}: use a wider terminal or --json")
    out.print(f"gain: over {first}, more is better")
    tried = ", ".join(f"{rate:g}" for rate in evaluation.learning_rates)
    taken = ", ".join(
        f"{one.name} {one.learning_rate:g}" for one in found if one.learning_rate is not None
    )
    steps = _counted(evaluation.steps, "training step")
    out.print(f"{origin}: {steps}; learning rates tried: {tried}; taken: {taken}")
    for one in found:
        if needs_equal_sizes(one.cell.normal):
            uses = f"uses {one.parameters:,} of {evaluation.parameters:,} parameters"
            out.print(f"{one.name}: {uses}, {TIED}")
        if one.failures:
            failed = _counted(one.failures, "training")
            out.print(
                f"{one.name}: {failed} failed, counted as a score of 1 and left out of {task.unit}"
            )
        if one.gain is not None and one.gain.known and one.gain.contains_zero:
            out.print(f"{one.name} and {first} cannot be told apart: the interval contains zero")


def _comparison(found: Sequence[Contestant], task: Task) -> dict[str, tuple[str, list[str]]]:
    """Return the columns of a comparison, head and values, by short names of their own."""
    gains = [one.gain for one in found]
    return {
        "name": ("cell", [one.name for one in found]),
        "score": ("score", [f"{one.interval.mean:.4f}" for one in found]),
        "interval": ("95 % interval", [_ends(one.interval) for one in found]),
        "metric": (
            task.unit,
            ["-" if one.metric is None else f"{one.metric:.4f}" for one in found],
        ),
        "gain": ("gain", ["" if gain is None else f"{gain.mean:+.4f}" for gain in gains]),
        "its interval": (
            "its 95 % interval",
            ["" if gain is None else _ends(gain, sign="+") for gain in gains],
        ),
        "params": ("params", [str(one.parameters) for one in found]),
    }


def _table(columns: Mapping[str, tuple[str, Sequence[str]]]) -> Table:
    """Return the table; only the names of cells are folded where there is no room."""
    table = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 2, 0, 0))
    for key, (head, _) in columns.items():
        if key == "name":
            table.add_column(head, overflow="fold", min_width=12)
        else:
            lines = "\n".join(textwrap.wrap(head, 10, break_long_words=False))
            table.add_column(Text(lines), justify="right", no_wrap=True)
    for row in zip(*(values for _, values in columns.values()), strict=True):
        table.add_row(*map(Text, row))
    return table


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


def _ends(spread: Interval, sign: str = "") -> str:
    return f"{spread.low:{sign}.4f} to {spread.high:{sign}.4f}" if spread.known else "-"
