"""Recipes: what they mean, that they are written as they were read, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from random import Random

import pytest
from random_cells import seeded
from recipe_cells import difference, difference_of_equals
from recipes import GRU, LSTM, RNN, Recipe, disguised, random_recipe, renamed

from cellsearch.cell import Cell
from cellsearch.cli import main
from cellsearch.errors import CellError
from cellsearch.known import zoo
from cellsearch.limits import MAX_EDGES, MAX_NODES, MAX_TEXT


def node(op: object, *inputs: object) -> dict[str, object]:
    return {"op": op, "input": list(inputs)}


def tanh_of(name: str) -> dict[str, object]:
    return node("activation_tanh", name)


# What a recipe means


@pytest.mark.parametrize(
    ("recipe", "text"),
    [
        (RNN, "h = tanh(linear(x, h_prev))"),
        (
            GRU,
            "r = sigmoid(linear(x, h_prev))\nn = tanh(linear(x, r * h_prev))\n"
            "h = blend(sigmoid(linear(x, h_prev)), h_prev, n)",
        ),
        (
            LSTM,
            "i = sigmoid(linear(x, h_prev))\nf = sigmoid(linear(x, h_prev))\n"
            "c = f * c_prev + i * tanh(linear(x, h_prev))\n"
            "h = sigmoid(linear(x, h_prev)) * tanh(c)",
        ),
        (
            {
                "h_new_0": node("elementwise_prod", "x", "a"),
                "a": node("activation_leaky_relu", "x"),
            },
            "h = x * leaky_relu(x)",
        ),
        ({"h_new_0": node("elementwise_sum", "x", "x", "h_prev_0")}, "h = x + x + h_prev"),
        ({"h_new_0": node("linear", "x")}, "h = linear(x)"),
    ],
)
def test_a_recipe_is_the_cell_that_its_equations_say(recipe: Recipe, text: str) -> None:
    cell = Cell.from_recipe(recipe)
    assert cell == Cell.parse(text)
    assert Cell.from_recipe(json.dumps(recipe)) == cell
    assert Cell.from_recipe(b"\xef\xbb\xbf" + json.dumps(recipe).encode()) == cell


def test_nodes_become_statements_in_their_order_under_their_names() -> None:
    assert str(Cell.from_recipe(GRU)) == (
        "r = linear(x, h_prev)\n"
        "r_act = sigmoid(r)\n"
        "z = linear(x, h_prev)\n"
        "z_act = sigmoid(z)\n"
        "rh = r_act * h_prev\n"
        "n = linear(x, rh)\n"
        "n_act = tanh(n)\n"
        "h = blend(z_act, h_prev, n_act)\n"
    )
    cell = Cell.from_recipe(LSTM)
    assert cell.states == ("h", "h1")
    assert "h1 = kept + new\n" in str(cell)
    assert {name for found in cell.nodes for name in found.tensors} >= {"i.weight_0", "o.bias"}


@pytest.mark.parametrize(
    "name",
    ["h", "h1", "output", "x_prev", "h_prev", "lambda", "tanh", "", "ü", "\ud800", "a.b", "1", " ",
     "__class__", "a" * 65, "v1", "h_new_01", "h_new_x", "f_2", "f_prev_0"],
)  # fmt: skip
def test_a_node_whose_name_is_not_allowed_or_taken_gets_a_free_one(name: str) -> None:
    recipe = {**renamed(LSTM, {"kept": name}), "v2": node("elementwise_sum", "x", "x")}
    cell = Cell.from_recipe(recipe)
    assert cell == Cell.from_recipe(LSTM)
    assert Cell.from_recipe(json.dumps(recipe)) == cell
    assert cell.structure.output is None
    assert Cell.from_recipe(cell.to_recipe()) == cell
    kept = name in ("v1", "h_new_01", "h_new_x", "f_2", "f_prev_0")
    assert (f"\n{name} = f_act * h1_prev\n" in str(cell)) == kept


def test_cells_compute_what_the_interpreter_of_recipes_does(full: bool) -> None:
    for seed in range(1500 if full else 60):
        assert difference(random_recipe(seeded(seed)), seed) < 1e-12


def test_names_order_and_dead_code_do_not_change_the_cell(full: bool) -> None:
    for seed in range(1500 if full else 60):
        recipe = random_recipe(seeded(seed))
        other = disguised(recipe, seeded(seed))
        assert Cell.from_recipe(other) == Cell.from_recipe(recipe)
        assert difference_of_equals(recipe, other, seed) < 1e-12


# Written as it was read


def test_a_recipe_that_is_read_and_written_is_the_same_word_for_word(full: bool) -> None:
    recipes = [random_recipe(seeded(seed)) for seed in range(1500 if full else 150)]
    for recipe in (RNN, GRU, LSTM, *recipes):
        assert Cell.from_recipe(recipe).to_recipe() == recipe
        kept = disguised(recipe, seeded(len(recipe)))
        assert Cell.from_recipe(kept).to_recipe() == kept


def test_states_that_nothing_reads_are_dead_code_and_are_written() -> None:
    recipe = {
        **RNN,
        "d": node("linear", "h_prev_1", "h_prev_2"),
        "h_new_1": tanh_of("d"),
        "h_new_2": node("elementwise_prod", "d", "h_prev_1"),
    }
    cell = Cell.from_recipe(recipe)
    assert cell.states == ("h",)
    assert cell == Cell.from_recipe(RNN)
    assert cell.to_recipe() == recipe


def accepted(recipe: Recipe) -> None:
    """Assert what the benchmark's own reader takes for granted."""
    counts = {"elementwise_sum": 2, "elementwise_prod": 2, "blend": 3}
    states = sorted(name for name in recipe if re.fullmatch(r"h_new_\d+", name))
    assert states == [f"h_new_{number}" for number in range(len(states))]
    given = {"x", *(name.replace("new", "prev") for name in states)}
    for name, said in recipe.items():
        assert name not in given
        assert set(said["input"]) <= {*given, *recipe}
        if said["op"] != "linear":
            assert len(said["input"]) == counts.get(str(said["op"]), 1)


WRITTEN = [
    (
        "h = tanh(linear(x, h_prev))",
        {"v1": node("linear", "x", "h_prev_0"), "h_new_0": tanh_of("v1")},
    ),
    (
        "h = add(x, h_prev, x) * h_prev",
        {
            "v2": node("elementwise_sum", "x", "h_prev_0"),
            "v1": node("elementwise_sum", "v2", "x"),
            "h_new_0": node("elementwise_prod", "v1", "h_prev_0"),
        },
    ),
    (
        "c = tanh(c_prev)\nh1 = x * h1_prev\nh = c + h1",
        {
            "h_new_2": tanh_of("h_prev_2"),
            "h_new_1": node("elementwise_prod", "x", "h_prev_1"),
            "h_new_0": node("elementwise_sum", "h_new_2", "h_new_1"),
        },
    ),
    (
        "a = tanh(c_prev)\nc = a\nh = a",
        {"h_new_0": tanh_of("h_prev_1"), "h_new_1": tanh_of("h_prev_1")},
    ),
    ("h = identity(tanh(identity(x)))", {"h_new_0": tanh_of("x")}),
    ("h = tanh(x)\noutput = identity(h)", {"h_new_0": tanh_of("x")}),
    ("h = tanh(x)\noutput = tanh(x)", {"h_new_0": tanh_of("x")}),
    ("d = sqrt(x) + 1\nh = tanh(x)", {"h_new_0": tanh_of("x")}),
    ("d = sqrt(x) * d_prev\nh = tanh(x)", {"h_new_0": tanh_of("x")}),
    (
        "h_new_1 = tanh(x)\nh_prev_0 = tanh(h_new_1)\nh = h_prev_0 * h_prev",
        {
            "v1": tanh_of("x"),
            "v2": tanh_of("v1"),
            "h_new_0": node("elementwise_prod", "v2", "h_prev_0"),
        },
    ),
]


@pytest.mark.parametrize(("text", "recipe"), WRITTEN)
def test_a_cell_is_written_with_free_names_for_parts_that_have_none(
    text: str, recipe: Recipe
) -> None:
    cell = Cell.parse(text)
    assert cell.to_recipe() == recipe
    assert Cell.from_recipe(recipe) == cell
    accepted(recipe)


def sayable(rng: Random) -> str:
    """A random cell of operators that a recipe has, nested, with several states and dead code."""
    names = ["x", "h_prev", "c_prev"]

    def part(depth: int) -> str:
        if depth == 0:
            return rng.choice(names)
        op = rng.choice(
            ("linear", "tanh", "sigmoid", "leaky_relu", "add", "mul", "blend", "identity")
        )
        count = {"linear": rng.randint(1, 3), "add": rng.randint(2, 5), "mul": 3, "blend": 3}
        return f"{op}({', '.join(part(depth - 1) for _ in range(count.get(op, 1)))})"

    lines = []
    for name in ("a", "b", rng.choice(("h1", "h_new_0", "d")), "c", "h"):
        lines.append(f"{name} = tanh({part(rng.randint(0, 3))})")
        names.append(name)
    return "\n".join(lines)


def test_a_cell_that_is_written_and_read_again_is_the_same(full: bool) -> None:
    for seed in range(2000 if full else 150):
        cell = Cell.parse(sayable(seeded(seed)))
        accepted(cell.to_recipe())
        assert Cell.from_recipe(cell.to_recipe()) == cell


def test_known_cells_are_written_or_refused() -> None:
    written = []
    for name in zoo:
        try:
            assert Cell.from_recipe(zoo[name].to_recipe()) == zoo[name]
        except CellError:
            continue
        written.append(name)
    assert {"rnn", "nas_bench_nlp_best"} <= set(written)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("h = 1 - tanh(x)", "cell, statement 'h': a recipe cannot say number with value=1.0"),
        ("g = tanh(x - h_prev)\nh = g * x", "cell, statement 'g': a recipe cannot say sub"),
        ("h = tanh(linear(x, bias=False))", "cannot say linear with bias=False"),
        ("h = tanh(mean(x, h_prev))", "cannot say mean"),
        ("h = scale(tanh(x), scalar=True)", "cannot say scale with scalar=True"),
        ("h = parameter()", "cannot say parameter"),
        ("h = 2", "cell, statement 'h': a recipe cannot say number with value=2.0"),
        ("h = h_prev", "a new state is h_prev_0 as it is"),
        ("c = h_prev\nh = tanh(c_prev)", "a new state is h_prev_0 as it is"),
        ("h = identity(x)", "a new state is x as it is"),
        ("c = linear(x, c_prev)\nh = c", "cell, statement 'c': h_new_0 and h_new_1 are one linear"),
        ("h = tanh(x)\noutput = x * h", "its output is not its new h"),
        ("h_prev = 1\nh = tanh(h_prev)", "state h does not begin at zero"),
    ],
)
def test_a_cell_that_a_recipe_cannot_say_is_refused_in_one_line(text: str, part: str) -> None:
    with pytest.raises(CellError) as caught:
        Cell.parse(text).to_recipe()
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)


# What is refused


@pytest.mark.parametrize(
    ("recipe", "part"),
    [
        ([], "recipe: found a list; expected {"),
        (None, "recipe: found null"),
        ("[[[[[[", "more than 3 levels of nesting"),
        ("{", "recipe, line 1: Expecting property name"),
        (b"\xff", "recipe: not UTF-8 text"),
        ('{"a": NaN}', "recipe: unexpected number NaN"),
        ('{"a": ' + "9" * 60_000 + "}", "recipe: unexpected number 9999"),
        ('{"a": {}, "a": {}}', "recipe: 'a' is there twice"),
        ('{"a": {"op": "blend", "op": "linear"}}', "recipe: 'op' is there twice"),
        (" " * MAX_TEXT + "{}", "recipe: the text is longer than 64 KiB"),
        ({}, "recipe: there is no node 'h_new_0'"),
        ({"a": tanh_of("x")}, "recipe: there is no node 'h_new_0'"),
        ({**RNN, "h_new_2": tanh_of("x")}, "recipe: there is no node 'h_new_1'"),
        ({1: tanh_of("x")}, "a node's name is a number"),
        ({**RNN, "x": tanh_of("h_prev_0")}, "recipe, node 'x': this is what a step is given"),
        ({**RNN, "h_prev_0": tanh_of("x")}, "node 'h_prev_0': this is what a step is given"),
        ({**RNN, "a": "tanh"}, "recipe, node 'a': found a text; expected {"),
        ({**RNN, "a": {"op": "linear"}}, "node 'a': expected exactly 'op' and 'input', found 'op'"),
        ({**RNN, "a": {**tanh_of("x"), "bias": True}}, "expected exactly 'op' and 'input'"),
        ({**RNN, "a": node("activation_tan", "x")}, "(did you mean 'activation_tanh'?)"),
        ({**RNN, "a": node("tanh", "x")}, "'tanh' (did you mean 'activation_tanh'?)"),
        ({**RNN, "a": node("activation_sigmoid", "x")}, "(did you mean 'activation_sigm'?)"),
        ({**RNN, "a": node("elementwise_mul", "x", "x")}, "(did you mean 'elementwise_prod'?)"),
        ({**RNN, "a": node("add", "x", "x")}, "(did you mean 'elementwise_sum'?)"),
        (Path("my.json"), "a file is read with Cell.read(path)"),
        ("runs/my.json", "a file is read with Cell.read(path)"),
        ({**RNN, "a": node("__class__", "x")}, "unknown operator '__class__'"),
        ({**RNN, "a": node(["linear"], "x")}, "unknown operator a list"),
        ({**RNN, "a": node(True, "x")}, "unknown operator true or false"),
        ({**RNN, "a": {"op": "linear", "input": "x"}}, "input is a text; expected a list"),
        ({**RNN, "a": node("linear", None)}, "an input is null"),
        ({**RNN, "a": node("linear", 3)}, "an input is a number; expected the name of a node"),
        ({**RNN, "a": node("linear")}, "inputs of linear: expected 1 to 256, found 0"),
        (
            {**RNN, "a": node("elementwise_sum", "x")},
            "inputs of elementwise_sum: expected 2 to 256, found 1",
        ),
        ({**RNN, "a": node("blend", "x", "x")}, "inputs of blend: expected 3, found 2"),
        (
            {**RNN, "a": node("activation_tanh", "x", "x")},
            "inputs of activation_tanh: expected 1, found 2",
        ),
        (
            {**RNN, "a": tanh_of("g")},
            "node 'a': input 'g' is neither a node nor among x and h_prev_0",
        ),
        ({**RNN, "a": tanh_of("h_prev_1")}, "input 'h_prev_1' is neither a node nor among"),
        ({**RNN, "a": tanh_of("a")}, "a cycle within one step ('a' <- 'a')"),
        ({**RNN, "a": tanh_of("b"), "b": tanh_of("a")}, "('a' <- 'b' <- 'a')"),
        ({**RNN, "a": tanh_of("h_new_0"), "f": tanh_of("a")}, "a cycle within one step"),
        (
            {**RNN, **{f"n{i}": tanh_of(f"n{(i + 1) % 300}") for i in range(300)}},
            "('n0' <- 'n1' <- 'n2' <- 'n3' <- ...); a loop must go through a state at t-1",
        ),
        ({**RNN, **{f"n{i}": tanh_of("x") for i in range(MAX_NODES)}}, "more than 512 nodes"),
        (
            {**RNN, **{f"n{i}": node("linear", *["x"] * 256) for i in range(MAX_EDGES // 256)}},
            "recipe: more than 4096 inputs in all",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_wrong_recipe_is_refused_in_one_line(recipe: object, part: str) -> None:
    with pytest.raises(CellError) as caught:
        Cell.from_recipe(recipe)  # type: ignore[arg-type]
    assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


# Files


def test_a_json_file_is_a_cell_for_python_and_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lstm.json"
    path.write_text(json.dumps(LSTM))
    assert Cell.read(path) == Cell.from_recipe(LSTM)
    assert main(["inspect", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "h1 = kept + new" in shown
    assert Cell.from_recipe(LSTM).id in shown


def test_a_recipe_in_a_file_of_another_ending_is_told_to_be_one(tmp_path: Path) -> None:
    path = tmp_path / "mine.cell"
    path.write_text("\n " + json.dumps(RNN, indent=2))
    with pytest.raises(CellError, match=r"mine\.cell: cell: this is JSON.*name the file \.json"):
        Cell.read(path)


def test_a_file_that_is_no_recipe_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cell.json"
    for text, part in (("h = x", "line 1: Expecting value"), ("{}" + " " * MAX_TEXT, "64 KiB")):
        path.write_text(text)
        with pytest.raises(CellError, match=part) as caught:
            Cell.read(path)
        assert str(caught.value).startswith(f"{path}: ")
