"""Starting Ray on this machine, closed to all others, or joining a cluster that runs already."""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
import threading
import warnings
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

from cellsearch.errors import ClusterError
from cellsearch.run import lock
from cellsearch.run.lock import Lock
from cellsearch.run.schema import DATABASE

OBJECT_STORE = 128 * 2**20  # bytes; all that passes through are jobs and the weights of finalists
_PREFIX = "cellsearch-ray-"
_LOCK = "cellsearch-ray.lock"  # not the name of a run's lock: a run is never taken for leftovers
_SET_BY_RAY = ("PYTHONBREAKPOINT", "RAY_CLIENT_MODE")  # in this process, and left there
_ANSWER = 5.0  # seconds for each of a host's addresses to answer; Ray tries for over a minute
_MAX_TEMPORARY = 15  # characters; Ray's socket paths in it are 92 longer and may not exceed 107


class Cluster:
    """A connection to Ray, and the processes behind it when they are ours.

    Ray's own defaults listen on every interface, leave the session folder open to all users and
    report statistics home, so all of that is set here, before Ray is imported. Whoever holds the
    token may run code: it stays in this process's environment.
    """

    def __init__(self, workers: int, address: str | None) -> None:
        self._environment: dict[str, str | None] = {}
        self._folder: Path | None = None
        self._lock: Lock | None = None
        self._ours = False
        self._processes: dict[str, int] = {}
        try:
            self._start(workers, address)
        except BaseException:
            self.close()
            raise

    def _start(self, workers: int, address: str | None) -> None:
        already = "ray" in sys.modules and bool(_import_ray().is_initialized())
        if address is not None and not already:
            _probe(address)
        for name in _SET_BY_RAY:
            self._environment.setdefault(name, os.environ.get(name))
        self._set("RAY_USAGE_STATS_ENABLED", "0")
        if address is None and not already:
            for name, value in _closed_to_others().items():
                self._set(name, value)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            self._set(name, "1")
        self.ray = _import_ray()
        if already:  # the caller's own connection; it is used and left alone
            return
        self._ours = True
        if address is not None:
            self._join(address)
            return
        parent = Path(tempfile.gettempdir())
        if len(str(parent)) > _MAX_TEMPORARY:
            parent = Path("/", "tmp")
        _sweep(parent)
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        self._lock = Lock(self._folder, _LOCK)
        before = set(_children())
        main = threading.current_thread() is threading.main_thread()
        handler = signal.getsignal(signal.SIGTERM)
        try:
            self.ray.init(
                num_cpus=workers,
                include_dashboard=False,
                dashboard_host="127.0.0.1",
                object_store_memory=OBJECT_STORE,
                log_to_driver=False,
                logging_level="ERROR",
                configure_logging=True,
                _temp_dir=str(self._folder / "ray"),  # Ray opens its folder to all; ours is above
            )
        except (OSError, RuntimeError, ValueError, TimeoutError) as error:
            raise ClusterError(f"Ray does not start: {_line(error)}") from None
        finally:
            if main and handler is not None:  # Ray puts in one of its own
                signal.signal(signal.SIGTERM, handler)
        for pid in set(_children()) - before:
            process = _process_name(pid)
            if process in ("gcs_server", "raylet"):
                self._processes[process] = pid

    def _join(self, address: str) -> None:
        try:
            self.ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        except (self.ray.exceptions.RayError, OSError, RuntimeError, ValueError) as error:
            raise ClusterError(
                f"no Ray cluster at {address}, or its token is not the one in RAY_AUTH_TOKEN "
                f"(with RAY_AUTH_MODE=token): {_line(error)}"
            ) from None

    def lost(self) -> str | None:
        """Return which of Ray's own processes on this machine is gone, or None.

        Asked before Ray is: with its control server gone, a call into Ray hangs for a minute and
        then ends this process without a word.
        """
        for name, pid in self._processes.items():
            if _process_name(pid) != name:
                return name
        return None

    def node_alive(self, node: str | None) -> bool:
        """Say whether the node of that id, or any node for None, still belongs to the cluster."""
        nodes = self.ray.nodes()
        return any(entry["Alive"] and node in (None, entry["NodeID"]) for entry in nodes)

    def close(self) -> None:
        """Disconnect; end what was started and remove its folder; idempotent."""
        if self._ours:
            self._ours = False
            self.ray.shutdown()
        self._processes.clear()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        for name, before in self._environment.items():
            if before is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = before
        self._environment.clear()

    def _set(self, name: str, value: str) -> None:
        self._environment.setdefault(name, os.environ.get(name))
        os.environ[name] = value


@functools.cache
def _closed_to_others() -> dict[str, str]:
    """Return what keeps Ray to this machine and to us; Ray reads it once, when it is imported."""
    if "ray" in sys.modules:
        warnings.warn(
            "ray was imported before the run started: its ports, guarded by a token, listen on all "
            "interfaces; let cellsearch import it first, or call ray.init as you like it",
            RuntimeWarning,
            stacklevel=2,
        )
        return {}
    return {
        # The name is about other systems; what it does is to put every socket on 127.0.0.1.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": os.environ.get("RAY_AUTH_TOKEN") or secrets.token_hex(32),
    }


def _probe(address: str) -> None:
    """Raise ClusterError if the address is a host and a port at which nothing answers."""
    try:
        parts = urlsplit(address if "//" in address else f"//{address}")
        host, port = parts.hostname, parts.port
    except ValueError:  # Ray knows best what it makes of it
        return
    if host is None or port is None:  # a word such as "auto"
        return
    try:
        socket.create_connection((host, port), timeout=_ANSWER).close()
    except (OSError, UnicodeError) as error:  # the latter for a name that no host can have
        reason = getattr(error, "strerror", None) or error
        raise ClusterError(
            f"no Ray cluster at {address}: nothing answers there ({reason}); "
            "expected HOST:PORT as `ray start --head` prints it"
        ) from None


def _import_ray() -> ModuleType:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=FutureWarning, module=r"ray\b.*")
        import ray
        import ray.exceptions
    module: ModuleType = ray
    return module


def _sweep(parent: Path) -> None:
    """Remove what runs left behind that were killed: Ray's folders whose lock nobody holds."""
    for folder in parent.glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            ours = folder.stat().st_uid == os.getuid() and (folder / _LOCK).is_file()
            if folder.is_symlink() or not ours or (folder / DATABASE).exists():
                continue
            if lock.holder(folder, _LOCK) is None:
                shutil.rmtree(folder, ignore_errors=True)


def _children() -> list[int]:
    """Return the ids of this process's children; empty where there is no /proc."""
    found: list[int] = []
    for path in Path("/proc/self/task").glob("*/children"):
        try:
            found.extend(map(int, path.read_text().split()))
        except OSError:
            continue
    return found


def _process_name(pid: int) -> str | None:
    """Return the name of a living process; None for one that is gone or only a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    name, _, rest = text.partition("(")[2].rpartition(")")
    return None if rest.split()[0] in "ZX" else name


def _line(error: BaseException) -> str:
    """Return the error's text as one line of bearable length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]
