"""Where no cluster is; what of Ray's folders is swept, and what is never touched."""

import socket
import sys
from pathlib import Path

import pytest

from cellsearch.errors import ClusterError
from cellsearch.run.cluster import _LOCK, Cluster, _probe, _sweep
from cellsearch.run.lock import Lock
from cellsearch.run.store import Store, make_folder


@pytest.mark.parametrize("form", ["127.0.0.1:{}", "ray://127.0.0.1:{}"])
def test_an_address_where_nothing_answers_is_told_at_once(form: str) -> None:
    loaded = "ray" in sys.modules
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and never listens
        address = form.format(taken.getsockname()[1])
        with pytest.raises(ClusterError, match=f"no Ray cluster at {address}: nothing ") as caught:
            Cluster(1, address)
    assert "\n" not in str(caught.value)
    assert ("ray" in sys.modules) == loaded  # it was not even asked


def test_what_answers_and_what_is_a_word_is_left_to_ray() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        _probe(f"127.0.0.1:{server.getsockname()[1]}")
    for address in ("auto", "local", "no port", "[::1", "host:port"):
        _probe(address)
    for address in ("a..b:6379", f"{'a' * 64}:6379"):  # no names of hosts
        with pytest.raises(ClusterError, match="nothing answers there"):
            _probe(address)


def left_behind(folder: Path) -> Path:
    folder.mkdir()
    (folder / _LOCK).touch()
    (folder / "ray").mkdir()
    return folder


def test_only_folders_of_ray_that_nobody_holds_are_swept(tmp_path: Path) -> None:
    stale = left_behind(tmp_path / "cellsearch-ray-stale")
    busy = left_behind(tmp_path / "cellsearch-ray-busy")
    other = left_behind(tmp_path / "cellsearch-other")
    unlocked = tmp_path / "cellsearch-ray-unlocked"
    unlocked.mkdir()
    link = tmp_path / "cellsearch-ray-link"
    link.symlink_to(other)
    held = Lock(busy, _LOCK)
    _sweep(tmp_path)
    held.release()
    assert set(tmp_path.iterdir()) == {busy, other, unlocked, link}
    assert not stale.exists()
    _sweep(tmp_path)
    assert not busy.exists()


def test_a_run_in_the_temporary_folder_survives(tmp_path: Path) -> None:
    runs = [tmp_path / "cellsearch-run", tmp_path / "cellsearch-ray-run"]
    for folder in runs:
        make_folder(folder)
        Lock(folder).release()
        Store.create(folder, {"elapsed": 0.0}).close()
        (folder / _LOCK).touch()
    _sweep(tmp_path)
    for folder in runs:
        Store.read(folder).close()
