"""Lets tests, their subprocesses and Ray's workers import the fakes that lie here."""

import os
import sys
from pathlib import Path

HERE = str(Path(__file__).resolve().parent)
ROOT = str(Path(__file__).resolve().parents[2])

for folder in (HERE, ROOT):
    if folder not in sys.path:
        sys.path.append(folder)
os.environ["PYTHONPATH"] = os.pathsep.join(
    part for part in (HERE, ROOT, os.environ.get("PYTHONPATH", "")) if part
)
