import numpy as np
import pytest

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.known import zoo
from cellsearch.model import make_network
from cellsearch.shapes import needs_equal_sizes
from cellsearch.tasks import Task, load_task
from cellsearch.width import fit_hidden_size, model_parameters, step_operations

TASKS = [load_task("adding", length=10), load_task("copy", length=5), load_task("digits")]
AS_WIDE_AS_X = [name for name in sorted(zoo) if needs_equal_sizes(zoo[name].normal)]
FREE = [name for name in sorted(zoo) if name not in AS_WIDE_AS_X]


@pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)
@pytest.mark.parametrize("name", sorted(zoo))
@pytest.mark.parametrize("layers", [1, 3])
def test_parameters_are_those_that_torch_counts(name: str, task: Task, layers: int) -> None:
    size = 7 if name in FREE else task.input_size
    network = make_network(zoo[name], task, size, layers)
    counted = sum(
        parameter.numel()
        for key, parameter in network.named_parameters()
        if not key.startswith("embedding")
    )
    assert model_parameters(zoo[name], task, size, layers) == counted


@pytest.mark.parametrize("name", FREE)
def test_the_width_is_the_largest_that_fits(name: str) -> None:
    size = fit_hidden_size(zoo[name], TASKS[0], 5000, 512)
    assert model_parameters(zoo[name], TASKS[0], size) <= 5000
    assert size == 512 or model_parameters(zoo[name], TASKS[0], size + 1) > 5000


def test_the_width_keeps_within_its_own_limit() -> None:
    assert fit_hidden_size(zoo["rnn"], TASKS[0], 1_000_000, 20) == 20


def test_no_width_meets_too_small_a_budget() -> None:
    with pytest.raises(CellError, match=r"needs \d+ parameters, allowed are 3 parameters"):
        fit_hidden_size(zoo["lstm"], TASKS[0], 3, 512)


@pytest.mark.parametrize("name", AS_WIDE_AS_X)
def test_a_cell_that_uses_x_elementwise_has_the_width_of_its_input(name: str) -> None:
    assert fit_hidden_size(zoo[name], load_task("digits"), 10_000, 512) == 8
    for parameters, widest in ((100, 512), (10_000, 7)):
        with pytest.raises(CellError, match="no width meets the limits"):
            fit_hidden_size(zoo[name], load_task("digits"), parameters, widest)


def test_a_single_input_leaves_such_a_cell_a_single_feature() -> None:
    x, y = np.ones((20, 4, 1), dtype=np.float32), np.arange(20) % 2
    task = Task.from_arrays(x, y, readout="last")
    assert fit_hidden_size(zoo["sru"], task, 10_000, 512) == 1


def test_operations_of_a_plain_cell_counted_by_hand() -> None:
    cell = Cell.parse("h = relu(linear(x, h_prev))")
    task = TASKS[0]  # 2 inputs
    assert step_operations(cell, task, 5) == 5 * 2 + 5 * 5 + 5
    assert step_operations(cell, task, 5, layers=2) == 5 * 2 + 5 * 5 + 5 + 2 * 25 + 5
