"""Runs: one search each, kept in one folder, safe at any kill and equal for any worker count."""

from __future__ import annotations

from cellsearch.run.finalist import Finalist
from cellsearch.run.launch import default_folder, search
from cellsearch.run.progress import Progress
from cellsearch.run.records import Baseline, Candidate
from cellsearch.run.run import Run, open_run, record_reading
from cellsearch.run.signals import Interrupted

__all__ = [
    "Baseline",
    "Candidate",
    "Finalist",
    "Interrupted",
    "Progress",
    "Run",
    "default_folder",
    "open_run",
    "record_reading",
    "search",
]
