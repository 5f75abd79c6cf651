"""What a command works on: a run folder, a folder that `train` wrote, a cell file, a known cell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cellsearch.cell import Cell
from cellsearch.errors import CellSearchError, nearest
from cellsearch.known import zoo

if TYPE_CHECKING:
    from cellsearch.run import Finalist, Run

WEIGHTS_FILE = "model.safetensors"
"""The weights in a folder that `train` wrote."""


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """A cell, how to call it, and where it comes from.

    `run` is the run it was found in, if any; `weights` maps tasks to files of trained weights,
    those of a run checked against their digests when they are taken.
    """

    cell: Cell
    name: str
    run: Run | None = None
    weights: Mapping[str, Path] = field(default_factory=dict)
    learning_rates: Mapping[str, float] = field(default_factory=dict)


def resolve(text: str, which: str | None = None) -> Target:
    """Return what a command line names; `which` chooses a cell of a run, "best" if not given.

    ``RUN:which`` is the same in one word. Raises CellSearchError if there is no such thing.
    """
    if not text:
        raise CellSearchError("the target's name is empty; expected a folder, a file or a cell")
    path = Path(text)
    if path.is_dir():
        if (path / WEIGHTS_FILE).is_file():
            return _of_training(path)
        return _of_run(path, which or "best")
    folder, colon, chosen = text.rpartition(":")
    if colon and Path(folder).is_dir() and which is None:
        return _of_run(Path(folder), chosen)
    if which is not None:
        raise CellSearchError(f"{text}: not a run folder, so no cell can be chosen with --cell")
    if path.is_file():
        return Target(Cell.read(path), path.stem)
    if text in zoo:
        return Target(zoo[text], text)
    raise CellSearchError(
        f"{text!r} is neither a folder, a cell file nor a known cell{nearest(text, zoo, few=3)}; "
        "`cellsearch list cells` shows the known ones"
    )


def _of_run(folder: Path, which: str) -> Target:
    from cellsearch.run import Baseline, Finalist, open_run

    run = open_run(folder)
    found = run.find(which)
    known = {finalist.cell_id: finalist for finalist in run.finalists}
    finalist = found if isinstance(found, Finalist) else known.get(found.cell_id)
    if finalist is None:
        name = found.name if isinstance(found, Baseline) else f"candidate-{found.index}"
        if not isinstance(found, Baseline | Finalist) and found.is_super_network:
            name += ", a super-network"
        return Target(found.cell, name, run)
    replicates: dict[str, int] = {}
    for task in finalist.losses:
        # The replicate with the lowest loss: any would do, and one has to be taken.
        trained = [
            (evaluation.losses[task], replicate)
            for replicate, evaluation in enumerate(finalist.evaluations)
            if evaluation.status == "ok" and task in finalist.weights[replicate]
        ]
        if trained:
            replicates[task] = min(trained)[1]
    rates = finalist.evaluations[0].learning_rates
    return Target(finalist.cell, finalist.name, run, _Weights(finalist, replicates), rates)


class _Weights(Mapping[str, Path]):
    """The files of a finalist's weights by task; each is checked when it is asked for."""

    def __init__(self, finalist: Finalist, replicates: Mapping[str, int]) -> None:
        self._finalist, self._replicates = finalist, replicates

    def __getitem__(self, task: str) -> Path:
        return self._finalist.weights_file(task, self._replicates[task])

    def __contains__(self, task: object) -> bool:
        return task in self._replicates

    def __iter__(self) -> Iterator[str]:
        return iter(self._replicates)

    def __len__(self) -> int:
        return len(self._replicates)


def _of_training(folder: Path) -> Target:
    from cellsearch.trained import Trained

    trained = Trained.read(folder / WEIGHTS_FILE)
    weights = {trained.task: folder / WEIGHTS_FILE}
    return Target(trained.cell, folder.name, None, weights)
