"""Inside a worker: whatever an evaluation does, it ends as a result."""

import resource
from typing import Any

import pytest

from cellsearch.run.worker import MAX_MESSAGE, attempt, load_evaluate, memory_limit


def raising(error: BaseException) -> Any:
    def evaluate(job: dict[str, Any]) -> dict[str, Any]:
        raise error

    return evaluate


class Mute(Exception):  # noqa: N818 - what strangers call their exceptions is their business
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "error",
    [SystemExit(3), KeyboardInterrupt(), GeneratorExit(), ValueError("x" * 10**6), Mute()],
)
def test_whatever_is_raised_is_a_crash_with_a_short_message(error: BaseException) -> None:
    found = attempt({}, raising(error))
    assert found.evaluation["status"] == "crashed"
    assert found.evaluation["message"].startswith(type(error).__name__)
    assert len(found.evaluation["message"]) <= MAX_MESSAGE


def test_too_much_memory_is_told_and_given_back() -> None:
    before = resource.getrlimit(resource.RLIMIT_AS)

    def greedy(job: dict[str, Any]) -> dict[str, Any]:
        return {"evaluation": {"status": "ok", "size": len(bytearray(2**31))}}

    found = attempt({"settings": {"memory": 2**28}}, greedy)
    assert found.evaluation["status"] == "out_of_memory"
    assert resource.getrlimit(resource.RLIMIT_AS) == before


def test_the_limit_counts_from_what_is_mapped_already() -> None:
    with memory_limit(2**28):
        assert len(bytearray(2**26)) == 2**26


def test_an_evaluation_is_named_by_module_and_function() -> None:
    assert load_evaluate("json:loads")("{}") == {}  # type: ignore[arg-type]
