"""Specification of growing: what grows from what, who grows on, and when growing stops."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from cellsearch.cell import Cell
from cellsearch.errors import ExperimentError
from cellsearch.known import zoo
from cellsearch.space import Space, load_space
from cellsearch.space.enumeration import size
from cellsearch.strategies import load_strategy
from cellsearch.strategies.base import Evaluation, Proposal
from cellsearch.strategies.grow import TRIES, Grow
from cellsearch.strategies.sprout import Sprout, begin

SPACES = ("minimal", "gated", "small", "tree", "scan", "jozefowicz", "nas_bench_nlp", "darts")


def ok(score: float) -> Evaluation:
    return Evaluation(status="ok", score=score)


def play(strategy: Grow, count: int, answer: object = None, lag: int = 1) -> list[Proposal]:
    """Ask for proposals, `lag` ahead of the results; a cell's score is drawn from its id."""
    asked: list[Proposal] = []
    told = 0
    while len(asked) < count:
        proposal = strategy.ask()
        if proposal is not None:
            asked.append(proposal)
        elif told == len(asked):
            break
        while told < len(asked) and (proposal is None or len(asked) - told >= lag):
            drawn = random.Random(asked[told].cell.id).random()
            result = answer(asked[told]) if callable(answer) else ok(drawn)
            strategy.tell(asked[told], result)
            told += 1
            proposal = asked[-1]
    return asked


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("lag", [1, 16])
def test_it_grows_inside_every_space(name: str, lag: int) -> None:
    space = load_space(name)
    asked = play(Grow(space, seed=1, replicates=0), 60, lag=lag)
    assert len({one.cell.id for one in asked}) == len(asked) == 60
    assert all(space.contains(one.cell) is None for one in asked)
    assert all(parent < index for index, one in enumerate(asked) for parent in one.parents)


GATED = load_space("gated").operators
OWN: dict[str, dict[str, tuple[str, ...]]] = {
    "activated scan": {
        "operators": ("linear", "mul", "add", "sigmoid", "tanh"),
        "rules": ("scan", "linears_of_activations"),
    },
    "gated scan": {"operators": GATED, "states": ("h", "c"), "rules": ("scan",)},
    "scan without cancelling": {"operators": GATED, "rules": ("nothing_cancels", "scan")},
    "blending scan": {"operators": ("linear", "blend", "sigmoid"), "rules": ("scan",)},
}
"""Spaces where a linear of x and h_prev is outside, but cells without open places may see it."""


@pytest.mark.parametrize("name", OWN)
def test_it_grows_in_spaces_of_ones_own(name: str) -> None:
    space = Space(name=name, **OWN[name])
    asked = play(Grow(space, seed=0, replicates=0), 60)
    assert len({one.cell.id for one in asked}) == len(asked) == 60
    assert all(space.contains(one.cell) is None for one in asked)


def test_growths_come_together_where_each_alone_leaves_the_space() -> None:
    rules = ("indirect_carry", "scan")
    space = Space(name="own", operators=("linear", "add", "tanh"), rules=rules)
    rng = random.Random(0)
    alone = [begin(space).grown(space, rng, True) for _ in range(500)]
    assert all(one is None or one[0].closed(space) is None for one in alone)
    asked = play(Grow(space, seed=0, replicates=0), 20)
    assert len({one.cell.id for one in asked}) == len(asked) == 20
    assert all(space.contains(one.cell) is None for one in asked)
    assert ", then " in asked[0].note


@pytest.mark.parametrize(
    "operators", [("linear", "mul", "tanh"), ("linear", "add", "tanh"), ("linear", "tanh")]
)
def test_further_states_are_carried_with_whatever_operators_there_are(
    operators: tuple[str, ...],
) -> None:
    space = Space(name="own", operators=operators, states=("h", "c"))
    asked = play(Grow(space, seed=0, replicates=0), 60)
    assert sum(len(one.cell.states) == 2 for one in asked) >= 3


def test_what_grows_nowhere_is_not_tried_again_after_every_result(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = replace(load_space("minimal"), operators=("linear", "tanh"), nodes=2, products=2)
    strategy = Grow(space, seed=0, replicates=0)
    asked = []
    while (proposal := strategy.ask()) is not None:
        asked.append(proposal)
    tries = 0

    def grown(*_: object) -> None:
        nonlocal tries
        tries += 1

    monkeypatch.setattr(Sprout, "grown", grown)
    for one in asked:
        strategy.tell(one, ok(0.5))
        assert strategy.ask() is None
    assert tries <= TRIES * len(asked)


def test_it_begins_with_what_is_open_closed_by_a_linear() -> None:
    for name in ("minimal", "gated", "small"):
        first = Grow(load_space(name), seed=0).ask()
        assert first is not None
        assert first.cell == Cell.parse("h = linear(x, h_prev)")


def test_what_grows_never_shrinks() -> None:
    asked = play(Grow(load_space("small"), seed=3, replicates=0), 80)
    for one in asked[1:]:
        (parent,) = one.parents
        assert size(one.cell) >= size(asked[parent].cell)


def test_known_cells_are_within_reach() -> None:
    """With a score that says how far a cell is from the GRU, growing finds it."""
    space = load_space("small")
    goal = zoo["gru_reset_before"]
    parts = sorted(node.op for node in goal.normal.nodes)

    def distance(proposal: Proposal) -> Evaluation:
        mine = sorted(node.op for node in proposal.cell.normal.nodes)
        rest = list(parts)
        common = sum(rest.remove(op) is None for op in mine if op in rest)
        far = len(mine) + len(parts) - 2 * common
        return ok(0.0 if proposal.cell == goal else (far + 1) / 40)

    found = [
        goal in [one.cell for one in play(Grow(space, seed=seed, replicates=0), 400, distance)]
        for seed in range(4)
    ]
    assert sum(found) >= 2


def test_the_best_grow_on() -> None:
    space = load_space("minimal")
    strategy = Grow(space, seed=0, beam=1, width=1000, replicates=0)
    asked: list[Proposal] = []
    best, best_score = 0, 2.0
    rng = random.Random(5)
    for index in range(40):
        proposal = strategy.ask()
        assert proposal is not None
        if index:
            assert proposal.parents == (best,)
        asked.append(proposal)
        score = rng.random()
        if score < best_score:
            best, best_score = index, score
        strategy.tell(proposal, ok(score))


def test_a_cell_that_gains_nothing_stops_and_the_next_best_takes_its_place() -> None:
    space = load_space("minimal")
    for stop, later in ((True, [0, 0, 0, 4, 4, 4]), (False, [1] * 6)):
        strategy = Grow(space, seed=0, beam=1, width=3, replicates=0, stop=stop)
        scores = iter([0.42, 0.4, 0.5, 0.5, 0.45, *[0.5] * 20])
        asked = play(strategy, 20, lambda _, scores=scores: ok(next(scores)))
        assert [one.parents[0] for one in asked[2:11]] == [1, 1, 1, *later]


def test_a_leader_is_doubted_once_however_late_it_is_trained_anew() -> None:
    strategy = Grow(load_space("minimal"), seed=0, beam=1, replicates=4)
    first = [strategy.ask() for _ in range(4)]
    for score, proposal in zip((0.5, 0.1, 0.4, 0.4), first, strict=True):
        assert proposal is not None
        strategy.tell(proposal, ok(score))
    after = [strategy.ask() for _ in range(4)]
    again = [(one.parents, one.replicate) for one in after if one and one.replicate]
    assert again == [((0,), 1), ((1,), 1)]  # who led when the first was told, and the second


@pytest.mark.parametrize(("replicates", "noise", "idle"), [(1, 0.2, 1), (0, 0.0, 0)])
def test_gains_within_the_noise_are_none(replicates: int, noise: float, idle: int) -> None:
    """The leader is trained anew; from then on less than the difference is no gain."""
    strategy = Grow(load_space("minimal"), seed=0, beam=1, replicates=replicates)
    for score in [0.5, 0.3, 0.38][: 2 + replicates]:
        proposal = strategy.ask()
        assert proposal is not None
        strategy.tell(proposal, ok(score if replicates or score == 0.5 else 0.38))
    assert strategy._noise() == pytest.approx(noise)
    assert strategy._root.idle == idle


def test_a_further_training_that_is_refused_is_no_failure() -> None:
    space = load_space("small")
    refused = Evaluation(status="rejected")
    asked = play(
        Grow(space, seed=0),
        40,
        lambda one: refused if one.replicate else ok(0.5 - size(one.cell) / 99),
    )
    assert [one.replicate for one in asked].count(1) == 1
    assert max(one.replicate for one in asked) == 1


def test_all_fail_and_it_goes_on() -> None:
    asked = play(Grow(load_space("gated"), seed=0), 50, lambda _: Evaluation(status="diverged"))
    assert len(asked) == 50


def test_a_space_that_is_used_up_ends() -> None:
    space = replace(load_space("minimal"), operators=("linear", "tanh"), nodes=2, products=2)
    cells = {cell.id for cell in space.cells()}
    asked = play(Grow(space, seed=0, replicates=0), 100)
    assert {one.cell.id for one in asked} <= cells
    assert len(asked) >= len(cells) // 2


def test_shared_values_are_a_choice() -> None:
    space = load_space("small")
    alone = play(Grow(space, seed=0, sharing=False, replicates=0), 60)
    for one in alone:
        users = [arg for node in one.cell.normal.nodes if node.op == "mul" for arg in node.args]
        gates = [i for i, node in enumerate(one.cell.normal.nodes) if node.op == "sigmoid"]
        subs = [n.args[1] for n in one.cell.normal.nodes if n.op == "sub"]
        assert all(users.count(gate) + subs.count(gate) <= 2 for gate in gates)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"beam": 0}, "beam is 0; expected a whole number, 1 or more"),
        ({"width": True}, "width is True"),
        ({"order": "best"}, "order is 'best'; expected one of gain, random"),
        ({"stop": 1}, "stop is 1; expected true or false"),
        ({"margin": -1.0}, "margin is -1.0; expected a finite number, 0 or more"),
        ({"margin": float("inf")}, "margin is inf"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ExperimentError, match=message):
        load_strategy("grow", load_space("minimal"), 0, settings)


def test_a_space_in_which_nothing_grows_is_refused() -> None:
    nothing = replace(load_space("minimal"), nodes=1, products=1)
    with pytest.raises(ExperimentError, match="nothing that grows in space 'minimal'"):
        Grow(nothing, seed=0)
