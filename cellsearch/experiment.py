"""Experiment files: read, checked, completed by defaults, changed by ``--set``."""

from __future__ import annotations

import json
import math
import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from cellsearch import resources
from cellsearch.errors import ExperimentError, nearest
from cellsearch.settings import (
    TABLE_ENDING,
    BudgetTable,
    EvaluationTable,
    ExperimentTable,
    FidelityTable,
    FinalTable,
    RunTable,
    SpaceTable,
    StrategyTable,
    TaskTable,
)
from cellsearch.space.space import KEYS, TABLES

# What a resumed run may change: how it is computed and how long, never what it computes.
MAY_CHANGE = {
    "run": ("workers",),
    "budget": ("candidates", "hours", "total_steps"),
    "evaluation": ("timeout", "memory"),
}

_INSTEAD = {"name": "path", "path": "name"}  # of what says a space, the one and the other

_SAID_BY_NAME = ("space", "strategy", "experiment")

_EXPECTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "a string in quotes",
    "tuple_type": "a list",
    "model_type": "a table",
    "model_attributes_type": "a table",
    "dict_type": "a table",
    "string_pattern_mismatch": "letters, digits, '_', '.' and '-', at most 64, a letter first",
    "greater_than": "more than {gt}",
    "greater_than_equal": "at least {ge}",
    "less_than": "less than {lt}",
    "less_than_equal": "at most {le}",
    "literal_error": "one of {expected}",
    "too_short": "at least {min_length} of them",
    "too_long": "at most {max_length} of them",
}


class Experiment(BaseModel):
    """All settings of a search, complete and checked; frozen.

    The attributes are the tables of the file, under the same names.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    experiment: ExperimentTable = ExperimentTable()
    space: SpaceTable = SpaceTable(name="gated")
    strategy: StrategyTable = StrategyTable()
    task: Annotated[tuple[TaskTable, ...], Field(min_length=1)]
    evaluation: EvaluationTable = EvaluationTable()
    fidelity: FidelityTable = FidelityTable()
    budget: BudgetTable = BudgetTable(candidates=120)
    final: FinalTable = FinalTable()
    run: RunTable = RunTable()

    @model_validator(mode="after")
    def _rungs_within_steps(self) -> Self:
        said = self.evaluation.table is None or "steps" in self.evaluation.model_fields_set
        if said and self.fidelity.rungs and self.fidelity.rungs[-1] > self.evaluation.steps:
            raise ValueError(
                f"fidelity.rungs of at most evaluation.steps = {self.evaluation.steps}, "
                f"found {self.fidelity.rungs[-1]}; change both, or take none: fidelity.rungs = []"
            )
        return self

    @property
    def name(self) -> str:
        """The name in table [experiment]."""
        return self.experiment.name

    @property
    def seed(self) -> int:
        """The seed in table [experiment]."""
        return self.experiment.seed

    def to_dict(self) -> dict[str, Any]:
        """Return every setting, defaults included, as plain JSON that `load_experiment` reads."""
        data: dict[str, Any] = self.model_dump(mode="json")
        return data

    def identity(self) -> dict[str, Any]:
        """Return the settings that must stay as they are when a run is resumed."""
        data = self.to_dict()
        for table, keys in MAY_CHANGE.items():
            for key in keys:
                data[table].pop(key)
        return data


def load_experiment(
    source: str | Path | Mapping[str, Any],
    overrides: Sequence[str] = (),
    seed: int | None = None,
) -> Experiment:
    """Read an experiment from a file, from the name of one of experiments/, or from a mapping.

    `overrides` are ``KEY=VALUE`` as of ``--set``: dotted keys, numbers index lists, values are TOML
    or else plain text. `seed` replaces the seed of the file. Relative paths are taken from the
    file's folder, those of a mapping or an override from the current one. Raises ExperimentError
    with one line that names the key.
    """
    if isinstance(source, Mapping):
        label, folder, data = "experiment", Path.cwd(), _plain(source, "experiment")
    else:
        path = _find(source)
        label, folder = str(path), path.resolve().parent
        data = _plain(resources.read_toml(path, ExperimentError), label)
        if "operators" in data:
            raise ExperimentError(
                f"{path}: this is a space, not an experiment; search an experiment in it with "
                f"--set space.path={path}"
            )
        if isinstance(data.setdefault("experiment", {}), dict):
            data["experiment"].setdefault("name", path.stem)
    if seed is not None:
        overrides = [*overrides, f"experiment.seed={seed}"]
    _resolve_paths(data, folder)
    for override in overrides:
        _override(data, override)
    _resolve_paths(data, Path.cwd())
    _complete(data)
    try:
        return Experiment.model_validate_json(json.dumps(data), strict=True)
    except ValidationError as error:
        key = _key(error)
        origin = _override_of(key, overrides) or label
        if key == "experiment.seed" and seed is not None:
            origin = "seed"
        elif not key and overrides:  # of several keys together
            origin = f"{label} with --set {' '.join(overrides)}"
        raise ExperimentError(f"{origin}: {_explain(error)}") from None


def _find(source: str | Path) -> Path:
    if not str(source):
        there = ", ".join(resources.names("experiments"))
        raise ExperimentError(f"the experiment's name is empty; expected a file or one of {there}")
    path = Path(source)
    if os.path.isfile(path):  # unlike the methods, False for what cannot be looked at
        return path
    found = resources.find("experiments", str(source))
    if found:
        return found
    known = resources.names("experiments")
    what = "is a folder, not a file" if os.path.isdir(path) else "no such file or experiment"
    raise ExperimentError(
        f"{source}: {what}{nearest(str(source), known)}; known experiments: {', '.join(known)}"
    )


def _plain(data: Mapping[str, Any], label: str) -> dict[str, Any]:
    """Return a copy of plain dicts, lists, text, numbers and truth values; refuse all else."""

    def copy(value: object, key: str, depth: int = 0) -> Any:
        if depth > 32:
            raise ExperimentError(f"{label}: {key[:80]}: nested too deeply")
        if value is None or isinstance(value, str | int):
            return value
        if isinstance(value, float) and math.isfinite(value):
            return value
        if isinstance(value, Path):
            return str(value)
        if isinstance(value, Mapping):
            return {
                str(name): copy(item, f"{key}.{name}" if key else str(name), depth + 1)
                for name, item in value.items()
                if item is not None
            }
        if isinstance(value, list | tuple):
            return [copy(item, f"{key}.{i}", depth + 1) for i, item in enumerate(value)]
        raise ExperimentError(
            f"{label}: {key}: expected text, a finite number, true, false, a list or a table, "
            f"found {_show(value)}"
        )

    result: dict[str, Any] = copy(data, "")
    return result


def _resolve_paths(data: dict[str, Any], folder: Path) -> None:
    """Make the ``path`` of the space and of every task absolute, in place; and a table's file."""
    evaluation = data.get("evaluation")
    if isinstance(evaluation, dict) and str(evaluation.get("table")).endswith(TABLE_ENDING):
        evaluation["table"] = str(folder / os.path.expanduser(str(evaluation["table"])))
    tasks = data.get("task")
    for table in (data.get("space"), *(tasks if isinstance(tasks, list) else ())):
        if isinstance(table, dict) and isinstance(table.get("path"), str):
            table["path"] = str(folder / os.path.expanduser(table["path"]))


def _complete(data: dict[str, Any]) -> None:
    """Fill in, in place, what stands for itself only while nothing else is said."""
    space, budget = data.setdefault("space", {}), data.setdefault("budget", {})
    if isinstance(space, dict) and not {"name", "path"} & set(space):
        space["name"] = "gated"
    if isinstance(budget, dict) and not set(MAY_CHANGE["budget"]) & set(budget):
        budget["candidates"] = 120


def _override(data: dict[str, Any], override: str) -> None:
    """Set one key of the nested data in place, from text as ``evaluation.steps=800``."""
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ExperimentError(f"--set {override}: expected KEY=VALUE, as in evaluation.steps=800")
    place: Any = data
    for depth, part in enumerate(parts):
        last = depth == len(parts) - 1
        where = ".".join(parts[:depth])
        if isinstance(place, dict):
            if last:
                place[part] = _value(text.strip())
                if where == "space" and part in _INSTEAD:
                    place.pop(_INSTEAD[part], None)
            else:
                place = place.setdefault(part, [] if part == "task" else {})
        elif isinstance(place, list):
            if not part.isdecimal() or len(part) > 6 or int(part) > len(place):
                raise ExperimentError(
                    f"--set {override}: '{where}' is a list of {len(place)}; expected a number "
                    f"0..{len(place)} after it, found {part!r}"
                )
            if int(part) == len(place):
                place.append({})
            if last:
                place[int(part)] = _value(text.strip())
            else:
                place = place[int(part)]
        else:
            raise ExperimentError(f"--set {override}: '{where}' is {_show(place)}, not a table")


def _value(text: str) -> Any:
    """Return the text as a TOML value, or as it stands when it is none."""
    try:
        parsed = tomllib.loads(f"value = {text}")
        return text if set(parsed) != {"value"} else _plain(parsed, "--set")["value"]
    except (ValueError, RecursionError, ExperimentError):
        return text


def _override_of(key: str, overrides: Sequence[str]) -> str | None:
    """Return the last ``--set KEY=VALUE`` that set this key, a part of it, or all around it."""
    for override in reversed(overrides):
        name = override.partition("=")[0].strip()
        if f"{key}.".startswith(f"{name}.") or (key and f"{name}.".startswith(f"{key}.")):
            return f"--set {override}"
    return None


def _key(error: ValidationError) -> str:
    """Return the dotted key of the first error; empty for the experiment as a whole."""
    return ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])


def _explain(error: ValidationError) -> str:
    """Return the first error as ``key: expected ..., found ...``, in one line."""
    first = error.errors(include_url=False)[0]
    key = _key(error)
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        known = _known_keys(first["loc"][:-1])
        name = str(first["loc"][-1])
        if first["loc"][0] == "space" and name in (*KEYS, *TABLES):
            return f"{key}: unknown key; {name} stands in the space's file, which space.path says"
        return f"{key}: unknown key{nearest(name, known)}; known here: {', '.join(known)}"
    if kind == "missing":
        missing = "at least one [[task]]" if key == "task" else "a value"
        return f"{key}: expected {missing}, found nothing"
    if kind == "value_error":
        text = str(context["error"])
        where = f"{key}: " if key else ""
        return f"{where}expected {text}" + ("" if "found" in text else _found(first["input"]))
    if kind == "model_type" and key in _SAID_BY_NAME and isinstance(first["input"], str):
        return f"{key}: expected a table; a name is given as {key}.name={first['input'][:60]}"
    expected = _EXPECTED.get(kind, first["msg"]).format(**context)
    return f"{key}: expected {expected}{_found(first['input'])}"


def _known_keys(location: tuple[int | str, ...]) -> tuple[str, ...]:
    model: type[BaseModel] = Experiment
    for part in location:
        annotation = model.model_fields[str(part)].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return ()
        model = annotation
    return tuple(model.model_fields)


def _found(value: object) -> str:
    return f", found {_show(value)}"


def _show(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
