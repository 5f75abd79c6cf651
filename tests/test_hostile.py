"""Whatever is sent as a cell is a valid cell or refused by CellError, in little time and memory."""

from __future__ import annotations

import time
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from hostile_graphs import graphs
from hostile_recipes import recipes
from hostile_texts import texts
from random_cells import seeded

from cellsearch.cell import Cell
from cellsearch.errors import CellError

COUNT = 20_000
SECONDS = 0.5
BYTES = 64 * 2**20
READERS: list[tuple[Callable[..., Cell], Callable[..., object]]] = [
    *((Cell.parse, family) for family in texts()),
    *((Cell.from_recipe, family) for family in recipes()),
    *((Cell.from_graph, family) for family in graphs()),
]


@dataclass(frozen=True)
class Sent:
    """One hostile input: which one it is, how it is read, and what it is."""

    name: str
    read: Callable[..., Cell]
    content: object


def sent(numbers: range) -> Iterator[Sent]:
    for number in numbers:
        read, family = READERS[number % len(READERS)]
        name = f"{read.__name__} {family.__name__} {number}"
        yield Sent(name, read, family(seeded(number)))


def use(one: Sent) -> str:
    """Read what was sent and ask for all that a cell tells of itself; return how that went."""
    try:
        cell = one.read(one.content)
    except CellError as error:
        assert "\n" not in str(error), one.name
        assert len(str(error)) < 1000, one.name
        return "refused"
    assert cell.id and cell.states[0] == "h" and str(cell) and repr(cell) and cell.kind
    assert cell.parameters(8, 8) >= 0
    assert cell.operations(8, 8) >= 0
    try:
        cell.to_recipe()
    except CellError:
        return "a cell"
    return "a cell that a recipe can say"


def test_all_that_is_sent_is_a_cell_or_refused(full: bool) -> None:
    count = COUNT if full else COUNT // 10
    outcomes: Counter[str] = Counter()
    slowest = (0.0, "")
    for one in sent(range(count)):
        begun = time.process_time()
        try:
            outcomes[use(one)] += 1
        except Exception as error:
            error.add_note(one.name)
            raise
        slowest = max(slowest, (time.process_time() - begun, one.name))
    assert min(outcomes.values()) > count / 50, outcomes
    print(f"{count} inputs: {dict(outcomes)}; slowest {slowest[0]:.3f} s: {slowest[1]}")
    if full:  # the daily run asserts no times
        assert slowest[0] < SECONDS, slowest


def test_what_is_sent_takes_little_memory(full: bool) -> None:
    greatest = (0, "")
    for one in sent(range(0, COUNT, 1 if full else 133)):
        tracemalloc.start()
        use(one)
        greatest = max(greatest, (tracemalloc.get_traced_memory()[1], one.name))
        tracemalloc.stop()
    print(f"greatest: {greatest[0] / 2**20:.1f} MiB: {greatest[1]}")
    assert greatest[0] < BYTES, greatest
