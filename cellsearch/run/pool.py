"""What a pool of workers is, and what comes back from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

Job = Mapping[str, Any]
Evaluate = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Result:
    """What a job gave: `Evaluation.to_json`, and the weights per task if they were asked for."""

    evaluation: Mapping[str, Any]
    weights: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Crash:
    """A job that took its worker down, twice (``crashed``), or had to be killed (``timeout``)."""

    status: str
    message: str


class Pool(ABC):
    """Workers that evaluate jobs; results come in any order, and all of them come.

    A job is plain JSON and gives the same result wherever it runs. What is the fault of the
    machinery is repeated in here, and raises ClusterError when it does not get better.
    """

    capacity: int

    @abstractmethod
    def start(self, key: str, job: Job) -> None:
        """Take in a job under a key of its own; it waits until a worker is free."""

    @abstractmethod
    def wait(self) -> tuple[str, Result | Crash]:
        """Return the next job that ends; RuntimeError when none is under way."""

    @abstractmethod
    def close(self) -> None:
        """Abandon what is under way and let go of the workers; idempotent."""
