"""What all tests share: settings of torch and hypothesis, the full runs, the helper modules."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

# Tests import the modules in helpers/ by their names.
sys.path.insert(0, str(Path(__file__).parent / "helpers"))

torch.set_num_threads(1)
settings.register_profile(
    "cellsearch",
    derandomize=True,  # the same examples in every run
    deadline=None,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("cellsearch")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--full",
        action="store_true",
        help="draw the full number of random cells, which takes some minutes",
    )


@pytest.fixture(scope="session")
def full(request: pytest.FixtureRequest) -> bool:
    """Whether --full was given: more random cells, larger enumerations."""
    return bool(request.config.getoption("--full"))
