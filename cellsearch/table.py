"""Tables: spaces that were trained completely, so that strategies run against them in seconds.

As NAS-Bench-101 is for networks of images: Ying, Klein, Christiansen, Real, Murphy and Hutter,
2019, "NAS-Bench-101: Towards Reproducible Neural Architecture Search",
https://arxiv.org/abs/1902.09635.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    NonNegativeInt,
    PositiveInt,
    ValidationError,
)

from cellsearch import files, resources
from cellsearch.cell import Cell
from cellsearch.errors import CellError, ExperimentError, nearest
from cellsearch.levels import open_share
from cellsearch.settings import TABLE_ENDING, EvaluationTable, Name
from cellsearch.strategies.base import Evaluation

MAX_BYTES = 2**28
"""Most bytes of a table, unpacked."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Training(_Part):
    """One training of a cell on all tasks, with one seed.

    `losses` are those on the validation split, by task, at the table's moments; after a divergence
    there are fewer. `steps` are of all tasks together.
    """

    status: Literal["ok", "diverged", "out_of_memory", "timeout", "crashed", "rejected"]
    steps: NonNegativeInt
    losses: Mapping[str, tuple[Annotated[FiniteFloat, Field(ge=0)], ...]]


class TableCell(_Part):
    """A cell, how large it was built for each task, and its trainings, one a seed.

    `operations` are those of one training to the end, by task.
    """

    id: str
    cell: str
    hidden_size: Mapping[str, PositiveInt]
    parameters: Mapping[str, PositiveInt]
    operations: Mapping[str, NonNegativeInt]
    trainings: tuple[Training, ...]


class Table(_Part):
    """What training every cell of a space gave.

    `moments` are the training steps after which losses were taken, the end last; `tasks` the
    descriptions of the tasks and `levels` their chance and solved level; `evaluation` the settings
    that all trainings had in common; `seconds` the time that workers spent on all of them,
    `machines` where they ran.
    """

    version: Literal[1]
    name: Name
    space: Mapping[str, Any]
    tasks: Annotated[tuple[Mapping[str, Any], ...], Field(min_length=1)]
    levels: Mapping[str, Mapping[str, FiniteFloat | str]]
    evaluation: Mapping[str, Any]
    moments: tuple[int, ...]
    seeds: int
    seconds: Annotated[FiniteFloat, Field(ge=0)]
    machines: tuple[Mapping[str, Any], ...]
    cells: tuple[TableCell, ...]

    @cached_property
    def places(self) -> Mapping[str, TableCell]:
        """The cells by their ids."""
        return {cell.id: cell for cell in self.cells}

    def order(self, seed: int) -> list[int]:
        """Return the table's seeds as a run with this seed takes them: search first, final last."""
        return [(seed + place) % self.seeds for place in range(self.seeds)]

    def open_shares(self, cell: TableCell, seed: int, tasks: Sequence[str]) -> tuple[float, ...]:
        """Return the scores over some tasks at each moment that a training came to."""
        found = []
        for losses in zip(*(cell.trainings[seed].losses[task] for task in tasks), strict=False):
            pairs = zip(tasks, losses, strict=True)
            shares = [open_share(loss, self.levels[task]) for task, loss in pairs]
            found.append(sum(shares) / len(shares))
        return tuple(found)

    def pack(self) -> bytes:
        """Return the table as the content of a file; equal tables give equal bytes."""
        return gzip.compress(self.model_dump_json().encode(), mtime=0)

    def write(self, path: Path) -> None:
        """Write the table's file."""
        files.write(path, self.pack())


def find_table(name: str) -> Path:
    """Return the file of a table: one that comes along, by its name, or the path of a file.

    Raises ExperimentError if there is none.
    """
    path = Path(name)
    if name.endswith(TABLE_ENDING):
        if os.path.isfile(path):
            return path
        what = "is a folder, not a file" if os.path.isdir(path) else "no such file"
        raise ExperimentError(f"evaluation.table: {name}: {what}")
    folder = resources.folder_path("experiments") / "tables"
    known = sorted(
        found.name.removesuffix(TABLE_ENDING) for found in folder.glob(f"*{TABLE_ENDING}")
    )
    if name in known:
        return folder / f"{name}{TABLE_ENDING}"
    raise ExperimentError(
        f"evaluation.table: no table is called {name!r}{nearest(name, known)}; there are"
        f" {', '.join(known)}; a file of your own ends in {TABLE_ENDING}"
    )


def read_table(path: Path) -> tuple[Table, str]:
    """Return the table in a file, and the file's SHA-256 digest.

    Raises ExperimentError that names the file, if it cannot be read or holds something else.
    """
    try:
        stat = path.stat()
        return _read(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read: {error.strerror}") from None


@lru_cache(maxsize=4)
def _read(path: Path, changed: int, size: int) -> tuple[Table, str]:
    """Read a file once for all its candidates, and once more when it has changed."""
    packed = path.read_bytes()
    table, problem = _unpack(packed)
    if table is None or problem:
        raise ExperimentError(
            f"{path}: is no table: {problem}; restore the file, or search against another"
        )
    return table, hashlib.sha256(packed).hexdigest()


def _unpack(packed: bytes) -> tuple[Table | None, str]:
    """Return the table in a file's content, or what is wrong with it."""
    try:
        unpacker = zlib.decompressobj(wbits=31)
        data = unpacker.decompress(packed, MAX_BYTES)
    except zlib.error:
        return None, "it is not packed by gzip, or damaged"
    if not unpacker.eof or unpacker.unused_data:
        end = "goes on behind its end" if unpacker.eof else "is cut off"
        return None, f"it {end}, or unpacks to more than {MAX_BYTES} bytes"
    prefix = ""
    try:
        table = Table.model_validate_json(data)
        prefix = "evaluation."
        EvaluationTable.model_validate_json(json.dumps(dict(table.evaluation)))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = prefix + ".".join(map(str, first["loc"]))
        return None, f"{where}: {first['msg']}" if where else str(first["msg"])
    return table, next(_problems(table), "")


def _problems(table: Table) -> Iterator[str]:
    """Yield what does not fit together, each in one sentence."""
    if not table.moments or sorted({0, *table.moments}) != [0, *table.moments]:
        yield f"moments are {list(table.moments)}; expected training steps that increase"
    if table.seeds < 1:
        yield f"seeds is {table.seeds}; expected at least 1"
    names = [str(task.get("name")) for task in table.tasks]
    if len(set(names)) < len(names) or {*names} != {*table.levels}:
        yield f"tasks are {names}, levels those of {[*table.levels]}; expected the same, once each"
    for name, level in table.levels.items():
        chance, solved = level.get("chance"), level.get("solved")
        if not isinstance(chance, float) or not isinstance(solved, float) or chance <= solved:
            yield f"levels.{name} are {dict(level)}; expected 'chance', and 'solved', which is less"
    if len(table.places) < len(table.cells) or not table.cells:
        yield f"{len(table.cells)} cells have {len(table.places)} ids; expected one each"
    for cell in table.cells:
        parts = (cell.hidden_size, cell.parameters, cell.operations)
        given = [*parts, *(training.losses for training in cell.trainings)]
        if len(cell.trainings) != table.seeds or any({*one} != {*names} for one in given):
            yield f"cell {cell.id} lacks seeds or tasks"
        for training in cell.trainings:
            counts, every = [*map(len, training.losses.values())], len(table.moments)
            whole = set(counts) == {every}
            if len({*counts}) != 1 or counts[0] > every or whole != (training.status == "ok"):
                at = f"{' and '.join(map(str, sorted({*counts})))} of {every} moments"
                yield f"cell {cell.id} is {training.status!r} with losses at {at}"
            steps = table.moments[-1] * len(names)
            if training.steps > steps or (training.steps < steps and training.status == "ok"):
                yield (
                    f"cell {cell.id} is {training.status!r} with {training.steps} training steps;"
                    f" all of one are {steps}"
                )
    for cell in table.cells:
        try:
            known = Cell.parse(cell.cell).id
        except CellError as error:
            known = f"none ({error})"
        if known != cell.id:
            yield (
                f"the cell at {cell.id} is {known}: the table was made by another version of"
                " cellsearch, or is damaged"
            )


def evaluate(job: Mapping[str, Any]) -> dict[str, Any]:
    """Look a candidate up, as `cellsearch.evaluation.evaluate` would train it.

    A search sees the first seeds of `Table.order`, replicate by replicate, finals the last ones.
    """
    table, _ = read_table(Path(job["settings"]["table"]))
    return {"evaluation": _look_up(table, job).to_json(), "weights": {}}


def _look_up(table: Table, job: Mapping[str, Any]) -> Evaluation:
    settings, replicate = job["settings"], int(job["replicate"])
    final = job["kind"] == "final"
    order, kept = table.order(job["seed"]), settings["final_seeds"]
    given = order[-kept:] if final else order[:-kept]
    if job["width_of"] or job["measure"]:
        return _rejected("a table holds cells as they are; nothing can be measured in it")
    if replicate >= len(given):
        there = f"{len(given)} seed{'' if len(given) == 1 else 's'}"
        return _rejected(f"the table has {there} for this; asked for one more")
    found = table.places.get(Cell.parse(job["cell"]).id)
    if found is None:
        return _rejected(f"the table {table.name} does not have this cell")
    return recall(
        table,
        found,
        given[replicate],
        tasks=[task["name"] for task in job["tasks"]],
        steps=settings["steps"],
        rungs=job["rungs"],
        thresholds=job["thresholds"],
    )


def recall(
    table: Table,
    cell: TableCell,
    seed: int,
    *,
    tasks: Sequence[str],
    steps: int,
    rungs: Sequence[int] = (),
    thresholds: Sequence[float | None] = (),
) -> Evaluation:
    """Return what a training in the table gave after `steps`, or at the rung that stops it.

    Steps and rungs are among the table's moments, and there is a threshold or None for each rung. A
    training that failed on one of the table's tasks failed, also if that is not among `tasks`.
    """
    training, scores = cell.trainings[seed], table.open_shares(cell, seed, tasks)
    passed: list[int] = []

    def told(status: str, moment: int, place: int | None) -> Evaluation:
        spent = moment * len(tasks)
        if place is None:
            spent = min(spent, training.steps * len(tasks) // len(table.tasks))
        return Evaluation(
            status=status,
            score=None if place is None else scores[place],
            rung_scores=tuple(scores[rung] for rung in passed),
            rung_losses={task: tuple(training.losses[task][r] for r in passed) for task in tasks},
            losses={} if place is None else {task: training.losses[task][place] for task in tasks},
            parameters={task: cell.parameters[task] for task in tasks},
            hidden_size={task: cell.hidden_size[task] for task in tasks},
            operations=sum(cell.operations[task] for task in tasks)
            * spent
            // (table.moments[-1] * len(tasks)),
            steps=spent,
        )

    limits = dict(zip(rungs, thresholds, strict=True))
    for moment in sorted({*rungs, steps}):
        place = table.moments.index(moment)
        if place >= len(scores):
            return told(training.status, moment, None)
        limit = limits.get(moment)
        passed += [place] if moment in limits else []
        if moment < steps and limit is not None and scores[place] > limit:
            return told("stopped", moment, place)
    return told("ok", steps, place)


def _rejected(message: str) -> Evaluation:
    return Evaluation(status="rejected", message=message)
