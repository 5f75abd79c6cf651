"""A small experiment, and a command line in a folder of its own."""

from pathlib import Path

import pytest
from command_line import Say

from cellsearch.cli import main

EXPERIMENT = """
[experiment]
name = "small"
[space]
name = "minimal"
[strategy]
name = "random"
[[task]]
name = "adding"
length = 6
[evaluation]
parameters = 200
steps = 4
batch_size = 4
[budget]
candidates = 3
baselines = ["rnn"]
[final]
candidates = 1
replicates = 2
"""


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.toml").write_text(EXPERIMENT)

    def run(*words: object) -> tuple[int, str, str]:
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = int(end.code or 0)
        out, err = capsys.readouterr()
        return code, out, err

    return run
