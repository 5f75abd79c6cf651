"""``cellsearch list``: what there is to choose from."""

from __future__ import annotations

import argparse
import inspect
import json
from collections.abc import Callable
from typing import Any

Row = dict[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("kind", choices=sorted(_KINDS))
    parser.add_argument("--json", action="store_true", help="plain JSON")


def run(options: argparse.Namespace) -> None:
    """Print the list."""
    rows = _KINDS[options.kind]()
    if options.json:
        print(json.dumps(rows, indent=2))
        return
    from rich.table import Table

    from cellsearch.commands.show import console

    rows = [_IN_WORDS.get(options.kind, dict)(row) for row in rows]
    table = Table(box=None, pad_edge=False)
    for key, value in rows[0].items():
        table.add_column(key, justify="right" if isinstance(value, int) else "left")
    for row in rows:
        table.add_row(*(", ".join(v) if isinstance(v, list) else str(v) for v in row.values()))
    console().print(table)


def _cells() -> list[Row]:
    from cellsearch.known import zoo
    from cellsearch.shapes import products

    rows = []
    for name, cell in zoo.items():
        source = zoo.source(name)
        rows.append(
            {
                "name": name,
                "states": list(cell.states),
                "parameters at 64": cell.parameters(64, 64),
                "products": products(cell.normal),
                "kind": cell.kind,
                "source": source.short,
                "link": source.link,
            }
        )
    return rows


def _spaces() -> list[Row]:
    from cellsearch import resources
    from cellsearch.space import load_space

    names = resources.names("search_spaces")
    return [{**load_space(name).to_dict(), "name": name} for name in names]


def _space_in_words(space: Row) -> Row:
    limits = space["limits"]
    return {
        "name": space["name"],
        "shape, rules": [space["shape"], *space["rules"]],
        "states": space["states"],
        "operators": space["operators"],
        "limits": "{nodes} nodes, depth {depth}, {products} products".format(**limits),
    }


def _rules() -> list[Row]:
    from cellsearch.space.rules import RULES

    return [{"name": name, "meaning": rule.meaning} for name, rule in RULES.items()]


def _tasks() -> list[Row]:
    from cellsearch.tasks import import_task, task_names

    kinds = {name: import_task(name) for name in task_names()}
    return [
        {"name": name, "settings": _settings(kind, ("samples", "sha256")), "about": _sentence(kind)}
        for name, kind in kinds.items()
    ]


def _strategies() -> list[Row]:
    from cellsearch.strategies import import_strategy, strategy_names

    kinds = {name: import_strategy(name) for name in strategy_names()}
    return [
        {"name": name, "settings": _settings(kind, ("space", "seed")), "about": _sentence(kind)}
        for name, kind in kinds.items()
    ]


def _operators() -> list[Row]:
    from cellsearch.operators import OPERATORS

    rows = []
    for name, row in OPERATORS.items():
        low, high = row.arity
        count = str(low) if low == high else f"{low} or more"
        spread = f"{row.range[0]:g} .. {row.range[1]:g}"
        rows.append({"name": name, "arguments": count, "range": spread})
    return rows


def _experiments() -> list[Row]:
    from cellsearch import resources
    from cellsearch.experiment import load_experiment

    rows = []
    for name in resources.names("experiments"):
        experiment = load_experiment(name)
        tasks = [task.name for task in experiment.task]
        rows.append({"name": name, "strategy": experiment.strategy.name, "tasks": tasks})
    return rows


def _settings(kind: Callable[..., Any], without: tuple[str, ...] = ()) -> str:
    found = inspect.signature(kind).parameters.values()
    return ", ".join(
        parameter.name
        if parameter.default is parameter.empty
        else f"{parameter.name}={parameter.default!r}"
        for parameter in found
        if parameter.name not in without
    )


def _sentence(kind: type) -> str:
    return (inspect.getdoc(kind) or "").split("\n\n")[0].replace("\n", " ")


_KINDS: dict[str, Callable[[], list[Row]]] = {
    "cells": _cells,
    "spaces": _spaces,
    "rules": _rules,
    "tasks": _tasks,
    "strategies": _strategies,
    "operators": _operators,
    "experiments": _experiments,
}

_IN_WORDS: dict[str, Callable[[Row], Row]] = {
    "cells": lambda row: {key: value for key, value in row.items() if key != "link"},
    "spaces": _space_in_words,
}
"""What the table shows of a row where it does not show all."""
