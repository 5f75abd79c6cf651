"""What happens inside a worker: one evaluation after the other, each within its memory limit."""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import sys
from collections.abc import Iterator
from pathlib import Path

from cellsearch.errors import text_of
from cellsearch.run.pool import Evaluate, Job, Result

MAX_MESSAGE = 4096  # characters of an error that are kept


def load_evaluate(name: str) -> Evaluate:
    """Return the function that ``module:function`` names."""
    module, _, function = name.partition(":")
    found: Evaluate = getattr(importlib.import_module(module), function)
    return found


def attempt(job: Job, evaluate: Evaluate) -> Result:
    """Evaluate a job; whatever its code raises, SystemExit included, is its own failure."""
    memory = job.get("settings", {}).get("memory")
    try:
        with memory_limit(memory):
            answer = evaluate(dict(job))
        return Result(answer["evaluation"], answer.get("weights", {}))
    except MemoryError as error:
        gc.collect()
        return Result({"status": "out_of_memory", "message": _message(error)})
    except BaseException as error:
        return Result({"status": "crashed", "message": _message(error)})


@contextlib.contextmanager
def memory_limit(size: int | None) -> Iterator[None]:
    """Let the process map at most `size` bytes more than it has mapped now."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:  # no /proc: this system has no such limit to set
        size = None
    if size is None:
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = pages * os.sysconf("SC_PAGE_SIZE") + size
    for limit in (soft, hard):
        if limit != resource.RLIM_INFINITY:
            wanted = min(wanted, limit)
    resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _message(error: BaseException) -> str:
    return f"{type(error).__name__}: {text_of(error)[:MAX_MESSAGE]}"[:MAX_MESSAGE]


class Worker:
    """A process that lives through many evaluations; Ray makes an actor of it."""

    def __init__(self, evaluate: str) -> None:
        self._evaluate = load_evaluate(evaluate)
        torch = sys.modules.get("torch")
        if torch is not None:  # one thread each: the workers are as many as the cores
            torch.set_num_threads(1)

    def ready(self) -> tuple[int, str]:
        """Return the process id and the node's id, once everything is loaded."""
        import ray

        return os.getpid(), str(ray.get_runtime_context().get_node_id())

    def run(self, job: str) -> tuple[str, dict[str, bytes]]:
        """Evaluate a job given as JSON text; return the evaluation as JSON text, and weights."""
        result = attempt(json.loads(job), self._evaluate)
        return json.dumps(dict(result.evaluation)), dict(result.weights)
