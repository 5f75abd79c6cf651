"""``cellsearch train``: train a cell for use."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cellsearch.commands.options import add_task, positive, read_task
from cellsearch.errors import CellSearchError

if TYPE_CHECKING:
    from cellsearch.strategies.base import Evaluation
    from cellsearch.target import Target
    from cellsearch.tasks import Task


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("target", help="a run folder, a cell file or a known cell")
    parser.add_argument("--cell", metavar="ID|best|INDEX", help="one cell of the run")
    add_task(parser)
    parser.add_argument("--hidden-size", type=positive, default=64, metavar="N")
    parser.add_argument("--layers", type=positive, default=1, metavar="N")
    parser.add_argument("--steps", type=positive, default=2000, metavar="N")
    parser.add_argument("--seed", type=int, default=0, metavar="N")
    parser.add_argument("--to", type=Path, required=True, metavar="DIR", help="a new folder")


def run(options: argparse.Namespace) -> None:
    """Train and keep the weights, and what they gave on the test split."""
    from cellsearch.files import check_new, write
    from cellsearch.shapes import needs_equal_sizes
    from cellsearch.target import WEIGHTS_FILE, resolve

    target = resolve(options.target, options.cell)
    task = read_task(options.task)
    folder: Path = options.to
    check_new(folder)
    if options.hidden_size != task.input_size and needs_equal_sizes(target.cell.normal):
        raise CellSearchError(
            f"{target.name} uses x elementwise, so its hidden size must be the input size of task "
            f"{task.name}: --hidden-size {task.input_size}, not {options.hidden_size}"
        )
    evaluation, weights = _train(target, task, options)
    test = _read_test_split(target, task, weights, options)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise CellSearchError(f"{folder}: cannot be made: {error.strerror}") from None
    write(folder / WEIGHTS_FILE, weights)
    result = {
        "cell_id": target.cell.id,
        "task": task.describe(),
        "validation": {
            "loss": evaluation.losses[task.name],
            task.unit: evaluation.metrics[task.name],
        },
        "test": test,
        "steps": options.steps,
        "learning_rate": evaluation.learning_rates[task.name],
        "seed": options.seed,
    }
    write(folder / "result.json", json.dumps(result, indent=2).encode())
    write(folder / "cell.cell", target.cell.text.encode())
    print(
        f"{target.name} on {task.name}, hidden_size {options.hidden_size}, {options.steps} steps: "
        f"{test[task.unit]:.4f} {task.unit} on the test split (its reading is recorded in "
        f"{folder / 'result.json'})"
    )
    print(f"cellsearch export {folder} --to cell.py --weights   # takes it away")


def _train(target: Target, task: Task, options: argparse.Namespace) -> tuple[Evaluation, bytes]:
    from cellsearch.evaluation import evaluate
    from cellsearch.settings import EvaluationTable
    from cellsearch.strategies.base import Evaluation

    if sys.stderr.isatty():
        print(f"training {target.name} for {options.steps} steps ...", file=sys.stderr)
    known = target.learning_rates.get(task.name)
    settings = EvaluationTable(layers=options.layers, steps=options.steps, timeout=86_400.0)
    answer: dict[str, Any] = evaluate(
        {
            "kind": "train",
            "index": 0,
            "cell": target.cell.text,
            "seed": options.seed,
            "replicate": 0,
            "tasks": [task.describe()],
            "settings": {**settings.model_dump(mode="json"), "max_operations": sys.maxsize},
            "hidden_size": options.hidden_size,
            # Each learning rate is tried for a while, unless the search has chosen one.
            "rungs": [max(1, options.steps // 5)],
            "thresholds": [None],
            "learning_rates": None if known is None else {task.name: known},
            "split": "validation",
            "measure": [],
            "keep_weights": True,
        }
    )
    evaluation = Evaluation.from_json(answer["evaluation"])
    if evaluation.status != "ok":
        raise CellSearchError(
            f"training ended as {evaluation.status}: {evaluation.message}; "
            "another --seed, --hidden-size or cell may do"
        )
    return evaluation, answer["weights"][task.name]


def _read_test_split(
    target: Target, task: Task, weights: bytes, options: argparse.Namespace
) -> dict[str, float]:
    import safetensors.torch

    from cellsearch.evaluation import held_out_seed
    from cellsearch.model import make_network
    from cellsearch.run import record_reading
    from cellsearch.training import Diverged, evaluate_held_out, one_thread

    network = make_network(target.cell, task, options.hidden_size, options.layers)
    network.load_state_dict(safetensors.torch.load(weights))
    try:
        with one_thread():
            seed = held_out_seed(options.seed, task.name)
            found = evaluate_held_out(network.eval(), task, "test", seed)
    except Diverged as outcome:
        raise CellSearchError(f"{outcome}; another --seed or --hidden-size may do") from None
    if target.run is not None:
        reading = {"by": "train", "cell_id": target.cell.id, "task": task.describe()}
        record_reading(target.run.folder, {**reading, "loss": found.loss})
    return {"loss": found.loss, task.unit: found.metric}
