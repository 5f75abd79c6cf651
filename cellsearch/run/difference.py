"""The difference between two experiments that tells people most."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_NAMED = ("space", "strategy", "task")


def tell(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, str, str] | None:
    """Return the key where the identities of two runs differ, and both values there, as text.

    What has a name comes first: two spaces differ in their limits, too, but that says less.
    """
    for key in _NAMED:
        there, here = _names(before.get(key)), _names(now.get(key))
        if there != here:
            if key == "space" and {**before[key], "name": ""} == {**now[key], "name": ""}:
                key = "space, the same contents under another name,"
            return key, there, here
    found = first_difference(before, now)
    return None if found is None else (found[0], _text(found[1]), _text(found[2]))


def first_difference(before: Any, now: Any, key: str = "") -> tuple[str, Any, Any] | None:
    """Return the dotted key where two plain values first differ, and both values there.

    They are compared in the order of `now`; what comes from a store is sorted.
    """
    if isinstance(before, dict) and isinstance(now, dict):
        names = [*now, *(name for name in before if name not in now)]
        pairs = [(name, before.get(name), now.get(name)) for name in names]
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        pairs = [(i, a, b) for i, (a, b) in enumerate(zip(before, now, strict=True))]
    else:
        return None if before == now else (key, before, now)
    for name, a, b in pairs:
        found = first_difference(a, b, f"{key}.{name}" if key else str(name))
        if found:
            return found
    return None


def _names(tables: Any) -> str:
    """Return the name of a table, or of each in a list."""
    listed = tables if isinstance(tables, list) else [tables] if tables else []
    return ", ".join(_text(table.get("name")) for table in listed) or "nothing"


def _text(value: Any) -> str:
    """Return a value as JSON has it, a text without its quotation marks, on one short line."""
    if value is None:
        return "not set"
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value:
        text = text[1:-1]
    return text if len(text) <= 80 else f"{text[:77]}..."
