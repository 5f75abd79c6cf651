"""Specification of draws: what is drawn from a space, how it is spread, and that it trains."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import networkx as nx
import numpy as np
import pytest
import torch

from cellsearch import resources
from cellsearch.cell import Cell
from cellsearch.errors import SpaceError
from cellsearch.layers import Recurrent
from cellsearch.space import Space, load_space, read_space

LEAVES = ("x", "state", "number")


def generator(seed: int) -> random.Random:
    return random.Random(seed)


REPEATS = {"minimal": 0.05, "darts": 0.04, "small": 0.2}
"""The share of a thousand draws that may be repeats, if not `FEW`: small has 2,472 cells."""
FEW = 0.02


@pytest.fixture(scope="module", params=resources.names("search_spaces"))
def drawn(request: pytest.FixtureRequest, full: bool) -> tuple[Space, list[Cell]]:
    space = load_space(request.param)
    rng = generator(7)
    return space, [space.draw(rng) for _ in range(1000 if full else 250)]


def operators(graph: nx.MultiDiGraph) -> list[int]:
    return [node for node, op in graph.nodes(data="op") if op not in LEAVES]


def test_draws_are_inside_and_rarely_repeat(drawn: tuple[Space, list[Cell]]) -> None:
    space, cells = drawn
    assert all(space.contains(cell) is None for cell in cells)
    repeats = 1 - len({cell.id for cell in cells}) / len(cells)
    assert repeats < REPEATS.get(space.name, FEW)


def test_draws_obey_the_rules_seen_on_their_graphs(drawn: tuple[Space, list[Cell]]) -> None:
    space, cells = drawn
    for cell in cells:
        graph, updates = cell.graph, cell.graph.graph["states"]
        assert {graph.nodes[node]["op"] for node in operators(graph)} <= set(space.operators)
        for source, target in graph.edges():
            seen, by = graph.nodes[source]["op"], graph.nodes[target]["op"]
            assert by == "linear" or seen != "x"
            assert (seen, by) != ("linear", "linear")
        below_h = nx.ancestors(graph, updates["h"]) | {updates["h"]}
        leaves = [graph.nodes[node] for node in below_h]
        assert any(leaf["op"] == "x" for leaf in leaves)
        assert any(leaf["op"] == "state" for leaf in leaves)
        # No dead code and no dead states: h needs everything, now or by way of a state later.
        later = graph.copy()
        for node, data in graph.nodes(data=True):
            if data["op"] == "state":
                later.add_edge(updates[data["name"]], node)
        assert nx.ancestors(later, updates["h"]) | {updates["h"]} == set(graph)
        assert set(updates) == set(cell.states)


def test_sizes_are_spread_over_what_is_allowed(drawn: tuple[Space, list[Cell]]) -> None:
    space, cells = drawn
    sizes = Counter(sum(node.op not in LEAVES for node in cell.normal.nodes) for cell in cells)
    assert max(sizes) <= space.nodes
    if space.shape in ("highway", "gated_update"):
        return  # nodes of the ones are spread, the others all equally likely: see their own tests
    even = len(cells) / space.nodes
    assert all(sizes[size] > even / 3 for size in range(7, space.nodes + 1))
    assert all(count < 3 * even for count in sizes.values())


def test_states_are_spread(drawn: tuple[Space, list[Cell]]) -> None:
    space, cells = drawn
    counts = Counter(len(cell.states) for cell in cells)
    even = len(cells) / len(space.states)
    assert all(counts[count] > 0.6 * even for count in range(1, len(space.states) + 1))


def test_many_draws_carry_a_state_behind_a_gate(drawn: tuple[Space, list[Cell]]) -> None:
    _, cells = drawn
    gated = 0
    for cell in cells:
        graph = cell.graph
        gated += any(
            graph.nodes[node]["op"] in ("mul", "blend")
            and {graph.nodes[arg]["op"] for arg in graph.pred[node]} >= {"state", "sigmoid"}
            for node in graph
        )
    assert gated > 0.4 * len(cells)


def test_output_reacts_to_inputs_long_past(drawn: tuple[Space, list[Cell]]) -> None:
    _, cells = drawn
    torch.manual_seed(0)
    inputs = torch.randn(20, 4, 3)
    other = inputs.clone()
    other[:4] += 0.5
    deaf = 0
    for cell in cells[:60]:
        layer = Recurrent(cell, 3, 8, backend="eager")
        with torch.no_grad():
            deaf += torch.equal(layer(inputs)[0][:6], layer(other)[0][:6])
    assert deaf <= 1  # a relu may be shut in all units


WEIGHTS = 5
"""Sets of weights that are tried before x counts as cut off: with some, relus are shut."""


def train(cell: Cell, seed: int, backend: str) -> tuple[bool, bool]:
    """Train five steps; return whether the loss is finite, and whether a gradient reached x."""
    torch.manual_seed(seed)
    layer, head = Recurrent(cell, 3, 6, backend=backend), torch.nn.Linear(6, 2)
    inputs, targets = torch.randn(8, 4, 3, requires_grad=True), torch.randn(4, 2)
    weights = [*layer.parameters(), *head.parameters()]
    optimizer = torch.optim.Adam(weights, lr=0.01)
    reached = False
    for _ in range(5):
        output, _ = layer(inputs)
        loss = (head(output) - targets).square().mean()
        loss.backward()
        assert inputs.grad is not None
        reached |= bool(inputs.grad.nan_to_num().count_nonzero())
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        inputs.grad = None
    return bool(loss.isfinite()), reached


def test_draws_train_without_an_error(drawn: tuple[Space, list[Cell]], full: bool) -> None:
    """All of them, few of them diverge, and gradients reach x unless they do."""
    _, cells = drawn
    some = cells if full else cells[:40]
    diverged = 0
    for place, cell in enumerate(some):
        for seed in range(WEIGHTS):
            finite, reached = train(cell, WEIGHTS * place + seed, "eager")
            if reached or not finite:
                break
        diverged += not finite
        assert reached or not finite, str(cell)
    assert diverged <= 2 + 0.03 * len(some)


def test_draws_train_in_compiled_kernels(drawn: tuple[Space, list[Cell]], full: bool) -> None:
    _, cells = drawn
    for seed, cell in enumerate(cells[: 100 if full else 5]):
        train(cell, seed, "native")


def test_draws_follow_from_the_generator_alone(drawn: tuple[Space, list[Cell]]) -> None:
    space, cells = drawn
    random.seed(3)
    outside, numpys = random.getstate(), np.random.get_state()
    rng = generator(7)
    again = [str(space.draw(rng)) for _ in range(30)]
    assert again == [str(cell) for cell in cells[:30]]
    assert random.getstate() == outside
    assert all(np.array_equal(a, b) for a, b in zip(np.random.get_state(), numpys, strict=True))


def every_cell(space: Space) -> dict[str, str]:
    """Spell out all sequences of statements of a one-state space; those inside, by id."""
    found: dict[str, str] = {}

    def extend(lines: list[str], names: list[str]) -> None:
        if lines:
            cell = Cell.parse("\n".join([*lines, f"h = {names[-1]}"]))
            if space.contains(cell) is None:
                found[cell.id] = str(cell)
        if len(lines) == space.nodes:
            return
        new, values = f"v{len(lines)}", [name for name in names if name != "x"]
        options = [f"tanh({value})" for value in values]
        for count in range(1, len(names) + 1):
            options += [f"linear({', '.join(a)})" for a in itertools.combinations(names, count)]
        options += [f"{a} - {b}" for a in [*values, "1"] for b in values]
        for option in options:
            extend([*lines, f"{new} = {option}"], [*names, new])

    extend([], ["x", "h_prev"])
    return found


@pytest.mark.parametrize("more", [{}, {"shape": "tree"}, {"rules": ["scan"]}], ids=str)
def test_every_cell_of_a_small_space_is_drawn_and_no_other(
    more: dict[str, object], full: bool
) -> None:
    space = read_space(
        {
            "operators": ["linear", "sub", "tanh"],
            "numbers": [1.0],
            "limits": {"nodes": 3 if full and more else 2, "depth": 3, "products": 2},
            **more,
        },
        name="tiny",
        where="tiny.toml",
    )
    expected = every_cell(space)
    assert len(expected) > 1
    rng = generator(0)
    found: set[str] = set()
    for _ in range(50_000 if full else 3000):
        found.add(space.draw(rng).id)
        if len(found) == len(expected):
            break
    assert found == set(expected)


def test_space_without_any_cell_says_so() -> None:
    data = {"operators": ["linear", "tanh"], "carry": False, "limits": {"products": 1, "nodes": 2}}
    space = read_space(data, name="void", where="void.toml")
    with pytest.raises(SpaceError, match=r"space void: 1000 draws gave no cell.*products"):
        space.draw(generator(0))
