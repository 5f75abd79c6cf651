"""What a run says of itself: how well rungs predict, which tasks are blind, what was found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cellsearch.experiment import Experiment
from cellsearch.known import zoo
from cellsearch.levels import open_share
from cellsearch.run.finalist import Finalist
from cellsearch.run.records import Baseline, Candidate
from cellsearch.statistics import paired_difference
from cellsearch.statistics import rank_correlation as spearman

_EDGE = 0.02  # as a share of the way from chance to solved: this near counts as there
_REFERENCE = "lstm"
_SEED = "a seed of the space, a known cell that the search begins with"
_RISK = 0.05  # that any of the intervals misses
Levels = Mapping[str, Mapping[str, Any]]


def rank_correlation(
    experiment: Experiment, candidates: Sequence[Candidate]
) -> dict[int, float | None]:
    """Return for each rung before the end how its scores rank candidates as the end does.

    Only candidates that finished count, no super-networks; where rungs stop the others, they were
    chosen by the very score that is correlated, so the number is a careful one. None where it does
    not exist.
    """
    cells = [one for one in candidates if not one.is_super_network]
    finished = [one.result for one in cells if one.result.status == "ok"]
    found: dict[int, float | None] = {}
    for position, steps in enumerate(experiment.fidelity.rungs):
        if steps >= experiment.evaluation.steps:
            continue
        pairs = [
            (one.rung_scores[position], one.score)
            for one in finished
            if one.score is not None and len(one.rung_scores) > position
        ]
        found[steps] = spearman([a for a, _ in pairs], [b for _, b in pairs])
    return found


def uninformative_tasks(
    levels: Levels,
    baselines: Sequence[Baseline],
    finalists: Sequence[Finalist],
) -> dict[str, str]:
    """Return the tasks that all solve, or on which none leaves chance, and which of the two.

    All are the finalists, found ones and baselines, or, while there are none, the baselines.
    """
    who = "finalist" if finalists else "baseline"
    trained: list[Mapping[str, float]] = [one.losses for one in finalists]
    losses = trained or [one.evaluation.losses for one in baselines]
    found: dict[str, str] = {}
    for task, level in levels.items():
        opened = [open_share(one[task], level) for one in losses if task in one]
        if opened and max(opened) <= _EDGE:
            found[task] = f"every {who} solves it"
        elif opened and min(opened) >= 1 - _EDGE:
            found[task] = f"no {who} leaves chance"
    return found


def verdict(
    status: str,
    best: Finalist | None,
    finalists: Sequence[Finalist],
    *,
    levels: Levels,
    proposed: int,
    drawn: int,
) -> str:
    """Say how the best cell compares with the best baseline and with the LSTM, on the same seeds.

    The first sentence stands for itself; the second says how the strategy's best compares with the
    control's: `proposed` cells came from the strategy, without the seeds of the space and
    super-networks, `drawn` ones from the control. Tasks, with their `levels` of chance and solved,
    on which the opposite is sure are named.

    The intervals are Student's, of paired differences, at 95 % for all cells found together: the
    best of several is chosen by the very scores that are compared, so each interval has the
    confidence 1 - 0.05 / count (O. J. Dunn, 1961, "Multiple Comparisons Among Means",
    https://doi.org/10.1080/01621459.1961.10482090).
    """
    if status != "done":
        return "The run is not finished, so nothing can be said yet."
    if best is None:
        return "No candidate finished its training, so the run found no cell."
    found = [one for one in finalists if one.index is not None]
    confidence = 1 - _RISK / len(found)
    chance = _beside_chance(best, found, levels, confidence, proposed, drawn)
    baselines = [one for one in finalists if one.index is None]
    known = zoo.name_of(best.cell_id)
    notes = ["drawn at random"] if best.control else []
    notes += ["a seed of the space"] if best.seed else []
    notes += [f"the known cell {known}"] if known else []
    origin = f" ({', '.join(notes)})" if notes else ""
    title = "The best cell" if best.seed else "The best cell found"
    if not baselines:
        return (
            f"{title}, {best.name}{origin}, scores {best.mean:.4f} (lower is better); "
            f"the run had no baselines to compare it with. {chance}"
        )
    rivals = [baselines[0]]
    rivals += [one for one in baselines[1:] if one.name == _REFERENCE]
    parts = []
    for rival in rivals:
        place = "the best baseline, " if rival is baselines[0] else ""
        parts.append(_compared(best, rival, place, levels, confidence))
    seeds = len(best.scores)
    joint = "; it " if any("cannot be told apart" in part for part in parts) else " and "
    widened = (
        f", intervals widened for the best of {len(found)}" if min(seeds, len(found)) > 1 else ""
    )
    paired = f", over {seeds} paired seeds" if seeds > 1 else ""
    return (
        f"{title}, {best.name}{origin}, scores {best.mean:.4f} (lower is better) "
        f"on the selection split: it {joint.join(parts)}{paired}{widened}. {chance}"
    )


def _beside_chance(
    best: Finalist,
    found: Sequence[Finalist],
    levels: Levels,
    confidence: float,
    proposed: int,
    drawn: int,
) -> str:
    """Say in one sentence how the best cells of strategy and control compare."""
    if best.control or best.seed:
        rival = next((one for one in found if not one.control and not one.seed), None)
        drawn_or_given = f"the best of {drawn} drawn at random" if best.control else _SEED
        origin = f"It is {drawn_or_given}"
        if not proposed:
            return f"{origin}; the strategy proposed nothing of its own."
        if rival is None:
            return f"{origin}; of {proposed} that the strategy proposed none came to the final."
        title = f"the best of {proposed} that the strategy proposed, "
        return f"{origin}: it {_compared(best, rival, title, levels, confidence)}."
    rival = next((one for one in found if one.control), None)
    if rival is not None:
        title = f"the best of {drawn} drawn at random, "
        against = _compared(best, rival, title, levels, confidence)
        return f"It {against}; the strategy proposed {proposed}."
    none = (
        f"Of {drawn} drawn at random none came to the final"
        if drawn
        else "None was drawn at random"
    )
    return f"{none}, so it is open whether the strategy beats chance."


def _compared(
    best: Finalist, rival: Finalist, title: str, levels: Levels, confidence: float
) -> str:
    name = f"{title}{rival.name} ({rival.mean:.4f})"
    gain = paired_difference(rival.scores, best.scores, confidence)
    if not gain.known:
        return f"cannot be told apart from {name} by a single seed"
    shown = f"by {abs(gain.mean):.4f}"
    bounds = sorted((abs(gain.low), abs(gain.high)))
    if gain.contains_zero:
        worse = "better" if gain.mean > 0 else "worse"
        return (
            f"cannot be told apart from {name}: {worse} {shown}, but the 95 % interval of the "
            f"gain, {gain.low:.4f} to {gain.high:.4f}, contains zero"
        )
    verb = "beats" if gain.mean > 0 else "is worse than"
    return (
        f"{verb} {name} {shown} (95 % interval {bounds[0]:.4f} to {bounds[1]:.4f})"
        f"{_disagreeing(best, rival, gain.mean, levels, confidence)}"
    )


def _disagreeing(
    best: Finalist, rival: Finalist, gain: float, levels: Levels, confidence: float
) -> str:
    """Name the tasks on which the opposite holds, by an interval without zero."""
    tasks = []
    for task, level in levels.items():
        theirs, ours = (_scores_on(task, level, one) for one in (rival, best))
        there = paired_difference(theirs, ours, confidence)
        if there.known and not there.contains_zero and there.mean * gain < 0:
            tasks.append(task)
    side = "behind it" if gain > 0 else "ahead of it"
    return f", though {side} on {' and '.join(tasks)}" if tasks else ""


def _scores_on(task: str, level: Mapping[str, Any], finalist: Finalist) -> list[float]:
    """Return the score on one task of every training; 1 for one that failed."""
    return [
        open_share(one.losses[task], level) if one.status == "ok" and task in one.losses else 1.0
        for one in finalist.evaluations
    ]
