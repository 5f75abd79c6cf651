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
    from cellsearch.export import SUFFIXES, write
    from cellsearch.target import resolve

    path: Path = options.to
    if path.suffix not in SUFFIXES:
        raise CellSearchError(
            f"{path}: unknown format {path.suffix!r}; expected one of {', '.join(SUFFIXES)}"
        )
    target = resolve(options.target, options.cell)
    if path.suffix == ".safetensors":
        file = _weights(target, options.target, options.task)
        write(path, file.read_bytes())
        print(f"{target.name}: weights written to {path}")
        return
    from cellsearch.export.source import class_name, export_source
    from cellsearch.trained import Trained

    name, trained, note = class_name(path.stem), None, ""
    if options.weights:
        found = Trained.read(_weights(target, options.target, options.task))
        trained = found.constructor_arguments()
        note = f"Weights: trained on task {found.task}, hidden_size {found.hidden_size}."
    write(path, export_source(target.cell, name, trained, note).encode())
    what = f"{name}, {name}Cell" + (", load_layer(), load_network()" if options.weights else "")
    print(f"{target.name}: written to {path}: {what}; needs torch only")


def _weights(target: Target, text: str, task: str | None) -> Path:
    if not target.weights:
        raise CellSearchError(
            f"{text}: {target.name} has no trained weights; finalists of a finished run have, and "
            f"`cellsearch train {text} --task TASK --to DIR` makes some"
        )
    if task is None:
        return next(iter(target.weights.values()))
    if task not in target.weights:
        raise CellSearchError(
            f"{text}: no weights for task {task!r}{nearest(task, target.weights)}; "
            f"there are some for {', '.join(target.weights)}"
        )
    return target.weights[task]
