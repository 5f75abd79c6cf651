import math

import numpy as np
import pytest
import torch

from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.model import make_network
from cellsearch.tasks import Task, load_task
from cellsearch.training import Diverged, Training, evaluate_held_out

ADDING = load_task("adding", length=6)


def training(cell: Cell, task: Task = ADDING, seed: int = 1, rate: float = 0.01) -> Training:
    return Training(make_network(cell, task, 5, seed=seed), task, rate, 8, 1.0, data_seed=3)


def test_training_is_adam_with_clipping_on_the_task_s_stream() -> None:
    ours = training(zoo["gru"])
    model = make_network(zoo["gru"], ADDING, 5, seed=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(20):
        ours.step()
        examples = ADDING.training(3, step * 8, 8)
        predictions = model(torch.from_numpy(examples.inputs))
        loss = ((predictions - torch.from_numpy(examples.targets)) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    for mine, theirs in zip(ours.parameters, model.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs)
    assert ours.steps == 20
    assert ours.sequence_steps == 20 * 8 * 6


def test_it_learns() -> None:
    ours = training(zoo["gru"], rate=0.02)
    before = ours.held_out("validation", 0).loss
    for _ in range(150):
        ours.step()
    assert ours.held_out("validation", 0).loss < 0.7 * before


def test_networks_are_drawn_from_the_seed_and_leave_the_global_generator_alone() -> None:
    state = torch.random.get_rng_state()
    one, two, other = (make_network(zoo["lstm"], ADDING, 5, seed=seed) for seed in (1, 1, 2))
    assert torch.equal(torch.random.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), two.parameters(), strict=True))
    assert not torch.equal(one.readout.weight, other.readout.weight)


def test_a_loss_that_is_not_finite_is_an_outcome() -> None:
    ours = training(Cell.parse("h = exp(exp(exp(linear(x, h_prev, bias_init=3))))"))
    with pytest.raises(Diverged, match="adding: not finite at step 1"):
        ours.step()


@pytest.mark.parametrize(
    ("name", "settings"),
    [("adding", {"length": 6}), ("copy", {"length": 4}), ("digits", {})],
)
def test_held_out_loss_written_out_with_numpy(name: str, settings: dict[str, object]) -> None:
    task = load_task(name, **settings)
    model = make_network(zoo["gru"], task, 6, seed=2)
    examples = task.held_out("test", 0)
    with torch.no_grad():
        logits = model(torch.from_numpy(examples.inputs)).double().numpy()
    if task.objective == "regression":
        expected = float(np.mean((logits - examples.targets) ** 2))
    else:
        logits = logits - logits.max(-1, keepdims=True)
        chances = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
        picked = np.take_along_axis(chances, examples.targets[..., None], -1)[..., 0]
        if task.readout != "last":
            picked = picked[examples.counted()]
        expected = -float(picked.mean())
    found = evaluate_held_out(model, task, "test", 0)
    assert math.isclose(found.loss, expected, rel_tol=1e-5)


def test_ragged_sequences_are_read_at_their_own_last_step() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(2, 7, 40)
    x = [rng.normal(size=(length, 3)).astype(np.float32) for length in lengths]
    task = Task.from_arrays(x, rng.integers(0, 2, 40))
    model = make_network(zoo["gru"], task, 4, seed=0)
    examples = task.training(0, 0, 10)
    assert examples.lengths is not None
    together = model(torch.from_numpy(examples.inputs), torch.from_numpy(examples.lengths))
    for row, length in enumerate(examples.lengths):
        alone = model(torch.from_numpy(examples.inputs[row : row + 1, :length]))
        torch.testing.assert_close(together[row : row + 1], alone)


def test_saliency_is_what_a_small_shrinking_of_a_tensor_costs() -> None:
    """The sum of |w g| bounds |sum of w g|, the slope of the loss along the shrinking."""
    cell = Cell.parse("a = scale(h_prev, scalar=True, init=0.7)\nh = tanh(linear(x) + a)")
    ours = training(cell)
    for _ in range(5):
        ours.step()
    saliency = ours.saliency("validation", 0)["a.weight"]
    weight = ours.model.layer.l0.a.weight
    losses = []
    for factor in (1.001, 0.999):
        with torch.no_grad():
            weight.mul_(factor)
        losses.append(ours.held_out("validation", 0).loss)
        with torch.no_grad():
            weight.div_(factor)
    slope = abs(losses[0] - losses[1]) / 0.002
    assert math.isclose(saliency, slope, rel_tol=0.05)


def test_many_ragged_samples_count_one_each() -> None:
    """More held-out samples than are evaluated at once: the mean is over samples, not steps."""
    rng = np.random.default_rng(1)
    lengths = np.sort(rng.integers(1, 9, 6000))[::-1]  # the order must not matter, and could
    x = [rng.normal(size=(length, 2)).astype(np.float32) for length in lengths]
    task = Task.from_arrays(x, rng.normal(size=6000))
    examples = task.held_out("validation", 0)
    assert len(examples) > 512
    assert examples.lengths is not None
    model = make_network(zoo["gru"], task, 4, seed=0)
    with torch.no_grad():
        inputs, ends = torch.from_numpy(examples.inputs), torch.from_numpy(examples.lengths)
        wrong = model(inputs, ends).numpy() - examples.targets
    found = evaluate_held_out(model, task, "validation", 0).loss
    assert math.isclose(found, float((wrong**2).mean()), rel_tol=1e-5)
