"""A process of its own: a whole run with a real strategy, whose workers answer out of order.

Called with a strategy, how many workers there seem to be, and a folder; prints the table.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from run_fakes import ShuffledPool, run, table

from cellsearch.cell import Cell
from cellsearch.experiment import load_experiment
from cellsearch.known import zoo
from cellsearch.run.pool import Job, Result
from cellsearch.run.setup import prepare
from cellsearch.strategies.base import Proposal
from cellsearch.testing.landscape import Landscape

SETTINGS: Mapping[str, Mapping[str, Any]] = {
    "prune": {"slots": 3, "target": 9},
    "genetic": {"replicates": 2},
}
SPACES = {"enumerate": "minimal"}


def tables(strategy: str) -> dict[str, Any]:
    """Return a small experiment with a strategy."""
    return {
        "experiment": {"name": "same"},
        "space": {"name": SPACES.get(strategy, "gated")},
        "strategy": {"name": strategy, **SETTINGS.get(strategy, {})},
        "task": [{"name": "adding", "length": 6}],
        "evaluation": {"parameters": 300, "steps": 12, "batch_size": 8},
        "fidelity": {"rungs": [4]},
        "budget": {"candidates": 40, "baselines": ["rnn", "gru"]},
        "final": {"candidates": 2, "replicates": 2},
        "run": {"lag": 6},
    }


def answer(job: Job) -> Result:
    """Return a made-up result, which depends on the job alone."""
    cell, salt = Cell.parse(job["cell"]), ["baseline", "search", "final"].index(job["kind"])
    width = zoo["gru"] if job.get("width_of") else None
    proposal = Proposal(
        cell=cell, replicate=job["replicate"], measure=tuple(job["measure"]), width_of=width
    )
    found = Landscape(salt)(0, proposal)
    names = [task["name"] for task in job["tasks"]]
    shown = {key: dict.fromkeys(names, found.score) for key in ("losses", "metrics")}
    return Result(replace(found, **shown).to_json(), {name: b"" for name in names})  # type: ignore[arg-type]


class Pool(ShuffledPool):
    """Workers whose order of answers depends on how many they are."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers, answer)
        self.capacity = workers


def main(strategy: str, workers: int, folder: Path) -> None:
    """Search and print."""
    setup = prepare(load_experiment(tables(strategy)))
    print(json.dumps(table(run(folder, setup, lambda: Pool(workers)))))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
