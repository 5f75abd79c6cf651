"""``cellsearch export``: take a cell away."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from cellsearch.errors import CellSearchError, nearest

if TYPE_CHECKING:
    from cellsearch.target import Target


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "target", help="a run folder, a folder of `train`, a cell file or a known cell"
    )
    parser.add_argument("--cell", metavar="ID|best|INDEX", help="one cell of the run")
    parser.add_argument("--to", type=Path, required=True, metavar="FILE.py|.safetensors")
    parser.add_argument(
        "--weights", action="store_true", help="put the trained weights into the source"
    )
    parser.add_argument("--task", metavar="TASK", help="the task whose weights are taken")


def run(options: argparse.Namespace) -> None:
    """Write the file."""
    from cellsearch.export import SUFFIXES
    from cellsearch.files import check_new, write
    from cellsearch.target import resolve

    path: Path = options.to
    if path.suffix not in SUFFIXES:
        raise CellSearchError(
            f"{path}: unknown format {path.suffix!r}; expected one of {', '.join(SUFFIXES)}"
        )
    check_new(path)
    target = resolve(options.target, options.cell)
    with_weights = options.weights or path.suffix == ".safetensors"
    if options.task and not with_weights:
        raise CellSearchError(f"--task {options.task}: says whose weights are taken; add --weights")
    task = _task(target, options) if with_weights else None
    if task is not None and path.suffix == ".safetensors":
        write(path, target.weights[task].read_bytes())
        print(f"{target.name}: weights written to {path}")
    else:
        what = _write_source(target, task, path)
        print(f"{target.name}: written to {path}: {what}; needs torch only")
    if task is not None:
        print(f"weights: {_origin(target, task)}")


def _write_source(target: Target, task: str | None, path: Path) -> str:
    """Write the cell as Python, with the weights of a task or without; return what is in it."""
    from cellsearch.export.source import class_name, export_source
    from cellsearch.files import write
    from cellsearch.trained import Trained

    name, trained, note = class_name(path.stem), None, ""
    if task is not None:
        found = Trained.read(target.weights[task])
        trained = found.constructor_arguments()
        note = f"Weights: trained on task {found.task}, hidden_size {found.hidden_size}."
    write(path, export_source(target.cell, name, trained, note).encode())
    return f"{name}, {name}Cell" + (", load_layer(), load_network()" if trained else "")


def _task(target: Target, options: argparse.Namespace) -> str:
    """Return the task whose weights are taken: the one that is named, or the first there is."""
    text, task = options.target, options.task
    if not target.weights:
        tabled = target.run is not None and target.run.experiment.evaluation.table is not None
        why = (
            "the run looked its cells up in a table"
            if tabled
            else "finalists of a finished run have some"
        )
        which = f" --cell {options.cell}" if options.cell else ""
        raise CellSearchError(
            f"{text}: {target.name} has no trained weights: {why}; "
            f"`cellsearch train {text}{which} --task TASK --to DIR` makes some"
        )
    if task is None:
        return next(iter(target.weights))
    if task not in target.weights:
        raise CellSearchError(
            f"{text}: no weights for task {task!r}{nearest(task, target.weights)}; "
            f"there are some for {', '.join(target.weights)}"
        )
    return str(task)


def _origin(target: Target, task: str) -> str:
    """Say which of the weights that there are have been taken."""
    text = f"task {task}"
    trainings = 1 if target.run is None else target.run.experiment.final.replicates
    if trainings > 1:
        text += f", of {trainings} trainings the one with the lowest loss on the selection split"
    others = [f"{other} (--task {other})" for other in target.weights if other != task]
    return text + (f"; also there: {', '.join(others)}" if others else "")
