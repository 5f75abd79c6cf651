"""What a loss is worth, between a task's level of chance and that at which it is solved."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def open_share(loss: float, level: Mapping[str, Any]) -> float:
    """Return the share of the way from chance to solved that is still open: 0 is solved, 1 chance.

    The level holds both losses, "chance" and "solved".
    """
    share: float = (loss - level["solved"]) / (level["chance"] - level["solved"])
    return min(1.0, max(0.0, share))
