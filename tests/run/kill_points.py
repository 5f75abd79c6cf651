"""Kills a run of fakes at the n-th step towards the disk, for every n, and resumes it each time.

A program of its own, since it forks; prints how many points there were. Steps are the moments
before and after every commit, every file sync and every rename.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from run_fakes import Learner, experiment, run, setup, table

from cellsearch.run.store import Store

SETTINGS = setup(
    experiment(
        "budget.candidates=6", "run.lag=2", "final.candidates=1", "budget.baselines=['gru']"
    ),
    lambda: Learner(seed=4, words=7),
)


def arm(step: int) -> None:
    """Let this process kill itself at the given step."""
    count = 0

    def reached() -> None:
        nonlocal count
        count += 1
        if count == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(function: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any) -> Any:
            reached()
            answer = function(*args)
            reached()
            return answer

        return wrapped

    Store.put = around(Store.put)  # type: ignore[method-assign]
    os.replace = around(os.replace)
    os.fsync = around(os.fsync)


def forked(folder: Path, step: int) -> bool:
    """Run in a child that dies at the step; say whether it got to its end instead."""
    pid = os.fork()
    if pid == 0:
        arm(step)
        run(folder, SETTINGS)
        os._exit(0)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        return False
    if os.WEXITSTATUS(status) != 0:
        raise SystemExit(f"step {step}: the child failed")
    return True


def main(root: Path) -> None:
    """Try every kill point once, then kill one run again and again."""
    expected = json.dumps(table(run(root / "undisturbed", SETTINGS)))
    step = 1
    while not forked(root / f"at-{step}", step):
        found = json.dumps(table(run(root / f"at-{step}", SETTINGS)))
        if found != expected:
            raise SystemExit(f"step {step}: the resumed table is another one")
        step += 1
    kills = 0
    while not forked(root / "often", 13):  # a final alone takes 10 steps
        kills += 1
    if json.dumps(table(run(root / "often", SETTINGS))) != expected:
        raise SystemExit("the table of the run that was killed often is another one")
    print(step - 1, kills)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
