"""The pool without workers: jobs run one after the other in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from cellsearch.run.pool import Evaluate, Job, Pool, Result
from cellsearch.run.worker import attempt


class SerialPool(Pool):
    """Runs jobs here, in the order they came; for debugging, for tests and for small runs.

    `interrupted` says whether the user stopped the run: an evaluation that was interrupted half
    way must not count as the candidate's failure.
    """

    capacity = 1

    def __init__(self, evaluate: Evaluate, interrupted: Callable[[], bool]) -> None:
        self._evaluate = evaluate
        self._interrupted = interrupted
        self._jobs: deque[tuple[str, Job]] = deque()

    def start(self, key: str, job: Job) -> None:
        """Put the job at the end of the row."""
        self._jobs.append((key, job))

    def wait(self) -> tuple[str, Result]:
        """Run the first job of the row; KeyboardInterrupt when the user stopped it."""
        if not self._jobs:
            raise RuntimeError("no job is under way")
        key, job = self._jobs.popleft()
        result = attempt(job, self._evaluate)
        if self._interrupted():
            raise KeyboardInterrupt
        return key, result

    def close(self) -> None:
        """Forget the jobs that wait."""
        self._jobs.clear()
