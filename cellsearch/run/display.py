"""What is shown while a run works: a live block on a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections import deque
from types import TracebackType
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from cellsearch.inspection.standings import one_line
from cellsearch.run.progress import Progress

_SHOWN = ("lstm", "gru")  # the baselines that everybody knows; others only when these are missing
_WINDOW = 60  # results over which the speed is taken


class Display:
    """Shows a run's progress in one block that is redrawn; pass it as `progress` to `search`.

    Use it as a context manager. Where standard error is not a terminal it writes lines instead: at
    the first result of a phase, at every tenth of it, and every notice. Wall clock is used here and
    only for what people see.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._live: Live | None = None
        self._now = Progress()
        self._began = time.monotonic()
        self._ends: deque[float] = deque(maxlen=_WINDOW)
        self._tenth: tuple[str, int] | None = None  # of what phase the last line told

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live = Live(
                self, console=self._console, refresh_per_second=4, redirect_stdout=False
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __call__(self, progress: Progress) -> None:
        """Take in how far the run is."""
        if progress.phase != self._now.phase:
            self._began = time.monotonic()
            self._ends.clear()
        elif progress.done > self._now.done and progress.restored == self._now.restored:
            self._ends.append(time.monotonic())
        if progress.notice:
            notice = Text(one_line(progress.notice), style="yellow")  # as it stands: no markup
            self._console.print(notice, highlight=False, soft_wrap=True)
        self._now = progress
        if self._live is None:
            self._say()

    def __rich__(self) -> Group:
        return Group(self._bar(), self._counts(), self._scores())

    def per_minute(self) -> float | None:
        """Return jobs a minute over the last ones, or None before there are any."""
        if not self._ends:
            return None
        since = self._ends[0] if len(self._ends) == _WINDOW else self._began
        jobs = len(self._ends) - (len(self._ends) == _WINDOW)
        return 60.0 * jobs / max(1e-9, time.monotonic() - since)

    def time_left(self) -> float | None:
        """Return the seconds that the phase will still take, or None when nobody can know."""
        speed = self.per_minute()
        if speed is None or self._now.total is None:
            return None
        return 60.0 * max(0, self._now.total - self._now.done) / speed

    def _bar(self) -> Table:
        now = self._now
        row = Table.grid(padding=(0, 1))
        total = "" if now.total is None else f"/{now.total}"
        row.add_row(
            Text(f"{now.phase:<9}", style="bold"),
            ProgressBar(total=now.total, completed=now.done, width=40, pulse=now.total is None),
            Text(f"{now.done}{total}"),
        )
        return row

    def _say(self) -> None:
        """Write a line if a tenth of the phase has passed, not for what the store brought back."""
        now = self._now
        tenth = (now.phase, 10 * now.done // now.total if now.total else now.done // 10)
        begun = now.done > now.restored or (now.phase == "baselines" and not now.done)
        if now.phase == "done" or tenth == self._tenth or not begun:
            return
        self._tenth = tenth
        parts = [f"{now.phase} {now.done}" + ("" if now.total is None else f"/{now.total}")]
        if now.best is not None:
            parts.append(f"best so far {now.best:.4f} (candidate {now.best_index})")
        parts += self._speed()
        self._console.print(", ".join(parts), highlight=False, soft_wrap=True)

    def _speed(self) -> list[str]:
        speed, left = self.per_minute(), self.time_left()
        parts = [] if speed is None else [f"{speed:.1f} a minute"]
        return parts if left is None else [*parts, f"{_duration(left)} left"]

    def _counts(self) -> Text:
        now = self._now
        parts = [
            f"{now.failed} failed",
            f"{now.stopped} stopped early",
            f"{now.duplicates} deduplicated",
        ]
        return Text("   ".join([*parts, *self._speed()]), style="dim")

    def _scores(self) -> Text:
        now = self._now
        known = [name for name in _SHOWN if name in now.baselines] or list(now.baselines)[:2]
        best = "none yet" if now.best is None else f"{now.best:.4f} (candidate {now.best_index})"
        parts = [f"best so far {best}"]
        for name in known:
            score = now.baselines[name]
            parts.append(f"{name} {'failed' if score is None else f'{score:.4f}'}")
        return Text("   ".join([*parts, "lower is better"]))


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
