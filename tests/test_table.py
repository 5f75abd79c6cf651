"""Specification of tables: what a file may hold, and what looking a candidate up gives."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

import cellsearch as cs
from cellsearch.errors import ExperimentError
from cellsearch.strategies.base import Evaluation
from cellsearch.table import Table, evaluate, read_table, recall

CELLS = {
    "rnn": "h = tanh(linear(x, h_prev))",
    "linear": "h = linear(x, h_prev)",
    "mingru": str(cs.zoo["mingru"]),
}
LEVELS = {
    "copy": {"chance": 2.0, "solved": 0.0, "unit": "accuracy"},
    "digits": {"chance": 1.0, "solved": 0.5, "unit": "accuracy"},
}


def training(*losses: tuple[float, float], status: str = "ok", steps: int = 80) -> dict[str, Any]:
    copy, digits = zip(*losses, strict=True) if losses else ((), ())
    return {"status": status, "steps": steps, "losses": {"copy": copy, "digits": digits}}


def table(**changes: Any) -> Table:
    """Return a table of three cells, three seeds and losses at the steps 10 and 40."""
    trainings = {
        "rnn": [training((2.0, 1.0), (1.0, 0.75)), *[training((1.8, 0.9), (0.8, 0.75))] * 2],
        "linear": [
            training((2.0, 1.0), status="diverged", steps=33),
            training(status="diverged", steps=4),
            training((1.0, 0.6), (1.0, 0.6)),
        ],
        "mingru": [training((0.4, 0.6), (0.2, 0.5))] * 3,
    }
    sizes = {"copy": 8, "digits": 6}
    data = {
        "version": 1,
        "name": "tiny",
        "space": cs.load_space("small").to_dict(),
        "tasks": [cs.load_task(name).describe() for name in LEVELS],
        "levels": LEVELS,
        "evaluation": {"parameters": 500, "batch_size": 4, "learning_rates": [0.01]},
        "moments": [10, 40],
        "seeds": 3,
        "seconds": 1.5,
        "machines": [{"cpu": "some"}],
        "cells": [
            {
                "id": cs.Cell.parse(text).id,
                "cell": text,
                "hidden_size": sizes,
                "parameters": sizes,
                "operations": {"copy": 400, "digits": 80},
                "trainings": trainings[name],
            }
            for name, text in CELLS.items()
        ],
        **changes,
    }
    return Table.model_validate_json(json.dumps(data))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.json.gz"
    table().write(path)
    return path


def look_up(path: Path, name: str, **job: Any) -> Evaluation:
    settings = {"table": str(path), "steps": 40, "final_seeds": 1}
    answer = evaluate(
        {
            "kind": "search",
            "cell": CELLS.get(name, name),
            "seed": 0,
            "replicate": 0,
            "tasks": [{"name": "copy"}, {"name": "digits"}],
            "settings": settings,
            "rungs": [10],
            "thresholds": [None],
            "measure": [],
            "width_of": None,
            **job,
        }
    )
    return Evaluation.from_json(answer["evaluation"])


def test_a_table_is_read_as_it_was_written(file: Path) -> None:
    found, digest = read_table(file)
    assert found == table()
    assert len(digest) == 64
    assert table().pack() == table().pack() == file.read_bytes()


def test_a_candidate_is_what_its_training_was(file: Path) -> None:
    found = look_up(file, "rnn")
    assert found.status == "ok"
    assert found.rung_scores == (1.0,)
    assert found.score == pytest.approx((1.0 / 2 + 0.25 / 0.5) / 2)
    assert found.losses == {"copy": 1.0, "digits": 0.75}
    assert found.rung_losses == {"copy": (2.0,), "digits": (1.0,)}
    assert found.steps == 80
    assert found.operations == 480
    assert found.hidden_size == {"copy": 8, "digits": 6}


def test_a_rung_stops_a_candidate(file: Path) -> None:
    assert look_up(file, "rnn", thresholds=[1.0]).status == "ok"
    found = look_up(file, "rnn", thresholds=[0.9])
    assert found.status == "stopped"
    assert found.score == 1.0
    assert found.steps == 20
    assert found.operations == 120
    assert found.losses == {"copy": 2.0, "digits": 1.0}


def test_a_divergence_stays_one(file: Path) -> None:
    late, early = look_up(file, "linear"), look_up(file, "linear", seed=1)
    assert (late.status, late.score, late.rung_scores, late.steps) == ("diverged", None, (1.0,), 33)
    assert (early.status, early.rung_scores, early.steps) == ("diverged", (), 4)
    assert look_up(file, "linear", seed=2).status == "ok"


def test_a_part_of_the_tasks_and_of_the_steps(file: Path) -> None:
    one = look_up(file, "rnn", tasks=[{"name": "digits"}])
    assert (one.score, one.steps, one.operations) == (pytest.approx(0.5), 40, 80)
    found, _ = read_table(file)
    early = recall(found, found.cells[2], 0, tasks=["copy"], steps=10)
    assert (early.status, early.score, early.steps) == ("ok", pytest.approx(0.2), 10)


def test_search_and_final_see_different_seeds(file: Path) -> None:
    assert look_up(file, "rnn", replicate=1).losses["copy"] == 0.8
    assert look_up(file, "rnn", seed=1).losses["copy"] == 0.8
    assert look_up(file, "rnn", kind="final", seed=1).losses["copy"] == 1.0
    assert look_up(file, "rnn", replicate=2).status == "rejected"
    assert "2 seeds" in look_up(file, "rnn", replicate=2).message


@pytest.mark.parametrize(
    ("name", "job", "message"),
    [
        (str(cs.zoo["lstm"]), {}, "does not have this cell"),
        ("rnn", {"measure": ["saliency"]}, "nothing can be measured"),
        ("rnn", {"width_of": "h = tanh(linear(x, h_prev))"}, "as they are"),
    ],
)
def test_what_a_table_lacks_is_rejected(
    file: Path, name: str, job: dict[str, Any], message: str
) -> None:
    found = look_up(file, name, **job)
    assert found.status == "rejected"
    assert message in found.message


def test_what_is_no_table_is_refused_in_one_line(tmp_path: Path) -> None:
    whole = table().pack()
    text = json.loads(gzip.decompress(whole))
    few = {**text, "cells": [{**text["cells"][0], "trainings": []}]}
    for position, (content, message) in enumerate(
        [
            (b"no gzip at all", "is no table"),
            (b"", "cut off"),
            (whole[:-20], "cut off"),
            (whole + b"more", "goes on behind its end"),
            (whole[:40] + bytes([whole[40] ^ 4]) + whole[41:], "damaged|cut off"),
            (gzip.compress(b"[]"), "is no table"),
            (gzip.compress(json.dumps({**text, "version": 2}).encode()), "version"),
            (gzip.compress(json.dumps({**text, "moments": "x"}).encode()), "moments"),
            (gzip.compress(json.dumps(few).encode()), "lacks seeds"),
        ]
    ):
        path = tmp_path / f"{position}.json.gz"
        path.write_bytes(content)
        with pytest.raises(ExperimentError, match=message) as error:
            read_table(path)
        assert "\n" not in str(error.value)
        assert str(path) in str(error.value)


def test_a_table_that_was_made_anew_is_read_anew(file: Path) -> None:
    before, digest = read_table(file)
    table(name="another").write(file)
    after, other = read_table(file)
    assert (before.name, after.name) == ("tiny", "another")
    assert digest != other


def without(value: dict[str, Any], key: str) -> dict[str, Any]:
    return {name: kept for name, kept in value.items() if name != key}


def first_cell(**changes: Any) -> list[dict[str, Any]]:
    """Return the table's cells, the first with other values."""
    cells = json.loads(table().model_dump_json())["cells"]
    return [{**cells[0], **changes}, *cells[1:]]


def last_cell(**changes: Any) -> list[dict[str, Any]]:
    """Return the table's cells, the last with other values."""
    cells = json.loads(table().model_dump_json())["cells"]
    return [*cells[:-1], {**cells[-1], **changes}]


SHORT = [training((1.0, 0.5), (1.0, 0.5), steps=33)] * 3
UNEVEN = [
    {"status": "diverged", "steps": 33, "losses": {"copy": [1.0, 0.9], "digits": [0.5]}},
    *[training(status="diverged", steps=4)] * 2,
]
NAN = [{**training((1.0, 0.5), (float("nan"), 0.5))}] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"moments": []}, "moments are"),
        ({"moments": [40, 10]}, "moments are"),
        ({"seeds": 0}, "seeds is 0"),
        ({"tasks": [{"length": 3}]}, "tasks are"),
        ({"tasks": [{"name": ["copy"]}, {"name": "digits"}]}, "tasks are"),
        ({"tasks": [], "levels": {}}, "tasks: "),
        ({"levels": without(LEVELS, "copy")}, "tasks are .* levels those of"),
        ({"levels": {**LEVELS, "copy": {"solved": 0.0}}}, "levels.copy"),
        ({"levels": {**LEVELS, "copy": {"chance": 1.0, "solved": 1.0}}}, "levels.copy"),
        ({"levels": {**LEVELS, "copy": {"chance": 10**400, "solved": 1.0}}}, "levels.copy.chance"),
        ({"levels": {**LEVELS, "copy": {"chance": 1.0, "solved": 2.0}}}, "which is less"),
        ({"evaluation": {"parameters": "many"}}, "parameters"),
        ({"cells": first_cell(trainings=[training((1.0, 0.5), (-1.0, 0.5))] * 3)}, "or equal to 0"),
        ({"cells": []}, "0 cells"),
        ({"cells": first_cell() * 2}, "6 cells have 3 ids"),
        ({"cells": first_cell(trainings=NAN)}, "finite"),
        ({"cells": first_cell(trainings=UNEVEN)}, "'diverged' with losses at 1 and 2 of 2 moments"),
        ({"cells": first_cell(trainings=[training((1.0, 0.5))] * 3)}, "'ok' with losses at"),
        ({"cells": first_cell(parameters={"copy": 8})}, "lacks seeds or tasks"),
        ({"cells": first_cell(hidden_size={"copy": 0, "digits": 6})}, "greater than 0"),
        ({"cells": first_cell(operations={"copy": 1, "digits": -6})}, "or equal to 0"),
        ({"cells": first_cell(trainings=SHORT)}, "'ok' with 33 training steps; all of one are 80"),
        ({"seconds": -1.0}, "seconds: "),
        ({"name": "a\nb"}, "name: "),
        (
            {"cells": first_cell(cell="h = tanh(linear(x))")},
            "another version of cellsearch, or is damaged",
        ),
        (
            {"cells": last_cell(cell="h = tanh(linear(x))")},
            "another version of cellsearch, or is damaged",
        ),
        ({"cells": last_cell(cell="h = ")}, "another version of cellsearch, or is damaged"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    path = tmp_path / "odd.json.gz"
    text = json.dumps({**json.loads(table().model_dump_json()), **changes})
    path.write_bytes(gzip.compress(text.encode()))
    with pytest.raises(ExperimentError, match=message) as error:
        read_table(path)
    assert "\n" not in str(error.value)


def test_a_part_of_the_tasks_pays_for_a_part_of_a_failed_training(file: Path) -> None:
    found, _ = read_table(file)
    part = recall(found, found.cells[1], 0, tasks=["copy"], steps=40)
    assert (part.status, part.steps) == ("diverged", 16)  # half of 33 on two tasks


def experiment(file: Path, **tables: Any) -> dict[str, Any]:
    return {
        "space": {"name": "small"},
        "strategy": {"name": "random"},
        "task": [{"name": "copy"}, {"name": "digits"}],
        "evaluation": {"table": str(file)},
        "budget": {"candidates": 20},
        "final": {"candidates": 2},
        **tables,
    }


def test_a_search_against_a_table(file: Path, tmp_path: Path) -> None:
    run = cs.search(experiment(file), run=tmp_path / "run")
    assert run.status == "done"
    assert [one.name for one in run.baselines] == ["rnn", "mingru"]
    assert len(run.candidates) >= 20
    assert run.experiment.evaluation.steps == 40
    assert run.experiment.evaluation.parameters == 500
    ids = {cs.Cell.parse(text).id for text in CELLS.values()}
    assert all((one.cell_id in ids) == (one.result.status != "rejected") for one in run.candidates)
    best = run.finalists[0]
    assert best.cell_id == cs.zoo["mingru"].id
    assert len(best.scores) == 1
    assert cs.search(experiment(file), run=tmp_path / "run").candidates == run.candidates


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ({"space": {"name": "gated"}}, "space 'gated': .* of another space, 'small'"),
        ({"task": [{"name": "adding"}]}, "task 'adding': .* has it not"),
        ({"task": [{"name": "digits", "by": "pixel"}]}, "task 'digits'"),
        ({"evaluation": {"parameters": 600}}, "evaluation.parameters: .* made with 500"),
        ({"evaluation": {"steps": 20}}, "evaluation.steps: .* losses at 10, 40; found 20"),
        ({"fidelity": {"rungs": [5]}}, "fidelity.rungs: .* losses at 10, 40; found 5"),
        ({"final": {"replicates": 3}}, "final.replicates: .* at most 2, found 3"),
        ({"budget": {"baselines": ["lstm"]}}, "budget.baselines: .* no 'lstm'; it has"),
    ],
)
def test_what_disagrees_with_the_table_is_refused(
    file: Path, tmp_path: Path, tables: dict[str, Any], message: str
) -> None:
    given = experiment(file)
    for key, value in tables.items():
        given[key] = {**given[key], **value} if isinstance(given.get(key), dict) else value
    with pytest.raises(ExperimentError, match=message):
        cs.search(given, run=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_rungs_may_be_later_than_the_default_of_steps(tmp_path: Path) -> None:
    path = tmp_path / "long.json.gz"
    later = json.loads(table(moments=[10, 40]).model_dump_json())
    for cell in later["cells"]:
        for one in cell["trainings"]:
            one["steps"] = 1800 if one["status"] == "ok" else one["steps"]
    Table.model_validate_json(json.dumps({**later, "moments": [10, 900]})).write(path)
    given = experiment(path, fidelity={"rungs": [10, 900]})
    assert cs.search(given, run=tmp_path / "run").experiment.evaluation.steps == 900


def test_an_unknown_table_is_named(tmp_path: Path) -> None:
    for name in ("smal", str(tmp_path / "none.json.gz")):
        with pytest.raises(ExperimentError, match=r"evaluation\.table: "):
            cs.search(experiment(Path(name)), run=tmp_path / "run")


def test_the_text_of_another_python_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The built-in text differs from release to release; a table knows what it was made on."""
    given = ["budget.candidates=20"]
    before = cs.search("small", run=tmp_path / "before", overrides=given)
    monkeypatch.setattr("cellsearch.tasks.text._built_in", lambda: b"some other words " * 2000)
    after = cs.search("small", run=tmp_path / "after", overrides=given)
    assert [one.mean for one in after.finalists] == [one.mean for one in before.finalists]
    assert after.levels == before.levels
    again = cs.search("small", run=tmp_path / "before", overrides=given)  # goes on anywhere
    assert len(again.candidates) == len(before.candidates)
