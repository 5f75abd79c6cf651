"""Cells as a search draws them: eager against the reference, gradients, text, training."""

from __future__ import annotations

from functools import cache

import pytest
from disguises import disguise
from random_cells import seeded
from sequences import largest_difference, trial

from cellsearch.backends import make_sequence
from cellsearch.cell import Cell
from cellsearch.evaluation import evaluate
from cellsearch.printing import format_graph
from cellsearch.space import load_space


@cache
def gated(seed: int) -> Cell:
    return load_space("gated").draw(seeded(seed))


def test_gated_cells_run_the_same_in_every_backend(full: bool) -> None:
    for seed in range(1000 if full else 100):
        cell = gated(seed)
        given = trial(cell, seeded(seed))
        expected = given.run(make_sequence(cell, "reference"))
        for backend in ("eager", "native")[: 1 + (full or seed % 10 == 0)]:  # compiling takes time
            found = given.run(make_sequence(cell, backend))
            assert largest_difference(found, expected) < 1e-12, f"{seed} {backend}\n{cell}"


def test_gradients_of_gated_cells_are_the_slopes_of_the_values(full: bool) -> None:
    for seed in range(100 if full else 10):
        cell = gated(seed)
        given = trial(cell, seeded(seed))
        function = make_sequence(cell, "eager")
        assert given.gradcheck(function, thorough=full), f"seed {seed}\n{cell}"


def test_print_parse_print_of_gated_cells(full: bool) -> None:
    for seed in range(10_000 if full else 300):
        cell = gated(seed)
        text = format_graph(cell.structure)
        again = Cell.parse(text)
        assert format_graph(again.structure) == text
        assert again.id == cell.id


@pytest.mark.parametrize("seed", range(3))
def test_two_texts_of_a_gated_cell_are_evaluated_to_the_same_numbers(seed: int) -> None:
    cell = gated(seed)
    other = Cell.parse(disguise(cell.text, seeded(seed)))
    assert other.text != cell.text
    assert other.id == cell.id
    settings = {
        "parameters": 500,
        "layers": 1,
        "max_hidden_size": 64,
        "max_operations": 100_000,
        "steps": 20,
        "batch_size": 8,
        "learning_rates": [0.01],
        "gradient_clip": 1.0,
        "timeout": 600.0,
        "memory": 1 << 31,
        "backend": "auto",
    }
    job = {
        "kind": "search",
        "index": 0,
        "seed": 0,
        "replicate": 0,
        "tasks": [{"name": "adding", "length": 8}],
        "settings": settings,
        "rungs": [],
        "thresholds": [],
        "learning_rates": None,
        "split": "validation",
        "measure": [],
        "keep_weights": True,
    }
    one, two = (evaluate({**job, "cell": text}) for text in (cell.text, other.text))
    assert one["evaluation"]["losses"] == two["evaluation"]["losses"]
    assert one["evaluation"]["metrics"] == two["evaluation"]["metrics"]
