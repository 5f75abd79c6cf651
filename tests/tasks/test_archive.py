import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cellsearch.errors import DiskError, TaskError
from cellsearch.tasks import Task, archive, load_task

X = np.arange(12 * 5 * 2, dtype=float).reshape(12, 5, 2)
Y = np.array([0, 1] * 6)


class Trap:
    """Unpickling this would create the file that it names."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str, int]]:
        return os.open, (self.path, os.O_CREAT)


def npz(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def zipped(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(f"{name}.npy", data)
    return buffer.getvalue()


def header(shape: str) -> bytes:
    return (
        b"\x93NUMPY\x01\x00"
        + (
            len(
                text := f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
            )
        ).to_bytes(2, "little")
        + text
    )


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", "is not a whole .npz file"),
        (b"x,y\n1,2\n", r"is not a whole .npz file .*numpy.savez\(path, X=X, y=y\)"),
        (npz(X=X, y=Y)[:-100], "is not a whole .npz file"),
        (npz(X=X), r"has no array 'y'; it has X"),
        (npz(X=X, labels=Y), "holds 'labels.npy'; expected arrays named X and y"),
        (npz(X=X, y=Y, group=Y), r"holds 'group.npy' \(did you mean 'groups'\?\)"),
        (npz(X=X, y=Y, settings=np.array("[1]")), "'settings' in .* is not what task.save"),
        (npz(X=X, y=Y, settings=np.array("{")), "'settings' in .* is not what task.save"),
        (npz(X=X, y=Y, settings=np.array('{"seed": "x"}')), "setting 'seed': expected a whole"),
        (zipped(X=header("(1000000, 1000000, 1000)"), y=b""), "the array 'X' is cut off"),
        (zipped(X=b"not an array", y=b""), "is not a whole .npz file"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes, expected: str) -> None:
    path = tmp_path / "data.npz"
    path.write_bytes(data)
    with pytest.raises(TaskError, match=expected) as caught:
        load_task("arrays", path=str(path))
    assert "\n" not in str(caught.value)


def test_files_and_arrays_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MAX_BYTES", 2**20)
    path = tmp_path / "data.npz"
    path.write_bytes(zipped(X=bytes(2**21), y=b""))
    assert path.stat().st_size < 10_000
    with pytest.raises(TaskError, match="unpacks to 2 MiB; at most 1 MiB are accepted"):
        load_task("arrays", path=str(path))
    path.write_bytes(bytes(2**20 + 1))
    with pytest.raises(TaskError, match=r"has 1.0 MiB; at most 1 MiB are accepted"):
        load_task("arrays", path=str(path))
    with pytest.raises(TaskError, match="the samples take 2 MiB; at most 1 MiB can be kept"):
        Task.from_arrays(np.zeros((12, 2**14, 1)), Y).save(str(path))


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    sprung = tmp_path / "sprung"
    trap = np.empty(12, dtype=object)
    trap[:] = [Trap(str(sprung))] * 12
    np.savez(tmp_path / "data.npz", X=trap, y=Y)
    with pytest.raises(TaskError, match="holds Python objects in 'X'; pad sequences"):
        load_task("arrays", path=str(tmp_path / "data.npz"))
    assert not sprung.exists()


def test_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"data.npz. does not exist; check the setting 'path'"):
        load_task("arrays", path=str(tmp_path / "data.npz"))


def test_writing_leaves_nothing_else_behind(tmp_path: Path) -> None:
    Task.from_arrays(X, Y).save(str(tmp_path / "data.npz"))
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


def test_the_same_data_may_be_saved_again_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "data.npz"
    first = Task.from_arrays(X, Y).save(str(path))
    before = path.stat()
    assert Task.from_arrays(X, Y).save(str(path)) == first
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


@pytest.mark.parametrize("inputs", [X + 1, X[:, :4]])
def test_other_data_are_not_written_over(tmp_path: Path, inputs: np.ndarray) -> None:
    path = tmp_path / "data.npz"
    Task.from_arrays(X, Y).save(str(path))
    before = path.read_bytes()
    with pytest.raises(TaskError, match=r"data.npz' exists already and holds other data.*remove"):
        Task.from_arrays(inputs, Y).save(str(path))
    assert path.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["data.npz"]


def test_a_folder_is_not_written_over(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="exists already"):
        Task.from_arrays(X, Y).save(str(tmp_path))


def test_a_folder_that_is_not_there_is_a_disk_error(tmp_path: Path) -> None:
    with pytest.raises(DiskError, match=r"cannot write '.*data.npz' \(No such file or directory\)"):
        Task.from_arrays(X, Y).save(str(tmp_path / "nowhere" / "data.npz"))
    assert not list(tmp_path.iterdir())


def test_the_same_task_gives_the_same_bytes(tmp_path: Path) -> None:
    first = Task.from_arrays(X, Y).save(str(tmp_path / "a.npz"))
    second = Task.from_arrays(X, Y).save(str(tmp_path / "b.npz"))
    assert first["sha256"] == second["sha256"]
