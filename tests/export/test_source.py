"""An exported file computes, bit for bit, what the layer in the package computes eagerly."""

import ast
import importlib.util
import keyword
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import safetensors.torch
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence

from cellsearch.cell import Cell
from cellsearch.export.source import class_name, export_source
from cellsearch.known import zoo
from cellsearch.layers import Recurrent, RecurrentCell
from cellsearch.model import make_network
from cellsearch.shapes import needs_equal_sizes
from cellsearch.tasks import load_task
from cellsearch.trained import Trained, describe_weights

CELLS = {
    **{name: cell.text for name, cell in zoo.items()},
    "output": (
        "p = parameter(init=0.5)\nc = 0.5 * c_prev + maximum(tanh(linear(x)), 0.25)\n"
        "h = layer_norm(scale(c)) * p\noutput = linear(h, x) + mean(h, c_prev, 2)"
    ),
    "constant": "h = 0.5\noutput = tanh(linear(x, h_prev))",
    "names": (
        'torch = tanh(linear(x, h_prev, init="orthogonal"))\nlen = blend(0.3, torch, h_prev)\n'
        "state = relu(len) - state_prev / 3\nh = softplus(len) * state"
    ),
    "infinite": "h = tanh(linear(x, h_prev)) / (1 / (1 - 1))",
    "depths": (
        "a = tanh(linear(x, h_prev, bias=False))\nb = gelu(linear(a, h_prev, c_prev))\n"
        "c = minimum(b, c_prev)\nh = -leaky_relu(a + b + linear(c)) - silu(linear(sin(linear(x))))"
    ),
}


def load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


def sizes(cell: Cell) -> tuple[int, int]:
    return (7, 7) if needs_equal_sizes(cell.normal) else (5, 7)


@pytest.fixture(params=CELLS)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Cell, ModuleType]:
    cell = Cell.parse(CELLS[request.param])
    path = tmp_path / f"exported_{request.param}.py"
    path.write_text(export_source(cell, "Found"))
    return cell, load(path)


def bits(*values: object) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    for value in values:
        found += [value] if isinstance(value, torch.Tensor) else bits(*value)  # type: ignore[misc]
    return found


def assert_same_bits(ours: list[torch.Tensor], theirs: list[torch.Tensor]) -> None:
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    "options",
    [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}],
    ids=["plain", "deep"],
)
def test_layer(pair: tuple[Cell, ModuleType], options: dict[str, object]) -> None:
    cell, module = pair
    size, hidden = sizes(cell)
    if size == hidden and options:  # the layer above has to be as wide as both directions
        options = {**options, "bidirectional": False}
    ours = Recurrent(cell, size, hidden, backend="eager", **options)
    theirs = module.Found(size, hidden, **options)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(6, 4, size, generator=torch.Generator().manual_seed(0))
    for given_x in (x, x[0], pack_padded_sequence(x, [6, 2, 5, 3], enforce_sorted=False)):
        if options.get("batch_first") and not isinstance(given_x, torch.Tensor):
            continue
        assert_same_bits(bits(*ours(given_x)), bits(*theirs(given_x)))
    gradients = [
        torch.autograd.grad(layer(x)[0].square().sum(), list(layer.parameters()), allow_unused=True)
        for layer in (ours, theirs)
    ]
    known = [[g for g in found if g is not None] for found in gradients]
    assert_same_bits(*known)


def test_step(pair: tuple[Cell, ModuleType]) -> None:
    cell, module = pair
    ours, theirs = (
        RecurrentCell(cell, *sizes(cell), backend="eager"),
        module.FoundCell(*sizes(cell)),
    )
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(4, sizes(cell)[0], generator=torch.Generator().manual_seed(0))
    states = tuple(torch.rand(4, 7) for _ in cell.states)
    state = states[0] if len(states) == 1 else states
    assert_same_bits(bits(ours(x)), bits(theirs(x)))
    assert_same_bits(bits(ours(x, state)), bits(theirs(x, state)))


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.float64, 1e-12)], ids=["f32", "f64"]
)
def test_the_default_backend_computes_the_same_but_for_rounding(
    pair: tuple[Cell, ModuleType], dtype: torch.dtype, tolerance: float
) -> None:
    cell, module = pair
    size, hidden = sizes(cell)
    ours = Recurrent(cell, size, hidden, bidirectional=True, dtype=dtype)
    ours.reset_parameters(torch.Generator().manual_seed(0))
    theirs = module.Found(size, hidden, bidirectional=True, dtype=dtype)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(6, 4, size, generator=torch.Generator().manual_seed(0), dtype=dtype)
    learned = [list(layer.parameters()) for layer in (ours, theirs)]
    results = [bits(*layer(x)) for layer in (ours, theirs)]
    if learned[0]:
        results = [
            [*found, *torch.autograd.grad(found[0].square().sum(), tensors, allow_unused=True)]
            for found, tensors in zip(results, learned, strict=True)
        ]
    for one, other in zip(*results, strict=True):
        if other is not None:
            scale = float(other.detach().abs().max().nan_to_num(0, 0).clamp(min=1))
            torch.testing.assert_close(one, other, rtol=0, atol=tolerance * scale, equal_nan=True)


ALONE = """
import importlib.abc, sys

class OnlyTorch(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"cellsearch", "ray", "scipy", "deap", "safetensors", "sklearn"}:
            raise ImportError(f"{name} is not there")

sys.meta_path.insert(0, OnlyTorch())
import torch, alone

network, inputs = alone.load_network(), torch.load("inputs.pt")
layer = alone.load_layer()
step = alone.AloneCell(2, layer.hidden_size)
step.load_state_dict({key.removeprefix("l0."): value for key, value in layer.state_dict().items()})
state, outputs = None, []
for t in range(inputs.size(1)):
    state = step(inputs[:, t], state)
    outputs.append(state[0])
assert torch.allclose(torch.stack(outputs, 1), layer(inputs)[0], atol=1e-6)
assert alone.Alone(3, 4, bidirectional=True)(torch.randn(5, 2, 3))[0].shape == (5, 2, 8)
torch.save(network(inputs), "outputs.pt")
"""


def test_trained_weights_need_torch_only_and_give_the_same_bits(tmp_path: Path) -> None:
    task = load_task("adding", length=7)
    network = make_network(zoo["lstm"], task, 6, seed=4, backend="eager")
    metadata = describe_weights(zoo["lstm"], task, 6, 1)
    weights = tmp_path / "weights.safetensors"
    weights.write_bytes(safetensors.torch.save(network.state_dict(), metadata))
    trained = Trained.read(weights).constructor_arguments()
    (tmp_path / "alone.py").write_text(export_source(zoo["lstm"], "Alone", trained))
    inputs = torch.from_numpy(task.training(0, 0, 5).inputs)
    torch.save(inputs, tmp_path / "inputs.pt")
    subprocess.run(
        [sys.executable, "-W", "error", "-c", ALONE], cwd=tmp_path, check=True, timeout=300
    )
    outputs = torch.load(tmp_path / "outputs.pt", weights_only=True)
    assert torch.equal(outputs, network(inputs))


def test_starting_values_are_those_of_the_cell(tmp_path: Path) -> None:
    path = tmp_path / "begin.py"
    path.write_text(export_source(zoo["ugrnn"], "Begin"))
    module = load(path)
    ours, theirs = Recurrent(zoo["ugrnn"], 3, 4), module.Begin(3, 4)
    ours.reset_parameters(torch.Generator().manual_seed(1))
    theirs.reset_parameters(torch.Generator().manual_seed(1))
    assert_same_bits(list(ours.state_dict().values()), list(theirs.state_dict().values()))


@given(st.text(max_size=40))
def test_every_file_name_gives_a_class_name(stem: str) -> None:
    name = class_name(stem)
    assert name.isidentifier()
    assert name.isascii()
    assert not keyword.iskeyword(name)


@pytest.mark.parametrize("stem", ["tensor", "States", "network", "none", "recurrent-shell", "scan"])
def test_class_names_do_not_hide_what_the_file_uses(stem: str, tmp_path: Path) -> None:
    path = tmp_path / "clash.py"
    path.write_text(export_source(zoo["rnn"], class_name(stem)))
    layer = getattr(load(path), class_name(stem))(3, 4)
    assert layer(torch.randn(5, 2, 3))[0].shape == (5, 2, 4)


def test_comments_of_a_cell_do_not_reach_the_file() -> None:
    cell = Cell.parse('# """ + evil() + """ \\\nh = tanh(linear(x, h_prev))  # "quote')
    source = export_source(cell, "Quiet")
    ast.parse(source)
    assert "evil" not in source
    assert "quote" not in source
