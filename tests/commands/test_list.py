"""Specification of what `cellsearch list` says."""

import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
from command_line import Say

from cellsearch.known import zoo
from cellsearch.space import load_space
from cellsearch.space.rules import RULES


@pytest.mark.parametrize(
    "kind", ["cells", "spaces", "rules", "tasks", "strategies", "operators", "experiments"]
)
def test_list(kind: str, say: Say) -> None:
    code, out, _ = say("list", kind, "--json")
    names = {row["name"] for row in json.loads(out)}
    assert code == 0
    known = {
        "cells": set(zoo),
        "spaces": {"minimal", "gated"},
        "rules": {"scan", "indirect_carry"},
        "tasks": {"text", "adding", "copy", "digits"},
        "strategies": {"random", "genetic"},
        "operators": {"linear", "blend", "layer_norm", "hard_sigmoid"},
        "experiments": {"quickstart"},
    }
    assert known[kind] <= names
    shown = say("list", kind)[1]
    assert all(name in shown for name in names)


@pytest.mark.parametrize("kind", ["tasks", "strategies"])
def test_list_says_what_every_setting_means(kind: str, say: Say) -> None:
    rows = {row["name"]: row for row in json.loads(say("list", kind, "--json")[1])}
    settings = {(name, one["name"]): one for name in rows for one in rows[name]["settings"]}
    assert len(settings) > 5
    assert all(one["about"].endswith(".") for one in settings.values())
    shown = " ".join(say("list", kind)[1].split())
    some = {
        "tasks": "length=100 steps of a sequence, 2 to 10000.",
        "strategies": "mutations=3 the most moves between a child and its one parent.",
    }
    assert some[kind] in shown
    assert all(one["about"][:40] in shown for one in settings.values())


def test_list_of_cells_says_what_each_is_made_of(say: Say) -> None:
    head, *lines = say("list", "cells")[1].splitlines()
    assert " ".join(head.split()) == "name states parameters at 64 products kind source"
    assert [line.split()[0] for line in lines if line[0] != " "] == list(zoo)
    assert max(map(len, lines)) <= 100
    shown = next(line for line in lines if line.startswith("sru "))
    assert " ".join(shown.split()) == "sru h, c 12544 3 diagonal Lei et al., 2018"


def test_list_of_spaces_says_what_their_cells_are(say: Say) -> None:
    rows = {row["name"]: row for row in json.loads(say("list", "spaces", "--json")[1])}
    assert rows["gated"] == load_space("gated").to_dict()
    assert rows["gated"]["limits"] == {"nodes": 16, "depth": 10, "products": 10}
    assert rows["scan"]["rules"] == ["scan", "positive_divisors", "nothing_cancels"]
    shown = " ".join(say("list", "spaces")[1].split())
    assert shown.startswith("name shape, rules states operators limits ")
    assert "highway" in shown and "16 nodes, depth" in shown


def test_list_of_rules_says_what_each_means_in_a_line(say: Say) -> None:
    lines = [line.rstrip() for line in say("list", "rules")[1].splitlines()]
    assert [line.split()[0] for line in lines] == ["name", *RULES]
    assert "positive_divisors       what is divided by is always more than zero" in lines
    assert all(rule.meaning in line for rule, line in zip(RULES.values(), lines[1:], strict=True))


def test_what_another_package_brings_is_listed_even_if_it_is_broken(
    say: Say, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    methods = "    def ask(self): return None\n    def tell(self, proposal, evaluation): pass\n"
    text = f"from cellsearch.strategies import Strategy\nclass Plain(Strategy):\n{methods}"
    (tmp_path / "plain_strategy.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    entries = [
        EntryPoint("broken", "no_such_module:Class", "cellsearch.strategies"),
        EntryPoint("plain", "plain_strategy:Plain", "cellsearch.strategies"),
    ]

    def entry_points(group: str, name: str | None = None) -> list[EntryPoint]:
        return [entry for entry in entries if name in (None, entry.name)]

    monkeypatch.setattr("cellsearch.plugins.entry_points", entry_points)
    code, out, _ = say("list", "strategies", "--json")
    rows = {row["name"]: row["about"] for row in json.loads(out)}
    assert code == 0
    assert "cannot import 'no_such_module'" in rows["broken"]
    assert rows["plain"] == ""
