import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from cellsearch.errors import CellSearchError
from cellsearch.known import zoo
from cellsearch.model import make_network
from cellsearch.tasks import Task, load_task
from cellsearch.trained import Trained, describe_weights

TASK = load_task("copy", length=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    place = tmp_path / "model.safetensors"
    write(place, describe_weights(zoo["lstm"], TASK, 5, 2))
    return place


def write(place: Path, metadata: dict[str, str]) -> None:
    tensors = make_network(zoo["lstm"], TASK, 5, 2, seed=1).state_dict()
    place.write_bytes(safetensors.torch.save(tensors, metadata))


def test_what_was_written_is_read(path: Path) -> None:
    trained = Trained.read(path)
    inputs = torch.from_numpy(TASK.training(0, 0, 4).inputs)
    expected = make_network(zoo["lstm"], TASK, 5, 2, seed=1)(inputs)
    assert torch.equal(trained.network()(inputs), expected)
    assert (trained.task, trained.hidden_size, trained.layers) == ("copy", 5, 2)


def test_scaling_and_classes_travel_with_the_weights() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(3.0, 2.0, size=(60, 4, 2)).astype(np.float32)
    classes = Task.from_arrays(x, np.where(x[:, 0, 0] > 3, "high", "low"))
    quantities = Task.from_arrays(x, x.sum(axis=(1, 2)))
    for task in (classes, quantities):
        encoding = json.loads(describe_weights(zoo["rnn"], task, 3, 1)["encoding"])
        scaled = task.held_out("test", 0).inputs
        raw = scaled * encoding["input_scale"] + encoding["input_mean"]
        rows = {tuple(np.round(row.ravel(), 4)) for row in x}
        assert all(tuple(np.round(row.ravel().astype(np.float32), 4)) in rows for row in raw[:1])
    assert json.loads(describe_weights(zoo["rnn"], classes, 3, 1)["encoding"])["classes"] == [
        "high",
        "low",
    ]
    assert {"target_mean", "target_scale"} <= set(quantities.encoding)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("cell", "h = tanh("),
        ("cell", "h = tanh(linear(x, h_prev))"),
        ("network", "[]"),
        ("network", "{"),
        ("network", json.dumps({"input_size": 16})),
        ("encoding", "[]"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(path: Path, key: str, value: str) -> None:
    write(path, {**describe_weights(zoo["lstm"], TASK, 5, 2), key: value})
    with pytest.raises(CellSearchError, match="not a weights file of cellsearch"):
        Trained.read(path)


@pytest.mark.parametrize("size", [0, -1, 10**12, "5", None, 6])
def test_sizes_that_cannot_be_are_refused_before_anything_is_allocated(
    path: Path, size: object
) -> None:
    metadata = describe_weights(zoo["lstm"], TASK, 5, 2)
    network = {**json.loads(metadata["network"]), "hidden_size": size}
    write(path, {**metadata, "network": json.dumps(network)})
    with pytest.raises(CellSearchError, match="not a weights file of cellsearch"):
        Trained.read(path)


def test_names_in_a_weights_file_are_never_imported(path: Path, tmp_path: Path) -> None:
    (tmp_path / "evil.py").write_text("raise SystemExit('imported')")
    write(path, {**describe_weights(zoo["lstm"], TASK, 5, 2), "task": "evil:Task"})
    assert Trained.read(path).task == "evil:Task"
