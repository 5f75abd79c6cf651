"""``cellsearch inspect``: show a run or a cell."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cellsearch.cell import Cell
    from cellsearch.trained import Trained


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "target", help="a run folder, a folder of `train`, a cell file or a known cell"
    )
    parser.add_argument("--cell", metavar="ID|best|INDEX", help="one cell of the run")
    parser.add_argument("--json", action="store_true", help="plain JSON")
    parser.add_argument("--equations", action="store_true", help="equations, in LaTeX with --json")
    parser.add_argument(
        "--draw", type=Path, metavar="FILE.svg|.png", help="draw the cell to a file"
    )


def run(options: argparse.Namespace) -> None:
    """Show the target."""
    from cellsearch.target import resolve

    one_cell = options.cell is not None or options.equations or options.draw is not None
    folder = Path(options.target)
    trained = _training(folder)
    if options.target and folder.is_dir() and not one_cell and trained is None:
        _inspect_run(folder, options.json)
        return
    target = resolve(options.target, options.cell)
    if options.draw is not None:
        from cellsearch.inspection.drawing import draw_to

        draw_to(target.cell, options.draw)
    if options.json:
        print(json.dumps(_cell_json(target.cell, options.equations, trained), indent=2))
        return
    from cellsearch.commands.show import show_cell

    show_cell(target.cell, target.name, equations=options.equations, trained=trained)
    if options.draw is not None:
        print(f"drawn to {options.draw}")


def _training(folder: Path) -> Trained | None:
    """Return what `train` left in a folder; None if it is no such folder."""
    from cellsearch.target import WEIGHTS_FILE

    path = folder / WEIGHTS_FILE
    if not path.is_file():
        return None
    from cellsearch.trained import Trained  # loads torch, which a known cell does without

    return Trained.read(path)


def _inspect_run(folder: Path, as_json: bool) -> None:
    from cellsearch.commands.show import show_run
    from cellsearch.run import open_run

    found = open_run(folder)
    if as_json:
        print(json.dumps(found.to_json(), indent=2))
    else:
        show_run(found, candidates=True)


def _cell_json(cell: Cell, equations: bool, trained: Trained | None) -> dict[str, Any]:
    from cellsearch.inspection.summary import summarise

    found: dict[str, Any] = {"cell": cell.text}
    if trained is None:
        found |= summarise(cell)
    else:
        found |= summarise(cell, trained.input_size, trained.hidden_size)
        found |= {"task": trained.task, "layers": trained.layers}
    if equations:
        from cellsearch.inspection.equations import equations as latex_equations

        found["equations"] = latex_equations(cell)
    return found
