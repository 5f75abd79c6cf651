"""Specification of pruning: what goes, who competes, and which cells come of it."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from statistics import fmean
from typing import Any

import pytest
from gates_left import alive, gates

from cellsearch.cell import Cell
from cellsearch.errors import ExperimentError
from cellsearch.known import zoo
from cellsearch.space import Space, load_space
from cellsearch.space.full import full_cell
from cellsearch.strategies import Evaluation, Proposal, Prune, load_strategy
from cellsearch.strategies.prune import BARREN
from cellsearch.strategies.remains import REACH, Remains

MINIMAL, GATED, NLP = map(load_space, ("minimal", "gated", "nas_bench_nlp"))
VARIED = "from disturbed saliencies of a good cell"
Answer = Callable[[Proposal], Evaluation]


def saliency(proposal: Proposal) -> dict[str, float]:
    """Make up saliencies that depend on the proposal alone."""
    rng = random.Random(f"{proposal.cell.id} {proposal.replicate}")
    return {gate: rng.random() for gate in gates(proposal.cell)}


def ended(proposal: Proposal) -> bool:
    """Say whether a cell is one that a search ended in."""
    return proposal.note.startswith("what search")


def operators(cell: Cell) -> int:
    return sum(node.op not in ("x", "state", "number") for node in cell.normal.nodes)


def judge(proposal: Proposal) -> Evaluation:
    if proposal.width_of is None:
        return Evaluation(status="ok", score=0.5)
    score = random.Random(f"{proposal.cell.id} {proposal.replicate} score").random()
    return Evaluation(status="ok", score=score, measured=saliency(proposal))


def diverge(proposal: Proposal) -> Evaluation:
    return Evaluation(status="diverged", message="not finite at step 3")


def play(strategy: Prune, count: int, answer: Answer = judge, lag: int = 8) -> list[Proposal]:
    """Ask for up to `count` proposals, each when all but `lag` results before it are told."""
    asked: list[Proposal] = []
    waiting: list[Proposal] = []
    while len(asked) < count:
        proposal = strategy.ask() if len(waiting) < lag else None
        if proposal is not None:
            asked.append(proposal)
            waiting.append(proposal)
        elif waiting:
            first = waiting.pop(0)
            strategy.tell(first, answer(first))
        else:
            break
    return asked


def prune(space: Space = MINIMAL, seed: int = 0, slots: int = 2, **settings: Any) -> Prune:
    """Return the strategy with a full cell and a target that are small, for several rounds."""
    few = {"target": 3, "drop": 0.5, "competitors": 2}
    return Prune(space, seed=seed, slots=slots, **{**few, **settings})


def test_the_least_salient_go_and_the_rest_is_what_is_proposed_next() -> None:
    strategy = prune(competitors=1, searches=1, drop=0.3)
    full = strategy.ask()
    assert full is not None and full.width_of is zoo["gru"] and full.measure == ("saliency",)
    values = saliency(full)
    strategy.tell(full, Evaluation(status="ok", score=0.5, measured=values))
    child = strategy.ask()
    assert child is not None and child.parents == (0,)
    expected: set[str] | None = {gate.removesuffix(".weight") for gate in values}
    whole = full_cell(MINIMAL, 2)
    most = int(len(whole) * 0.7)
    gone: set[str] = set()
    for gate in sorted(values, key=values.__getitem__):
        assert expected is not None
        if len(expected) > most and gate.removesuffix(".weight") in expected:
            less = alive(whole, gone | {gate.removesuffix(".weight")})
            if less is not None:
                gone, expected = gone | {gate.removesuffix(".weight")}, less
    assert expected is not None
    assert gates(child.cell) == sorted(f"{gate}.weight" for gate in expected)


@pytest.mark.parametrize("space", [MINIMAL, GATED, NLP], ids=lambda space: space.name)
@pytest.mark.parametrize("lag", [1, 16])
def test_searches_end_in_cells_of_the_space(space: Space, lag: int) -> None:
    found = play(prune(space, slots=3, target=9, competitors=1), 60, lag=lag)
    cells = [one for one in found if one.width_of is None]
    assert len(cells) >= 12
    for one in cells:
        assert space.contains(one.cell) is None and not one.measure
        assert operators(one.cell) <= 9
    assert all(found[one.parents[0]].width_of is not None for one in cells if ended(one))
    evaluated = [(one.cell.id, one.replicate, one.width_of is None) for one in found]
    assert len(set(evaluated)) == len(evaluated)


def test_the_best_cell_so_far_is_trained_again_from_other_seeds() -> None:
    strategy, firsts = prune(slots=3, target=9, replicates=3), iter(range(99, 0, -1))
    told: dict[str, list[float]] = {}
    again = 0
    for _ in range(60):
        best = min(told, key=lambda cell: fmean(told[cell]), default=None)
        proposal = strategy.ask()
        assert proposal is not None
        if proposal.width_of is not None:
            strategy.tell(proposal, judge(proposal))
        else:
            if proposal.replicate:
                assert proposal.cell.id == best and len(told[best]) == proposal.replicate
                again += 1
            score = 0.9 if proposal.replicate else next(firsts) / 100  # the first was luck
            told.setdefault(proposal.cell.id, []).append(score)
            strategy.tell(proposal, Evaluation(status="ok", score=score))
        if best and (proposal.note == VARIED or ", round 0:" in proposal.note):
            assert len(told[best]) == 3  # before anything else is begun
    assert again > 5


def test_where_a_further_training_is_refused_none_is_asked_for() -> None:
    def answer(proposal: Proposal) -> Evaluation:
        if proposal.replicate and proposal.width_of is None:
            return Evaluation(status="rejected", message="a table has no more")
        return judge(proposal)

    found = play(prune(slots=3, target=9, replicates=3), 60, answer, lag=1)
    assert sum(bool(one.replicate) for one in found if one.width_of is None) == 1


def test_a_cell_is_trained_again_only_when_its_results_are_there() -> None:
    strategy = prune(slots=3, target=9, replicates=4)
    waiting: list[Proposal] = []
    told: Counter[str] = Counter()
    again = 0
    for _ in range(120):
        proposal = strategy.ask() if len(waiting) < 8 else None
        if proposal is not None:
            waiting.append(proposal)
            if proposal.replicate and proposal.width_of is None:
                assert told[proposal.cell.id] == proposal.replicate
                again += 1
        else:
            first = waiting.pop(0)
            told[first.cell.id] += 1
            score = random.Random(f"{first.cell.id} {first.replicate}").random()
            strategy.tell(first, replace(judge(first), score=score))
    assert again >= 6


def test_no_cell_that_was_stopped_is_trained_again() -> None:
    def stop(proposal: Proposal) -> Evaluation:
        if proposal.width_of is not None:
            return judge(proposal)
        return Evaluation(status="stopped", score=0.5, rung_scores=(0.5,))

    found = play(prune(slots=3, target=9, replicates=4), 60, stop)
    assert not [one for one in found if one.replicate and one.width_of is None]


def test_a_further_training_that_says_nothing_new_is_not_counted() -> None:
    def answer(proposal: Proposal) -> Evaluation:
        if proposal.width_of is None and proposal.replicate:
            return Evaluation(status="duplicate", original="ok", score=0.0)
        return judge(proposal)

    found = play(prune(slots=3, target=9, replicates=4), 60, answer, lag=1)
    assert {one.replicate for one in found if one.width_of is None} == {0, 1}


def test_the_cells_of_a_search_come_from_all_prunings_that_ended() -> None:
    found = play(prune(slots=3, target=9, cells=2, tolerance=0.99, searches=1), 60)
    first = [one for one in found if one.note == "what search 0 left"]
    assert len(first) == 2 and len({one.parents for one in first}) == 2


def test_a_search_ends_when_choosing_drops_no_more_than_a_round() -> None:
    def most(drop: float) -> int:
        found = play(prune(slots=3, target=9, drop=drop, competitors=1, searches=1), 40)
        return max(len(gates(found[one.parents[0]].cell)) for one in found if ended(one))

    full = len(full_cell(MINIMAL, 3))
    assert most(0.1) < full / 2 and most(0.7) == full


def test_a_cell_outside_the_space_loses_a_connection_that_brings_it_inside() -> None:
    full = full_cell(GATED, 3)
    repaired = 0
    for seed in range(40):
        rng = random.Random(seed)
        values = {gate: rng.random() for gate in full.gates}
        chosen = full.chosen(values)
        if chosen is None or GATED.contains(chosen.cell) is None:
            continue
        near = [chosen.without([gate]) for gate in sorted(chosen.gates, key=values.__getitem__)]
        less = [one for one in near if one is not None][:REACH]
        inside = [one.cell for one in less if GATED.contains(one.cell) is None]
        if inside:
            (found,) = Remains(GATED, 30).on_the_way(full, values, 1, parent=None)
            assert found.cell == inside[0]
            repaired += 1
    assert repaired >= 3


def test_variations_are_of_the_best_cells_and_as_large() -> None:
    def answer(proposal: Proposal) -> Evaluation:
        if proposal.width_of is not None:
            return judge(proposal)
        return Evaluation(status="ok", score=operators(proposal.cell) / 20)

    found = play(prune(GATED, slots=3, target=9, cells=3, variations=2, replicates=1), 99, answer)
    first = [one for one in found if ended(one)]
    varied = [one for one in found if one.note == VARIED]
    assert len(first) <= len(varied) <= 2 * len(first)
    for one in varied:
        (parent,) = one.parents
        assert found[parent].width_of is None
        assert operators(one.cell) <= operators(found[parent].cell) + 1
    smallest = min(operators(one.cell) for one in first)
    assert min(operators(found[one.parents[0]].cell) for one in varied) <= smallest
    nothing = play(prune(GATED, slots=3, target=9, cells=3, variations=0), 99, answer)
    assert not [one for one in nothing if one.note == VARIED]


def test_who_falls_behind_is_given_up() -> None:
    def answer(proposal: Proposal) -> Evaluation:
        score = {0: 0.5, 1: 0.3, 2: 0.35}[proposal.replicate]
        return Evaluation(status="ok", score=score, measured=saliency(proposal))

    def parents(tolerance: float) -> list[tuple[int, ...]]:
        strategy = prune(competitors=3, searches=1, tolerance=tolerance)
        return [proposal.parents for proposal in play(strategy, 6, answer)[3:]]

    assert parents(0.5) == [(1,), (2,), (0,)]  # best first
    assert parents(0.1) == [(1,), (2,), (1,)]
    assert parents(0.0) == [(1,), (1,), (1,)]


def test_competitors_from_one_parent_differ() -> None:
    second = play(prune(slots=4, competitors=3, tolerance=0.0, searches=1), 6)[3:]
    assert len({proposal.cell.id for proposal in second}) == 3


def test_failures_are_given_up_and_if_all_fail_chance_prunes() -> None:
    def first_diverges(proposal: Proposal) -> Evaluation:
        return judge(proposal) if proposal.replicate else diverge(proposal)

    found = play(prune(competitors=2, searches=1, tolerance=0.9), 4, first_diverges)
    assert [proposal.parents for proposal in found[2:]] == [(1,), (1,)]
    for answer in (diverge, lambda proposal: Evaluation(status="ok", score=0.5)):
        found = play(prune(target=9), 60, answer)
        assert sum(one.width_of is None for one in found) >= 8
        assert {", by chance, " in one.note for one in found if ended(one)} == {True}


def test_random_pruning_does_not_look_at_what_was_measured() -> None:
    def other(proposal: Proposal) -> Evaluation:
        found = judge(proposal)
        flat = {name: 1.0 for name in found.measured}
        return Evaluation(status="ok", score=found.score, measured=flat)

    def said(way: str, answer: Answer) -> list[str]:
        return [str(one.cell) for one in play(prune(saliency=way), 20, answer)]

    assert said("random", judge) == said("random", other)
    assert said("measured", judge) != said("measured", other)
    assert said("measured", judge) != said("random", judge)


def test_a_super_network_refused_ends_the_search_with_its_numbers() -> None:
    strategy = prune()
    proposal = strategy.ask()
    assert proposal is not None
    message = "81302 operations a step on task 'adding'; evaluation.max_operations is 5000"
    with pytest.raises(ExperimentError, match=r"27 connections.*2 slots.*81302.*strategy\.slots"):
        strategy.tell(proposal, Evaluation(status="rejected", message=message))


def test_a_full_cell_larger_than_any_cell_is_refused_with_its_numbers() -> None:
    with pytest.raises(ExperimentError, match=r"'gated' with 7 slots has 384 connections.*512"):
        prune(GATED, slots=7)


@pytest.mark.parametrize("space", ["tree", "darts", "scan"])
def test_spaces_of_other_shapes_are_refused(space: str) -> None:
    with pytest.raises(ExperimentError, match=f"space '{space}' has .*'gated'"):
        prune(load_space(space))


SETTINGS: list[tuple[Mapping[str, Any], str]] = [
    ({"slots": 0}, "slots is 0; expected a whole number, 1 or more"),
    ({"slots": 1000}, "slots is 1000; expected at most"),
    ({"competitors": True}, "competitors is True"),
    ({"cells": 2.0}, "cells is 2.0"),
    ({"variations": -1}, "variations is -1; expected a whole number, 0 or more"),
    ({"target": -1}, "target is -1; expected a whole number, 0 or more"),
    ({"target": 1}, "target is 1; expected 2 or more"),
    ({"drop": 0}, "drop is 0; expected a number from 0.01 to 0.99"),
    ({"tolerance": "x"}, "tolerance is 'x'; expected a number from 0 to 0.99"),
    ({"saliency": "none"}, "saliency is 'none'; expected 'measured' or 'random'"),
]


@pytest.mark.parametrize(("settings", "problem"), SETTINGS)
def test_bad_settings_are_refused(settings: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(ExperimentError, match=problem):
        load_strategy("prune", MINIMAL, 0, settings)


def test_a_space_from_which_nothing_new_comes_ends_the_search() -> None:
    found = play(prune(slots=1, target=2, competitors=1, replicates=1, drop=0.9), 400)
    assert len(found) < 400
    cells = [one.cell.id for one in found if one.width_of is None]
    assert len(set(cells)) == len(cells)
    numbers = [re.search(r"search (\d+)", one.note) for one in found]
    searches = {int(number[1]) for number in numbers if number is not None}
    fruitful = {int(one.note.split()[2].rstrip(",")) for one in found if ended(one)}
    barren = searches - fruitful
    assert min(barren) < max(fruitful)  # one barren search is no end
    assert sum(number > max(fruitful) for number in barren) >= BARREN


PLAYED = """
import sys
sys.path[:0] = ["tests/strategies", "tests/helpers"]
from test_prune import MINIMAL, play, prune
found = play(prune(MINIMAL, seed=3), 25)
print([(str(p.cell), p.replicate, p.parents, p.note) for p in found])
print([name for name in ("torch", "ray", "deap", "scipy") if name in sys.modules])
"""


def test_nothing_depends_on_hash_seeds_and_nothing_heavy_is_imported() -> None:
    outputs = set()
    for hash_seed in "01":
        done = subprocess.run(
            [sys.executable, "-c", PLAYED],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    (output,) = outputs
    assert output.endswith("\n[]\n")
