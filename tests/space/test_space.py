"""Specification of spaces: their files."""

from __future__ import annotations

import json
import random
import tomllib
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pytest

from cellsearch import resources
from cellsearch.cell import Cell
from cellsearch.errors import CellError, SpaceError
from cellsearch.space import load_space, read_space

NAMES = resources.names("search_spaces")


def generator(seed: int) -> random.Random:
    return random.Random(seed)


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
    "": r"operators: expected a list of names, found nothing$",
    'operators = "linear"': r'operators: expected a list of names, found "linear"$',
    'operators = {"a\\nb" = [0.5, "\\n"]}': r'names, found {"a\\nb" = \[0.5, "\\n"\]}$',
    "operators = {linear = true}": r"a list of names, found \{linear = true\}$",
    'operators = ["tanh"]': r"operators: linear is missing",
    'operators = ["linear", "tahn"]': r"operators: unknown 'tahn' \(did you mean 'tanh'\?\)",
    'operators = ["linear", "linear"]': r"operators: 'linear' stands there twice",
    GOOD + 'operator = ["mul"]': r"unknown key 'operator' \(did you mean 'operators'\?\)",
    GOOD + 'rules = ["scann"]': r"rules: unknown 'scann' \(did you mean 'scan'\?\); there are",
    GOOD + 'rules = ["scan", "scan"]': r"rules: 'scan' stands there twice",
    GOOD + 'shape = "forest"': r"shape: expected one of .*highway, gated_update, found \"forest\"$",
    GOOD + "shape = []": r"shape: expected one of .*highway, gated_update, found \[\]$",
    GOOD + 'carry = "yes"': r"carry: expected true or false, found \"yes\"$",
    GOOD + 'states = ["c", "h"]': r"h as the first state, found \[\"c\", \"h\"\]$",
    GOOD + 'states = ["h", "x"]': r"'x' cannot be a state's name: x and names that end in _prev",
    GOOD + 'states = ["h", "output"]': r"'output' cannot be a state's name: it is the output's$",
    GOOD + 'states = ["h", "c_prev"]': r"it is the value of c at t-1; write 'c'$",
    GOOD + "numbers = [true]": r"numbers: expected a list of finite numbers, found \[true\]$",
    GOOD + "numbers = [1.0]": r"numbers: they stand in sub alone, which is not among the operators",
    GOOD + "numbers = [1.0, 1]": r"numbers: 1.0 stands there twice$",
    GOOD + "numbers = [inf]": r"numbers: expected a list of finite numbers",
    GOOD + 'seeds = ["lsmt"]': r"'lsmt' \(did you mean 'lstm'\?\); `cellsearch list cells`",
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
    GOOD + "[attributes.scale]\ninit = [0.5]": r"attributes.scale: scale is not among the operat",
    GOOD + "[attributes.linear]\ninit = []": r"attributes.linear.init: expected at least one value",
    GOOD + "[attributes.linear]\nbias_init = [1, 1.0]": r"bias_init: 1.0 stands there twice$",
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
    tables = {"linear": {"bias": [True], "bias_init": [0.0, 1.0]}, "scale": {"scalar": [False]}}
    data = {"operators": ["linear", "tanh", "scale"], "attributes": tables}
    space = read_space(data, name="s", where="s.toml")
    assert space.attributes == (("linear", "bias_init", (1.0,)),)


def test_a_draw_beyond_the_size_of_any_cell_is_drawn_again() -> None:
    """With as many operators as a cell has nodes, the leaves are too many now and then."""
    data = {"operators": ["linear", "tanh", "add"], "limits": {"nodes": 30}}
    space = read_space(data, name="s", where="s.toml")
    calls = iter([CellError("cell: more than 512 nodes"), None])

    made = Cell.from_graph

    def parse(graph: nx.MultiDiGraph) -> Cell:
        error = next(calls, None)
        if error is not None:
            raise error
        return made(graph)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Cell, "from_graph", parse)
        assert space.contains(space.draw(generator(0))) is None


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"operators": ["linear", "tanh", "sigmoid"]}, "it uses blend, which is not among"),
        ({"attributes": {}}, "it uses linear with bias=False, which is not allowed"),
        ({"limits": {"nodes": 5}}, "it has 9 nodes; at most 5 are allowed"),
    ],
)
def test_a_highway_space_holds_the_smallest_highway_cell(data: dict[str, Any], why: str) -> None:
    fitting = {
        "shape": "highway",
        "operators": ["linear", "tanh", "sigmoid", "blend"],
        "attributes": {"linear": {"bias": [False]}},
    }
    assert read_space(fitting, name="s", where="s.toml").shape == "highway"
    with pytest.raises(SpaceError, match=f"no highway cell is inside.*because {why}.*; it takes"):
        read_space({**fitting, **data}, name="s", where="s.toml")
    smallest = {"limits": {"nodes": 9, "products": 6, "depth": 6}}
    assert read_space({**fitting, **smallest}, name="s", where="s.toml").nodes == 9
    with pytest.raises(SpaceError, match=r's\.toml: states: a highway cell .*found \["h", "c"\]$'):
        read_space({**fitting, "states": ["h", "c"]}, name="s", where="s.toml")


def test_what_is_no_cell_is_refused_in_words() -> None:
    with pytest.raises(TypeError, match="expected a Cell, found 'lstm'"):
        load_space("gated").contains("lstm")  # type: ignore[arg-type]


@pytest.mark.parametrize("rng", [None, 3, np.random.default_rng(0)], ids=str)
def test_only_a_generator_of_the_standard_library_draws(rng: object) -> None:
    with pytest.raises(TypeError, match=r"expected a random\.Random, found .*random\.Random\(seed"):
        load_space("minimal").draw(rng)  # type: ignore[arg-type]


def test_what_is_no_file_of_a_space_is_refused_in_words(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="expected the name of a space or its file, found None"):
        load_space(None)  # type: ignore[arg-type]
    for path in (tmp_path / "mine.txt", tmp_path / "mine", "mine.txt"):
        with pytest.raises(SpaceError, match=f"^{path}: a space's file ends in .toml; one that"):
            load_space(path)
    with pytest.raises(SpaceError, match=f"^{tmp_path}: is a folder; a space's file ends in"):
        load_space(tmp_path)


def test_unknown_space_names_the_nearest() -> None:
    with pytest.raises(SpaceError, match=r"'gatde' \(did you mean 'gated'\?\); there are"):
        load_space("gatde")
    with pytest.raises(SpaceError, match="cannot be read"):
        load_space("nowhere/gated.toml")


def test_shipped_files_are_plain_toml() -> None:
    root = Path(__file__).parents[2] / "search_spaces"
    assert {path.stem for path in root.glob("*.toml")} >= set(NAMES)
    for path in root.glob("*.toml"):
        assert "linear" in tomllib.loads(path.read_text())["operators"]
