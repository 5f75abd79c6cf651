"""How wide a cell is built: the widest layer that keeps within a number of parameters."""

from __future__ import annotations

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.shapes import needs_equal_sizes
from cellsearch.tasks.base import Task


def model_parameters(cell: Cell, task: Task, hidden_size: int, layers: int = 1) -> int:
    """Return the parameters of all layers and the readout; a task's embedding is not counted.

    Raises CellError if the cell uses x elementwise and the sizes differ.
    """
    total = cell.parameters(task.input_size, hidden_size)
    total += (layers - 1) * cell.parameters(hidden_size, hidden_size)
    return total + (hidden_size + 1) * task.output_size


def step_operations(cell: Cell, task: Task, hidden_size: int, layers: int = 1) -> int:
    """Return the multiply-adds and elementwise operations of one step of all layers."""
    total = cell.operations(task.input_size, hidden_size)
    return total + (layers - 1) * cell.operations(hidden_size, hidden_size)


def fit_hidden_size(
    cell: Cell, task: Task, parameters: int, max_hidden_size: int, layers: int = 1
) -> int:
    """Return the largest hidden size that keeps within the limits.

    Raises CellError if there is none: the smallest is too large already, or the cell uses x
    elementwise, which leaves input_size as the only hidden size, and that is too large.
    """

    def fits(hidden_size: int) -> bool:
        return model_parameters(cell, task, hidden_size, layers) <= parameters

    least, greatest = 1, max_hidden_size
    if needs_equal_sizes(cell.normal):
        least, greatest = task.input_size, min(task.input_size, max_hidden_size)
    needed = model_parameters(cell, task, least, layers)
    if needed > parameters or greatest < least:
        raise CellError(
            f"no width meets the limits for task {task.name!r}: hidden_size {least} is the least "
            f"and needs {needed} parameters, allowed are {parameters} parameters and hidden_size "
            f"{max_hidden_size}; raise evaluation.parameters or evaluation.max_hidden_size"
        )
    while least < greatest:  # the count grows with the width
        middle = (least + greatest + 1) // 2
        if fits(middle):
            least = middle
        else:
            greatest = middle - 1
    return least
