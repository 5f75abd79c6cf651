"""From an experiment to what a run needs: space, strategy, control, tasks, baselines, jobs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cellsearch.errors import CellError, ExperimentError, nearest
from cellsearch.experiment import Experiment
from cellsearch.run.pool import Job
from cellsearch.run.records import seed_names
from cellsearch.seeds import derive
from cellsearch.strategies.base import Strategy

if TYPE_CHECKING:
    from cellsearch.cell import Cell
    from cellsearch.tasks import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """All that a driver needs to know of an experiment; tests put in what they like.

    `contains` says in one sentence why a cell is outside the space, or None; `levels` are the
    chance and solved level of each task; `table` is the digest of the table in which candidates are
    looked up instead of being trained.
    """

    experiment: Experiment
    space: Mapping[str, Any]
    tasks: Sequence[Mapping[str, Any]]
    levels: Mapping[str, Mapping[str, Any]]
    baselines: Mapping[str, Cell]
    strategy: Callable[[], Strategy]
    control: Callable[[], Strategy]
    contains: Callable[[Cell], str | None]
    table: str | None = None

    def identity(self) -> dict[str, Any]:
        """Return what must be the same for a run to be resumed; files count by their content."""
        tasks = [dict(task) for task in self.tasks]
        for task in tasks:
            if task.get("sha256"):  # wherever the file lies
                task.pop("path", None)
        identity = {**self.experiment.identity(), "space": dict(self.space), "task": tasks}
        identity["evaluation"]["backend"] = self.backend
        identity["evaluation"]["table"] = self.table  # wherever its file lies
        return identity

    @property
    def backend(self) -> str:
        """The backend that trains: what "auto" means here must not change within a run."""
        if self.table is not None:
            return self.experiment.evaluation.backend
        from cellsearch.backends import resolve  # takes a while to import

        try:
            return resolve(self.experiment.evaluation.backend)
        except RuntimeError as error:
            raise ExperimentError(f"evaluation.backend: {error}") from None

    def job(
        self,
        kind: str,
        index: int,
        text: str,
        *,
        replicate: int = 0,
        thresholds: Sequence[float | None] = (),
        measure: Sequence[str] = (),
        width_of: str | None = None,
        learning_rates: Mapping[str, float] | None = None,
    ) -> Job:
        """Return the job that evaluates a cell; a ``final`` one on the selection split."""
        final = kind == "final"
        rungs = list(self.experiment.fidelity.rungs)
        settings = {
            **self.experiment.evaluation.model_dump(mode="json"),
            "backend": self.backend,
            "final_seeds": self.experiment.final.replicates,
        }
        return {
            "kind": kind,
            "index": index,
            "cell": text,
            "seed": self.experiment.seed,
            "replicate": replicate,
            "tasks": [dict(task) for task in self.tasks],
            "settings": settings,
            "rungs": rungs,
            "thresholds": list(thresholds) or [None] * len(rungs),
            "learning_rates": dict(learning_rates) if learning_rates else None,
            "split": "selection" if final else "validation",
            "measure": list(measure),
            "width_of": width_of,
            "keep_weights": final,
        }


def prepare(experiment: Experiment) -> Setup:
    """Load what the experiment names; raises an error that says which name or setting is wrong."""
    from cellsearch.known import zoo
    from cellsearch.run.tabled import agree
    from cellsearch.space import load_space
    from cellsearch.strategies import load_strategy
    from cellsearch.strategies.checked import Checked
    from cellsearch.table import find_table, read_table
    from cellsearch.tasks import load_task

    space = load_space(experiment.space.source)
    loaded = [load_task(table.name, **table.settings) for table in experiment.task]
    names = [task.name for task in loaded]
    for position, name in enumerate(names):
        if name in names[:position]:
            raise ExperimentError(
                f"task.{position}: a second task called {name!r}; scores are kept by name, so "
                "each must occur once; search with one of them in a second experiment, or give "
                "arrays of your own another name with the setting 'label'"
            )
    described = [task.describe() for task in loaded]
    levels: Mapping[str, Mapping[str, Any]] = {
        task.name: {"chance": task.chance, "solved": task.solved, "unit": task.unit}
        for task in loaded
    }
    digest = None
    if experiment.evaluation.table is not None:
        path = find_table(experiment.evaluation.table)
        table, digest = read_table(path)
        experiment = agree(experiment, table, path, space, loaded)
        # What it was made on: each release of Python carries another text.
        there = {task["name"]: dict(task) for task in table.tasks}
        described = [there[name] for name in levels]
        levels = {name: table.levels[name] for name in levels}
    for name in experiment.budget.baselines:
        if name not in zoo:
            raise ExperimentError(
                f"budget.baselines: no cell {name!r} in the zoo{nearest(name, zoo, few=3)}; "
                "`cellsearch list cells` shows them all"
            )
    chosen = experiment.strategy
    seed = derive("strategy", experiment.seed)
    control_seed = derive("control", experiment.seed)
    setup = Setup(
        experiment=experiment,
        space=space.to_dict(),
        tasks=described,
        levels=levels,
        baselines={name: zoo[name] for name in experiment.budget.baselines},
        strategy=lambda: Checked(
            load_strategy(chosen.name, space, seed, chosen.settings), chosen.name
        ),
        control=lambda: load_strategy("random", space, control_seed),
        contains=space.contains,
        table=digest,
    )
    # Settings that make no sense, and a space without a cell, are told now, not after the
    # baselines; the run has instances of its own.
    if experiment.budget.control:
        setup.control().ask()
    if setup.strategy().ask() is None:
        raise ExperimentError(
            f"strategy {chosen.name!r} proposes nothing in space {space.name!r}; choose another "
            "one, such as 'random' (strategy.name), or another space"
        )
    if digest is None:
        _check_widths(setup, loaded)
    return setup


def first_seeds(setup: Setup) -> list[str]:
    """Return the names of the space's seeds that the strategy proposes first."""
    names, strategy = seed_names(setup.space), setup.strategy()
    found: list[str] = []
    while len(found) < len(names):
        proposal = strategy.ask()
        if proposal is None or proposal.cell.id not in names:
            break
        found.append(names[proposal.cell.id])
    return found


def warnings(asked: Experiment, setup: Setup) -> list[str]:
    """Return what people should know before it begins of the setup of what they asked for.

    Baselines that the table lacks; a strategy that does not begin with the space's seeds, or cannot
    propose more than these.
    """
    found = []
    lacking = [name for name in asked.budget.baselines if name not in setup.baselines]
    if lacking:
        found.append(f"not among the baselines, as the table lacks them: {', '.join(lacking)}")
    seeds, first = setup.space.get("seeds"), first_seeds(setup)
    if seeds and not first:
        found.append(
            f"{setup.experiment.strategy.name} does not begin with the space's seeds, "
            f"{', '.join(seeds)}; genetic does (strategy.name)"
        )
    budget = setup.experiment.budget
    if budget.candidates is not None:
        drawn = int(budget.candidates * budget.control)
        left = budget.candidates - drawn
        if left and len(first) >= left:
            found.append(
                f"budget.candidates = {budget.candidates} leaves the strategy none to find, beside "
                f"the draws of the control ({drawn}) and the seeds of the space ({left}); raise it"
            )
    return found


def _check_widths(setup: Setup, tasks: Sequence[Task]) -> None:
    """Raise ExperimentError if a baseline cannot be built within the limits."""
    from cellsearch.width import fit_hidden_size

    limits = setup.experiment.evaluation
    for name, cell in setup.baselines.items():
        for task in tasks:
            try:
                fit_hidden_size(
                    cell, task, limits.parameters, limits.max_hidden_size, limits.layers
                )
            except CellError as error:
                raise ExperimentError(f"baseline {name}: {error}") from None
