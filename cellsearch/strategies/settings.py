"""Settings of strategies: what is refused, in one line."""

from __future__ import annotations

from cellsearch.errors import ExperimentError


def check_count(strategy: str, key: str, value: object, least: int) -> None:
    """Raise ExperimentError unless a setting is a whole number of at least so much."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ExperimentError(
            f"strategy {strategy!r}: {key} is {value!r}; expected a whole number, {least} or more"
        )
