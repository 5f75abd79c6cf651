"""Specification of spaces: their files, what is inside, and what is drawn from them."""

from __future__ import annotations

import itertools
import json
import random
import tomllib
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
import torch

from cellsearch.cell import Cell
from cellsearch.errors import CellError, SpaceError
from cellsearch.known import zoo
from cellsearch.layers import Recurrent
from cellsearch.space import Space, load_space, read_space

NAMES = ("minimal", "gated")
LEAVES = ("x", "state", "number")


def generator(seed: int) -> random.Random:
    return random.Random(seed)


# Draws


@pytest.fixture(scope="module", params=NAMES)
def drawn(request: pytest.FixtureRequest) -> tuple[Space, list[Cell]]:
    space = load_space(request.param)
    rng = generator(7)
    return space, [space.draw(rng) for _ in range(1000)]


def operators(graph: nx.MultiDiGraph) -> list[int]:
    return [node for node, op in graph.nodes(data="op") if op not in LEAVES]


def test_draws_are_inside_and_rarely_repeat(drawn: tuple[Space, list[Cell]]) -> None:
    space, cells = drawn
    assert all(space.contains(cell) is None for cell in cells)
    assert len({cell.id for cell in cells}) > 900


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
    even = 1000 / space.nodes
    assert all(sizes[size] > even / 3 for size in range(7, space.nodes + 1))
    assert all(count < 3 * even for count in sizes.values())


def test_states_are_spread(drawn: tuple[Space, list[Cell]]) -> None:
    space, cells = drawn
    counts = Counter(len(cell.states) for cell in cells)
    assert all(counts[count + 1] > 300 for count in range(len(space.states)))


def test_most_draws_carry_a_state_behind_a_gate(drawn: tuple[Space, list[Cell]]) -> None:
    _, cells = drawn
    gated = 0
    for cell in cells:
        graph = cell.graph
        gated += any(
            graph.nodes[node]["op"] in ("mul", "blend")
            and {graph.nodes[arg]["op"] for arg in graph.pred[node]} >= {"state", "sigmoid"}
            for node in graph
        )
    assert gated > 450


def test_output_and_states_react_and_stay_finite(drawn: tuple[Space, list[Cell]]) -> None:
    _, cells = drawn
    torch.manual_seed(0)
    inputs = torch.randn(20, 4, 3)
    other = inputs.clone()
    other[:4] += 0.5
    deaf = wild = 0
    for cell in cells[:60]:
        layer = Recurrent(cell, 3, 8, backend="eager")
        with torch.no_grad():
            output, _ = layer(inputs)
            deaf += torch.equal(output[:6], layer(other)[0][:6])
        wild += not bool(output.abs().max() < 1e3)
    assert deaf <= 1  # a relu may be shut in all units
    assert wild <= 12


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


def test_every_cell_of_a_small_space_is_drawn_and_no_other() -> None:
    data = {
        "operators": ["linear", "sub", "tanh"],
        "numbers": [1.0],
        "limits": {"nodes": 2, "depth": 2, "products": 3},
    }
    space = read_space(data, name="tiny", where="tiny.toml")
    expected = every_cell(space)
    assert len(expected) > 8
    rng = generator(0)
    found: set[str] = set()
    for _ in range(1500):
        found.add(space.draw(rng).id)
        if len(found) == len(expected):
            break
    assert found == set(expected)


def test_space_without_any_cell_says_so() -> None:
    data = {"operators": ["linear", "tanh"], "carry": False, "limits": {"products": 1, "nodes": 2}}
    space = read_space(data, name="void", where="void.toml")
    with pytest.raises(SpaceError, match=r"space void: 1000 draws gave no cell.*products"):
        space.draw(generator(0))


# Files


@pytest.mark.parametrize("name", NAMES)
def test_space_survives_its_json(name: str) -> None:
    space = load_space(name)
    data = json.loads(json.dumps(space.to_dict()))
    assert read_space(data, name=data.pop("name"), where="there") == space
    assert space.name == name


def test_space_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(
        'states = ["h", "m"]\noperators = ["linear", "tanh", "blend", "sigmoid", "scale"]\n'
        'seeds = ["rnn"]\n[limits]\nnodes = 9\n[attributes.linear]\ninit = ["orthogonal"]\n'
        "[attributes.scale]\nscalar = [true]\n"
    )
    space = load_space(path)
    assert (space.name, space.nodes, space.states) == ("mine", 9, ("h", "m"))
    assert load_space(str(path)) == space
    rng = generator(0)
    texts = [str(space.draw(rng)) for _ in range(300)]
    assert any('init="orthogonal"' in text for text in texts)
    assert any("scalar=True" in text for text in texts)


GOOD = 'operators = ["linear", "tanh"]\n'
BAD = {
    "": r"operators: expected a list of names",
    'operators = ["tanh"]': r"operators: linear is missing",
    'operators = ["linear", "tahn"]': r"operators: unknown 'tahn' \(did you mean 'tanh'\?\)",
    'operators = ["linear", "linear"]': r"operators: 'linear' stands there twice",
    GOOD + 'operator = ["mul"]': r"unknown key 'operator' \(did you mean 'operators'\?\)",
    GOOD + 'carry = "yes"': r"carry: expected true or false, found 'yes'",
    GOOD + 'states = ["c", "h"]': r"states: expected h as the first state",
    GOOD + 'states = ["h", "x"]': r"states: 'x' cannot be a state's name",
    GOOD + 'states = ["h", "output"]': r"states: 'output' cannot be a state's name",
    GOOD + "numbers = [true]": r"numbers: expected a list of finite numbers",
    GOOD + "numbers = [inf]": r"numbers: expected a list of finite numbers",
    GOOD + 'seeds = ["lsmt"]': r"seeds: unknown 'lsmt' \(did you mean 'lstm'\?\)",
    GOOD + 'seeds = ["gru"]': r"seeds: gru is outside the space: it uses",
    GOOD + "[limits]\nnode = 3": r"limits: unknown key 'node' \(did you mean 'nodes'\?\)",
    GOOD + "[limits]\nnodes = 0": r"limits.nodes: expected a whole number from 1 to 512",
    GOOD + "[limits]\nnodes = 2.5": r"limits.nodes: expected a whole number",
    GOOD + "[limits]\nnodes = 513": r"limits.nodes: expected a whole number from 1 to 512, found",
    GOOD + "[limits]\ndepth = 1000000000": r"limits.depth: expected a whole number from 1 to 512",
    GOOD + f"[limits]\nnodes = {'9' * 5000}": r"not valid TOML",
    "a = " + "[" * 5000: r"not valid TOML",
    f"limits.nodes{'.a' * 5000} = 1": r"nested too deeply",
    "#" * 2**20 + "\n": r"larger than 1048576 bytes",
    GOOD + "[attributes.linaer]\nbias = [true]": r"attributes: unknown key 'linaer'.*'linear'",
    GOOD + "[attributes.linear]\nbais = [true]": r"attributes.linear: unknown key 'bais'.*'bias'",
    GOOD + "[attributes.linear]\nbias = [1]": r"attributes.linear.bias: expected a list of true",
    GOOD + '[attributes.linear]\ninit = ["zero"]': r"expected a list of uniform, orthogonal",
    "operators = [": r"not valid TOML",
}


@pytest.mark.parametrize("text", BAD)
def test_bad_file_is_refused_with_file_key_and_repair(text: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(SpaceError, match=BAD[text]) as caught:
        load_space(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bytes.toml"
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(SpaceError, match=r"bytes\.toml: not valid TOML"):
        load_space(path)


def test_attributes_that_leave_no_choice_count_for_nothing() -> None:
    tables = {"linear": {"bias": [True], "bias_init": [0.0, 1.0]}, "scale": {"scalar": []}}
    data = {"operators": ["linear", "tanh", "scale"], "attributes": tables}
    space = read_space(data, name="s", where="s.toml")
    assert space.attributes == (("linear", "bias_init", (1.0,)),)


def test_a_draw_beyond_the_size_of_any_cell_is_drawn_again() -> None:
    """With as many operators as a cell has nodes, the leaves are too many now and then."""
    data = {"operators": ["linear", "tanh", "add"], "limits": {"nodes": 30}}
    space = read_space(data, name="s", where="s.toml")
    calls = iter([CellError("cell: more than 512 nodes"), None])

    def parse(graph: nx.MultiDiGraph) -> Cell:
        error = next(calls, None)
        if error is not None:
            raise error
        return Cell.from_graph(graph)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cellsearch.space.Cell", SimpleNamespace(from_graph=parse))
        assert space.contains(space.draw(generator(0))) is None


def test_unknown_space_names_the_nearest() -> None:
    with pytest.raises(SpaceError, match=r"'gatde' \(did you mean 'gated'\?\); there are"):
        load_space("gatde")
    with pytest.raises(SpaceError, match="cannot be read"):
        load_space("nowhere/gated.toml")


def test_shipped_files_are_plain_toml() -> None:
    root = Path(__file__).parents[1] / "search_spaces"
    assert {path.stem for path in root.glob("*.toml")} >= set(NAMES)
    for path in root.glob("*.toml"):
        assert "linear" in tomllib.loads(path.read_text())["operators"]
