"""Specification of how recorded searches are compared: what counts, in which order, beside what."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from scipy.stats import binom

import cellsearch as cs
from cellsearch.run.finals import choose

FOLDER = Path(__file__).parent.parent / "experiments" / "benchmarks"
sys.path.append(str(FOLDER))  # behind the helpers, some of which have names as there

import prune  # noqa: E402 - from that folder
import recording  # noqa: E402
import searches  # noqa: E402
import strategies  # noqa: E402

RECORDED = json.loads((FOLDER / "strategies.json").read_text())["strategies"]


@pytest.mark.parametrize("name", strategies.CONTENDERS)
def test_recorded_contenders_are_those_of_today(name: str) -> None:
    contender, found = strategies.CONTENDERS[name], RECORDED["contenders"][name]
    assert found.items() >= strategies._made(contender).items()
    assert len(found["after"]["300"]) == RECORDED["settings"]["seeds"][1] == 200


@pytest.mark.parametrize("name", ["random, halving", "genetic", "grow"])
def test_a_recorded_search_is_found_again(name: str) -> None:
    found = strategies.search(strategies.CONTENDERS[name], 7, evaluations=100)
    after = RECORDED["contenders"][name]["after"]
    assert found.judged[29] == pytest.approx(after["30"][7], abs=1e-12)
    assert found.judged[99] == pytest.approx(after["100"][7], abs=1e-12)


@pytest.mark.parametrize("count", [6, 25, 200])
def test_an_interval_of_a_median_has_its_confidence_and_no_more_than_it_needs(count: int) -> None:
    middle, low, high = strategies.median_interval([float(i) for i in range(count)])
    assert low < middle < high
    below = round(low)  # so many values are below the interval, and as many above
    assert below == count - 1 - round(high)
    # The median is within unless at most `below` of all values lie on one side of it.
    assert 2 * binom.cdf(below, count, 0.5) <= 0.05
    assert 2 * binom.cdf(below + 1, count, 0.5) > 0.05


def scores(*found: float) -> dict[str, Any]:
    return {"finalists": {"score": list(found)}}


def test_as_many_finalists_are_compared_as_both_have() -> None:
    mine = [scores(0.1, 0.2), scores(0.3, 0.1, 0.2)]
    theirs = [scores(0.4, 0.3, 0.0), scores(0.5, 0.4, 0.3)]
    found = searches.compared(mine, theirs)
    mean, best = found["mean of the finalists, score"], found["best of the search, score"]
    assert mean["mean"] == pytest.approx((0.15 + 0.2) / 2)
    assert mean["against"] == pytest.approx((0.35 + 0.4) / 2)
    assert (best["mean"], best["against"]) == (pytest.approx(0.2), pytest.approx(0.45))
    assert best["gain"] == pytest.approx(0.25)


def test_finalists_come_in_the_order_of_the_search(tmp_path: Path) -> None:
    tables = {
        "space": {"name": "minimal"},
        "strategy": {"name": "genetic"},
        "task": [{"name": "adding", "length": 6}],
        "evaluation": {"parameters": 200, "steps": 30, "batch_size": 4},
        "budget": {"candidates": 30, "control": 0.0, "baselines": ["rnn"]},
        "final": {"candidates": 4, "replicates": 1},
    }
    run = cs.search(tables, run=tmp_path / "run", workers=0)
    assert any(one.replicate for one in run.candidates)
    found = searches.figures(run)
    order = [entry.text for entry in choose(run.candidates, run.baselines, 4)][:4]
    assert found["cells"] == order
    means = {one.text: one.mean for one in run.finalists}
    assert found["finalists"]["score"] == [means[text] for text in order]
    assert set(found["baselines"]) == {"rnn"}


def test_a_record_of_other_settings_is_refused(tmp_path: Path, monkeypatch: Any) -> None:
    made = searches.settings(600, searches.CONTENDERS)
    file = tmp_path / "record.json"
    assert recording.recorded(file, "searches", made) == {}
    file.write_text(json.dumps({"searches": {"settings": made, "runs": {}}}))
    assert recording.recorded(file, "searches", made)["runs"] == {}
    assert made["strategies"]["grow, never stopping"]["stop"] is False
    monkeypatch.setattr(searches, "LENGTH", 50)
    for other in (
        searches.settings(600, searches.CONTENDERS),
        {**made, "strategies": {**made["strategies"], "genetic": {"population": 50}}},
    ):
        with pytest.raises(SystemExit, match="recorded with other settings"):
            recording.recorded(file, "searches", other)


def test_as_many_cells_as_possible_get_a_partner_of_their_size() -> None:
    """The nearest for each on its own would leave one without."""
    plain, gated = cs.zoo["rnn"], cs.zoo["gru"]
    sizes = {cell.id: prune.parameters(cell) for cell in (plain, gated, cs.zoo["lstm"])}
    assert len(set(sizes.values())) == 3
    assert prune.matched([plain, gated], [cs.zoo["lstm"], gated]) == {1: gated}
    assert prune.matched([plain], [gated]) == {}
    partners = prune.matched([gated, gated], [gated, plain, gated])
    assert [math.isclose(sizes[one.id], sizes[gated.id]) for one in partners.values()] == [True] * 2
