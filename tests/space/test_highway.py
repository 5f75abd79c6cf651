"""Specification of highway cells: what they compute, how they are read, drawn and refused."""

from __future__ import annotations

import random
import re
from collections import Counter

import numpy as np
import pytest
import torch

from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.layers import Recurrent
from cellsearch.space import load_space, read_space
from cellsearch.space.highway import Highway, read, write

ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda v: np.maximum(v, 0),
    "sigmoid": lambda v: 1 / (1 + np.exp(-v)),
    "identity": lambda v: v,
}


def random_highway(rng: random.Random, most: int = 12) -> Highway:
    nodes = [(rng.choice(list(ACTIVATIONS)), rng.randrange(i + 1)) for i in range(most)]
    return Highway(tuple(nodes[: rng.randint(1, most)]), rng.choice(("all", "loose")))


def highway_of(text: str) -> tuple[list[tuple[str, int]], list[int]]:
    """Read a text as genotypes are published: each node's activation and source, and the ends."""
    names: dict[str, int] = {}
    nodes: list[tuple[str, int]] = []
    ends: list[int] = []
    linear = r"linear\((\w+(?:, h_prev)?), bias=False\)"
    for line in text.strip().splitlines():
        name, _, value = line.partition(" = ")
        node = re.fullmatch(rf"blend\(sigmoid\({linear}\), (?:(\w+)\()?{linear}\)?, (\w+)\)", value)
        if node is None:
            ends = [names[end] for end in re.findall(r"\w+", value.removeprefix("mean"))]
            continue
        seen, activation, again, source = node.groups()
        assert seen == again == ("x, h_prev" if source == "h_prev" else source)
        if source == "h_prev":
            assert not names and activation == "tanh"
        else:
            nodes.append((activation or "identity", names[source]))
        names[name] = len(names)
        ends = [names[name]] if name == "h" else ends
    return nodes, ends


def step(
    weights: dict[str, np.ndarray],
    names: list[str],
    nodes: list[tuple[str, int]],
    ends: list[int],
    x: np.ndarray,
    h: np.ndarray,
) -> np.ndarray:
    """Compute a step as Liu, Simonyan and Yang (2019) say it, in the form s + c * (f - s)."""
    sigmoid = ACTIVATIONS["sigmoid"]

    def linear(owner: str, *values: np.ndarray) -> np.ndarray:
        return sum(v @ weights[f"{owner}.weight_{i}"].T for i, v in enumerate(values))

    first = names[0]
    states = [h + sigmoid(linear(first, x, h)) * (np.tanh(linear(f"{first}_2", x, h)) - h)]
    for name, (activation, source) in zip(names[1:], nodes, strict=True):
        old = states[source]
        new = ACTIVATIONS[activation](linear(f"{name}_2", old))
        states.append(old + sigmoid(linear(name, old)) * (new - old))
    return np.mean([states[end] for end in ends], axis=0)


def test_draws_compute_what_their_genotype_says(full: bool) -> None:
    space, rng = load_space("darts"), random.Random(3)
    for seed in range(200 if full else 25):
        cell = space.draw(rng)
        nodes, ends = highway_of(str(cell))
        torch.manual_seed(seed)
        layer = Recurrent(cell, 3, 5, dtype=torch.float64, backend="eager")
        weights = {
            name.removeprefix("l0."): value.detach().numpy()
            for name, value in layer.named_parameters()
        }
        names = re.findall(r"^(\w+) = blend", str(cell), re.MULTILINE)
        inputs = torch.randn(20, 2, 3, dtype=torch.float64)
        h = np.zeros((2, 5))
        for x, output in zip(inputs.numpy(), layer(inputs)[0].detach().numpy(), strict=True):
            h = step(weights, names, nodes, ends, x, h)
            assert np.abs(h - output).max() < 1e-12


def test_draws_have_the_ends_that_the_articles_have() -> None:
    space, rng = load_space("darts"), random.Random(3)
    kinds = Counter()
    for _ in range(200):
        nodes, ends = highway_of(str(space.draw(rng)))
        everything = list(range(1, len(nodes) + 1))
        loose = [node for node in everything if node not in {source for _, source in nodes}]
        assert sorted(ends) in (everything, loose)
        kinds["all"] += sorted(ends) == everything
        kinds["loose"] += sorted(ends) == loose
    assert min(kinds.values()) > 60


def test_draws_are_spread_over_the_numbers_of_nodes() -> None:
    space, rng = load_space("darts"), random.Random(3)
    sizes = Counter(len(highway_of(str(space.draw(rng)))[0]) for _ in range(600))
    assert set(range(1, 13)) >= set(sizes) >= set(range(2, 12))
    assert all(50 < sizes[size] < 160 for size in range(4, 9))  # the published search has 8
    assert sum(sizes[size] for size in range(9, 13)) < 60


def test_a_highway_cell_is_read_whatever_its_order_and_names() -> None:
    space, rng = load_space("darts"), random.Random(4)
    for _ in range(100):
        highway = random_highway(rng)
        cell = Cell.from_graph(write(highway))
        assert space.contains(cell) is None
        found = read(cell.normal)
        assert isinstance(found, Highway)
        assert len(found.nodes) == len(highway.nodes)
        assert Cell.from_graph(write(found)) == cell


def test_published_cells_are_read() -> None:
    for name, kind, count in (("darts_v1", "all", 8), ("enas", "loose", 11), ("nao", "all", 11)):
        found = read(zoo[name].normal)
        assert isinstance(found, Highway)
        assert (found.ends, len(found.nodes)) == (kind, count)
    assert Counter(name for name, _ in found.nodes) == {"relu": 9, "tanh": 1, "identity": 1}


def test_every_small_highway_cell_is_drawn() -> None:
    data = {
        "shape": "highway",
        "operators": ["linear", "blend", "mean", "sigmoid", "tanh"],
        "limits": {"nodes": 16, "depth": 10, "products": 8},
        "attributes": {"linear": {"bias": [False]}},
    }
    space, rng = read_space(data, name="tiny", where="tiny.toml"), random.Random(5)
    names = ("tanh", "sigmoid", "identity")
    one = [((f, 0),) for f in names]
    two = [((f, 0), (g, source)) for f in names for g in names for source in (0, 1)]
    expected = {
        Cell.from_graph(write(Highway(nodes, kind))).id
        for nodes in (*one, *two)
        for kind in ("all", "loose")
    }
    assert {space.draw(rng).id for _ in range(600)} == expected


FIRST = "blend(sigmoid(linear(x, h_prev, bias=False)), tanh(linear(x, h_prev, bias=False)), h_prev)"
NODE = "blend(sigmoid(linear(s0, bias=False)), tanh(linear(s0, bias=False)), s0)"
REFUSED = {
    f"s0 = {FIRST}\nh = tanh(s0)": "neither a highway node nor the mean of some",
    f"h = {FIRST}": "the mean of some nodes; expected all but the first, or the loose ends",
    f"s0 = {FIRST}\nh = mean(s0, {NODE})": "the mean of some nodes",
    f"s0 = {FIRST}\nh = mean({NODE}, sigmoid(s0))": "neither a highway node nor the mean",
    f"s0 = {FIRST.replace('tanh', 'relu')}\nh = {NODE}": "activation of its first node is relu",
    f"s0 = {FIRST.replace('x, ', '')}\nh = {NODE}": "other values than x and h_prev",
    f"s0 = {FIRST}\nh = {NODE.replace('linear(s0, bias', 'linear(x, bias')}": "sees other values",
    f"s0 = {FIRST}\nh = {NODE.replace(', bias=False', '')}": "one of its linears has a bias",
    f"s0 = {FIRST}\nh = {NODE.replace('sigmoid', 'tanh')}": "of one of its nodes is tanh; expected",
    f"s0 = {FIRST}\nh = {NODE[:-3]}h_prev)": "something else than an earlier node",
    f"s0 = {FIRST}\nv = linear(s0, bias=False)\nh = blend(sigmoid(v), tanh(v), s0)": "used twice",
    f"s0 = {FIRST}\ng = sigmoid(linear(s0, bias=False))\n"
    "h = mean(blend(g, linear(s0, bias=False), s0), blend(g, tanh(linear(s0, bias=False)), s0))": (
        "used twice"
    ),
    f"s0 = {FIRST}\nc = {NODE}\nh = mean(c, c_prev)": "more than h, the one state",
    "g = tanh(linear(x, h_prev))\nh = blend(sigmoid(linear(x)), g, g)": "else than h_prev",
}


@pytest.mark.parametrize("text", REFUSED)
def test_other_cells_are_refused_in_words(text: str) -> None:
    reason = load_space("darts").contains(Cell.parse(text))
    assert reason is not None
    assert REFUSED[text] in reason
    assert reason.endswith(".")


def test_a_space_of_highways_has_room_for_twelve_nodes() -> None:
    space = load_space("darts")
    longest = Highway(tuple(("tanh", node) for node in range(12)), "all")
    assert space.contains(Cell.from_graph(write(longest))) is None
    longer = Highway((*longest.nodes, ("tanh", 12)), "all")
    assert space.contains(Cell.from_graph(write(longer))) == (
        "it has 71 nodes; at most 66 are allowed."
    )
