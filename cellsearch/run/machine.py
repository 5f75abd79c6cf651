"""What a run says of the machine it ran on; equal numbers are promised on equal CPUs only."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_PACKAGES = (
    "cellsearch",
    "torch",
    "numpy",
    "scipy",
    "networkx",
    "deap",
    "ray",
    "scikit-learn",
    "llvmlite",
)


def cpu_count() -> int:
    """Return the number of processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1


def cpu_type() -> str:
    """Return the processor's name as the system tells it."""
    try:
        for line in Path("/proc/cpuinfo").read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def describe() -> dict[str, object]:
    """Return processor, system and versions as plain JSON; the time is for people only."""
    versions: dict[str, str] = {}
    for name in _PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return {
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": cpu_type(),
        "cores": cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": versions,
    }
