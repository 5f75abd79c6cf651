"""Results that are recorded bit by bit, and with what they were measured."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from inspect import signature
from pathlib import Path
from typing import Any

from cellsearch.strategies import import_strategy


def strategy_settings(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings of a strategy, its defaults included, as plain JSON."""
    taken = signature(import_strategy(name)).parameters.items()
    usual = {key: one.default for key, one in taken if one.default is not one.empty}
    plain: dict[str, Any] = json.loads(json.dumps(usual | dict(given)))
    return plain


def recorded(path: Path, section: str, made: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a file of results holds already, if it was measured in the same way."""
    if not path.exists():
        return {}
    found: dict[str, Any] = json.loads(path.read_text()).get(section, {})
    if not found:
        sys.exit(f"{path} holds no results of {section}; choose another --out")
    if found["settings"] != made:
        sys.exit(f"{path} was recorded with other settings; move it away, or choose another --out")
    return found
