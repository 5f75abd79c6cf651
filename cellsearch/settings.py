"""The tables of an experiment file: every key, its type, its limits and its default."""

from __future__ import annotations

import math
import re
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator, model_validator

_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}


def parse_memory(value: object) -> int:
    """Return a number of bytes from an integer or from text as ``"2GiB"`` or ``"500 MB"``."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"(\d{1,12}(?:\.\d{1,6})?)\s*([A-Za-z]+)", str(value).strip())
    if not match or match[2] not in _UNITS or not isinstance(value, str):
        raise ValueError(f"a number of bytes such as '2GiB', of {', '.join(_UNITS)}")
    return math.floor(float(match[1]) * _UNITS[match[2]])


class _Table(BaseModel):
    """A table of the file: frozen, strictly typed, unknown keys forbidden."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _OpenTable(_Table):
    """A table whose further keys are the settings of what it names."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    @property
    def settings(self) -> dict[str, Any]:
        """The keys beyond the ones that every such table has."""
        return dict(self.model_extra or {})


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")]
Count = Annotated[int, Field(ge=1)]
Rate = Annotated[float, Field(gt=0.0)]


class ExperimentTable(_Table):
    """Table [experiment]: what the run is called, and the seed of everything in it."""

    name: Name = "experiment"
    seed: int = Field(default=0, ge=0, lt=2**63)


class SpaceTable(_Table):
    """Table [space]: which cells are allowed, by the name of a space or by a file."""

    name: str | None = None
    path: str | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.name is not None and self.path is not None:
            raise ValueError("either 'name' or 'path', not both")
        if "" in (self.name, self.path):
            raise ValueError("a name such as 'gated', or the path of a space's file; found nothing")
        return self

    @property
    def source(self) -> str:
        """The name or the path, whichever stands in the file."""
        return self.path or self.name or "gated"


class StrategyTable(_OpenTable):
    """Table [strategy]: who proposes the cells, with its own settings."""

    name: str = "grow"


class TaskTable(_OpenTable):
    """Table [[task]]: what the cells are trained on, with its own settings."""

    name: str


TABLE_ENDING = ".json.gz"
"""How the file of an evaluation's `table` ends; anything else is a name."""


class EvaluationTable(_Table):
    """Table [evaluation]: how large a cell may be, and how it is trained."""

    parameters: Count = 10_000
    layers: Count = 1
    max_hidden_size: Count = 512
    max_operations: Count = 2_000_000
    steps: Count = 400
    batch_size: Count = 32
    learning_rates: Annotated[tuple[Rate, ...], Field(min_length=1, max_length=16)] = (0.003, 0.01)
    gradient_clip: Rate = 1.0
    timeout: Rate = 120.0
    memory: Annotated[int, BeforeValidator(parse_memory), Field(ge=2**20)] = 2**31
    backend: Literal["auto", "native", "eager", "reference"] = "auto"
    table: str | None = None


class FidelityTable(_Table):
    """Table [fidelity]: when a candidate may be stopped, and which share is kept."""

    rungs: tuple[Count, ...] = ()
    keep: float = Field(default=0.34, gt=0.0, le=1.0)

    @field_validator("rungs", mode="after")
    @classmethod
    def _increasing(cls, rungs: tuple[int, ...]) -> tuple[int, ...]:
        if list(rungs) != sorted(set(rungs)):
            raise ValueError("rungs that increase")
        return rungs


class BudgetTable(_Table):
    """Table [budget]: when the search ends; the first limit that is reached ends it."""

    candidates: Count | None = None
    hours: Rate | None = None
    total_steps: Count | None = None
    control: float = Field(default=0.2, ge=0.0, lt=1.0)
    baselines: tuple[Name, ...] = ("rnn", "lstm", "gru", "mingru")

    @field_validator("baselines", mode="after")
    @classmethod
    def _each_once(cls, baselines: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(baselines)) != len(baselines):
            raise ValueError("each baseline once")
        return baselines


class FinalTable(_Table):
    """Table [final]: how many are trained anew at the end, and how often each."""

    candidates: Count = 5
    replicates: Count = 5


class RunTable(_Table):
    """Table [run]: how far proposals may run ahead of results, and how many work at a time."""

    lag: Count = 16
    workers: Annotated[int, Field(ge=0)] | None = None
