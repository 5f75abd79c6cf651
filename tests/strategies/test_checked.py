"""Specification of what runs tell of a strategy of somebody's own that is not sound."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import cellsearch as cs
from cellsearch.errors import CellError, ExperimentError
from cellsearch.space import load_space
from cellsearch.strategies import Evaluation, Proposal, Strategy
from cellsearch.strategies.checked import Checked, problem
from cellsearch.testing import check_strategy

GRU = cs.zoo["gru"]
SPACE = load_space("minimal")

UNSOUND: list[tuple[Any, str]] = [
    (GRU, "expected a Proposal or None, found <Cell>"),
    (Proposal(cell="h = x"), "expected a Cell as its cell, found 'h = x'"),  # type: ignore[arg-type]
    (Proposal(cell=GRU, width_of="gru"), "expected a Cell or None as width_of, found 'gru'"),  # type: ignore[arg-type]
    (Proposal(cell=GRU, replicate=-1), "expected a replicate of 0 or more, found -1"),
    (Proposal(cell=GRU, replicate=True), "expected a replicate of 0 or more, found True"),
    (Proposal(cell=GRU, note=3), "expected a text as its note, found 3"),  # type: ignore[arg-type]
    (Proposal(cell=GRU, parents=0), "expected a tuple as its parents, found 0"),  # type: ignore[arg-type]
    (Proposal(cell=GRU, parents=(2,)), "earlier proposals, 0 to 1; found 2"),
    (Proposal(cell=GRU, parents=(-1,)), "earlier proposals, 0 to 1; found -1"),
    (Proposal(cell=GRU, parents=(0.0,)), "earlier proposals, 0 to 1; found 0.0"),  # type: ignore[arg-type]
    (Proposal(cell=GRU, measure="saliency"), "expected a tuple as its measure, found 'saliency'"),  # type: ignore[arg-type]
    (Proposal(cell=GRU, measure=("speed",)), "one of saliency; found 'speed'"),
]


@pytest.mark.parametrize(("answer", "words"), UNSOUND, ids=range(len(UNSOUND)))
def test_what_is_no_sound_proposal_is_told(answer: Any, words: str) -> None:
    said = problem(answer, made=2)
    assert said is not None
    assert words in said


def test_sound_proposals_pass() -> None:
    sound = Proposal(cell=GRU, parents=(0, 1), measure=("saliency",), replicate=2, width_of=GRU)
    assert problem(sound, made=2) is None
    assert problem(None, made=0) is None
    assert "none yet; found 0" in (problem(Proposal(cell=GRU, parents=(0,)), made=0) or "")


class Scripted(Strategy):
    """Answers what it is given, or raises it."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers

    def ask(self) -> Proposal | None:
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer  # type: ignore[no-any-return]

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        raise ZeroDivisionError


def test_exceptions_are_told_in_one_line_with_the_strategys_own_line() -> None:
    good, late = Proposal(cell=GRU), ValueError("two\nlines")
    checked = Checked(Scripted([good, late, SystemExit(3), KeyboardInterrupt()]), "mine")
    assert checked.ask() is good
    place = r" \(test_checked\.py, line \d+\)$"
    with pytest.raises(ExperimentError, match=f"^strategy 'mine': ask.. for proposal 1 .*{place}"):
        checked.ask()
    with pytest.raises(ExperimentError, match=f"failed: SystemExit: 3{place}"):
        checked.ask()
    with pytest.raises(
        ExperimentError, match=f"tell.. of proposal 0, diverged, failed: Ze.*{place}"
    ):
        checked.tell(good, Evaluation(status="diverged"))
    with pytest.raises(KeyboardInterrupt):
        checked.ask()


def test_a_cell_that_is_none_is_the_strategys_and_messages_are_short() -> None:
    class Silent(Exception):  # noqa: N818
        def __str__(self) -> str:
            raise RuntimeError

    answers = [CellError("cell, line 1: unknown operator"), ValueError("long " * 10_000), Silent()]
    checked = Checked(Scripted(answers), "mine")
    with pytest.raises(
        ExperimentError, match=r"'mine': ask.. for proposal 0 failed: CellError: cel"
    ):
        checked.ask()
    with pytest.raises(ExperimentError) as caught:
        checked.ask()
    assert len(str(caught.value)) < 450
    with pytest.raises(ExperimentError, match="cannot be shown"):
        checked.ask()


def test_what_a_strategy_says_is_wrong_is_left_as_it_is() -> None:
    checked = Checked(Scripted([ExperimentError("raise budget.candidates")]), "mine")
    with pytest.raises(ExperimentError, match=r"^raise budget\.candidates$"):
        checked.ask()


BODY = "from cellsearch.strategies import Proposal, Strategy\n"
METHODS = "    def ask(self): return None\n    def tell(self, proposal, evaluation): pass\n"
MODULES = {
    "no_seed": (
        f"{BODY}class S(Strategy):\n    def __init__(self, space): pass\n{METHODS}",
        r"takes no space and seed .*'seed'.*expected __init__\(self, space, \*, seed\)",
    ),
    "no_space": (
        f"{BODY}class S(Strategy):\n    def __init__(self, *, seed): pass\n{METHODS}",
        "takes no space and seed",
    ),
    "no_tell": (
        f"{BODY}class S(Strategy):\n    def __init__(self, space, *, seed): pass\n"
        "    def ask(self): return None\n",
        r"the class 'S' lacks tell\(\)",
    ),
    "stumbles": (
        f"{BODY}class S(Strategy):\n    def __init__(self, space, *, seed, pace=3):\n"
        f"        self.pace = pace / 0\n{METHODS}",
        r"cannot be made: ZeroDivisionError: .*stumbles\.py, line 4\)",
    ),
    "no_python": (
        "class S(:\n",
        r"importing 'no_python' failed: SyntaxError: .*no_python\.py, line 1",
    ),
    "raises": ("1 / 0\n", r"importing 'raises' failed: ZeroDivisionError: .*raises\.py, line 1\)"),
    "leaves": ("raise SystemExit(1)\n", "importing 'leaves' failed: SystemExit: 1"),
}


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, (text, _) in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("module", MODULES)
def test_a_search_tells_in_one_line_what_is_wrong_with_a_strategy(
    module: str, tmp_path: Path
) -> None:
    with pytest.raises(ExperimentError) as caught:
        cs.search("small", run=tmp_path / "run", overrides=[f"strategy.name={module}:S"])
    message = str(caught.value)
    assert message.startswith(f"strategy '{module}:S': ")
    assert re.search(MODULES[module][1], message), message
    assert "\n" not in message
    assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("own")
def test_contract_tests_say_first_what_cannot_be_made() -> None:
    with pytest.raises(ExperimentError, match="takes no space and seed"):
        check_strategy("no_seed:S", space=SPACE)
    with pytest.raises(ExperimentError, match=r"has no setting 'pase'.*'pace'"):
        check_strategy("stumbles:S", space=SPACE, settings={"pase": 3})
    with pytest.raises(ExperimentError, match="settings: expected what an experiment file can say"):
        check_strategy("stumbles:S", space=SPACE, settings={"pace": {1, 2}})
    for proposals in (0, 1.5, "many", True):
        with pytest.raises(ExperimentError, match=r"proposals is .* expected a whole number"):
            check_strategy("random", space=SPACE, proposals=proposals)  # type: ignore[arg-type]
    for make in (5, None, int, Scripted([]), Checked):
        with pytest.raises(ExperimentError, match=r"expected a class made from|takes no space"):
            check_strategy(make, space=SPACE)  # type: ignore[arg-type]
