"""From a run of a whole space to its table."""

from __future__ import annotations

from itertools import islice

from cellsearch.errors import RunError
from cellsearch.run.records import Candidate
from cellsearch.run.run import Run
from cellsearch.space import load_space
from cellsearch.table import Table, TableCell, Training
from cellsearch.tasks import Task, load_task
from cellsearch.width import step_operations

DIGITS = 5  # of a loss that are kept: a tenth of what two seeds differ by, at the least


def tabulate(run: Run, name: str) -> Table:
    """Return the table of a run that trained every cell equally often, stopping none.

    Raises RunError if the run is another one: rungs that stop, several learning rates, candidates
    without a training, cells of the space that are missing, seeds that some cells lack.
    """
    settings = run.experiment.evaluation
    if len(settings.learning_rates) > 1 or run.experiment.fidelity.keep < 1:
        raise RunError(
            f"{run.folder}: a table needs one learning rate, and fidelity.keep = 1 so that nobody"
            " is stopped"
        )
    by_cell: dict[str, dict[int, Candidate]] = {}
    for candidate in run.candidates:
        result = candidate.result
        if result.status == "duplicate":
            continue
        if candidate.is_super_network or result.status == "rejected":
            said = result.message or "is a super-network"
            raise RunError(f"{run.folder}: candidate {candidate.index} has no training: {said}")
        by_cell.setdefault(candidate.cell_id, {})[candidate.replicate] = candidate
    space = load_space(run.experiment.space.source)
    known = {cell.id for cell in islice(space.cells(), len(by_cell) + 1)}
    seeds = max((len(found) for found in by_cell.values()), default=0)
    if known != {*by_cell} or any({*found} != {*range(seeds)} for found in by_cell.values()):
        raise RunError(
            f"{run.folder}: some cell of the space, or some seed of a cell, has no training yet; go"
            " on until the strategy 'enumerate' has nothing more to propose"
        )
    tasks = [load_task(table.name, **table.settings) for table in run.experiment.task]
    return Table(
        version=1,
        name=name,
        space=space.to_dict(),
        tasks=tuple(task.describe() for task in tasks),
        levels=run.levels,
        evaluation={
            key: value
            for key, value in settings.model_dump(mode="json").items()
            if key not in ("timeout", "memory", "steps", "table")
        },
        moments=(*_rungs(run), settings.steps),
        seeds=seeds,
        seconds=round(sum(one.result.seconds for one in run.candidates), 1),
        machines=run.sessions,
        cells=tuple(
            _cell([found[seed] for seed in range(seeds)], tasks, run) for found in by_cell.values()
        ),
    )


def _rungs(run: Run) -> list[int]:
    """Return the rungs before the end; one at the end says nothing else than the end."""
    end = run.experiment.evaluation.steps
    return [rung for rung in run.experiment.fidelity.rungs if rung < end]


def _cell(found: list[Candidate], tasks: list[Task], run: Run) -> TableCell:
    first = found[0]
    settings = run.experiment.evaluation
    operations: dict[str, int] = {}
    for task in tasks:
        size = first.result.hidden_size[task.name]
        shape = task.training(0, 0, settings.batch_size).inputs.shape
        each = step_operations(first.cell, task, size, settings.layers)
        operations[task.name] = each * shape[0] * shape[1] * settings.steps
    for one in found:
        if one.result.status == "ok" and one.result.operations != sum(operations.values()):
            raise RunError(
                f"{run.folder}: candidate {one.index} took {one.result.operations} operations,"
                f" expected {sum(operations.values())}; sequences of a table are all of one length"
            )
    return TableCell(
        id=first.cell_id,
        cell=first.text,
        hidden_size=first.result.hidden_size,
        parameters=first.result.parameters,
        operations=operations,
        trainings=tuple(_training(one, tasks, len(_rungs(run))) for one in found),
    )


def _training(one: Candidate, tasks: list[Task], rungs: int) -> Training:
    result = one.result
    losses = {
        task.name: [
            *result.rung_losses.get(task.name, ())[:rungs],
            *([result.losses[task.name]] if result.status == "ok" else []),
        ]
        for task in tasks
    }
    return Training(
        status=result.status,  # type: ignore[arg-type]  # checked by the model
        steps=result.steps,
        losses={task: tuple(_rounded(loss) for loss in found) for task, found in losses.items()},
    )


def _rounded(loss: float) -> float:
    return float(f"{loss:.{DIGITS}g}")
