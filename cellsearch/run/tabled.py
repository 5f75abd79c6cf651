"""An experiment against a table: what the table decides, and what has to agree with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cellsearch.errors import ExperimentError, shown
from cellsearch.experiment import Experiment
from cellsearch.known import zoo
from cellsearch.table import Table

if TYPE_CHECKING:
    from cellsearch.space import Space
    from cellsearch.tasks import Task

FREE = ("table", "steps", "timeout", "memory", "backend")
"""Keys of [evaluation] that an experiment against a table may set as it likes."""


def agree(
    experiment: Experiment, table: Table, path: Path, space: Space, tasks: Sequence[Task]
) -> Experiment:
    """Return the experiment with all that the table decides filled in.

    Raises ExperimentError if it says something else than the table: another space, other tasks or
    settings, steps or rungs at which the table has no losses, baselines or seeds that it lacks.
    """
    where = f"evaluation.table = {experiment.evaluation.table!r}"
    if {**space.to_dict(), "name": ""} != {**table.space, "name": ""}:
        named = space.name == table.space.get("name")
        which = "another file of this name" if named else repr(table.space.get("name"))
        raise ExperimentError(
            f"space {space.name!r}: {where} is of another space, {which}; search in that one, or "
            "leave the table out"
        )
    _check_tasks(table, tasks, where)
    evaluation, given = experiment.evaluation, experiment.evaluation.model_fields_set
    decided = {k: tuple(v) if isinstance(v, list) else v for k, v in table.evaluation.items()}
    for key, value in decided.items():
        if key not in FREE and key in given and getattr(evaluation, key) != value:
            raise ExperimentError(
                f"evaluation.{key}: {where} was made with {value!r}; leave the key out"
            )
    steps = evaluation.steps if "steps" in given else table.moments[-1]
    for key, moments in (
        ("evaluation.steps", [steps]),
        ("fidelity.rungs", experiment.fidelity.rungs),
    ):
        for moment in moments:
            if moment not in table.moments:
                at = ", ".join(map(str, table.moments))
                raise ExperimentError(f"{key}: {where} has losses at {at}; found {moment}")
    final, budget = experiment.final, experiment.budget
    replicates = final.replicates
    if "replicates" not in final.model_fields_set:
        replicates = max(1, table.seeds // 2)
    if replicates >= table.seeds:
        raise ExperimentError(
            f"final.replicates: {where} has {table.seeds} seeds and the search needs one; expected"
            f" at most {table.seeds - 1}, found {replicates}"
        )
    there = [name for name in budget.baselines if name in zoo and zoo[name].id in table.places]
    if "baselines" in budget.model_fields_set and len(there) < len(budget.baselines):
        missing = next(name for name in budget.baselines if name not in there)
        has = ", ".join(name for name in zoo if zoo[name].id in table.places) or "no known cell"
        raise ExperimentError(f"budget.baselines: {where} has no {missing!r}; it has {has}")
    kept = {key: value for key, value in decided.items() if key not in FREE}
    return experiment.model_copy(
        update={
            "evaluation": evaluation.model_copy(
                update={**kept, "steps": steps, "table": str(path)}
            ),
            "final": final.model_copy(update={"replicates": replicates}),
            "budget": budget.model_copy(update={"baselines": tuple(there)}),
        }
    )


def _check_tasks(table: Table, tasks: Sequence[Task], where: str) -> None:
    known = {task["name"]: task for task in table.tasks}
    for task in tasks:
        there, here = known.get(task.name), task.describe()
        if there is None:
            has = ", ".join(known)
            raise ExperimentError(f"task {task.name!r}: {where} has it not; it has {has}")
        # Without a path it is the text that Python carries, another one in each of its releases.
        free = ("sha256",) if here.get("path") is None else ()
        for key in [*there, *here]:
            if key not in free and there.get(key) != here.get(key):
                made, given = shown(there.get(key)), shown(here.get(key))
                raise ExperimentError(
                    f"task {task.name!r}: {where} was made with {key} = {made}, found {given}"
                )
