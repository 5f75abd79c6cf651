"""Specification of enumeration: every cell of a space, once, smallest first."""

from __future__ import annotations

import random
from dataclasses import replace
from itertools import islice, permutations, product

import pytest

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.operators import OPERATORS
from cellsearch.space import Space, load_space
from cellsearch.space.enumeration import size


def calls(operators: tuple[str, ...], names: list[str]) -> list[str]:
    """Return every operator of every choice of different names."""
    found = []
    for op in operators:
        low, high = OPERATORS[op].arity
        values = ["x", *names] if op == "linear" else names
        for count in range(low, (high or len(values)) + 1):
            found += [f"{op}({', '.join(args)})" for args in permutations(values, count)]
    return found


def brute_force(space: Space, operators: int) -> set[str]:
    """Return the ids of a space's cells of at most so many operators, by writing texts."""
    ids = set()
    for count in range(1, len(space.states) + 1):
        states = space.states[:count]
        previous = [f"{state}_prev" for state in states]
        for extra in range(operators):
            values = [f"v{k}" for k in range(operators - extra)]
            pools = [calls(space.operators, [*previous, *values[:k]]) for k in range(len(values))]
            for chosen in product(*pools):
                lines = [f"{name} = {value}" for name, value in zip(values, chosen, strict=True)]
                for updates in product([*values, *previous], repeat=count):
                    ends = [f"{state} = {u}" for state, u in zip(states, updates, strict=True)]
                    try:
                        cell = Cell.parse("\n".join([*lines, *ends]))
                    except CellError:
                        continue
                    if space.contains(cell) is None:
                        ids.add(cell.id)
    return ids


ONE = replace(load_space("minimal"), operators=("linear", "mul", "sigmoid"), nodes=3)
TWO = replace(load_space("gated"), operators=("linear", "add", "tanh"), nodes=2, attributes=())


@pytest.mark.parametrize("space", [ONE, TWO], ids=["one state", "two states"])
def test_it_is_what_all_texts_give(space: Space) -> None:
    cells = list(space.cells())
    ids = [cell.id for cell in cells]
    assert len(set(ids)) == len(ids)
    assert set(ids) == brute_force(space, space.nodes)
    assert [size(cell) for cell in cells] == sorted(map(size, cells))


@pytest.mark.parametrize("name", ["minimal", "nas_bench_nlp"])
def test_what_is_drawn_is_enumerated(name: str) -> None:
    space = replace(load_space(name), states=("h",), nodes=3, seeds=())
    ids = {cell.id for cell in space.cells()}
    rng = random.Random(0)
    assert {space.draw(rng).id for _ in range(150)} <= ids


def test_attributes_and_numbers_are_enumerated() -> None:
    space = replace(load_space("gated"), states=("h",), nodes=3)
    texts = {cell.id for cell in space.cells()}
    for text in (
        "h = tanh(linear(x, h_prev, bias_init=1.0))",
        "h = 1 - sigmoid(linear(x, h_prev))",
    ):
        assert Cell.parse(text).id in texts


def test_highway_cells_are_enumerated() -> None:
    space = replace(load_space("darts"), nodes=16)
    cells = list(space.cells())
    # Four functions, alone; of two nodes in a row the mean or the last; of two side by side, whose
    # order says nothing, the mean.
    assert len({cell.id for cell in cells}) == len(cells) == 4 + 2 * 16 + 10
    assert [size(cell) for cell in cells] == sorted(map(size, cells))
    rng = random.Random(0)
    assert {space.draw(rng).id for _ in range(300)} == {cell.id for cell in cells}


def test_a_large_space_begins_at_once() -> None:
    assert next(load_space("darts").cells()) is not None
    first = list(islice(load_space("gated").cells(), 3))
    assert [size(cell) for cell in first] == [1, 1, 1]


def test_the_products_of_combinations_are_bounded() -> None:
    narrow = replace(ONE, products=1)
    assert all(len(n.args) == 1 for c in narrow.cells() for n in c.normal.nodes if n.op == "linear")
