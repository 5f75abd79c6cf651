"""Stopping a run by Ctrl-C, SIGTERM or SIGHUP without losing anything."""

from __future__ import annotations

import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Self

EXIT_CODE = 130


class Interrupted(KeyboardInterrupt):
    """The user stopped the run; everything finished is kept, and the text says how to go on."""

    exit_code = EXIT_CODE


class Signals:
    """While entered, the first signal raises KeyboardInterrupt and the second ends the process.

    Outside the main thread, where Python allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self._stopped = False
        self._before: dict[int, object] = {}

    def stopped(self) -> bool:
        """Say whether a signal came."""
        return self._stopped

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup
                    self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self._stopped:
            os._exit(EXIT_CODE)
        self._stopped = True
        raise KeyboardInterrupt
