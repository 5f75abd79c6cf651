"""The command line: what it prints, its exit codes, and one line for every bad input."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import Say, files

from cellsearch.known import zoo


def write(path: str, text: str | bytes) -> str:
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


BAD: dict[str, tuple[Callable[[], list[object]], str]] = {
    "missing experiment": (lambda: ["search", "quickstrat"], "did you mean 'quickstart'"),
    "malformed experiment": (lambda: ["search", write("bad.toml", "[space\n")], "bad.toml"),
    "unknown key": (
        lambda: ["search", "small.toml", "--set", "evaluation.parametres=3"],
        "cellsearch: --set evaluation.parametres=3: evaluation.parametres: unknown key",
    ),
    "wrong type": (
        lambda: ["search", "small.toml", "--set", "evaluation.steps=many"],
        "evaluation.steps",
    ),
    "unknown task": (lambda: ["search", "small.toml", "--set", "task.0.name=ading"], "'adding'"),
    "unknown task setting": (
        lambda: ["search", "small.toml", "--set", "task.0.lenght=3"],
        "'length'",
    ),
    "unknown strategy": (
        lambda: ["search", "small.toml", "--set", "strategy.name=genetics"],
        "did you mean 'genetic'",
    ),
    "unknown space": (
        lambda: ["search", "small.toml", "--set", "space.name=minimall"],
        "did you mean 'minimal'",
    ),
    "unknown baseline": (
        lambda: ["search", "small.toml", "--set", 'budget.baselines=["grru"]'],
        "did you mean 'gru'",
    ),
    "a budget that no width can meet": (
        lambda: ["search", "small.toml", "--set", "evaluation.parameters=3"],
        "raise evaluation.parameters",
    ),
    "unreadable data": (
        lambda: ["search", "small.toml", "--set", "task.0={name='text', path='/no/such'}"],
        "/no/such",
    ),
    "data that is no text": (
        lambda: ["compare", "rnn", "--task", f"text,path={write('b.txt', bytes(range(256)))}"],
        "b.txt",
    ),
    "a cell with a syntax error": (
        lambda: ["inspect", write("a.cell", "h = tanh(linear(x, h_prev)\n")],
        "line 1",
    ),
    "a cell with a cycle": (
        lambda: ["inspect", write("a.cell", "a = tanh(b)\nb = tanh(a)\nh = b\n")],
        "'b' is used before it is assigned",
    ),
    "an unknown operator": (
        lambda: ["inspect", write("a.cell", "h = tahn(linear(x, h_prev))\n")],
        "did you mean 'tanh'",
    ),
    "a missing state": (
        lambda: ["inspect", write("a.cell", "h = tanh(linear(x, c_prev))\n")],
        "c is never assigned",
    ),
    "a text of 100 MB": (lambda: ["inspect", write("a.cell", b"#" * 100_000_000)], "64 KiB"),
    "a target that is nothing": (lambda: ["inspect", "lstmm"], "did you mean 'lstm', 's"),
    "a target without a name": (lambda: ["inspect", ""], "the target's name is empty; expected"),
    "a folder that is no run": (lambda: ["inspect", "."], "expected the folder of a run"),
    "a space as a cell": (
        lambda: ["inspect", write("a.toml", "[limits]\n")],
        "a .toml file holds a space or an experiment, not a cell",
    ),
    "an export over a file": (
        lambda: ["export", "lstm", "--to", write("a.py", "mine")],
        "a.py exists already; nothing is written over",
    ),
    "a drawing over a file": (
        lambda: ["inspect", "lstm", "--draw", write("a.svg", "mine")],
        "a.svg exists already; nothing is written over",
    ),
    "a cell of a cell": (lambda: ["inspect", "lstm", "--cell", "3"], "not a run folder"),
    "an unknown picture format": (lambda: ["inspect", "lstm", "--draw", "a.bmp"], ".svg"),
    "an unknown export format": (lambda: ["export", "lstm", "--to", "a.exe"], ".py, .safetensors"),
    "weights that do not exist": (
        lambda: ["export", "lstm", "--to", "a.py", "--weights"],
        "no trained weights",
    ),
    "a place that cannot be written to": (
        lambda: ["export", "lstm", "--to", "no/such/folder/a.py"],
        "cannot be written",
    ),
    "training into a folder that exists": (
        lambda: ["train", "lstm", "--task", "adding", "--to", "."],
        "nothing is written over",
    ),
    "a hidden size that x does not have": (
        lambda: ["train", "sru", "--task", "adding,length=6", "--to", "kept"],
        "sru uses x elementwise, so its hidden size must be the input size of task adding: "
        "--hidden-size 2, not 64",
    ),
    "a misspelt command": (lambda: ["serach"], "invalid choice"),
    "a number that is none": (
        lambda: ["compare", "rnn", "--task", "adding", "--seeds", "0"],
        "at least 1",
    ),
    "a setting without a value": (
        lambda: ["compare", "rnn", "--task", "adding,length"],
        "KEY=VALUE",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_told_in_one_line(case: str, say: Say, tmp_path: Path) -> None:
    words, expected = BAD[case]
    given = words()
    before = files(tmp_path)
    code, out, err = say(*given, *(["--workers", "0"] if given[0] == "search" else []))
    assert code == 2
    assert out == ""
    assert err.count("\n") == 1
    assert expected in err
    assert "Traceback" not in err
    assert files(tmp_path) == before


def test_a_run_folder_of_another_experiment_is_refused_and_left_alone(
    say: Say, tmp_path: Path
) -> None:
    command = ["search", "small.toml", "--workers", "0", "--run", "run"]
    assert say(*command)[0] == 0
    before = files(tmp_path)
    code, _, err = say(*command, "--set", "evaluation.steps=5")
    assert code == 2
    assert err.count("\n") == 1
    assert "evaluation.steps" in err
    assert files(tmp_path) == before


def test_search_prints_the_leaderboard_the_cell_and_a_verdict(say: Say) -> None:
    code, out, err = say("search", "small.toml", "--workers", "0")
    assert code == 0
    lines = err.splitlines()  # where there is no terminal, nothing moves
    assert [line.partition(",")[0] for line in lines if line.startswith("search")] == [
        f"search {done}/3" for done in (1, 2, 3)
    ]
    assert "lower is better" in out
    assert "rnn" in out
    assert "h = " in out
    assert "The best cell found" in out
    again = say("search", "small.toml", "--workers", "0")
    assert again == (0, out, "")


def test_a_run_against_a_table_shows_no_empty_columns_and_has_no_weights(say: Say) -> None:
    code, out, _ = say("search", "small", "--set", "budget.candidates=20", "--run", "run")
    assert code == 0
    assert "95 % interval" not in out and "accuracy" not in out
    assert out.splitlines()[-1] == "cellsearch export run --to best.py"
    code, _, error = say("export", "run", "--to", "best.py", "--weights")
    assert code == 2
    assert "looked its cells up in a table; `cellsearch train run --task TASK" in error


def test_inspect_shows_one_candidate_of_a_run(say: Say) -> None:
    say("search", "small.toml", "--workers", "0", "--run", "run")
    data = json.loads(say("inspect", "run", "--json")[1])
    code, out, _ = say("inspect", "run", "--cell", "1", "--json")
    assert code == 0
    assert json.loads(out)["id"] == data["candidates"][1]["cell_id"]
    assert say("inspect", "run:best")[0] == 0


def test_inspect_draws(say: Say, tmp_path: Path) -> None:
    assert say("inspect", "gru", "--draw", "gru.svg")[0] == 0
    assert "<svg" in (tmp_path / "gru.svg").read_text()


def test_inspect_shows_what_was_trained(say: Say) -> None:
    say("train", "mgu", "--task", "digits", "--hidden-size", 6, "--steps", 3, "--to", "kept")
    shown = say("inspect", "kept")[1]
    assert "(input size 8, hidden size 6)" in shown
    assert "Trained on task digits: 1 layer, " in shown
    data = json.loads(say("inspect", "kept", "--json")[1])
    assert (data["task"], data["input_size"], data["hidden_size"]) == ("digits", 8, 6)


def test_readings_of_the_test_split_are_recorded_with_the_run(say: Say) -> None:
    say("search", "small.toml", "--workers", "0", "--run", "run")
    task = ["--task", "adding,length=6"]
    assert say("compare", "run:best", "rnn", *task, "--seeds", 2, "--steps", 4)[0] == 0
    assert say("train", "run", *task, "--steps", 5, "--hidden-size", 4, "--to", "kept")[0] == 0
    data = json.loads(say("inspect", "run", "--json")[1])
    assert [reading["by"] for reading in data["run"]["readings"]] == ["compare", "train"]
    assert "read 2 times" in say("inspect", "run")[1]


def test_train_then_export(say: Say, tmp_path: Path) -> None:
    words = ["--task", "digits", "--hidden-size", 6, "--steps", 10, "--to", "kept/here"]
    code, out, _ = say("train", "mgu", *words)
    assert code == 0
    assert "accuracy on the test split" in out
    result = json.loads((tmp_path / "kept/here/result.json").read_text())
    assert result["cell_id"] == zoo["mgu"].id
    assert say("export", "kept/here", "--to", "mine.py", "--weights")[0] == 0
    assert "def load_network()" in (tmp_path / "mine.py").read_text()
    assert say("export", "kept/here", "--to", "mine.safetensors")[0] == 0
    assert (tmp_path / "mine.safetensors").read_bytes() == (
        tmp_path / "kept/here/model.safetensors"
    ).read_bytes()


def test_export_says_whose_weights_it_takes(say: Say, tmp_path: Path) -> None:
    copying = ["--set", "task.1={name='copy', length=3, remember=2}"]
    say("search", "small.toml", "--workers", "0", "--run", "run", *copying)
    say("train", "rnn", "--task", "digits", "--hidden-size", 4, "--steps", 2, "--to", "kept")
    best = "of 2 trainings the one with the lowest loss on the selection split"
    for words, expected in (
        (["run", "--to", "a.py", "--weights"], f"task adding, {best}; also there: copy (--task c"),
        (["run", "--to", "b.py", "--weights", "--task", "copy"], f"task copy, {best}; also there"),
        (["run", "--to", "c.safetensors"], f"task adding, {best}; also there: copy (--task copy)"),
        (["kept", "--to", "d.py", "--weights"], "task digits\n"),
    ):
        code, out, _ = say("export", *words)
        assert code == 0
        assert f"\nweights: {expected}" in out
    assert "weights" not in say("export", "run", "--to", "e.py")[1]


def test_a_damaged_weights_file_is_told_in_one_line(say: Say, tmp_path: Path) -> None:
    say("train", "rnn", "--task", "digits", "--hidden-size", 4, "--steps", 2, "--to", "kept")
    path = tmp_path / "kept/model.safetensors"
    whole = path.read_bytes()
    for damaged in (whole[:100], b"", whole[:8] + b"\xff" * 50 + whole[58:], whole[:-4]):
        path.write_bytes(damaged)
        code, _, err = say("export", "kept", "--to", "a.py", "--weights")
        assert code == 2
        assert err.count("\n") == 1
