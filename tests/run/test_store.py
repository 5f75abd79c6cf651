"""The store: nothing acknowledged is lost, nothing damaged is believed, one writer at a time."""

import errno
import os
import random
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from cellsearch.errors import DiskError, RunError
from cellsearch.run import open_run
from cellsearch.run.lock import Lock, holder
from cellsearch.run.schema import Row, canonical, digest
from cellsearch.run.store import DATABASE, Store, make_folder


def new(folder: Path) -> Store:
    make_folder(folder)
    return Store.create(folder, {"elapsed": 0.0, "done": None})


def row(number: int, text: str = "x") -> Row:
    return Row("candidates", (number,), {"number": number, "text": text})


def test_rows_come_back_by_key_and_in_order(tmp_path: Path) -> None:
    store = new(tmp_path / "run")
    store.put(row(2), row(0))
    store.put(Row("finals", ("b", 0), 1), Row("finals", ("a", 1), 2), Row("finals", ("a", 0), 3))
    store.close()
    store = Store.read(tmp_path / "run")
    assert list(store.rows("candidates")) == [(0,), (2,)]
    assert store.rows("finals") == {("a", 0): 3, ("a", 1): 2, ("b", 0): 1}
    assert store.meta() == {"elapsed": 0.0, "done": None}
    store.close()


def test_a_result_is_written_once(tmp_path: Path) -> None:
    store = new(tmp_path / "run")
    store.put(row(0))
    with pytest.raises(sqlite3.IntegrityError):
        store.put(row(1), row(0, "other"))
    assert list(store.rows("candidates")) == [(0,)]
    store.close()


def test_the_folder_is_the_owners_alone(tmp_path: Path) -> None:
    new(tmp_path / "deep" / "run").close()
    assert stat.S_IMODE((tmp_path / "deep" / "run").stat().st_mode) == 0o700


def test_the_digest_covers_table_key_and_content() -> None:
    texts = [("finals", ("a", 1)), ("finals", ("a", 2)), ("meta", ("a", 1)), ("finals", ("a1",))]
    assert len({digest(table, key, "{}") for table, key in texts}) == len(texts)
    assert digest("meta", ("a",), "{}") != digest("meta", ("a",), "[]")
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE candidates SET content = replace(content, 'x', 'y') WHERE number = 1",
        "UPDATE candidates SET number = 7 WHERE number = 1",
        "UPDATE candidates SET content = 5 WHERE number = 1",
        "UPDATE candidates SET digest = 'a' WHERE number = 1",
    ],
)
def test_a_damaged_row_is_named(tmp_path: Path, damage: str) -> None:
    store = new(tmp_path)
    store.put(row(0), row(1))
    store.close()
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute(damage)
    connection.commit()
    connection.close()
    store = Store.read(tmp_path)
    with pytest.raises(RunError, match=r"damaged: row [17] of candidates"):
        store.rows("candidates")
    store.close()


def test_flipped_bits_are_harmless_or_told(tmp_path: Path) -> None:
    store = new(tmp_path)
    store.put(*(row(number, "text" * 30) for number in range(40)))
    expected = store.rows("candidates")
    store.close()
    path, draw = tmp_path / DATABASE, random.Random(1)
    whole = path.read_bytes()
    for _ in range(150):
        place = draw.randrange(len(whole))
        flipped = bytearray(whole)
        flipped[place] ^= 1 << draw.randrange(8)
        path.write_bytes(flipped)
        try:
            store = Store.read(tmp_path)
        except RunError:
            continue
        try:
            assert store.rows("candidates") == expected
        except RunError:
            pass
        finally:
            store.close()


@pytest.mark.parametrize("size", [0, 1, 100, 5000])
def test_a_cut_database_is_never_a_new_run(tmp_path: Path, size: int) -> None:
    store = new(tmp_path)
    store.put(*(row(number, "text" * 100) for number in range(40)))
    store.close()
    path = tmp_path / DATABASE
    path.write_bytes(path.read_bytes()[:size])
    for opened in (Store.read, Store.open):
        with pytest.raises(RunError, match="damaged"):
            opened(tmp_path)


def test_another_programs_database_is_refused(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / DATABASE).execute("CREATE TABLE t (a)").connection.close()
    with pytest.raises(RunError, match="not the database of a cellsearch run"):
        Store.read(tmp_path)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    new(tmp_path).close()
    sqlite3.connect(tmp_path / DATABASE).execute("PRAGMA user_version = 99").connection.close()
    with pytest.raises(RunError, match="newer cellsearch"):
        Store.read(tmp_path)


def test_a_folder_of_other_things_is_no_run(tmp_path: Path) -> None:
    assert not Store.exists(tmp_path / "none")
    assert not Store.exists(tmp_path)
    (tmp_path / "lock").touch()
    (tmp_path / "run.sqlite.new").write_bytes(b"half")
    assert not Store.exists(tmp_path)
    (tmp_path / "weights").mkdir()
    with pytest.raises(RunError, match="damaged or not a run"):
        Store.exists(tmp_path)
    with pytest.raises(RunError, match="is a file"):
        Store.exists(tmp_path / "lock")
    with pytest.raises(RunError, match="no such run folder"):
        Store.read(tmp_path / "none")


def test_advice_fits_what_was_asked_for(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(RunError, match=r"choose another folder with --run \(in Python run=...\)"):
        Store.exists(tmp_path)
    for act in (open_run, Store.read):
        with pytest.raises(RunError, match=r"no run\.sqlite in it; expected the folder of a run"):
            act(tmp_path)


def test_a_half_made_database_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "run.sqlite.new").write_bytes(b"half")
    (tmp_path / "run.sqlite.new-journal").write_bytes(b"half")
    store = new(tmp_path)
    assert store.rows("candidates") == {}
    store.close()
    assert not (tmp_path / "run.sqlite.new").exists()


def test_readers_see_one_moment_beside_the_writer(tmp_path: Path) -> None:
    store = new(tmp_path)
    store.put(row(0))
    reader = Store.read(tmp_path)
    assert len(reader.rows("candidates")) == 1
    store.put(row(1))
    assert len(reader.rows("candidates")) == 1
    reader.close()
    reader = Store.read(tmp_path)
    assert len(reader.rows("candidates")) == 2
    reader.close()
    store.close()


def test_a_reader_cannot_write(tmp_path: Path) -> None:
    new(tmp_path).close()
    reader = Store.read(tmp_path)
    reader._connection.execute("ROLLBACK")
    with pytest.raises(RunError, match=r"readonly.*check its permissions"):
        reader.put(row(0))
    reader.close()


def test_readings_are_numbered_beside_the_writer(tmp_path: Path) -> None:
    store = new(tmp_path)
    for who in ("compare", "train"):
        Store.append_reading(tmp_path, {"by": who})
    assert store.rows("readings") == {(0,): {"by": "compare"}, (1,): {"by": "train"}}
    store.close()


def test_weights_are_files_with_safe_names(tmp_path: Path) -> None:
    store = new(tmp_path)
    found = store.write_weights("candidate-3", "../a b", 1, b"data")
    assert found["file"] == "weights/candidate-3-..%2Fa%20b-1.safetensors"
    assert (tmp_path / found["file"]).read_bytes() == b"data"
    assert [path.name for path in (tmp_path / "weights").iterdir()] == [found["file"][8:]]
    store.close()


def test_a_full_disk_is_told_and_nothing_is_lost(tmp_path: Path) -> None:
    store = new(tmp_path)
    pages = store._connection.execute("PRAGMA page_count").fetchone()[0]
    store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
    written = 0
    with pytest.raises(DiskError, match=r"run\.sqlite: cannot be written.*full") as caught:
        while True:
            store.put(row(written, "text" * 200))
            written += 1
    assert caught.value.exit_code == 74
    assert 0 < written < 100
    store._connection.execute("PRAGMA max_page_count = 1000")
    store.put(row(written))
    assert len(store.rows("candidates")) == written + 1
    store.close()


def test_a_file_size_limit_is_a_full_disk(tmp_path: Path) -> None:
    store = new(tmp_path)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    written = 0
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(DiskError, match="cannot be written"):
            while True:
                store.put(row(written, "text" * 200))
                written += 1
        with pytest.raises(DiskError, match="safetensors"):
            store.write_weights("a", "b", 0, bytes(200_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    store.close()
    store = Store.open(tmp_path)
    assert len(store.rows("candidates")) == written
    store.close()


@pytest.mark.parametrize(
    ("number", "kind", "code"),
    [
        (errno.ENOSPC, DiskError, 74),
        (errno.EDQUOT, DiskError, 74),
        (errno.EIO, DiskError, 74),
        (errno.EACCES, RunError, 2),
        (errno.EROFS, RunError, 2),
        (errno.ENAMETOOLONG, RunError, 2),
    ],
)
def test_only_a_full_or_broken_disk_is_the_disks_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, kind: type[Exception], code: int
) -> None:
    def refuse(*words: object, **options: object) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "open", refuse)  # as Lock and sync call it
    for act in (lambda: Lock(tmp_path), lambda: make_folder(tmp_path / "new")):
        with pytest.raises(kind, match=os.strerror(number)) as caught:
            act()
        assert getattr(caught.value, "exit_code", None) == code
        assert ("make room" in str(caught.value)) == (number in (errno.ENOSPC, errno.EDQUOT))


def test_what_cannot_be_read_is_not_said_to_be_unwritable(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / DATABASE).symlink_to(tmp_path / "nowhere")
    with pytest.raises(RunError, match="cannot be read: unable to open database file"):
        Store.read(tmp_path / "run")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(RunError, match="file: is a file; a run is kept in a folder"):
            Store.read(folder)
    with pytest.raises(RunError, match="cannot be read: File name too long"):
        Store.read(tmp_path / ("a" * 300))
    with pytest.raises(RunError, match="cannot be written: File exists"):
        make_folder(tmp_path / "file" / "run")


def test_one_writer_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom cellsearch.run.lock import Lock\n"
        "Lock(Path(sys.argv[1]))\nprint('held', flush=True)\nsys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        assert holder(tmp_path) == str(other.pid)
        with pytest.raises(RunError, match=f"process {other.pid} is working on this run"):
            Lock(tmp_path)
        other.kill()
    assert holder(tmp_path) is None
    held = Lock(tmp_path)
    assert (tmp_path / "lock").read_text() == f"{os.getpid()}\n"
    held.release()


WRITER = """
import sys
from pathlib import Path
from cellsearch.run.schema import Row
from cellsearch.run.store import Store
store = Store.open(Path(sys.argv[1]))
number = len(store.rows("candidates"))
while True:
    store.put(Row("candidates", (number,), {"number": number, "text": "x" * 500}))
    print(number, flush=True)
    number += 1
"""


def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    new(tmp_path).close()
    draw, acknowledged = random.Random(0), -1
    for _ in range(6):
        with subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as writer:
            assert writer.stdout
            for _ in range(draw.randrange(1, 60)):
                acknowledged = int(writer.stdout.readline())
            writer.kill()
            rest = writer.stdout.read().split()
            acknowledged = int(rest[-1]) if rest else acknowledged
        store = Store.read(tmp_path)
        numbers = [key[0] for key in store.rows("candidates")]
        store.close()
        assert numbers == list(range(len(numbers)))
        assert acknowledged < len(numbers) <= acknowledged + 2
