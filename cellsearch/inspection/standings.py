"""The final of a run as rows of text, best first, from the run's plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cellsearch.inspection.written import printable

NOTHING = "-"
"""What stands for a number that does not exist."""
SHORT_ID = 11
"""How much of a cell's id is enough to tell it, and to name it on the command line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One line of the leaderboard, as text.

    `kind` is "found" (by the strategy), "seed" (of the space, a known cell that the strategy began
    with), "random" (drawn for the control) or "baseline"; `name` is the baseline's name or the
    candidate's index. `metrics` has a value for each task, in the
    task's unit; `parameters` and `hidden_size` are ranges where tasks differ.
    """

    rank: str
    name: str
    cell_id: str
    kind: str
    score: str
    interval: str
    metrics: Mapping[str, str]
    parameters: str
    parameters_short: str
    hidden_size: str
    remark: str = ""


def standings(data: Mapping[str, Any]) -> tuple[Standing, ...]:
    """Return the finalists of a run's JSON, lowest score first, those without a score last.

    Equal ones stay in the run's order.
    """
    entries = sorted(data.get("finalists", ()), key=lambda entry: _sortable(entry.get("score")))
    return tuple(_standing(place, entry) for place, entry in enumerate(entries, start=1))


def units(data: Mapping[str, Any]) -> dict[str, str]:
    """Return the tasks of the final and the unit of each one's metric."""
    levels = data.get("run", {}).get("levels", {})
    found = {task: str(level.get("unit", "")) for task, level in levels.items()}
    for entry in data.get("finalists", ()):
        for task in entry.get("metrics", {}):
            found.setdefault(task, "")
    return {one_line(task): one_line(unit) for task, unit in found.items()}


def replicates(data: Mapping[str, Any]) -> int:
    """Return how often each finalist was trained, at most."""
    return max((len(entry.get("scores", ())) for entry in data.get("finalists", ())), default=0)


def number(value: object, form: str = ".4f") -> str:
    """Return a number as text; what is no finite number is "-"."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return NOTHING
    return format(value, form)


def one_line(text: object) -> str:
    """Return text from a run as one line that a terminal can be shown."""
    return printable(" ".join(str(text).split()))


def _standing(place: int, entry: Mapping[str, Any]) -> Standing:
    index, score = entry.get("index"), number(entry.get("score"), ".3f")
    failures, trainings = entry.get("failures", 0), len(entry.get("scores", ()))
    parameters = list(entry.get("parameters", {}).values())
    return Standing(
        rank=NOTHING if score == NOTHING else str(place),
        name=one_line(entry.get("name", NOTHING)) if index is None else f"#{index}",
        cell_id=one_line(entry.get("cell_id", NOTHING)),
        kind=_kind(entry),
        score=score,
        interval=_range(entry.get("interval") or (), ".3f"),
        metrics={
            one_line(task): number(value, ".4g") for task, value in entry.get("metrics", {}).items()
        },
        parameters=_range(_ends(parameters), ",d"),
        parameters_short=_thousands(max(parameters, default=None)),
        hidden_size=_range(_ends(list(entry.get("hidden_size", {}).values())), "d"),
        remark=f"{failures} of {trainings} trainings failed" if failures else "",
    )


def _kind(entry: Mapping[str, Any]) -> str:
    if entry.get("index") is None:
        return "baseline"
    return "random" if entry.get("control") else "seed" if entry.get("seed") else "found"


def _sortable(score: object) -> float:
    return score if isinstance(score, int | float) and math.isfinite(score) else math.inf


def _ends(values: Sequence[int]) -> Sequence[int]:
    return (min(values), max(values)) if values else ()


def _range(ends: Sequence[Any], form: str) -> str:
    texts = [number(end, form) for end in ends]
    if len(texts) != 2 or NOTHING in texts:
        return NOTHING
    return texts[0] if form != ".3f" and texts[0] == texts[1] else f"{texts[0]} - {texts[1]}"


def _thousands(value: int | None) -> str:
    if value is None or value < 1000:
        return number(value, "d")
    return f"{value / 1e6:.3g}M" if value >= 999_500 else f"{value / 1e3:.3g}k"
