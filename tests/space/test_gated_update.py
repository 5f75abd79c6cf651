"""Specification of the family of gated updates: the cells it holds, and that it holds no others."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import islice

import pytest

from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.space import Space, load_space, read_space
from cellsearch.space.enumeration import _all, size
from cellsearch.space.gated_update import Factor, GatedUpdate, gated_updates, write

SMALL = load_space("small")
LEAVES = {"x": "x", "h": "h_prev", "xh": "x, h_prev"}


def text_of(update: GatedUpdate) -> str:
    """Write a gated update as an equation, by other means than its graph."""

    def times(factor: Factor, value: str) -> str:
        if factor is None:
            return value
        return f"{'(1 - g{})' if factor[1] else 'g{}'} * ({value})".format(factor[0])

    lines = [f"g{k} = sigmoid(linear({LEAVES[seen]}))" for k, seen in enumerate(update.gates)]
    if update.reset == "after":
        candidate = f"linear(x) + {times(update.reset_by, 'linear(h_prev)')}"
    elif update.reset == "input":
        candidate = f"{times(update.reset_by, 'linear(x)')} + linear(h_prev)"
    else:
        h = times(update.reset_by, "h_prev")
        candidate = f"linear({', '.join({'x': 'x', 'h': h}[leaf] for leaf in update.sees)})"
    value = times(update.take, f"{update.inner}({candidate})")
    if update.carried:
        value = f"{times(update.keep, 'h_prev')} + {value}"
    return "\n".join([*lines, f"h = {update.outer}({value})"])


def test_the_graph_is_that_of_the_equation() -> None:
    family = gated_updates(SMALL)
    for update in random.Random(0).sample(family, 300):
        assert Cell.from_graph(write(update)).id == Cell.parse(text_of(update)).id


def test_no_cell_stands_twice_in_the_family() -> None:
    ids = Counter(Cell.from_graph(write(update)).id for update in gated_updates(SMALL))
    assert ids.total() == len(ids) == 3342


def test_the_cells_of_small() -> None:
    cells = list(SMALL.cells())
    ids = {cell.id for cell in cells}
    assert len(cells) == len(ids) == 2472
    assert [size(cell) for cell in cells] == sorted(map(size, cells))
    known = {name for name in zoo if zoo[name].id in ids}
    assert known == {"gru", "gru_reset_before", "mgu", "mingru", "mut2", "rnn", "star"}
    assert known == {name for name in zoo if SMALL.contains(zoo[name]) is None}


def test_what_fits_the_family_among_all_graphs_is_what_it_holds(full: bool) -> None:
    most = 4 if full else 3
    any_graph = replace(SMALL, shape="graph", nodes=most)
    found = {cell.id for cell in _all(any_graph) if SMALL.contains(cell) is None}
    assert found == {cell.id for cell in SMALL.cells() if size(cell) <= most}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("h = tanh(tanh(linear(x, h_prev)))", "it is no gated update"),
        ("c = sigmoid(linear(x, h_prev))\nh = c_prev * tanh(linear(x, h_prev))", "no gated update"),
        ("h = relu(linear(x, h_prev))", "no gated update"),
        ("z = sigmoid(linear(x))\nh = (1 - z) * tanh(linear(x, h_prev))", "no gated update"),
        ("a = linear(x, h_prev)\nh = sigmoid(a) * h_prev + tanh(a)", "no gated update"),
    ],
)
def test_others_are_outside(text: str, reason: str) -> None:
    assert reason in (SMALL.contains(Cell.parse(text)) or "")


def test_draws_are_spread_over_the_whole_family() -> None:
    rng = random.Random(1)
    cells = [SMALL.draw(rng) for _ in range(400)]
    assert all(SMALL.contains(cell) is None for cell in cells)
    assert len({cell.id for cell in cells}) > 350  # 2472 cells: 368 expected, if all are as likely
    assert {size(cell) for cell in cells} >= set(range(5, 15))


def test_other_operators_give_other_families() -> None:
    space = read_space(
        {
            "shape": "gated_update",
            "operators": ["linear", "add", "mul", "sub", "hard_sigmoid", "sigmoid", "relu"],
            "numbers": [1.0],
        },
        name="mine",
        where="mine.toml",
    )
    used = Counter(
        node.op for cell in islice(space.cells(), 200) for node in cell.normal.nodes if node.args
    )
    assert used["relu"]
    assert not used["tanh"]


def test_a_space_is_read_with_this_shape() -> None:
    assert isinstance(SMALL, Space)
    assert SMALL.to_dict()["shape"] == "gated_update"
