"""Equations: hand-written ones for known cells; read back and evaluated for random ones."""

from __future__ import annotations

import ast
import math
import random
import re
import textwrap
from collections.abc import Callable

import pytest

from cellsearch.cell import Cell
from cellsearch.inspection.equations import equations, latex, plain_equations
from cellsearch.known import zoo
from cellsearch.operators import OPERATORS

LSTM = """
iₜ = σ(W_ix xₜ + W_ih hₜ₋₁ + b_i)
fₜ = σ(W_fx xₜ + W_fh hₜ₋₁ + b_f)
gₜ = tanh(W_gx xₜ + W_gh hₜ₋₁ + b_g)
oₜ = σ(W_ox xₜ + W_oh hₜ₋₁ + b_o)
cₜ = fₜ ⊙ cₜ₋₁ + iₜ ⊙ gₜ
hₜ = oₜ ⊙ tanh(cₜ)
"""  # noqa: RUF001
GRU = """
rₜ = σ(W_rx xₜ + W_rh hₜ₋₁ + b_r)
zₜ = σ(W_zx xₜ + W_zh hₜ₋₁ + b_z)
nₜ = tanh(W_nx xₜ + b_n + rₜ ⊙ (W_n₂h hₜ₋₁ + b_n₂))
hₜ = zₜ ⊙ hₜ₋₁ + (1 - zₜ) ⊙ nₜ
"""  # noqa: RUF001


def plain(text: str) -> list[str]:
    return plain_equations(Cell.parse(text))


@pytest.mark.parametrize(("name", "expected"), [("lstm", LSTM), ("gru", GRU)])
def test_plain_equations_of_known_cells(name: str, expected: str) -> None:
    assert plain_equations(zoo[name]) == expected.strip().splitlines()


def test_latex_of_known_cells() -> None:
    assert equations(zoo["lstm"])[0] == (
        r"i_t = \sigma\left(W_{ix} x_t + W_{ih} h_{t-1} + b_{i}\right)"
    )
    assert equations(zoo["lstm"])[4:] == [
        r"c_t = f_t \odot c_{t-1} + i_t \odot g_t",
        r"h_t = o_t \odot \tanh\left(c_t\right)",
    ]
    assert equations(zoo["gru"])[2:] == [
        r"n_t = \tanh\left(W_{nx} x_t + b_{n} + r_t \odot "
        r"\left(W_{n_{2}h} h_{t-1} + b_{n_{2}}\right)\right)",
        r"h_t = z_t \odot h_{t-1} + \left(1 - z_t\right) \odot n_t",
    ]


def test_aligned_block_for_notebooks() -> None:
    assert latex(Cell.parse("c = c_prev + linear(x, bias=False)\nh = tanh(c)")) == "\n".join(
        [
            r"\begin{aligned}",
            r"c_t &= c_{t-1} + W_{cx} x_t \\",
            r"h_t &= \tanh\left(c_t\right)",
            r"\end{aligned}",
        ]
    )


def test_equals_signs_stand_below_each_other() -> None:
    lines = plain("gate = sigmoid(linear(x))\nh = gate * h_prev")
    assert lines == ["gateₜ = σ(W_gate_x xₜ + b_gate)", "hₜ    = gateₜ ⊙ hₜ₋₁"]  # noqa: RUF001


def test_names_of_several_letters() -> None:
    text = """
        alpha = sigmoid(linear(x))
        h1 = alpha * h_prev
        h_out = h1 - scale(h1_prev, scalar=True) * alpha
        h = linear(h_out)
    """
    assert equations(Cell.parse(textwrap.dedent(text))) == [
        r"\alpha_t = \sigma\left(W_{\mathrm{alpha},x} x_t + b_{\mathrm{alpha}}\right)",
        r"h_{1,t} = \alpha_t \odot h_{t-1}",
        r"\mathrm{h\_out}_t = h_{1,t} - \alpha_{\mathrm{h\_out}} \odot h_{1,t-1} \odot \alpha_t",
        r"h_t = W_{h,\mathrm{h\_out}} \mathrm{h\_out}_t + b_{h}",
    ]


def test_matrices_have_names_of_their_own() -> None:
    text = "h = tanh(linear(h_prev, 2 * h_prev) + linear(x) * linear(x))"
    found = re.findall(r"[Wb]_\S+?(?=[ )]|$)", plain(text)[0])
    assert found == ["W_h0", "W_h1", "b_h", "W_h₂x", "b_h₂", "W_h₃x", "b_h₃"]


def test_learned_vectors_and_numbers() -> None:
    text = "v = parameter()\nk = parameter(scalar=True)\nh = v * h_prev + k * parameter(init=1.0)"
    assert plain(text) == [
        "v  = learned vector",
        "k  = learned number",
        "hₜ = v ⊙ hₜ₋₁ + k ⊙ v_h",
    ]
    assert plain("h = layer_norm(scale(h_prev))") == ["hₜ = LN_h(w_h₂ ⊙ hₜ₋₁)"]
    assert equations(Cell.parse("h = layer_norm(h_prev)")) == [
        r"h_t = \mathrm{LN}_{h}\left(h_{t-1}\right)"
    ]


def test_what_has_no_statement_of_its_own_gets_one_at_the_end() -> None:
    text = "g = h_prev\nh = tanh(linear(x, g_prev))\noutput = h"
    lines = ["hₜ      = tanh(W_hx xₜ + W_hg gₜ₋₁ + b_h)", "gₜ      = hₜ₋₁", "outputₜ = hₜ"]
    assert plain(text) == lines


def test_dead_code_is_left_out() -> None:
    assert plain("dead = exp(x)\nc = c_prev + x\nh = tanh(h_prev)") == ["hₜ = tanh(hₜ₋₁)"]


def test_cell_is_shown_as_it_was_written() -> None:
    assert plain("h = identity(h_prev) + (x + (x - h_prev)) - (x - h_prev)") == [
        "hₜ = hₜ₋₁ + xₜ + xₜ - hₜ₋₁ - (xₜ - hₜ₋₁)"
    ]


def test_signs_never_meet() -> None:
    assert plain("h = x + -h_prev - -2.0") == ["hₜ = xₜ + (-hₜ₋₁) - (-2)"]
    assert equations(Cell.parse("h = x * -1e-7"))[0] == (
        r"h_t = x_t \odot \left(-1 \cdot 10^{-7}\right)"
    )


@pytest.mark.parametrize("name", [name for name in OPERATORS if name != "linear"])
def test_every_operator_has_valid_latex_and_text(name: str) -> None:
    args = ", ".join(["x + h_prev", "-h_prev", "c_prev"][: max(1, OPERATORS[name].arity[0])])
    spelled = "-(x + h_prev)" if name == "neg" else f"{name}({args})"
    cell = Cell.parse(f"c = h_prev\nh = {spelled} * 2 + exp({spelled})")
    for line in equations(cell):
        check_latex(line)
    for line in plain_equations(cell):
        assert not re.search(r"[\\{}]|[\ue000-\uf8ff]", line)
        assert line.count("(") == line.count(")")


@pytest.mark.parametrize("name", list(zoo))
def test_latex_of_the_zoo_is_valid(name: str) -> None:
    for line in equations(zoo[name]):
        check_latex(line)


def check_latex(line: str) -> None:
    """Check the structure, and where matplotlib is installed let it parse the formula."""
    assert not re.search(r"[\ue000-\uf8ff]|[^ -~]", line)
    assert line.count(r"\left") == line.count(r"\right")
    depth = 0
    for sign in re.sub(r"\\[{}]", "", line):
        depth += (sign == "{") - (sign == "}")
        assert depth >= 0
    assert depth == 0
    try:
        from matplotlib.mathtext import MathTextParser
    except ImportError:
        return
    MathTextParser("path").parse(f"${line}$")


# Random expressions: the equation, read as arithmetic, has the value that the cell has.

UNARY: dict[str, Callable[[float], float]] = {
    "tanh": math.tanh,
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "square": lambda a: a * a,
    "abs": abs,
    "neg": lambda a: -a,
    "reciprocal": lambda a: 1 / a,
}
BINARY: dict[str, Callable[[float, float], float]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
}
LEAVES = {"x": 0.731, "h_prev": -0.377, "c_prev": 1.913, "-0.75": -0.75, "3": 3.0}


def grow(rng: random.Random, depth: int) -> tuple[str, float]:
    """Return a random expression in a cell's notation, fully in parentheses, and its value."""
    if depth == 0:
        return rng.choice(list(LEAVES.items()))
    kind = rng.random()
    first, a = grow(rng, rng.randrange(depth))
    if kind < 0.3:
        name = rng.choice(list(UNARY))
        return (f"(-{first})" if name == "neg" else f"{name}({first})"), UNARY[name](a)
    second, b = grow(rng, rng.randrange(depth))
    if kind < 0.85:
        sign = rng.choice(list(BINARY))
        return f"({first} {sign} {second})", BINARY[sign](a, b)
    third, c = grow(rng, rng.randrange(depth))
    return f"blend({first}, {second}, {third})", a * b + (1 - a) * c


def evaluate(text: str) -> float:
    """Return the value of arithmetic in Python's notation."""

    def value(tree: ast.expr) -> float:
        if isinstance(tree, ast.Constant):
            return float(tree.value)  # type: ignore[arg-type]
        if isinstance(tree, ast.UnaryOp):
            return -value(tree.operand)
        if isinstance(tree, ast.Call):
            assert isinstance(tree.func, ast.Name)
            return UNARY[tree.func.id](value(tree.args[0]))
        if isinstance(tree, ast.BinOp):
            if isinstance(tree.op, ast.Pow):
                return value(tree.left) ** 2
            signs = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
            return BINARY[signs[type(tree.op)]](value(tree.left), value(tree.right))
        assert isinstance(tree, ast.Name)
        return LEAVES[tree.id]

    return value(ast.parse(text, mode="eval").body)


def from_plain(text: str) -> str:
    for pair in (("hₜ₋₁", "h_prev"), ("cₜ₋₁", "c_prev"), ("xₜ", "x"), ("⊙", "*"), ("²", "**2")):
        text = text.replace(*pair)
    return text.replace("\N{GREEK SMALL LETTER SIGMA}", "sigmoid")


def from_latex(text: str) -> str:
    text = text.replace(r"\left|", "abs(").replace(r"\right|", ")")
    pairs = {r"\left": "", r"\right": "", "h_{t-1}": "h_prev", "c_{t-1}": "c_prev", "x_t": "x"}
    pairs |= {r"\odot": "*", r"\sigma": "sigmoid", r"\tanh": "tanh", "^2": "**2"}
    for found, other in pairs.items():
        text = text.replace(found, other)
    while r"\frac" in text:  # the innermost first
        text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"((\1) / (\2))", text)
    return text


@pytest.mark.parametrize("seed", range(150))
def test_random_expressions_keep_their_value(seed: int) -> None:
    rng = random.Random(seed)
    while True:
        try:
            expression, expected = grow(rng, 5)
        except (ZeroDivisionError, OverflowError):
            continue
        if not re.fullmatch(r"[-0-9.]+", expression) and abs(expected) < 1e9:
            break
    cell = Cell.parse(f"h = {expression}\nc = c_prev + h")
    line = next(line for line in equations(cell) if line.startswith("h_t = "))
    assert evaluate(from_latex(line.removeprefix("h_t = "))) == pytest.approx(expected, rel=1e-6)
    if "abs" in expression:
        return  # bars do not say which of them opens; LaTeX's do
    line = next(line for line in plain_equations(cell) if line.startswith("hₜ = "))
    assert evaluate(from_plain(line.removeprefix("hₜ = "))) == pytest.approx(expected, rel=1e-6)
