"""What is swept of Ray's folders that killed runs left behind, and what is never touched."""

from pathlib import Path

from cellsearch.run.cluster import _LOCK, _sweep
from cellsearch.run.lock import Lock
from cellsearch.run.store import Store, make_folder


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
