"""Specification of making a table from a run of a whole space."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import cellsearch as cs
from cellsearch.errors import RunError
from cellsearch.run.tabulate import tabulate
from cellsearch.table import evaluate, read_table

SPACE = """
shape = "gated_update"
operators = ["linear", "add", "mul", "sub", "sigmoid", "tanh"]
numbers = [1.0]
[limits]
nodes = 2
"""


def run_all(folder: Path, **tables: Any) -> cs.Run:
    (folder / "tiny.toml").write_text(SPACE)
    given = {
        "space": {"path": str(folder / "tiny.toml")},
        "strategy": {"name": "enumerate", "replicates": 2},
        "task": [{"name": "adding", "length": 4}, {"name": "digits"}],
        "evaluation": {
            "parameters": 300,
            "steps": 4,
            "batch_size": 4,
            "learning_rates": [0.01],
            "backend": "eager",
        },
        "fidelity": {"rungs": [1, 2], "keep": 1.0},
        "budget": {"candidates": 100, "control": 0.0, "baselines": ["rnn"]},
        "final": {"candidates": 1, "replicates": 1},
    }
    merged = {key: {**given[key], **tables.get(key, {})} for key in given if key != "task"}
    return cs.search({**given, **merged}, run=folder / "run", workers=0)


def test_the_table_gives_what_the_run_gave(tmp_path: Path) -> None:
    run = run_all(tmp_path)
    assert "nothing more to propose" in run.message
    table = tabulate(run, "tiny")
    assert table.seeds == 2
    assert table.moments == (1, 2, 4)
    assert len(table.cells) * 2 == len(run.candidates)
    path = tmp_path / "tiny.json.gz"
    table.write(path)
    for one in run.candidates:
        found = evaluate(
            {
                "kind": "search",
                "cell": one.text,
                "seed": one.replicate,
                "replicate": 0,
                "tasks": table.tasks,
                "settings": {"table": str(path), "steps": 4, "final_seeds": 1},
                "rungs": [1, 2],
                "thresholds": [None, None],
                "measure": [],
                "width_of": None,
            }
        )["evaluation"]
        assert found["score"] == pytest.approx(one.result.score, rel=1e-4)
        assert found["rung_scores"] == pytest.approx(one.result.rung_scores, rel=1e-4)
        for key in ("status", "steps", "operations", "hidden_size", "parameters"):
            assert found[key] == getattr(one.result, key)


def test_a_rung_at_the_end_is_the_end(tmp_path: Path) -> None:
    run = run_all(tmp_path, fidelity={"rungs": [1, 4], "keep": 1.0})
    table = tabulate(run, "tiny")
    assert table.moments == (1, 4)
    path = tmp_path / "tiny.json.gz"
    table.write(path)
    assert read_table(path)[0] == table


def test_what_gives_no_table_is_refused(tmp_path: Path) -> None:
    for name, tables in {
        "rates": {"evaluation": {"learning_rates": [0.01, 0.02]}},
        "stops": {"fidelity": {"keep": 0.5}},
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        with pytest.raises(RunError, match="a table needs"):
            tabulate(run_all(folder, **tables), "tiny")


def test_a_run_that_is_not_whole_gives_no_table(tmp_path: Path) -> None:
    whole = run_all(tmp_path)
    half = len(whole.candidates) // 2
    rejected = replace(whole.candidates[0].result, status="rejected", message="too large")
    network = replace(whole.candidates[0], width_of="h = tanh(linear(x, h_prev))")
    for candidates, message in [
        (whole.candidates[:3], "some cell of the space"),
        (whole.candidates[: half + 1], "some cell of the space, or some seed"),
        (whole.candidates[1:], "some cell of the space, or some seed"),
        ((replace(whole.candidates[0], evaluation=rejected), *whole.candidates[1:]), "too large"),
        ((network, *whole.candidates[1:]), "is a super-network"),
    ]:
        with pytest.raises(RunError, match=message):
            tabulate(replace(whole, candidates=candidates), "tiny")
    duplicate = replace(
        whole.candidates[0],
        evaluation=replace(
            whole.candidates[0].result, status="duplicate", original="ok", seconds=0.0
        ),
    )
    again = replace(whole, candidates=(*whole.candidates, duplicate))
    assert tabulate(again, "tiny") == tabulate(whole, "tiny")
