"""The run folder: one SQLite database and the finalists' weights.

Written by one process at a time and safe at any kill: the database is in WAL mode with
``synchronous=FULL``, every result is one transaction, and a new database appears by rename, when it
is complete. SQLite does not notice a flipped bit in a value, so every row carries a SHA-256 digest
of its key and its content.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cellsearch.errors import RunError
from cellsearch.run import lock, schema
from cellsearch.run.disk import refused, refused_by_sqlite
from cellsearch.run.schema import DATABASE, Key, Row, canonical, digest

WEIGHTS = "weights"
_NEW = f"{DATABASE}.new"
_LEFTOVERS = {lock.FILE, _NEW, f"{_NEW}-journal"}


class Store:
    """The database of one run, open for writing (`open`, `create`) or reading only (`read`)."""

    def __init__(self, folder: Path, connection: sqlite3.Connection) -> None:
        self.folder = folder
        self._path = folder / DATABASE
        self._connection = connection

    @staticmethod
    def exists(folder: Path) -> bool:
        """Say whether the folder holds a run; False when it is missing, empty or barely begun.

        Raises RunError when it holds other things: a run whose database is gone is damaged, and
        never taken for a new one.
        """
        names = _names(folder)
        if DATABASE not in names and names - _LEFTOVERS:
            raise RunError(
                f"{folder}: holds files but no {DATABASE}; it is damaged or not a run; "
                f"{lock.ELSEWHERE}"
            )
        return DATABASE in names

    @classmethod
    def create(cls, folder: Path, meta: Mapping[str, Any]) -> Store:
        """Make the database of a new run in a folder whose lock is held, and open it."""
        new = folder / _NEW
        with _translated(new):
            for leftover in (new, folder / f"{_NEW}-journal"):
                leftover.unlink(missing_ok=True)
            connection = sqlite3.connect(new, isolation_level=None)
            with _closing(connection):
                connection.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {schema.VERSION}")
                connection.executescript(schema.CREATE)
                cls(folder, connection).put(*(Row("meta", (k,), v) for k, v in meta.items()))
            sync(new)
            os.replace(new, folder / DATABASE)
            sync(folder)
        return cls.open(folder)

    @classmethod
    def open(cls, folder: Path) -> Store:
        """Open the run for writing; the caller holds its lock."""
        path = folder / DATABASE
        with _translated(path):
            connection = sqlite3.connect(f"file:{quote(str(path))}?mode=rw", uri=True, timeout=30)
            connection.isolation_level = None
            store = cls(folder, connection)
            try:
                store._check()
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
            except BaseException:
                connection.close()
                raise
        return store

    @classmethod
    def read(cls, folder: Path) -> Store:
        """Open the run for reading only, beside a writer if there is one.

        Raises RunError when there is no run, or when it is damaged.
        """
        if DATABASE not in _names(folder):
            if not folder.exists():
                raise RunError(f"{folder}: no such run folder")
            raise RunError(
                f"{folder}: holds no run: there is no {DATABASE} in it; expected the folder of a "
                "run, such as runs/quickstart-seed0"
            )
        path = folder / DATABASE
        with _translated(path, "read"):
            try:
                return cls._read(folder, "mode=ro")
            except sqlite3.OperationalError:
                # SQLite cannot share a database in a folder it cannot write to; without a writer
                # and its log there is nothing to share, so it may be read as it lies.
                log = Path(f"{path}-wal")
                if os.access(folder, os.W_OK) or (log.exists() and log.stat().st_size):
                    raise
                return cls._read(folder, "immutable=1")

    @classmethod
    def _read(cls, folder: Path, mode: str) -> Store:
        path = quote(str(folder / DATABASE))
        connection = sqlite3.connect(f"file:{path}?{mode}", uri=True, timeout=30)
        connection.isolation_level = None
        try:
            store = cls(folder, connection)
            store._check()
            connection.execute("BEGIN")  # everything that follows is read from one moment
        except BaseException:
            connection.close()
            raise
        return store

    @classmethod
    def append_reading(cls, folder: Path, reading: Mapping[str, Any]) -> None:
        """Add a reading of the test split, also while another process works on the run."""
        if not cls.exists(folder):
            raise RunError(f"{folder}: holds no run; expected a file {DATABASE} in it")
        store = cls.open(folder)
        try:
            with _translated(store._path):
                store._connection.execute("BEGIN IMMEDIATE")
            number = len(store.rows("readings"))
            store._insert(Row("readings", (number,), dict(reading)))
            with _translated(store._path):
                store._connection.execute("COMMIT")
        finally:
            store.close()

    def _check(self) -> None:
        """Raise RunError unless the database is whole and one of ours."""

        def value(pragma: str) -> Any:
            return self._connection.execute(f"PRAGMA {pragma}").fetchone()[0]

        application, version = value("application_id"), value("user_version")
        if application != schema.APPLICATION_ID:
            raise RunError(f"{self._path}: damaged, or not the database of a cellsearch run")
        if version > schema.VERSION:
            raise RunError(
                f"{self._path}: written by a newer cellsearch (format {version}, this one reads "
                f"up to {schema.VERSION}); update cellsearch"
            )
        report = value("quick_check(1)")
        if report != "ok":
            raise RunError(f"{self._path}: damaged: {' '.join(str(report).split())[:200]}")
        found = {row[0] for row in self._connection.execute("SELECT name FROM sqlite_schema")}
        if not set(schema.SELECT) <= found:
            raise RunError(f"{self._path}: damaged: tables are missing")

    def put(self, *rows: Row) -> None:
        """Write the rows in one transaction; when it returns they survive any kill.

        Raises DiskError, and writes nothing, when the disk does not take them.
        """
        with _translated(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for row in rows:
                    self._insert(row)
                self._connection.execute("COMMIT")
            except BaseException:
                if self._connection.in_transaction:
                    with suppress(sqlite3.Error):
                        self._connection.execute("ROLLBACK")
                raise

    def _insert(self, row: Row) -> None:
        content = canonical(row.content)
        check = digest(row.table, row.key, content)
        with _translated(self._path):
            self._connection.execute(schema.INSERT[row.table], (*row.key, content, check))

    def rows(self, table: str) -> dict[Key, Any]:
        """Return the content of every row by key, in the order of the keys.

        Raises RunError that names the first row whose digest does not fit.
        """
        found: dict[Key, Any] = {}
        with _translated(self._path, "read"):
            for *key, content, stored in self._connection.execute(schema.SELECT[table]):
                place = tuple(key)
                if not isinstance(content, str) or digest(table, place, content) != stored:
                    raise RunError(
                        f"{self._path}: damaged: row {'/'.join(map(str, place))} of {table} "
                        "does not fit its digest"
                    )
                found[place] = json.loads(content)
        return found

    def meta(self) -> dict[str, Any]:
        """Return what is said of the run as a whole, by name."""
        return {str(key[0]): content for key, content in self.rows("meta").items()}

    def write_weights(self, entry: str, task: str, replicate: int, data: bytes) -> dict[str, str]:
        """Write a finalist's weights durably; return the file within the folder and its digest."""
        folder = self.folder / WEIGHTS
        name = f"{quote(entry, safe='')}-{quote(task, safe='')}-{replicate}.safetensors"
        with _translated(folder / name):
            folder.mkdir(mode=0o700, exist_ok=True)
            new = folder / f"{name}.new"
            with new.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, folder / name)
            sync(folder)
        return {"file": f"{WEIGHTS}/{name}", "sha256": hashlib.sha256(data).hexdigest()}

    def close(self) -> None:
        """Close the database; idempotent."""
        with suppress(sqlite3.Error):
            self._connection.close()


def _names(folder: Path) -> set[str]:
    """Return the names in a folder; none where there is no such folder."""
    try:
        return set(os.listdir(folder))
    except FileNotFoundError:
        return set()
    except NotADirectoryError:
        file = next(path for path in (folder, *folder.parents) if path.exists())
        raise RunError(f"{file}: is a file; a run is kept in a folder") from None
    except OSError as error:
        raise refused(folder, "read", error) from None


def make_folder(folder: Path) -> None:
    """Make the folder of a new run, for its owner alone, unless it is there."""
    with _translated(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        if not folder.exists():
            folder.mkdir(mode=0o700)
            sync(folder.parent)


def sync(path: Path) -> None:
    """Wait until the file's content, or the folder's list of names, is on the disk."""
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)


@contextmanager
def _closing(connection: sqlite3.Connection) -> Iterator[None]:
    try:
        yield
    finally:
        connection.close()


@contextmanager
def _translated(path: Path, what: str = "written") -> Iterator[None]:
    """Turn what SQLite and the file system raise into errors that people can repair."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError):
        raise  # a mistake in this package, not of the disk
    except sqlite3.Error as error:
        raise refused_by_sqlite(path, what, error) from None
    except OSError as error:
        raise refused(path, what, error) from None
