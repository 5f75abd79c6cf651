"""Files that people ask for: whole or not at all, never over another one."""

import errno
import os
from pathlib import Path

import pytest

from cellsearch.errors import CellSearchError, DiskError
from cellsearch.files import check_new, write


@pytest.mark.parametrize("kind", ["file", "folder", "link to nowhere"])
def test_what_is_there_is_not_written_over(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "mine.py"
    check_new(path)
    if kind == "file":
        path.touch()
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(CellSearchError) as caught:
        check_new(path)
    assert str(caught.value) == (
        f"{path} exists already; nothing is written over: choose another name, or remove it"
    )
    assert caught.value.exit_code == 2


def test_a_file_is_written_and_nothing_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "a", b"data")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"data"]


@pytest.mark.parametrize(
    ("number", "code"), [(errno.ENOSPC, 74), (errno.EDQUOT, 74), (errno.EACCES, 2)]
)
def test_what_is_not_written_whole_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    def refuse(path: Path, data: bytes) -> int:
        with path.open("wb") as file:
            file.write(data[:2])
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(CellSearchError, match="a: cannot be written: ") as caught:
        write(tmp_path / "a", b"data")
    assert isinstance(caught.value, DiskError) == (code == 74)
    assert caught.value.exit_code == code
    assert not list(tmp_path.iterdir())
