"""A run killed at any moment and resumed gives the table of the undisturbed one."""

import subprocess
import sys
from pathlib import Path


def test_every_kill_point_of_a_small_run(tmp_path: Path) -> None:
    program = Path(__file__).with_name("kill_points.py")
    done = subprocess.run(
        [sys.executable, "-W", "error", str(program), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    points, kills = map(int, done.stdout.split())
    assert points > 50
    assert kills > 3
