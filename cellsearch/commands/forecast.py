"""``cellsearch search --dry-run``: what a search would do, and about how long it would take."""

from __future__ import annotations

import math
import sys
import time
from pathlib import Path

from rich.table import Table

from cellsearch.cell import Cell
from cellsearch.commands.show import console
from cellsearch.errors import CellError, ExperimentError
from cellsearch.experiment import Experiment
from cellsearch.model import make_network
from cellsearch.run.launch import default_folder, outlook
from cellsearch.run.machine import cpu_count
from cellsearch.run.setup import first_seeds, prepare, warnings
from cellsearch.tasks import Task, load_task
from cellsearch.training import Training, one_thread
from cellsearch.width import fit_hidden_size, model_parameters, step_operations

_TIMED_STEPS = 8
_SUPER = "super-network"
_LOSSES = {"classification": "cross entropy in nats", "regression": "mean squared error"}


def show_forecast(experiment: Experiment, workers: int | None, run: Path | None = None) -> None:
    """Print the plan of an experiment and an estimate from a few timed training steps.

    Of a run that the folder holds already it says what would become of it. Raises CellSearchError
    for everything that the search itself would refuse.
    """
    setup = prepare(experiment)
    told = warnings(experiment, setup)
    experiment = setup.experiment
    workers = experiment.run.workers if workers is None else workers
    if workers is not None and workers < 0:
        raise ExperimentError(f"workers is {workers}; expected 0 (no Ray) or more")
    there = outlook(setup, run or default_folder(experiment))
    tasks = [load_task(table.name, **table.settings) for table in experiment.task]
    out = console()
    if there is not None:
        out.print(there.sentence, soft_wrap=True)
    budget, final = experiment.budget, experiment.final
    limits = [
        f"{value:g} {name}"
        for name, value in (
            ("candidates", budget.candidates),
            ("hours", budget.hours),
            ("training steps", budget.total_steps),
        )
        if value is not None
    ]
    out.print(
        f"{experiment.name}, seed {experiment.seed}: {experiment.strategy.name} in space "
        f"{setup.space.get('name', experiment.space.source)}, {' or '.join(limits)}, "
        f"{budget.control:.0%} of them drawn at random as control"
    )
    seeds = first_seeds(setup)
    if seeds:
        begin = f"{experiment.strategy.name} begins with {len(seeds)} of the space's seeds"
        out.print(f"{begin}: {', '.join(seeds)}")
    for task in tasks:
        level = setup.levels[task.name]
        out.print(
            f"task {task.name}: judged in {task.unit}; a {_LOSSES[task.objective]} of "
            f"{level['chance']:.4g} is chance, {level['solved']:.4g} is solved"
        )
    if there is not None and there.finished:
        return
    for warning in told:
        print(warning, file=sys.stderr)
    if setup.table is not None:
        out.print(
            f"candidates are looked up in {experiment.evaluation.table}, not trained: a matter of"
            " seconds",
            soft_wrap=True,
        )
        return
    table = Table("", *(f"{task.name}: hidden, parameters, ms a step" for task in tasks))
    seconds = {}  # of one training step on every task
    timed = {name: (cell, cell) for name, cell in setup.baselines.items()}
    first = setup.strategy().ask()
    if first is not None and first.width_of is not None:
        timed[_SUPER] = (first.cell, first.width_of)
    for name, (cell, as_wide_as) in timed.items():
        row, total = [], 0.0
        for task in tasks:
            what = name if name == _SUPER else f"baseline {name}"
            size = _hidden_size(what, as_wide_as, task, experiment)
            over = _over_limit(cell, size, task, experiment)
            if over and name == _SUPER:
                raise ExperimentError(f"{what}: {over}; raise that limit, or lower strategy.slots")
            if over:
                print(f"{what}: {over}", file=sys.stderr)
            took = _timed(cell, size, task, experiment)
            total += took
            count = model_parameters(cell, task, size, experiment.evaluation.layers)
            row.append(f"{size}, {count}, {1000 * took:.1f}")
        seconds[name] = total
        table.add_row(name, *row)
    out.print(table)
    count = cpu_count() if workers is None else max(1, workers)
    if not setup.baselines or (budget.candidates is None and budget.total_steps is None):
        out.print(
            "No estimate: it needs baselines to time, and a number of candidates or training steps."
        )
        return
    baselines = len(setup.baselines)
    searched, rest = _steps(experiment, baselines)
    whole = "" if there is None else "The whole run: "
    # What is searched is rather larger than the plain baselines, hence the slowest; of the steps
    # of a search with super-networks, about a third are theirs.
    usual = max(time for name, time in seconds.items() if name != _SUPER)
    each = (2 * usual + seconds[_SUPER]) / 3 if _SUPER in seconds else usual
    most = math.inf if budget.hours is None else budget.hours * 3600
    minutes = max(1, round((min(searched * each / count, most) + rest * usual / count) / 60))
    out.print(
        f"{whole}{searched + rest:,} training steps on every task with {count} "
        f"worker{'s' if count != 1 else ''}: "
        f"about {minutes} minute{'s' if minutes != 1 else ''}, more or less by half; finals: "
        f"{final.candidates} cell{'s' if final.candidates != 1 else ''}, the best of the control "
        f"and {baselines} baseline{'s' if baselines != 1 else ''}, {final.replicates} "
        f"time{'s' if final.replicates != 1 else ''} each"
    )


def _hidden_size(name: str, cell: Cell, task: Task, experiment: Experiment) -> int:
    settings = experiment.evaluation
    try:
        return fit_hidden_size(
            cell, task, settings.parameters, settings.max_hidden_size, settings.layers
        )
    except CellError as error:
        raise ExperimentError(f"{name}: {error}") from None


def _over_limit(cell: Cell, size: int, task: Task, experiment: Experiment) -> str | None:
    settings = experiment.evaluation
    operations = step_operations(cell, task, size, settings.layers)
    if operations <= settings.max_operations:
        return None
    return (
        f"{operations} operations a step on task {task.name!r} are refused, as"
        f" evaluation.max_operations is {settings.max_operations}"
    )


def _timed(cell: Cell, size: int, task: Task, experiment: Experiment) -> float:
    """Return the seconds of one training step."""
    settings = experiment.evaluation
    training = Training(
        make_network(cell, task, size, settings.layers, backend=settings.backend),
        task,
        settings.learning_rates[0],
        settings.batch_size,
        settings.gradient_clip,
        data_seed=0,
    )
    with one_thread():
        training.step()
        begin = time.perf_counter()
        for _ in range(_TIMED_STEPS):
            training.step()
        return (time.perf_counter() - begin) / _TIMED_STEPS


def _steps(experiment: Experiment, baselines: int) -> tuple[int, int]:
    """Return about how many training steps on every task the candidates take, and all others."""
    end = experiment.evaluation.steps
    rates = len(experiment.evaluation.learning_rates)
    rungs = [rung for rung in experiment.fidelity.rungs if rung < end]
    first = rungs[0] if rungs else end
    whole = rates * first + end - first
    expected, reached, share = float(rates * first), first, 1.0
    for rung in [*rungs[1:], end]:
        share *= experiment.fidelity.keep if rungs else 1.0
        expected += share * (rung - reached)
        reached = rung
    budget = experiment.budget
    most = math.inf if budget.total_steps is None else budget.total_steps / len(experiment.task)
    if budget.candidates is not None:
        free = min(budget.candidates, experiment.run.lag)  # nothing is known yet to stop these by
        most = min(most, free * whole + (budget.candidates - free) * expected)
    finals = (experiment.final.candidates + 1 + baselines) * experiment.final.replicates * end
    return int(most), int(baselines * whole + finals)
