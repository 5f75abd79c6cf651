"""Runs of every strategy: one table, however many workers answer and however texts are hashed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import whole_run
from run_fakes import table

from cellsearch.run import open_run
from cellsearch.strategies import strategy_names

SCRIPT = Path(whole_run.__file__)
WORKERS = (1, 2, 4)
HASH_SEEDS = ("0", "1", "2")
TRAIN = """
import sys, cellsearch, whole_run
strategy, workers, folder = sys.argv[1:]
overrides = ["budget.candidates=16"]
cellsearch.search(
    whole_run.tables(strategy), run=folder, workers=int(workers), overrides=overrides
)
"""


def call(hash_seed: str, *arguments: str | Path) -> str:
    """Return what a process prints that hashes texts by that seed."""
    done = subprocess.run(
        [sys.executable, *map(str, arguments)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("strategy", strategy_names())
def test_order_of_answers_and_hashes_change_nothing(strategy: str, tmp_path: Path) -> None:
    found = [
        json.loads(call(seed, SCRIPT, strategy, str(workers), tmp_path / str(workers)))
        for workers, seed in zip(WORKERS, HASH_SEEDS, strict=True)
    ]
    assert len(found[0]["candidates"]) >= 40
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("strategy", strategy_names())
def test_neither_do_workers_that_train(strategy: str, tmp_path: Path, full: bool) -> None:
    pairs = [(n, seed) for n in WORKERS for seed in HASH_SEEDS] if full else [(0, "0"), (2, "1")]
    found = []
    for workers, seed in pairs:
        folder = tmp_path / f"{workers}-{seed}"
        call(seed, "-c", TRAIN, strategy, str(workers), folder)
        found.append(table(open_run(folder)))
    assert all(one == found[0] for one in found)
