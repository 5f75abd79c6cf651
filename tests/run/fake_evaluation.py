"""A fast evaluation whose outcome is a function of the job's text; no torch.

Named by the tests as ``fake_evaluation:evaluate``; a comment in the cell's text asks for trouble.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from cellsearch.seeds import derive


def evaluate(job: dict[str, Any]) -> dict[str, Any]:
    """Return a score drawn from the cell, the kind and the replicate."""
    text = str(job["cell"])
    _make_trouble(text)
    names = [task["name"] for task in job["tasks"]]
    rates = job["settings"]["learning_rates"]

    def level(*parts: int | str) -> float:
        kind = "final" if job["kind"] == "final" else "search"
        return derive(*parts, text, kind, job["seed"], job["replicate"]) % 10_000 / 10_000

    end = level("end")
    rungs = []
    for steps, threshold in zip(job["rungs"], job["thresholds"], strict=True):
        rungs.append(round(0.7 * end + 0.3 * level("rung", steps), 6))
        if threshold is not None and rungs[-1] > threshold:
            break
    stopped = len(rungs) < len(job["rungs"]) or (
        bool(rungs) and job["thresholds"][-1] is not None and rungs[-1] > job["thresholds"][-1]
    )
    failed = level("failure") < 0.1 and job["kind"] == "search"
    status = "diverged" if failed else "stopped" if stopped else "ok"
    evaluation = {
        "status": status,
        "original": None,
        "score": None if failed else rungs[-1] if stopped else end,
        "rung_scores": [] if failed else rungs,
        "losses": {name: float("nan") if failed else end for name in names},
        "metrics": {name: end for name in names},
        "parameters": {name: 1000 + len(text) for name in names},
        "hidden_size": {name: 10 for name in names},
        "learning_rates": job["learning_rates"] or {name: rates[0] for name in names},
        "operations": 10 * len(text),
        "steps": job["rungs"][0] if stopped else job["settings"]["steps"],
        "seconds": time.perf_counter(),
        "measured": {},
        "message": "",
    }
    weights = {name: text.encode() for name in names} if job["keep_weights"] else {}
    return {"evaluation": evaluation, "weights": weights}


def _make_trouble(text: str) -> None:
    for line in text.splitlines():
        word, _, argument = line.removeprefix("# ").partition(" ")
        if word == "kill-once" and not Path(argument).exists():
            Path(argument).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "hang":
            while True:
                pass
        elif word == "exit":
            sys.exit(3)
        elif word == "memory":
            bytearray(2**33)
        elif word == "interrupt":
            raise KeyboardInterrupt
