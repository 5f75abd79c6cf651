"""``cellsearch list``: what there is to choose from."""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable
from typing import Any

from cellsearch.errors import CellSearchError

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

    rows = [line for row in rows for line in _IN_WORDS.get(options.kind, _as_it_is)(row)]
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


def _as_it_is(row: Row) -> list[Row]:
    return [row]


def _cell_in_words(row: Row) -> list[Row]:
    return [{key: value for key, value in row.items() if key != "link"}]


def _space_in_words(space: Row) -> list[Row]:
    limits = space["limits"]
    return [
        {
            "name": space["name"],
            "shape, rules": [space["shape"], *space["rules"]],
            "states": space["states"],
            "operators": space["operators"],
            "limits": "{nodes} nodes, depth {depth}, {products} products".format(**limits),
        }
    ]


def _with_settings_in_words(row: Row) -> list[Row]:
    """Return a line for what has the settings, and one for each of them."""
    lines = [{"name, settings": row["name"], "about": row["about"]}]
    for setting in row["settings"]:
        known = "" if setting["default"] is None else f"={setting['default']}"
        about = setting["about"]
        lines.append({"name, settings": f"  {setting['name']}{known}", "about": about})
    return lines


def _rules() -> list[Row]:
    from cellsearch.space.rules import RULES

    return [{"name": name, "meaning": rule.meaning} for name, rule in RULES.items()]


def _tasks() -> list[Row]:
    from cellsearch.tasks import import_task, task_names

    return [_described(name, import_task, ("samples", "sha256")) for name in task_names()]


def _strategies() -> list[Row]:
    from cellsearch.strategies import import_strategy, strategy_names

    return [_described(name, import_strategy, ("space", "seed")) for name in strategy_names()]


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


def _described(name: str, find: Callable[[str], type], without: tuple[str, ...]) -> Row:
    """Return what a class is and its settings, from its constructor and its docstring.

    One of another package that cannot be imported is listed with the reason.
    """
    try:
        kind = find(name)
    except CellSearchError as error:
        return {"name": name, "settings": [], "about": str(error)}
    text = inspect.cleandoc(kind.__doc__ or "")
    about = _meanings(text)
    settings = [
        {
            "name": each.name,
            "default": None
            if each.default in (each.empty, None)
            else json.dumps(each.default, default=repr),
            "about": about.get(each.name, ""),
        }
        for each in inspect.signature(kind).parameters.values()
        if each.name not in without
    ]
    return {"name": name, "settings": settings, "about": text.split("\n\n")[0].replace("\n", " ")}


def _meanings(text: str) -> dict[str, str]:
    """Return what a docstring's section of arguments or settings says of each."""
    _, _, section = re.sub(r"(?m)^Settings:$", "Args:", text).partition("\nArgs:\n")
    found = re.findall(r"(?m)^    (\w+): (.+(?:\n {8,}.+)*)", section.split("\n\n")[0])
    return {name: " ".join(meaning.split()) for name, meaning in found}


_KINDS: dict[str, Callable[[], list[Row]]] = {
    "cells": _cells,
    "spaces": _spaces,
    "rules": _rules,
    "tasks": _tasks,
    "strategies": _strategies,
    "operators": _operators,
    "experiments": _experiments,
}

_IN_WORDS: dict[str, Callable[[Row], list[Row]]] = {
    "cells": _cell_in_words,
    "spaces": _space_in_words,
    "tasks": _with_settings_in_words,
    "strategies": _with_settings_in_words,
}
"""The lines that the table shows of a row, where they are not the row itself."""
