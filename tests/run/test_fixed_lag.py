"""The order of ask and tell: exact, and a function of the results alone."""

import random
from collections.abc import Callable
from typing import Any

import pytest
from run_fakes import Learner, Listed, word

from cellsearch.run.fixed_lag import MAX_DUPLICATES, Await, End, FixedLag, copied
from cellsearch.strategies.base import Evaluation, Proposal, Strategy

Log = list[tuple[Any, ...]]


class Spy(Strategy):
    """Writes down what it is asked and told; follows a script of when to say None."""

    def __init__(
        self,
        log: Log,
        silent: Callable[[int, int], bool] = lambda asked, told: False,
        prefix: str = "spy",
    ) -> None:
        self._log, self._silent, self._prefix = log, silent, prefix
        self._asked = self._told = 0

    def ask(self) -> Proposal | None:
        if self._silent(self._asked, self._told):
            self._log.append(("none", self._asked))
            return None
        self._log.append(("ask", self._asked))
        self._asked += 1
        return Proposal(cell=word(f"{self._prefix} {self._asked}"))

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        self._log.append(("tell", str(proposal.cell), evaluation.score))
        self._told += 1


def ok(score: float, rungs: tuple[float, ...] = (), steps: int = 100) -> Evaluation:
    return Evaluation(status="ok", score=score, rung_scores=rungs, steps=steps)


def drive(lag: FixedLag, answer: Callable[[int], Evaluation], seed: int | None = None) -> str:
    """Let results come in an order drawn from the seed (None: as late as possible)."""
    results: dict[int, Evaluation] = {}
    flight: list[int] = []
    draw = random.Random(seed)

    def arrive() -> None:
        position = draw.randrange(len(flight)) if seed is not None else 0
        index = flight.pop(position)
        results[index] = answer(index)

    while True:
        step = lag.advance(results)
        if isinstance(step, End):
            while flight:
                arrive()
            lag.finish(results)
            return step.message
        if isinstance(step, Await):
            assert step.index in flight
            arrive()
            continue
        flight.append(step[0].index)
        while seed is not None and flight and draw.random() < 0.5:
            arrive()


def test_proposal_i_is_asked_after_exactly_the_results_up_to_i_minus_lag() -> None:
    log: Log = []
    lag = FixedLag(Spy(log), Listed([]), share=0, lag=3, candidates=6)
    drive(lag, lambda index: ok(index / 10))
    asks = [position for position, event in enumerate(log) if event[0] == "ask"]
    told = [sum(event[0] == "tell" for event in log[:position]) for position in asks]
    assert told == [0, 0, 0, 1, 2, 3]
    assert [event[2] for event in log if event[0] == "tell"] == [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]


def test_lag_one_tells_each_result_before_the_next_question() -> None:
    log: Log = []
    drive(FixedLag(Spy(log), Listed([]), share=0, lag=1, candidates=3), lambda index: ok(0.5))
    assert [event[0] for event in log] == ["ask", "tell"] * 3


@pytest.mark.parametrize("share", [0.0, 0.25])
@pytest.mark.parametrize("silence", [0, 1, 5])
def test_any_order_of_results_gives_one_order_of_events(share: float, silence: int) -> None:
    def events(seed: int | None) -> tuple[Log, list[Any], str]:
        log: Log = []
        # Says None whenever it has more than a few unanswered questions, and at 30 for ever.
        spy = Spy(log, lambda asked, told: asked == 30 or 0 < silence < asked - told)
        lag = FixedLag(
            spy,
            Learner(seed=5),
            share=share,
            lag=4,
            rungs=(10, 100),
            steps=100,
            candidates=60,
        )
        draw = random.Random(8)
        answer = {index: ok(score, (score,)) for index in range(200) for score in (draw.random(),)}
        message = drive(lag, answer.__getitem__, seed)
        return log, [candidate.proposal() for candidate in lag.asked], message

    expected = events(None)
    assert expected[2] == "the strategy has nothing more to propose"
    for seed in range(8):
        assert events(seed) == expected


def test_none_asks_for_the_next_result_and_no_more() -> None:
    log: Log = []
    spy = Spy(log, lambda asked, told: asked == 2 and told < 1)
    drive(FixedLag(spy, Listed([]), share=0, lag=8, candidates=3), lambda index: ok(0.5))
    assert [event[0] for event in log] == ["ask", "ask", "none", "tell", "ask", "tell", "tell"]


def test_none_with_nothing_outstanding_is_the_end() -> None:
    lag = FixedLag(Listed(["a", "b"]), Listed([]), share=0, lag=8, candidates=9)
    assert drive(lag, lambda index: ok(0.5)) == "the strategy has nothing more to propose"
    assert len(lag.asked) == 2


def test_the_control_draws_its_share_and_hands_it_back_when_it_is_done() -> None:
    many = [f"w{i}" for i in range(40)]
    lag = FixedLag(Listed(many), Listed(["c0", "c1"]), share=0.2, lag=4, candidates=20)
    drive(lag, lambda index: ok(0.5))
    assert [one.index for one in lag.asked if one.control] == [4, 9]
    assert [one.text for one in lag.asked if one.control] == ["c0", "c1"]
    assert len(lag.asked) == 20


def test_shares_are_exact_decimals() -> None:
    many = [str(i) for i in range(200)]
    lag = FixedLag(Listed(many), Listed([f"c{i}" for i in range(99)]), share=0.29, lag=4,
                   candidates=100)  # fmt: skip
    drive(lag, lambda index: ok(0.5))
    assert sum(one.control for one in lag.asked) == 29  # 0.29 * 100 is 28.999999999999996 in floats


def test_strategy_and_control_are_told_their_own_only() -> None:
    own: Log = []
    control: Log = []
    lag = FixedLag(Spy(own), Spy(control, prefix="control"), share=0.5, lag=2, candidates=8)
    drive(lag, lambda index: ok(index / 10))
    assert [event[2] for event in own if event[0] == "tell"] == [0.0, 0.2, 0.4, 0.6]
    assert [event[2] for event in control if event[0] == "tell"] == [0.1, 0.3, 0.5, 0.7]


def test_duplicates_cost_nothing_and_a_long_row_of_them_ends_the_run() -> None:
    lag = FixedLag(Listed(["a", "b", *(["a"] * 99)]), Listed([]), share=0, lag=2, candidates=9)
    message = drive(lag, lambda index: ok(0.5))
    assert "nothing new 50 times in a row" in message
    assert len(lag.asked) == 2 + MAX_DUPLICATES
    assert [one.original for one in lag.asked[:4]] == [None, None, 0, 0]


def test_another_replicate_or_more_to_measure_is_no_duplicate() -> None:
    class Asker(Listed):
        def ask(self) -> Proposal | None:
            made = super().ask()
            if made is None:
                return None
            name, *rest = str(made.cell).split("/")
            return Proposal(cell=word(name), replicate=int(rest[0]), measure=tuple(rest[1:]))

    texts = ["a/0", "a/1", "a/0/saliency", "a/0", "a/0/saliency", "a/0/other"]
    lag = FixedLag(Asker(texts), Listed([]), share=0, lag=9, candidates=9)
    drive(lag, lambda index: ok(0.5))
    assert [one.original for one in lag.asked] == [None, None, None, 0, 2, None]


def test_a_duplicate_is_told_the_originals_result_at_no_cost() -> None:
    first = Evaluation(status="stopped", score=0.4, rung_scores=(0.4,), steps=30, seconds=2.0)
    second = copied(first)
    assert (second.status, second.original, second.score) == ("duplicate", "stopped", 0.4)
    assert (second.steps, second.seconds) == (0, 0.0)
    assert second.rank_key == first.rank_key
    assert copied(second).original == "stopped"


def test_thresholds_are_quantiles_of_the_results_up_to_i_minus_lag() -> None:
    lag = FixedLag(
        Listed([str(i) for i in range(12)]),
        Listed([]),
        share=0,
        lag=2,
        rungs=(10, 50, 100),
        keep=0.34,
        steps=100,
        candidates=12,
    )
    scores = [0.9, 0.5, 0.7, 0.1, 0.8, 0.2, 0.6, 0.3, 0.4, 0.5, 0.5, 0.5]
    reached = [(score, score / 2)[: 1 if index == 1 else 2] for index, score in enumerate(scores)]
    drive(lag, lambda index: ok(scores[index], reached[index]))
    for candidate in lag.asked:
        seen = sorted(scores[: max(0, candidate.index - 1)])
        count = len(seen)
        first = None if count < 4 else seen[-(-34 * count // 100) - 1]
        assert candidate.thresholds[0] == first
        assert candidate.thresholds[2] is None  # the end of the training stops nobody
    assert lag.asked[5].thresholds[1] is None  # four were seen, three of them at the second rung
    assert lag.asked[6].thresholds[1] == 0.35  # of 0.05, 0.35, 0.4, 0.45 the second


def test_total_steps_count_the_results_up_to_i_minus_lag() -> None:
    lag = FixedLag(Listed([str(i) for i in range(99)]), Listed([]), share=0, lag=3, total_steps=500)
    message = drive(lag, lambda index: ok(0.5, steps=100))
    assert message == "the search ended as its 500 training steps are spent"
    # Proposal 7 comes after results 0..4, which are 500 steps.
    assert len(lag.asked) == 7


def test_parents_become_indices() -> None:
    class Child(Listed):
        def ask(self) -> Proposal | None:
            made = super().ask()
            parents = (int(str(made.cell)),) if made and str(made.cell) != "-1" else ()
            return made and Proposal(cell=made.cell, parents=parents)

    lag = FixedLag(Child(["-1", "0", "1"]), Listed(["c", "c"]), share=0.5, lag=9, candidates=5)
    drive(lag, lambda index: ok(0.5))
    assert [one.parents for one in lag.asked if not one.control] == [(), (0,), (2,)]


class Given(Strategy):
    """Proposes what it is given, and is finished."""

    def __init__(self, proposals: list[Proposal]) -> None:
        self._proposals = list(proposals)

    def ask(self) -> Proposal | None:
        return self._proposals.pop(0) if self._proposals else None

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        pass


def thresholds(proposals: list[Proposal], keep: float) -> list[tuple[float | None, ...]]:
    """Return the thresholds that candidates get whose scores at the one rung fall from 0.9 on."""
    lag = FixedLag(
        Given(proposals), Listed([]), share=0, lag=1, rungs=[10], keep=keep, steps=100, candidates=9
    )
    drive(lag, lambda index: ok(0.5, (0.9 - index / 100,)))
    return [one.thresholds for one in lag.asked]


def test_to_keep_all_is_to_stop_nobody() -> None:
    words = [Proposal(cell=word(f"w {k}")) for k in range(8)]
    assert set(thresholds(words, keep=1.0)) == {(None,)}
    assert thresholds(words, keep=0.5)[-1] != (None,)


def test_a_super_network_is_neither_stopped_nor_counted() -> None:
    words = [Proposal(cell=word(f"w {k}")) for k in range(6)]
    nets = [Proposal(cell=word(f"net {k}"), width_of=word("gru")) for k in range(3)]
    mixed = [words[0], nets[0], *words[1:4], nets[1], nets[2], *words[4:]]
    found = thresholds(mixed, keep=0.5)
    assert [found[1], found[5], found[6]] == [(None,)] * 3
    assert found[7] == (0.87,)  # of 0.9, 0.88, 0.87 and 0.86; the nets' scores are left out


def test_a_cell_of_another_width_is_no_duplicate() -> None:
    proposals = [
        Proposal(cell=word("a")),
        Proposal(cell=word("a"), width_of=word("gru")),
        Proposal(cell=word("a"), width_of=word("gru")),
    ]
    lag = FixedLag(Given(proposals), Listed([]), share=0, lag=1, candidates=9)
    drive(lag, lambda index: ok(0.5))
    assert [one.original for one in lag.asked] == [None, None, 1]
    assert [one.width_of for one in lag.asked] == [None, "gru", "gru"]
