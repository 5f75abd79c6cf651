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
from cellsearch.strategies.base import FAILED, joint_rank
from cellsearch.testing.landscape import Landscape
from cellsearch.testing.plays import Play, ask_next, tell_next

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
text = ""
for settings in ({}, {"objectives": ("score", "operations"), "recombination": "subtree"}):
    strategy = Genetic(load_space("gated"), seed=3, population=8, crossover=0.5, **settings)
    for turn in range(40):
        proposal = strategy.ask()
        text += f"{proposal.cell}{proposal.parents}{proposal.note}"
        score, operations = int(proposal.cell.id[3:8], 16) / 16**5, len(str(proposal.cell))
        strategy.tell(proposal, Evaluation(status="ok", score=score, operations=operations))
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


def test_parents_are_among_the_best_so_far() -> None:
    told: list[float] = []
    allowed: list[set[int]] = []

    def evaluate(proposal: Proposal) -> Evaluation:
        told.append(distance(proposal.cell))
        worst = sorted(told)[:10][-1]
        allowed.append({ordinal for ordinal, score in enumerate(told) if score <= worst})
        return Evaluation(status="ok", score=told[-1])

    settings = {"population": 10, "immigrants": 0, "replicates": 1}
    proposals = play(Genetic(GATED, seed=2, **settings), 60, evaluate, lag=1)  # type: ignore[arg-type]
    bred = [(i, p) for i, p in enumerate(proposals) if p.parents]
    assert len(bred) == 50
    for ordinal, proposal in bred:
        # With a lag of 1 everything before the proposal was told.
        assert set(proposal.parents) <= allowed[ordinal - 1]
        kind = "crossover" if len(proposal.parents) == 2 else "mutation: "
        assert proposal.note.startswith(kind)


@pytest.mark.parametrize("seed", range(3))
def test_parents_are_the_best_by_all_evaluations_so_far(seed: int) -> None:
    """Whoever was pushed out by luck is back once the lucky one has fallen behind."""
    strategy, landscape, done = Genetic(GATED, seed=seed), Landscape(salt=seed), Play()
    while len(done.proposals) < 120:
        ahead = len(done.proposals) - len(done.results)
        (ask_next if ahead < 16 else tell_next)(strategy, done, landscape)
        results: dict[str, list[Evaluation]] = {}
        for proposal, result in zip(done.proposals, done.results, strict=False):
            if not (proposal.replicate and result.status == "rejected"):
                results.setdefault(proposal.cell.id, []).append(result)
        best = sorted(map(joint_rank, results.values()))[:5]
        parents = sorted(joint_rank(results[one.cell.id]) for one in strategy._pool)
        assert parents == [rank for rank in best if rank[0] < FAILED]


@pytest.mark.parametrize("recombination", ["edit_path", "subtree"])
def test_the_share_of_children_with_two_parents_is_as_asked(recombination: str) -> None:
    def share(crossover: float) -> float:
        strategy = Genetic(
            GATED, seed=3, population=20, crossover=crossover, recombination=recombination
        )
        bred = [p for p in play(strategy, 100) if p.parents and not p.replicate]
        return sum(len(p.parents) == 2 for p in bred) / len(bred)

    assert share(0) == 0
    assert 0.3 < share(0.5) < 0.65
    assert share(1) > 0.7  # where no crossover is new, there is a mutation


def test_recombinations_differ_in_their_children_alone() -> None:
    found = [
        play(
            Genetic(GATED, seed=0, population=6, crossover=1, recombination=name, replicates=1), 12
        )
        for name in ("edit_path", "subtree")
    ]
    assert said(found[0][:6]) == said(found[1][:6])
    assert said(found[0]) != said(found[1])


def test_everything_proposed_is_inside_and_new() -> None:
    proposals = play(Genetic(GATED, seed=4, population=8, replicates=1), 100)
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
    strategy = Genetic(
        GATED, seed=0, population=4, tournament=12, crossover=0, immigrants=0, replicates=1
    )
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


def test_a_used_up_space_ends_the_search_without_repeats() -> None:
    space = Space(name="few", operators=("linear", "tanh", "relu"), nodes=3, depth=3, products=2)
    drawn = Counter(space.draw(random.Random(seed)).id for seed in range(300))
    strategy = Genetic(space, seed=0, population=3, replicates=1)
    found: list[str] = []
    while (proposal := strategy.ask()) is not None:
        found.append(proposal.cell.id)
        strategy.tell(proposal, judge(proposal))
    assert len(found) == len(set(found)) > 3
    assert {cell for cell, count in drawn.items() if count > 5} <= set(found)
    assert strategy.ask() is None


def test_a_space_smaller_than_a_generation_ends_the_search() -> None:
    space = Space(name="one", operators=("linear",), nodes=1, depth=1, products=2)
    strategy = Genetic(space, seed=0, population=8)
    found = []
    for _ in range(4):
        proposal = strategy.ask()
        if proposal is not None:
            found.append((proposal.cell.id, proposal.replicate))
            strategy.tell(proposal, judge(proposal))
    assert len(found) == len(set(found))
    assert len({cell for cell, _ in found}) == 1


def measured(proposal: Proposal) -> Evaluation:
    """Return a score and a cost of which one falls as the other rises, and some noise in both."""
    nodes = len(proposal.cell.normal.nodes)
    luck = int(proposal.cell.id[3:7], 16) / 16**4
    score, operations = 1 / (1 + nodes) + 0.02 * luck, 1000 * nodes + int(100 * luck)
    parameters = {"one": 7 * nodes, "two": 3 * nodes}
    return Evaluation(status="ok", score=score, operations=operations, parameters=parameters)


def test_with_several_objectives_the_whole_front_is_kept_and_bred_from() -> None:
    """With the score alone only large cells are bred from, with the operations small ones too."""

    def sizes_of_parents(objectives: tuple[str, ...]) -> set[int]:
        strategy = Genetic(GATED, seed=1, objectives=objectives, immigrants=0, replicates=1)
        proposals = play(strategy, 120, measured)
        late = [p for p in proposals[80:] if p.parents]
        return {len(proposals[parent].cell.normal.nodes) for p in late for parent in p.parents}

    one, several = sizes_of_parents(("score",)), sizes_of_parents(("score", "operations"))
    assert min(several) < min(one)
    assert max(several) - min(several) > max(one) - min(one)
    assert len(sizes_of_parents(("operations",))) < len(several)


def test_nobody_that_is_best_in_an_objective_or_unbeaten_in_all_is_lost() -> None:
    """The front of everything told is among the parents, as far as there is room for it."""
    told: list[tuple[float, int, int]] = []

    def evaluate(proposal: Proposal) -> Evaluation:
        rank = int(proposal.cell.id[3:7], 16)
        told.append((float(rank % 7) / 10, rank // 7 % 5, len(told)))
        return Evaluation(status="ok", score=told[-1][0], operations=told[-1][1])

    strategy = Genetic(
        GATED, seed=5, population=30, objectives=("score", "operations"), immigrants=0, replicates=1
    )
    play(strategy, 60, evaluate, lag=1)
    front = {
        ordinal
        for score, cost, ordinal in told
        if not any(s <= score and c <= cost and (s, c) != (score, cost) for s, c, _ in told)
    }
    later = [strategy.ask() for _ in range(250)]
    parents = {parent for p in later if p is not None for parent in p.parents}
    assert 0 < len(front) <= 30
    assert front <= parents


def test_a_duplicate_that_cost_nothing_is_no_cheap_cell() -> None:
    strategy = Genetic(
        GATED,
        seed=0,
        population=4,
        objectives=("operations",),
        tournament=20,
        crossover=0,
        immigrants=0,
        replicates=1,
    )
    first = [strategy.ask() for _ in range(4)]
    for cost, proposal in zip((500, 0, 400, 600), first, strict=True):
        assert proposal is not None
        status = "ok" if cost else "duplicate"
        original = None if cost else "ok"
        evaluation = Evaluation(status=status, original=original, score=0.5, operations=cost)
        strategy.tell(proposal, evaluation)
    children = [strategy.ask() for _ in range(20)]
    parents = Counter(parent for p in children if p is not None for parent in p.parents)
    assert parents.most_common(1)[0][0] == 2


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
        ("recombination", "edit"),
        ("recombination", 3),
        ("objectives", "score"),
        ("objectives", []),
        ("objectives", ["score", "score"]),
    ],
)
def test_settings_out_of_range_are_refused(setting: str, value: object) -> None:
    with pytest.raises(ExperimentError, match=f"'genetic': {setting} is .*expected"):
        Genetic(GATED, seed=0, **{setting: value})  # type: ignore[arg-type]


def test_a_word_nearly_right_is_told() -> None:
    with pytest.raises(ExperimentError, match=r"recombination is 'edit_paht'.*mean 'edit_path'"):
        Genetic(GATED, seed=0, recombination="edit_paht")
    with pytest.raises(ExperimentError, match=r"one of objectives is 'operation'.*'operations'"):
        Genetic(GATED, seed=0, objectives=["score", "operation"])


def test_a_further_evaluation_that_is_refused_is_no_failure() -> None:
    refused = Evaluation(status="rejected")
    proposals = play(
        Genetic(GATED, seed=0, population=4, replicates=3),
        40,
        lambda one: refused if one.replicate else judge(one),
        lag=1,
    )
    assert [one.replicate for one in proposals].count(1) == 1
    assert max(one.replicate for one in proposals) == 1
    (doubted,) = (index for index, one in enumerate(proposals) if one.replicate)
    leader = proposals[doubted].cell
    parents = [proposals[parent].cell for one in proposals[doubted + 1 :] for parent in one.parents]
    assert leader in parents


def test_luck_says_nothing_where_the_score_is_no_objective() -> None:
    strategy = Genetic(GATED, seed=0, objectives=["parameters"], replicates=3)
    assert all(one.replicate == 0 for one in play(strategy, 40))


def test_who_fails_when_trained_again_is_a_parent_no_more() -> None:
    """Cells of many nodes do best, but only the first time."""

    def evaluate(one: Proposal) -> Evaluation:
        large = len(one.cell.normal.nodes) > 14
        if large and one.replicate:
            return Evaluation(status="diverged")
        return Evaluation(status="ok", score=0.1 if large else distance(one.cell))

    proposals = play(Genetic(GATED, seed=2, population=6), 80, evaluate, lag=1)
    failed: set[str] = set()
    for proposal in proposals:
        parents = {proposals[parent].cell.id for parent in proposal.parents}
        assert not parents & failed
        if proposal.replicate and len(proposal.cell.normal.nodes) > 14:
            failed.add(proposal.cell.id)
    assert len(failed) > 3


def test_every_possible_parent_is_evaluated_twice() -> None:
    proposals = play(Genetic(GATED, seed=0, population=6), 60, lag=1)
    told: dict[str, set[int]] = {}
    for proposal in proposals:
        if not proposal.replicate:
            for parent in proposal.parents:
                assert told[proposals[parent].cell.id] == {0, 1}
        told.setdefault(proposal.cell.id, set()).add(proposal.replicate)


def test_rank_of_several_evaluations() -> None:
    good, better = (Evaluation(status="ok", score=score) for score in (0.4, 0.2))
    stopped = Evaluation(status="stopped", score=0.1, rung_scores=(0.1,))
    diverged = Evaluation(status="diverged")
    assert joint_rank([good]) == good.rank_key
    assert joint_rank([good, better]) == (0, pytest.approx(0.3))
    assert joint_rank([good, stopped, better]) == stopped.rank_key
    assert joint_rank([stopped, diverged, good]) == diverged.rank_key
    assert joint_rank([]) == diverged.rank_key
