"""Specification of the genetic strategy."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest

from cellsearch.cell import Cell
from cellsearch.errors import ExperimentError
from cellsearch.known import zoo
from cellsearch.space import Space, load_space, read_space
from cellsearch.strategies import Evaluation, Genetic, Proposal, Random, Strategy

GATED = load_space("gated")


def features(cell: Cell) -> Counter[tuple[str, ...]]:
    """Return each node with what it sees: a crude picture of a cell's structure."""
    nodes = cell.normal.nodes
    names = [node.name if node.op == "state" else node.op for node in nodes]
    return Counter(
        (name, *sorted(names[arg] for arg in node.args))
        for name, node in zip(names, nodes, strict=True)
    )


GOAL = features(zoo["lstm"])


def distance(cell: Cell) -> float:
    """Return 0 for the LSTM, and 1 for a cell that shares nothing with it."""
    found = features(cell)
    return 1 - (found & GOAL).total() / (found | GOAL).total()


def judge(proposal: Proposal) -> Evaluation:
    return Evaluation(status="ok", score=distance(proposal.cell))


def play(
    strategy: Strategy,
    count: int,
    evaluate: Callable[[Proposal], Evaluation] = judge,
    lag: int = 6,
) -> list[Proposal]:
    """Ask for `count` proposals, each when all but `lag` results before it are told, or at None."""
    asked: list[Proposal] = []
    waiting: list[Proposal] = []
    while len(asked) < count:
        proposal = strategy.ask() if len(waiting) < lag else None
        if proposal is None:
            assert waiting, "None with nothing outstanding"
            first = waiting.pop(0)
            strategy.tell(first, evaluate(first))
        else:
            asked.append(proposal)
            waiting.append(proposal)
    for proposal in waiting:
        strategy.tell(proposal, evaluate(proposal))
    return asked


def said(proposals: list[Proposal]) -> list[tuple[object, ...]]:
    return [(str(p.cell), p.replicate, p.parents, p.note) for p in proposals]


def test_better_than_random_search_on_a_goal_with_structure() -> None:
    best = {kind: 0.0 for kind in (Genetic, Random)}
    for seed in range(3):
        for kind in best:
            strategy = kind(GATED, seed=seed)
            proposals = play(strategy, 140)
            best[kind] += min(distance(proposal.cell) for proposal in proposals) / 3
    assert best[Genetic] < best[Random] - 0.05


def test_same_seed_and_results_give_the_same_proposals_whatever_the_global_generators() -> None:
    random.seed(1)
    np.random.seed(1)
    outside, numpys = random.getstate(), np.random.get_state()
    first = play(Genetic(GATED, seed=5), 60)
    assert random.getstate() == outside
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpys, strict=True))
    random.seed(2)
    assert said(play(Genetic(GATED, seed=5), 60)) == said(first)
    assert said(play(Genetic(GATED, seed=6), 60)) != said(first)


SCRIPT = """
import hashlib
from cellsearch.space import load_space
from cellsearch.strategies import Evaluation, Genetic
strategy = Genetic(load_space("gated"), seed=3, population=8)
text = ""
for turn in range(40):
    proposal = strategy.ask()
    text += f"{proposal.cell}{proposal.parents}{proposal.note}"
    score = int(proposal.cell.id[3:8], 16) / 16**5
    strategy.tell(proposal, Evaluation(status="ok", score=score))
print(hashlib.sha256(text.encode()).hexdigest())
"""


def test_proposals_do_not_depend_on_the_hash_seed() -> None:
    found = set()
    for seed in ("0", "1"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(done.stdout)
    assert len(found) == 1


def test_first_generation_waits_for_its_results_and_later_ones_do_not() -> None:
    strategy = Genetic(GATED, seed=0, population=5)
    first = [strategy.ask() for _ in range(5)]
    assert all(proposal is not None and not proposal.parents for proposal in first)
    assert strategy.ask() is None
    for proposal in first:
        assert strategy.ask() is None
        assert proposal is not None
        strategy.tell(proposal, judge(proposal))
    assert all(strategy.ask() is not None for _ in range(20))


def test_parents_are_among_the_best_as_of_the_last_generation() -> None:
    told: list[float] = []
    allowed: list[set[int]] = []

    def evaluate(proposal: Proposal) -> Evaluation:
        told.append(distance(proposal.cell))
        if len(told) % 10 == 0:
            allowed.append(set(sorted(range(len(told)), key=told.__getitem__)[:10]))
        return Evaluation(status="ok", score=told[-1])

    proposals = play(Genetic(GATED, seed=2, population=10), 60, evaluate, lag=1)
    bred = [(i, p) for i, p in enumerate(proposals) if p.parents]
    assert len(bred) > 40
    for ordinal, proposal in bred:
        # With a lag of 1 everything before the proposal was told.
        assert set(proposal.parents) <= allowed[ordinal // 10 - 1]
        assert all(f"{parent}" in proposal.note for parent in proposal.parents)
        kind = "crossover of" if len(proposal.parents) == 2 else "mutation of"
        assert proposal.note.startswith(kind)


def test_everything_proposed_is_inside_and_new() -> None:
    proposals = play(Genetic(GATED, seed=4, population=8), 100)
    assert all(GATED.contains(proposal.cell) is None for proposal in proposals)
    assert len({proposal.cell.id for proposal in proposals}) == 100


@pytest.mark.parametrize("status", ["diverged", "timeout", "out_of_memory", "crashed", "rejected"])
def test_failures_are_survived_and_never_bred_from(status: str) -> None:
    strategy = Genetic(GATED, seed=0, population=6)
    proposals = play(strategy, 20, lambda proposal: Evaluation(status=status))
    assert not any(proposal.parents for proposal in proposals)
    later = play(strategy, 20)
    assert any(proposal.parents for proposal in later)
    assert all(parent >= 20 for proposal in later for parent in proposal.parents)


def test_finished_cells_come_before_stopped_ones_and_these_by_rung() -> None:
    results = [
        Evaluation(status="stopped", score=0.1, rung_scores=(0.1,)),
        Evaluation(status="stopped", score=0.5, rung_scores=(0.6, 0.5)),
        Evaluation(status="ok", score=0.9),
        Evaluation(status="diverged"),
    ]
    # As many compete for a place as there are parents, nearly: mostly the best wins.
    strategy = Genetic(GATED, seed=0, population=4, tournament=12, crossover=0, immigrants=0)
    first = [strategy.ask() for _ in results]
    for proposal, result in zip(first, results, strict=True):
        assert proposal is not None
        strategy.tell(proposal, result)
    parents = Counter(
        parent for _ in range(40) for parent in getattr(strategy.ask(), "parents", ())
    )
    assert parents[2] > 30
    assert 3 not in parents


def test_nan_and_missing_scores_are_survived() -> None:
    scores = iter([float("nan"), None, 0.5, float("nan")] * 30)
    play(
        Genetic(GATED, seed=1, population=4),
        30,
        lambda proposal: Evaluation(status="ok", score=next(scores)),
    )


def test_seeds_of_the_space_come_first() -> None:
    data = {**GATED.to_dict(), "seeds": ["gru", "lstm"]}
    space = read_space(data, name=data.pop("name"), where="s.toml")
    proposals = play(Genetic(space, seed=0, population=4), 4)
    assert [p.cell for p in proposals[:2]] == [zoo["gru"], zoo["lstm"]]
    assert all(p.cell not in (zoo["gru"], zoo["lstm"]) for p in proposals[2:])


def test_a_lucky_leader_is_asked_for_again_and_falls_back() -> None:
    """A cell whose second evaluation is poor leads no more."""
    evaluations: Counter[str] = Counter()
    lucky: list[str] = []

    def evaluate(proposal: Proposal) -> Evaluation:
        if not lucky:
            lucky.append(proposal.cell.id)
        evaluations[proposal.cell.id] += 1
        luck = proposal.cell.id == lucky[0] and proposal.replicate == 0
        return Evaluation(status="ok", score=0.0 if luck else 0.8)

    strategy = Genetic(GATED, seed=0, population=5, replicates=3, tournament=20, crossover=0)
    proposals = play(strategy, 60, evaluate, lag=1)
    again = [proposal for proposal in proposals if proposal.replicate]
    assert [(p.cell.id, p.replicate, p.parents) for p in again[:2]] == [
        (lucky[0], 1, (0,)),
        (lucky[0], 2, (0,)),
    ]
    assert max(evaluations.values()) == 3
    keys = [(p.cell.id, p.replicate) for p in proposals]
    assert len(set(keys)) == len(keys)


def test_duplicates_of_others_are_learned_from_once() -> None:
    """What the run evaluated before for somebody else comes back as a duplicate with a score."""
    play(
        Genetic(GATED, seed=0, population=5),
        30,
        lambda p: Evaluation(status="duplicate", original="ok", score=distance(p.cell)),
    )


def test_used_up_space_repeats_itself_instead_of_hanging() -> None:
    space = Space(name="one", operators=("linear", "tanh"), nodes=2, depth=2, products=2)
    proposals = play(Genetic(space, seed=0, population=3), 12)
    assert all(space.contains(proposal.cell) is None for proposal in proposals)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("population", 1),
        ("population", 2.5),
        ("population", True),
        ("tournament", 0),
        ("mutations", "3"),
        ("replicates", 0),
        ("crossover", 1.5),
        ("crossover", "0.3"),
        ("immigrants", -0.1),
        ("immigrants", float("nan")),
    ],
)
def test_settings_out_of_range_are_refused(setting: str, value: object) -> None:
    with pytest.raises(ExperimentError, match=f"'genetic': {setting} is .*expected"):
        Genetic(GATED, seed=0, **{setting: value})  # type: ignore[arg-type]
