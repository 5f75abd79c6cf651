"""What the database of a run looks like: its tables, its rows, their digests."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

DATABASE = "run.sqlite"  # its name in a run folder
VERSION = 1
APPLICATION_ID = 0x63656C6C  # "cell"

# Key columns, then the content as JSON and the digest of both.
CREATE = """
CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, content TEXT NOT NULL, digest TEXT NOT NULL);
CREATE TABLE candidates (number INTEGER NOT NULL PRIMARY KEY, content TEXT NOT NULL,
    digest TEXT NOT NULL);
CREATE TABLE baselines (name TEXT NOT NULL PRIMARY KEY, content TEXT NOT NULL,
    digest TEXT NOT NULL);
CREATE TABLE finals (entry TEXT NOT NULL, replicate INTEGER NOT NULL, content TEXT NOT NULL,
    digest TEXT NOT NULL, PRIMARY KEY (entry, replicate));
CREATE TABLE readings (number INTEGER NOT NULL PRIMARY KEY, content TEXT NOT NULL,
    digest TEXT NOT NULL);
"""

# A result is written once; only what is said of the run as a whole may be written anew.
INSERT = {
    "meta": "INSERT OR REPLACE INTO meta VALUES (?, ?, ?)",
    "candidates": "INSERT INTO candidates VALUES (?, ?, ?)",
    "baselines": "INSERT INTO baselines VALUES (?, ?, ?)",
    "finals": "INSERT INTO finals VALUES (?, ?, ?, ?)",
    "readings": "INSERT INTO readings VALUES (?, ?, ?)",
}

SELECT = {
    "meta": "SELECT * FROM meta ORDER BY name",
    "candidates": "SELECT * FROM candidates ORDER BY number",
    "baselines": "SELECT * FROM baselines ORDER BY name",
    "finals": "SELECT * FROM finals ORDER BY entry, replicate",
    "readings": "SELECT * FROM readings ORDER BY number",
}

Key = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """A row to write: the table, the values of its key columns, and its content as plain JSON."""

    table: str
    key: Key
    content: Any


def canonical(value: Any) -> str:
    """Return the one JSON text of a plain value: keys sorted, no blanks, no NaN or infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(table: str, key: Key, content: str) -> str:
    """Return the SHA-256 digest of a row, its place included."""
    return hashlib.sha256(f"{canonical([table, *key])}\n{content}".encode()).hexdigest()
