"""Starting a run, going on with one, showing a finished one: always the same call."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellsearch.errors import ClusterError, DiskError, ExperimentError, RunError
from cellsearch.experiment import Experiment, load_experiment
from cellsearch.run import machine
from cellsearch.run.difference import tell
from cellsearch.run.driver import BUDGET, Driver, shrunk, too_small
from cellsearch.run.lock import ELSEWHERE, Lock
from cellsearch.run.pool import Pool
from cellsearch.run.progress import Progress, Watch, nobody
from cellsearch.run.run import Run, open_run
from cellsearch.run.schema import Row
from cellsearch.run.setup import Setup, prepare, warnings
from cellsearch.run.signals import Interrupted, Signals
from cellsearch.run.store import Store, make_folder
from cellsearch.tasks import Task

EVALUATE = "cellsearch.evaluation:evaluate"
LOOK_UP = "cellsearch.table:evaluate"
Table = Mapping[str, Any]


def search(
    source: str | Path | Table | None = None,
    *,
    run: str | Path | None = None,
    workers: int | None = None,
    address: str | None = None,
    seed: int | None = None,
    overrides: Sequence[str] = (),
    progress: Watch | None = None,
    name: str | None = None,
    space: str | Path | Table | None = None,
    strategy: str | Table | None = None,
    task: str | Table | Task | Sequence[str | Table | Task] | None = None,
    evaluation: Table | None = None,
    fidelity: Table | None = None,
    budget: Table | None = None,
    final: Table | None = None,
    lag: int | None = None,
) -> Run:
    """Search as an experiment says, and return the run.

    `source` is an experiment file, the name of one, or a mapping of its tables; or else the tables
    are given as keywords, where a plain name stands for a table with that name, a file for a space,
    and a task for its description. `run` is the folder, ``runs/<name>-seed<N>`` if left out: an
    unfinished run in it goes on, a finished one is returned, with a larger budget it goes on from
    there. `workers` is the number of Ray actors, one a core (of this machine, or of the cluster at
    `address`) if left out; 0 evaluates in this process, without Ray, as is always done where the
    experiment names a table.

    Raises CellSearchError for bad input, and Interrupted (a KeyboardInterrupt) that says how to go
    on.
    """
    tables = {
        "experiment": None if name is None else {"name": name},
        "space": _space(space),
        "strategy": _strategy(strategy),
        "task": _tasks(task),
        "evaluation": evaluation,
        "fidelity": fidelity,
        "budget": budget,
        "final": final,
        "run": None if lag is None else {"lag": lag},
    }
    given = {key: value for key, value in tables.items() if value is not None}
    if source is not None and given:
        raise ExperimentError(
            f"search: got an experiment and {', '.join(given)} as well; expected one of both; "
            "single keys of an experiment are changed by overrides=['evaluation.steps=800']"
        )
    experiment = load_experiment(given if source is None else source, overrides, seed)
    folder = Path(run) if run is not None else default_folder(experiment)
    if workers is None:
        workers = experiment.run.workers
    if workers is None and address is None:
        workers = machine.cpu_count()
    if workers is not None and workers < 0:
        raise ExperimentError(f"workers is {workers}; expected 0 (no Ray) or more")
    if workers == 0 and address is not None:
        raise ExperimentError(
            f"address is {address!r} and workers is 0, which is no Ray; leave one of them out"
        )
    tabled = experiment.evaluation.table is not None
    if tabled:
        workers = 0
    signals = Signals()

    def make_pool() -> Pool:
        if tabled or (workers == 0 and address is None):
            from cellsearch.run.serial import SerialPool
            from cellsearch.run.worker import load_evaluate

            return SerialPool(load_evaluate(LOOK_UP if tabled else EVALUATE), signals.stopped)
        from cellsearch.run.ray_pool import RayPool

        return RayPool(workers, address, EVALUATE)

    watch = progress or nobody
    if workers and 4 * workers > experiment.run.lag + 3:
        watch(
            Progress(
                notice=f"{workers} workers may idle with run.lag = {experiment.run.lag}; "
                f"a lag of {4 * workers} keeps them busy (the lag is part of what a run is)"
            )
        )
    setup = prepare(experiment)
    for warning in warnings(experiment, setup):
        watch(Progress(notice=warning))
    again = _command(source, folder, workers, address, seed, overrides)
    return execute(setup, folder, make_pool, signals, watch=watch, again=again)


def default_folder(experiment: Experiment) -> Path:
    """Return ``runs/<name>-seed<N>``."""
    return Path("runs") / f"{experiment.name}-seed{experiment.seed}"


def execute(
    setup: Setup,
    folder: Path,
    make_pool: Callable[[], Pool],
    signals: Signals,
    *,
    watch: Watch = nobody,
    again: str = "the same call",
) -> Run:
    """Bring the run in the folder to its end, whatever state it is in, and return it.

    `again` is what people are told to do to go on with a run that was broken off.
    """
    if Store.exists(folder) and _look(setup, folder):
        return open_run(folder)
    make_folder(folder)
    held = Lock(folder)
    try:
        with signals:
            _drive(setup, folder, make_pool, watch)
    except KeyboardInterrupt:
        raise Interrupted(f"stopped; everything finished is kept. To go on: {again}") from None
    except (DiskError, ClusterError) as error:
        raise type(error)(f"{error}; everything finished is kept. To go on: {again}") from None
    finally:
        held.release()
    return open_run(folder)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a search would do with the run that a folder holds; `finished` if nothing at all."""

    finished: bool
    sentence: str


def outlook(setup: Setup, folder: Path) -> Outlook | None:
    """Say what a search would do with the run that the folder holds, None if it holds none.

    Raises RunError if a search would refuse: a run of another experiment, or too small a budget.
    """
    if not Store.exists(folder):
        return None
    finished = _look(setup, folder)
    found = open_run(folder)
    held = f"{len(found.candidates)} candidate{'' if len(found.candidates) == 1 else 's'}"
    if finished:
        return Outlook(True, f"{folder}: is finished, with {held}; a search shows it")
    least = too_small(found.candidates, setup.experiment)
    if least:
        raise shrunk(folder, found.candidates, least)
    if found.status == "running":
        why = "another process is working on it; until it ends, a search is refused"
        return Outlook(False, f"{folder}: holds {held} so far; {why}")
    before = "is finished with" if found.status == "done" else "is not finished and holds"
    return Outlook(False, f"{folder}: {before} {held}; a search goes on from there")


def _look(setup: Setup, folder: Path) -> bool:
    """Say whether nothing is left to do in a folder; see `_is_finished`."""
    reader = Store.read(folder)
    try:
        return _is_finished(setup, folder, reader.meta())
    finally:
        reader.close()


def _drive(setup: Setup, folder: Path, make_pool: Callable[[], Pool], watch: Watch) -> None:
    experiment = setup.experiment.to_dict()
    here = machine.describe()
    if Store.exists(folder):
        store = Store.open(folder)
    else:
        store = Store.create(
            folder,
            {
                "identity": setup.identity(),
                "experiment": experiment,
                "levels": {task: dict(level) for task, level in setup.levels.items()},
                "sessions": [],
                "elapsed": 0.0,
                "done": None,
            },
        )
    try:
        meta = store.meta()
        if _is_finished(setup, folder, meta):  # by another process, a moment ago
            return
        for session in meta["sessions"][-1:]:
            if session["cpu"] != here["cpu"]:
                watch(
                    Progress(
                        notice=f"begun on {session['cpu']}, goes on on {here['cpu']}: equal "
                        "numbers are promised on equal processors only"
                    )
                )
        opening = (
            Row("meta", ("experiment",), experiment),
            Row("meta", ("sessions",), [*meta["sessions"], here][-100:]),
            Row("meta", ("done",), None),
        )
        driver = Driver(setup, store, make_pool, opening=opening, watch=watch)
        try:
            driver.run()
        finally:
            driver.close()
    finally:
        store.close()


def _is_finished(setup: Setup, folder: Path, meta: Mapping[str, Any]) -> bool:
    """Say whether nothing is left to do; raise RunError if the run is one of something else."""
    difference = tell(meta["identity"], json.loads(json.dumps(setup.identity())))
    if difference:
        key, before, now = difference
        if key.startswith("task.") and key.endswith(".sha256"):
            path = setup.tasks[int(key.split(".")[1])].get("path") or "the built-in data"
            raise RunError(
                f"{folder}: is a run of other data: {path} has changed since, or is another file "
                f"({key} was {before}, is now {now}); restore it, or {ELSEWHERE}"
            )
        again = f"--set {key}={before} or " if key == "evaluation.backend" else ""
        raise RunError(
            f"{folder}: is a run of another experiment: {key} is {before} there and {now} "
            f"here; only workers, address, budget.{', budget.'.join(BUDGET)}, timeout and memory "
            f"may change; "
            f"{again}{ELSEWHERE}"
        )
    budget = setup.experiment.budget.model_dump(mode="json")
    return bool(meta["done"]) and meta["done"]["budget"] == {key: budget[key] for key in BUDGET}


def _space(space: str | Path | Table | None) -> Table | None:
    if isinstance(space, str | Path):
        return {"path" if Path(space).suffix == ".toml" else "name": str(space)}
    return _as_table("space", space, "'gated', or its file, such as 'mine.toml'")


def _strategy(strategy: str | Table | None) -> Table | None:
    if isinstance(strategy, str):
        return {"name": strategy}
    return _as_table(
        "strategy", strategy, "'genetic', or with settings {'name': 'genetic', 'population': 30}"
    )


def _as_table(key: str, value: object, such_as: str) -> Table | None:
    if value is None or isinstance(value, Mapping):
        return value
    found = type(value).__name__
    raise ExperimentError(f"search: {key}: expected its name, such as {such_as}; found a {found}")


def _tasks(task: str | Table | Task | Sequence[str | Table | Task] | None) -> list[Table] | None:
    if task is None:
        return None
    if isinstance(task, str) or not isinstance(task, Sequence):
        return [_table(task)]
    return [_table(one) for one in task]


def _table(task: str | Table | Task) -> Table:
    if isinstance(task, Task):
        return task.describe()
    return {"name": task} if isinstance(task, str) else task


def _command(
    source: str | Path | Table | None,
    folder: Path,
    workers: int | None,
    address: str | None,
    seed: int | None,
    overrides: Sequence[str],
) -> str:
    if not isinstance(source, str | Path):
        return f"the same call with run={str(folder)!r}"
    words = ["cellsearch", "search", str(source), "--run", str(folder)]
    if workers is not None:
        words += ["--workers", str(workers)]
    if address is not None:
        words += ["--address", address]
    if seed is not None:
        words += ["--seed", str(seed)]
    for override in overrides:
        words += ["--set", override]
    return shlex.join(words)
