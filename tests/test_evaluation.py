import math
from typing import Any

import pytest
import torch

from cellsearch.evaluation import data_seed, evaluate, held_out_seed
from cellsearch.known import zoo
from cellsearch.strategies.base import Evaluation
from cellsearch.tasks import load_task
from cellsearch.trained import Trained
from cellsearch.training import evaluate_held_out

SETTINGS: dict[str, Any] = {
    "parameters": 400,
    "layers": 1,
    "max_hidden_size": 64,
    "max_operations": 100_000,
    "steps": 12,
    "batch_size": 8,
    "learning_rates": [0.003, 0.01],
    "gradient_clip": 1.0,
    "backend": "auto",
    "timeout": 600.0,
    "memory": 1 << 31,
}
TASKS = [{"name": "adding", "length": 6}, {"name": "digits"}]


def job(cell: str = zoo["gru"].text, **changes: Any) -> dict[str, Any]:
    settings = {**SETTINGS, **changes.pop("settings", {})}
    return {
        "kind": "search",
        "index": 0,
        "cell": cell,
        "seed": 5,
        "replicate": 0,
        "tasks": TASKS,
        "settings": settings,
        "rungs": [4, 12],
        "thresholds": [None, None],
        "learning_rates": None,
        "split": "validation",
        "measure": [],
        "keep_weights": False,
        **changes,
    }


def outcome(**changes: Any) -> Evaluation:
    return Evaluation.from_json(evaluate(job(**changes))["evaluation"])


def test_a_finished_evaluation_tells_all() -> None:
    found = outcome()
    assert found.status == "ok"
    assert found.score is not None
    assert len(found.rung_scores) == 2
    assert found.rung_scores[-1] == found.score
    assert set(found.losses) == set(found.metrics) == {"adding", "digits"}
    assert set(found.learning_rates.values()) <= {0.003, 0.01}
    assert found.steps == 2 * (2 * 4 + 8)  # both rates to the first rung, then one


def test_the_score_is_the_open_share_of_the_way_averaged_over_tasks() -> None:
    found = outcome()
    shares = []
    for description in TASKS:
        task = load_task(**description)
        share = (found.losses[task.name] - task.solved) / (task.chance - task.solved)
        shares.append(min(1.0, max(0.0, share)))
    assert math.isclose(found.score or -1, sum(shares) / 2)


def test_the_better_learning_rate_goes_on() -> None:
    alone = {
        rate: outcome(rungs=[], settings={"learning_rates": [rate], "steps": 4}).losses
        for rate in (0.003, 0.01)
    }
    chosen = outcome().learning_rates
    for task in ("adding", "digits"):
        assert chosen[task] == min(alone, key=lambda rate: alone[rate][task])


def test_equal_jobs_give_equal_numbers_and_leave_torch_as_it_was() -> None:
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    one, two = outcome().to_json(), outcome().to_json()
    assert torch.equal(torch.random.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    assert {**one, "seconds": 0} == {**two, "seconds": 0}


def test_another_text_of_the_same_cell_gives_the_same_numbers() -> None:
    text = """
    second = sigmoid(linear(h_prev, x))
    first = sigmoid(linear(h_prev, x))
    unused = tanh(first)
    h = identity(tanh(first * linear(h_prev) + linear(x)) * (1 - second) + h_prev * second)
    """.replace("    ", "")
    one, two = outcome().to_json(), outcome(cell=text).to_json()
    assert {**one, "seconds": 0} == {**two, "seconds": 0}


def test_replicates_and_stages_have_data_and_weights_of_their_own() -> None:
    losses = [outcome(replicate=r).losses["adding"] for r in (0, 1)]
    losses.append(outcome(kind="final").losses["adding"])
    assert len(set(losses)) == 3
    assert outcome(kind="baseline").losses["adding"] == losses[0]


def test_data_seeds_do_not_depend_on_the_cell_and_differ_between_stages() -> None:
    assert data_seed(5, "search", "adding", 0) == data_seed(5, "baseline", "adding", 0)
    seeds = {data_seed(5, kind, "adding", r) for kind in ("search", "final") for r in range(3)}
    assert len(seeds) == 6


def test_a_threshold_that_is_missed_stops() -> None:
    found = outcome(thresholds=[0.0, None])
    assert found.status == "stopped"
    assert found.score == found.rung_scores[0]
    assert found.steps == 2 * 2 * 4
    assert outcome(thresholds=[1.0, 0.0]).status == "ok"  # the last rung is the end


def test_failures_are_outcomes() -> None:
    explosive = "h = exp(exp(exp(linear(x, h_prev, bias_init=3))))"
    diverged = outcome(cell=explosive)
    assert (diverged.status, diverged.score) == ("diverged", None)
    assert "not finite" in diverged.message
    assert outcome(settings={"timeout": 1e-9}).status == "timeout"
    small = outcome(settings={"parameters": 3})
    assert small.status == "rejected"
    assert "no width meets the limits" in small.message
    heavy = outcome(settings={"max_operations": 10})
    assert heavy.status == "rejected"
    assert "max_operations" in heavy.message
    assert outcome(measure=["charm"]).status == "rejected"


def test_saliency_is_measured_when_asked_for() -> None:
    measured = outcome(measure=["saliency"]).measured
    assert set(measured) == {
        *(f"{gate}.{role}" for gate in "rz" for role in ("weight_0", "weight_1", "bias")),
        *(f"{part}.{role}" for part in ("n", "n_2") for role in ("weight_0", "bias")),
    }
    assert all(value >= 0 for value in measured.values())


def test_kept_weights_give_the_loss_that_was_told(tmp_path: Any) -> None:
    answer = evaluate(job(kind="final", split="selection", keep_weights=True))
    losses = answer["evaluation"]["losses"]
    assert set(answer["weights"]) == {"adding", "digits"}
    for description in TASKS:
        task = load_task(**description)
        path = tmp_path / f"{task.name}.safetensors"
        path.write_bytes(answer["weights"][task.name])
        trained = Trained.read(path)
        assert trained.cell == zoo["gru"]
        assert trained.task == task.name
        seed = held_out_seed(5, task.name)
        found = evaluate_held_out(trained.network(), task, "selection", seed)
        assert found.loss == pytest.approx(losses[task.name], rel=1e-6)


def test_learning_rates_are_chosen_on_the_validation_split() -> None:
    found = outcome(split="selection")
    assert found.learning_rates == outcome().learning_rates
    assert found.losses != outcome().losses


def test_a_missing_learning_rate_is_chosen() -> None:
    """A baseline may have diverged before the rate for its last task was chosen."""
    found = outcome(learning_rates={"adding": 0.003}, kind="final", split="selection")
    assert found.status == "ok"
    assert found.learning_rates["adding"] == 0.003
    assert found.learning_rates["digits"] in (0.003, 0.01)


def test_operations_are_counted_over_all_trainings() -> None:
    one = outcome(rungs=[], settings={"learning_rates": [0.01]})
    two = outcome(rungs=[], settings={"learning_rates": [0.01, 0.003]})
    assert two.operations == 2 * one.operations
    assert two.steps == 2 * one.steps


def test_losses_at_the_rungs_are_kept_by_task() -> None:
    found, early = outcome(), outcome(rungs=[4], thresholds=[0.0])
    assert early.status == "stopped"
    assert early.rung_losses == {task: (loss,) for task, loss in early.losses.items()}
    for task, losses in found.rung_losses.items():
        assert losses == (early.losses[task], found.losses[task])


def test_a_super_network_is_as_wide_as_the_cell_it_names() -> None:
    text = "\n".join(f"v{k} = tanh(linear(x, h_prev))" for k in range(8))
    text += "\nh = " + " + ".join(f"v{k}" for k in range(8))
    gru = zoo["gru"].text
    assert outcome(cell=text, width_of=gru).hidden_size == outcome(cell=gru).hidden_size
    assert outcome(cell=text, width_of=gru).hidden_size != outcome(cell=text).hidden_size
