"""Specification of the contract tests: each broken strategy fails in its way, others pass."""

from __future__ import annotations

import broken_strategies as broken
import pytest

from cellsearch.errors import ExperimentError
from cellsearch.space import load_space
from cellsearch.strategies import Strategy, load_strategy, strategy_names
from cellsearch.testing import STRATEGY_PROMISES, check_strategy

BROKEN: list[tuple[type[Strategy], str, str]] = [
    (broken.GlobalRandom, "leaves global generators alone", "random left as it was"),
    (broken.ReseedsGlobal, "leaves global generators alone", "random left as it was"),
    (broken.Clock, "does not look at the clock", "whatever the clock says"),
    (broken.ClockInNanoseconds, "does not look at the clock", "whatever the clock says"),
    (broken.ImportedClock, "does not look at the clock", "whatever the clock says"),
    (broken.Calendar, "does not look at the clock", "whatever the clock says"),
    (broken.ImportsLater, "imports neither torch nor ray", "found torch"),
    (broken.Seconds, "does not look at the clock", "whatever seconds results took"),
    (broken.HashOrder, "does not depend on the order of hashes", "PYTHONHASHSEED="),
    (broken.Outside, "proposes cells of the space", "at proposal 7, expected a cell of the space"),
    (broken.WrongParents, "answers with proposals", "at proposal 5, expected parents.*found 5"),
    (broken.UnseenReplicate, "replicates are of cells proposed before", "at proposal 5, "),
    (broken.UnknownMeasure, "answers with proposals", "found 'saliencey'"),
    (broken.ForgetsTheEnd, "the end stays the end", "at proposal 12, expected None again"),
    (broken.SharesResults, "same seed, same results, same proposals", "gave before"),
    (broken.PeeksBeside, "keeps to itself", "whatever another one beside it"),
    (broken.Mutates, "changes nothing that was given", "leave the evaluation as it is"),
    (broken.RenamesLater, "changes nothing that was given", "at proposal 0, .*found .*'told'"),
    (broken.OneCellForever, "seldom repeats itself", "23 of 24 proposals"),
    (broken.OneCellRenamed, "seldom repeats itself", "23 of 24 proposals"),
    (broken.GivesUp, "survives failures", "expected a further proposal, found None"),
    (broken.Leaves, "answers with proposals", "found SystemExit: 1"),
    (broken.NeedsSuccess, "survives failures", "after a first generation of .*IndexError: nobody"),
    (broken.Tuned, "can be resumed by replaying", "from stored results"),
    (broken.TakesAnySetting, "wrong settings are refused", "names the setting patience.*was taken"),
    (broken.Deaf, "another seed, other proposals", "from four seeds"),
    (
        broken.NoneAtOnce,
        "answers with proposals",
        "at proposal 0, expected a proposal",
    ),
    (broken.NeedsResults, "can be asked ahead", "asked 16 ahead: .*KeyError: .no result yet"),
]


REFUSED = {("prune", space) for space in ("tree", "scan", "small", "darts")}
"""Strategies, and the spaces that they say are not for them."""


@pytest.mark.parametrize("space", ["minimal", "gated", "tree", "scan", "small", "darts"])
@pytest.mark.parametrize("name", strategy_names())
def test_installed_strategies_keep_their_promises(name: str, space: str, full: bool) -> None:
    if (name, space) in REFUSED:
        with pytest.raises(ExperimentError, match=f"strategy '{name}': space '{space}'"):
            load_strategy(name, load_space(space))
        return
    seeded = name != "enumerate"  # it has nothing to draw
    check_strategy(name, space=space, seeded=seeded, proposals=200 if full else 30)


def test_an_honest_strategy_passes() -> None:
    check_strategy(broken.Honest, space="minimal", proposals=24)
    check_strategy(
        "broken_strategies:Honest", space="minimal", settings={"patience": 3}, proposals=24
    )


@pytest.mark.parametrize(("kind", "promise", "words"), BROKEN, ids=[b[0].__name__ for b in BROKEN])
def test_a_broken_strategy_fails_in_what_it_breaks(
    kind: type[Strategy], promise: str, words: str
) -> None:
    assert promise in STRATEGY_PROMISES
    with pytest.raises(AssertionError, match=words) as caught:
        check_strategy(kind, space="minimal", proposals=24)
    assert str(caught.value).startswith(f"{kind.__name__}: {promise}: ")
    assert "\n" not in str(caught.value)


def test_every_promise_is_broken_by_someone() -> None:
    assert {promise for _, promise, _ in BROKEN} == {*STRATEGY_PROMISES}


def test_what_imports_torch_is_told(tmp_path, monkeypatch) -> None:  # type: ignore[no-untyped-def]
    text = "import torch\nfrom broken_strategies import Honest\nclass Heavy(Honest): pass\n"
    (tmp_path / "heavy_strategy.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(AssertionError, match=r"imports neither torch nor ray: .*found torch"):
        check_strategy("heavy_strategy:Heavy", space="minimal")
