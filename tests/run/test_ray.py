"""The pool of Ray actors: the same tables as without it, and every kind of trouble."""

import os
import signal
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from run_fakes import experiment, run, setup, table

from cellsearch.errors import ClusterError
from cellsearch.run import ray_pool
from cellsearch.run.pool import Crash, Job, Result
from cellsearch.run.ray_pool import RayPool

# As the kernel writes them: 127.0.0.1, ::1 and 127.0.0.1 within IPv6.
LOOPBACK = (
    "0100007F:",
    "00000000000000000000000001000000:",
    "0000000000000000FFFF00000100007F:",
)
EVALUATE = "fake_evaluation:evaluate"


def job(text: str, timeout: float = 60.0) -> Job:
    settings = experiment(f"evaluation.timeout={timeout}", "evaluation.memory=1GiB")
    return {**setup(settings).job("search", 0, text)}


def listeners() -> set[str]:
    """Return the local addresses, as the kernel writes them, on which this machine listens."""
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            if state == "0A":
                found.add(local)
    return found


def surroundings() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"}


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[RayPool]:
    """A pool; checked to be closed to others while it lives, and to leave nothing behind."""
    monkeypatch.setattr(ray_pool, "GRACE", 0.5)
    stale = Path(tempfile.mkdtemp(prefix="cellsearch-ray-"))  # as a killed run leaves one behind
    (stale / "cellsearch-ray.lock").touch()
    before, environment = listeners(), surroundings()
    made = RayPool(2, evaluate=EVALUATE)
    folder = made._cluster._folder
    assert folder is not None
    assert not stale.exists()
    new = listeners() - before
    assert new
    assert [address for address in new if not address.startswith(LOOPBACK)] == []
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    yield made
    made.close()
    made.close()  # closing twice is as good as once
    assert not folder.exists()
    assert surroundings() == environment


def collect(pool: RayPool, jobs: dict[str, Job]) -> dict[str, Any]:
    for key, one in jobs.items():
        pool.start(key, one)
    return dict(pool.wait() for _ in jobs)


def test_the_table_does_not_depend_on_the_workers(tmp_path: Path) -> None:
    expected = table(run(tmp_path / "serial"))
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        found = run(folder, make_pool=lambda n=workers: RayPool(n, evaluate=EVALUATE))
        assert table(found) == expected
        assert found.finalists[0].weights[0]["echo"].read_bytes()


def test_every_kind_of_trouble(tmp_path: Path, pool: RayPool) -> None:
    flag = tmp_path / "flag"
    once = job(f"# kill-once {flag}")
    answers = collect(
        pool,
        {
            "once": once,
            "twice": job("# kill"),
            "exit": job("# exit"),
            "memory": job("# memory"),
            "interrupt": job("# interrupt"),
            "hang": job("# hang", timeout=0.5),
            "fine": job("x"),
        },
    )
    assert flag.exists()
    undisturbed = collect(pool, {"again": once})["again"]

    def timeless(result: Result) -> dict[str, Any]:
        return {**result.evaluation, "seconds": 0, "losses": 0}

    assert timeless(answers["once"]) == timeless(undisturbed)
    assert answers["twice"] == Crash("crashed", "the worker died on it, twice")
    assert isinstance(answers["hang"], Crash) and answers["hang"].status == "timeout"
    statuses = {key: answers[key].evaluation["status"] for key in ("exit", "memory", "interrupt")}
    assert statuses == {"exit": "crashed", "memory": "out_of_memory", "interrupt": "crashed"}
    assert answers["fine"].evaluation["status"] in ("ok", "diverged")


@pytest.mark.parametrize("process", ["raylet", "gcs_server"])
def test_a_lost_cluster_is_told_and_blames_no_candidate(tmp_path: Path, process: str) -> None:
    expected = table(run(tmp_path / "undisturbed"))

    class Doomed(RayPool):
        count = 0

        def wait(self) -> tuple[str, Result | Crash]:
            self.count += 1
            if self.count == 6:
                os.kill(self._cluster._processes[process], signal.SIGKILL)
            return super().wait()

    with pytest.raises(ClusterError, match="To go on") as caught:
        run(tmp_path / "run", make_pool=lambda: Doomed(2, evaluate=EVALUATE))
    assert caught.value.exit_code == 75
    assert table(run(tmp_path / "run")) == expected
