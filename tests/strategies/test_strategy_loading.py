"""Specification of how a strategy is found by its name and made with its settings."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from cellsearch import strategies
from cellsearch.errors import ExperimentError
from cellsearch.space import load_space
from cellsearch.strategies import STRATEGIES, import_strategy, load_strategy, strategy_names

SPACE = load_space("minimal")
OWN = """
from cellsearch.strategies import Proposal, Strategy

class Fixed(Strategy):
    def __init__(self, space, *, seed, text, times=1):
        self.space, self.seed, self.text, self.times = space, seed, text, times
    def ask(self):
        return None
    def tell(self, proposal, evaluation):
        pass

class Unfinished(Strategy):
    pass

nothing = 3
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "own_strategies.py").write_text(OWN)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "own_strategies", raising=False)
    return "own_strategies"


@pytest.mark.parametrize("name", STRATEGIES)
def test_built_in_strategies_propose_from_their_space(name: str) -> None:
    strategy = load_strategy(name, SPACE, seed=1)
    proposal = strategy.ask()
    assert proposal is not None
    assert proposal.width_of is not None or SPACE.contains(proposal.cell) is None


def test_classes_stand_in_the_package() -> None:
    assert strategies.Genetic is import_strategy("genetic")
    assert strategies.Random is import_strategy("random")
    assert not {"Genetic", "Random"} - set(strategies.__all__)
    with pytest.raises(AttributeError, match="Genetics"):
        _ = strategies.Genetics


def test_settings_reach_the_strategy() -> None:
    strategy = load_strategy("genetic", SPACE, 0, {"population": 3})
    assert [strategy.ask() is None for _ in range(4)] == [False, False, False, True]


def test_unknown_setting_names_the_nearest() -> None:
    with pytest.raises(ExperimentError, match=r"'genetic' has no setting 'populaton' \(did.*pop"):
        load_strategy("genetic", SPACE, 0, {"populaton": 3})
    with pytest.raises(ExperimentError, match=r"'random' has no setting 'seed'.*no settings"):
        load_strategy("random", SPACE, 0, {"seed": 3})


def test_unknown_strategy_names_the_nearest() -> None:
    with pytest.raises(ExperimentError, match=r"no strategy 'genetik' \(did you mean 'genetic'"):
        load_strategy("genetik", SPACE)


def test_strategy_of_ones_own(own: str) -> None:
    strategy = load_strategy(f"{own}:Fixed", SPACE, 7, {"text": "t"})
    assert vars(strategy) == {"space": SPACE, "seed": 7, "text": "t", "times": 1}
    with pytest.raises(ExperimentError, match="needs the setting 'text'"):
        load_strategy(f"{own}:Fixed", SPACE)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("own_strategies:Unfinished", r"the class 'Unfinished' lacks ask\(\), tell\(\)"),
        ("own_strategies:nothing", "expected a class made from Strategy"),
        ("own_strategies:Missing", "has no 'Missing'"),
        ("own_strategies:", "expected 'module:Class'"),
        ("no_such_module:Class", "cannot import 'no_such_module'"),
        ("builtins:dict", "expected a class made from Strategy"),
    ],
)
def test_what_is_no_strategy_is_refused(own: str, value: str, reason: str) -> None:
    with pytest.raises(ExperimentError, match=reason):
        load_strategy(value, SPACE)


def test_strategy_of_another_package(own: str, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("fixed", f"{own}:Fixed", "cellsearch.strategies")

    def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == "cellsearch.strategies"
        return [entry] if name in (None, "fixed") else []

    monkeypatch.setattr("cellsearch.plugins.entry_points", entry_points)
    assert strategy_names() == tuple(sorted(("fixed", *STRATEGIES)))
    assert import_strategy("fixed").__name__ == "Fixed"


def test_importing_the_package_leaves_deap_alone() -> None:
    code = "import sys, cellsearch.strategies; print('deap' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
