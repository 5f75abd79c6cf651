"""The whole product in seconds: search, resume, inspect, export, use what was exported."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

from cellsearch.cli import main
from cellsearch.layers import Recurrent
from cellsearch.run import open_run
from cellsearch.trained import Trained

EXPERIMENT = """
[experiment]
name = "tiny"
[space]
name = "minimal"
[[task]]
name = "adding"
length = 6
[evaluation]
parameters = 300
steps = 12
batch_size = 8
[fidelity]
rungs = [4]
[budget]
candidates = 8
baselines = ["rnn", "gru"]
[final]
candidates = 2
replicates = 2
[run]
lag = 4
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tiny")
    (place / "tiny.toml").write_text(EXPERIMENT)
    assert main(["search", str(place / "tiny.toml"), "--run", str(place / "run"), *SERIAL]) == 0
    return place


SERIAL = ["--workers", "0"]


def test_a_search_ends_with_a_leaderboard(folder: Path) -> None:
    run = open_run(folder / "run")
    assert run.status == "done"
    evaluated = [one for one in run.candidates if one.result.status != "duplicate"]
    assert len(evaluated) == 8
    names = [one.name for one in run.leaderboard()]
    assert {"rnn", "gru"} <= set(names)
    assert [one.mean for one in run.leaderboard()] == sorted(one.mean for one in run.leaderboard())
    assert run.best is not None and run.best.index is not None


def test_the_same_command_shows_the_same_run(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = open_run(folder / "run").to_json()
    assert main(["search", str(folder / "tiny.toml"), "--run", str(folder / "run"), *SERIAL]) == 0
    assert open_run(folder / "run").to_json() == before
    assert "lower is better" in capsys.readouterr().out


def test_inspect_prints_the_documented_json(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["inspect", str(folder / "run"), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert set(data) == {"run", "candidates", "baselines", "finalists"}
    expected = {"index", "cell_id", "cell", "status", "score", "losses", "metrics", "parameters"}
    expected |= {"hidden_size", "steps", "seconds", "parents", "replicate", "control"}
    assert expected <= set(data["candidates"][0])
    assert {"scores", "interval"} <= set(data["finalists"][0])


def test_the_best_cell_can_be_taken_away(folder: Path) -> None:
    path = folder / "best.py"
    assert main(["export", str(folder / "run"), "--to", str(path), "--weights"]) == 0
    spec = importlib.util.spec_from_file_location("exported_best", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    best = open_run(folder / "run").best
    assert best is not None
    exported = module.load_network()
    inputs = torch.rand(5, 6, 2)
    losses = [one.losses["adding"] for one in best.evaluations]
    trained = Trained.read(best.weights[losses.index(min(losses))]["adding"])
    network = trained.network()
    expected = exported(inputs)
    largest = max(1.0, float(expected.detach().abs().max()))
    torch.testing.assert_close(network(inputs), expected, rtol=0, atol=1e-5 * largest)
    eager = Recurrent(
        *(trained.cell, trained.input_size, trained.hidden_size, trained.layers),
        batch_first=True,
        backend="eager",
    )
    eager.load_state_dict(network.layer.state_dict())
    network.layer = eager
    assert torch.equal(expected, network(inputs))  # bit for bit
    layer = module.Best(3, 4, num_layers=2, bidirectional=True)
    output, _ = layer(torch.rand(7, 2, 3))
    assert output.shape == (7, 2, 8)
