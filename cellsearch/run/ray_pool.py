"""The pool of Ray actors: one long-lived process a core, replaced when it dies or hangs."""

from __future__ import annotations

import json
import time
from collections import deque
from dataclasses import dataclass
from typing import Any

from cellsearch.errors import ClusterError
from cellsearch.run.cluster import Cluster
from cellsearch.run.pool import Crash, Job, Pool, Result
from cellsearch.run.worker import Worker

GRACE = 15.0  # seconds beyond its own deadline after which a worker is killed
START_TIMEOUT = 120.0  # seconds for a worker to come up, torch included
MAX_FAULTS = 3  # faults of the machinery in a row, after which the run gives up
_POLL = 0.5  # seconds between looks at the deadlines


@dataclass(slots=True, eq=False)
class _Slot:
    """One actor and what it is busy with; `key` is None while it is starting or idle."""

    actor: Any
    reference: Any
    since: float
    limit: float
    key: str | None = None
    node: str | None = None


class RayPool(Pool):
    """Actors of one core each, at most one job in flight in each of them.

    Without `workers` they are as many as the cluster has cores. Results are plain JSON, and weights
    as bytes. An actor that dies takes its job to a fresh one, once; an actor that is `GRACE`
    seconds over its job's own deadline is killed. Anything that is the cluster's fault (a node or
    its daemon is gone) is repeated at no cost to the job, and ends in ClusterError after
    `MAX_FAULTS` times in a row.
    """

    def __init__(
        self,
        workers: int | None,
        address: str | None = None,
        evaluate: str = "cellsearch.evaluation:evaluate",
    ) -> None:
        self._name = evaluate
        self._cluster = Cluster(workers or 1, address)
        self._ray = self._cluster.ray
        self.capacity = workers or max(1, int(self._ray.cluster_resources().get("CPU", 1)))
        self._actors = self._ray.remote(num_cpus=1, max_restarts=0, max_task_retries=0)(Worker)
        self._slots: list[_Slot] = []
        self._idle: list[_Slot] = []
        self._jobs: dict[str, Job] = {}
        self._deaths: dict[str, int] = {}
        self._backlog: deque[str] = deque()
        self._ended: deque[tuple[str, Result | Crash]] = deque()
        self._faults = 0
        for _ in range(self.capacity):
            self._hire()

    def start(self, key: str, job: Job) -> None:
        """Give the job to an idle worker, or let it wait for one."""
        self._jobs[key] = job
        self._backlog.append(key)
        self._dispatch()

    def wait(self) -> tuple[str, Result | Crash]:
        """Return the next job that ends; raises ClusterError when the machinery is gone."""
        if not self._jobs:
            raise RuntimeError("no job is under way")
        while not self._ended:
            lost = self._cluster.lost()
            if lost:
                raise ClusterError(f"Ray's {lost} process is gone")
            self._dispatch()
            busy = {slot.reference: slot for slot in self._slots if slot not in self._idle}
            try:
                ready, _ = self._ray.wait(list(busy), num_returns=1, timeout=_POLL)
            except (self._ray.exceptions.RayError, ConnectionError) as error:
                self._fault(error)
                continue
            for reference in ready:
                self._collect(busy[reference])
            self._kill_late()
        key, outcome = self._ended.popleft()
        del self._jobs[key]
        self._deaths.pop(key, None)
        return key, outcome

    def close(self) -> None:
        """Disconnect from Ray, which ends the actors; idempotent."""
        if self._cluster.lost() is None:
            for slot in self._slots:
                self._ray.kill(slot.actor)
        self._slots.clear()
        self._idle.clear()
        self._jobs.clear()
        self._backlog.clear()
        self._cluster.close()

    def _hire(self) -> None:
        actor = self._actors.remote(self._name)
        reference = actor.ready.remote()
        self._slots.append(_Slot(actor, reference, time.monotonic(), START_TIMEOUT))

    def _dispatch(self) -> None:
        while self._backlog and self._idle:
            slot, key = self._idle.pop(0), self._backlog.popleft()
            job = self._jobs[key]
            slot.key = key
            slot.limit = float(job["settings"]["timeout"]) + GRACE
            slot.since = time.monotonic()
            slot.reference = slot.actor.run.remote(json.dumps(dict(job)))

    def _collect(self, slot: _Slot) -> None:
        """Take in what a worker gave: that it is ready, a result, or its death."""
        errors = self._ray.exceptions
        try:
            answer = self._ray.get(slot.reference)
        except errors.RayActorError as error:
            alive = self._cluster.lost() is None and self._cluster.node_alive(slot.node)
            if alive and slot.key is not None and isinstance(error, errors.ActorDiedError):
                self._died(slot)
            else:
                self._fault(error, slot)
        except (errors.RayError, ConnectionError) as error:
            self._fault(error, slot)
        else:
            if slot.key is None:
                slot.node = answer[1]
            else:
                evaluation, weights = answer
                self._ended.append((slot.key, Result(json.loads(evaluation), weights)))
                slot.key = None
            self._faults = 0
            self._idle.append(slot)

    def _died(self, slot: _Slot) -> None:
        """Replace a worker that died on its job; the job gets one more chance."""
        key = slot.key
        self._replace(slot)
        if key is None:
            return
        self._deaths[key] = self._deaths.get(key, 0) + 1
        if self._deaths[key] == 1:
            self._backlog.appendleft(key)
        else:
            self._ended.append((key, Crash("crashed", "the worker died on it, twice")))

    def _kill_late(self) -> None:
        """Kill the workers that are over their limit, and end their jobs as ``timeout``."""
        now = time.monotonic()
        for slot in [slot for slot in self._slots if slot not in self._idle]:
            if now - slot.since <= slot.limit:
                continue
            if slot.key is None:
                self._fault(TimeoutError(f"no worker after {START_TIMEOUT:.0f} seconds"), slot)
                continue
            message = f"killed: no answer after {slot.limit:.0f} seconds"
            self._ended.append((slot.key, Crash("timeout", message)))
            self._replace(slot)

    def _fault(self, error: BaseException, slot: _Slot | None = None) -> None:
        """Repeat what the machinery failed to do, unless it fails again and again."""
        self._faults += 1
        if self._faults >= MAX_FAULTS or self._cluster.lost() or not self._cluster.node_alive(None):
            text = " ".join(str(error).split())[:300]
            raise ClusterError(f"Ray does not work: {type(error).__name__}: {text}")
        if slot is not None:
            if slot.key is not None:
                self._backlog.appendleft(slot.key)
            self._replace(slot)

    def _replace(self, slot: _Slot) -> None:
        self._slots.remove(slot)
        self._ray.kill(slot.actor)
        self._hire()
