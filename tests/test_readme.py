"""The README's Python runs, and what it says of commands is so."""

import re
import subprocess
import sys
from pathlib import Path
from typing import get_args

from cellsearch.cli import COMMANDS, main
from cellsearch.space.space import KEYS, TABLES, Shape

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
SMALL = ["evaluation.steps=4", "fidelity.rungs=[]", "budget.candidates=2", "final.replicates=2"]


def test_nothing_is_left_to_fill_in() -> None:
    for path in (ROOT / "README.md", *(ROOT / "experiments").rglob("*.md")):
        assert "@@" not in path.read_text()


def test_its_python_runs(tmp_path: Path) -> None:
    words = ["search", "quickstart", "--run", str(tmp_path / "runs/quickstart-seed0")]
    words += [part for override in SMALL for part in ("--set", override)]
    assert main([*words, "--workers", "0"]) == 0
    blocks = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    assert len(blocks) >= 3
    code = "\n".join(blocks)
    shortened = code.replace(
        'budget={"candidates": 60}, workers=2',
        'budget={"candidates": 2, "baselines": ["rnn"]}, evaluation={"steps": 4}, workers=0',
    ).replace("range(10)", "range(1)")
    assert shortened != code
    (tmp_path / "readme.py").write_text(shortened)
    subprocess.run([sys.executable, "-W", "error", "readme.py"], cwd=tmp_path, check=True)


def test_the_commands_that_it_shows_exist() -> None:
    shown = set(re.findall(r"(?:`|\$ |bin/)cellsearch (\w+)", README))
    assert shown == set(COMMANDS)


def test_every_key_of_a_space_is_explained() -> None:
    rows = set(re.findall(r"^\| `\[?(\w+)", README, re.MULTILINE))
    assert {*KEYS, *TABLES} <= rows
    assert all(f"`{word}`" in README for word in (*get_args(Shape), "nodes", "depth", "products"))


def test_the_checks_run_the_test_command_of_the_readme() -> None:
    commands = re.findall(r"^.*bin/pytest$", README, re.MULTILINE)
    assert len(commands) >= 1
    assert "python3 -m venv .test-venv" in commands[0]
    assert "grep -m1 'bin/pytest$' README.md" in (ROOT / ".ci/run").read_text()
