"""A clock that jumps: with it, whoever looks at the time does something else each time."""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import count
from typing import Any
from unittest import mock

CLOCKS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")


@contextmanager
def jumping_clock() -> Iterator[None]:
    """Put other functions in the place of those of `time`, and other classes in `datetime`.

    What was imported from there by name before keeps what it has.
    """
    ticks = count(1)

    def seconds() -> float:
        return 1e9 + 7919.77 * next(ticks) ** 2 % 1e9

    def nanoseconds() -> int:
        return round(1e9 * seconds())

    class Datetime(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> Any:
            return cls.fromtimestamp(seconds(), tz)

        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(seconds())

        @classmethod
        def utcnow(cls) -> Any:
            return cls.fromtimestamp(seconds())

    class Date(datetime.date):
        @classmethod
        def today(cls) -> Any:
            return cls.fromtimestamp(seconds())

    with ExitStack() as patches:
        for name in CLOCKS:
            patches.enter_context(mock.patch.object(time, name, seconds))
            patches.enter_context(mock.patch.object(time, f"{name}_ns", nanoseconds))
        patches.enter_context(mock.patch.object(datetime, "datetime", Datetime))
        patches.enter_context(mock.patch.object(datetime, "date", Date))
        yield
