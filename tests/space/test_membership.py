"""Specification of membership: which cells are in which space, and the reasons against them."""

from __future__ import annotations

import pytest

from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.space import load_space, read_space

GATE = "g = sigmoid(linear(x, h_prev))\n"
INSIDE = (
    "h = blend(sigmoid(linear(x, h_prev)), h_prev, tanh(linear(x, h_prev)))",
    "h = linear(x, h_prev)",
    "h = h_prev + tanh(linear(x))",
    "c = h_prev\nh = tanh(linear(x, h_prev, c_prev))",  # c_prev is h at t-2
    GATE + "c = g * c_prev + (1 - g) * linear(x)\nh = g * tanh(c)",
    GATE + "unused = relu(exp(h_prev))\nh = tanh(linear(x, g * h_prev))",  # judged without it
    GATE + "memory = g * memory_prev + linear(x)\nh = tanh(memory)",  # names do not matter
)
OUTSIDE = {
    "h = sin(linear(x, h_prev))": "it uses sin",
    "h = tanh(linear(x, h_prev, init='orthogonal'))": "linear with init='orthogonal'",
    "h = tanh(linear(x, h_prev, bias_init=2.0))": "linear with bias_init=2.0",
    "h = x * linear(h_prev)": "x enters mul",
    "c = x\nh = tanh(linear(x, c_prev))": "its state c is x",
    "h = tanh(linear(x, linear(h_prev)))": "one of its linears sees a linear",
    "h = 2 * tanh(linear(x, h_prev))": "the number 2 stands in mul",
    "h = (1 - h_prev) * (1 + linear(x))": "the number 1 stands in add",
    "h = tanh(linear(x, h_prev)) - 1": "the number 1 stands in sub",
    "a = linear(x, h_prev)\nh = a * a": "mul, sees the same value twice",
    "h = tanh(linear(x, h_prev, h_prev))": "linear, sees the same value twice",
    "a = tanh(linear(x))\nh = a + (h_prev + a)": "add, sees the same value twice",
    "h = tanh(linear(h_prev))": "does not depend on x",
    "h = tanh(linear(x))": "does not depend on a carried state",
    "c = tanh(c_prev)\nh = tanh(linear(x, c_prev))": "state c never learns of x",
    "c = sigmoid(c_prev)\nh = tanh(linear(x, c_prev))": "state c never learns of x",
    "h = h_prev * tanh(linear(x))": "state h begins at zero",
    "h = tanh(linear(h_prev)) * linear(x)": "state h begins at zero",  # biases are zero at first
    "a = tanh(linear(x, h_prev, c_prev))\nh = a\nc = a": "two of its states are always equal",
    "output = tanh(linear(x, h_prev))\nh = sigmoid(linear(x, h_prev))": "assigns output",
    "h = tanh(linear(x, h_prev) + parameter())": "it uses parameter",
    "c = tanh(linear(x, b_prev))\nb = relu(linear(x, h_prev))\nh = c_prev * c": "3 states",
    "h = " + "tanh(" * 10 + "linear(x, h_prev)" + ")" * 10: "11 operators in a row",
    "h = " + " + ".join(["tanh(linear(x, h_prev))"] * 7): "14 products",
    "h = " + " + ".join(["tanh(linear(h_prev))"] * 10) + " + linear(x)": "22 nodes",
}


@pytest.mark.parametrize("text", INSIDE)
def test_cell_inside(text: str) -> None:
    assert load_space("gated").contains(Cell.parse(text)) is None


@pytest.mark.parametrize("text", OUTSIDE)
def test_cell_outside_and_why(text: str) -> None:
    reason = load_space("gated").contains(Cell.parse(text))
    assert reason is not None
    assert OUTSIDE[text] in reason
    assert reason.endswith(".")


def test_without_carry_a_state_passes_through_a_linear() -> None:
    data = {"operators": ["linear", "tanh", "mul", "add", "sigmoid"], "carry": False}
    space = read_space(data, name="s", where="s.toml")
    assert space.contains(Cell.parse("h = tanh(linear(x, sigmoid(h_prev) * h_prev))")) is None
    reason = space.contains(Cell.parse("h = h_prev + tanh(linear(x))"))
    assert reason == "h_prev reaches h without passing through a linear."


# The known cells

MEMBERS = """
                    minimal  gated  jozefowicz  darts  nas_bench_nlp  tree  scan
brc                 .        .      .           .      .              .     .
cfn                 .        .      .           .      .              .     .
darts_v1            .        .      .           yes    .              .     .
darts_v2            .        .      .           yes    .              .     .
enas                .        .      .           yes    .              .     .
fastgrnn            .        .      .           .      .              .     .
fastrnn             .        .      .           .      .              .     .
gru                 .        yes    yes         .      .              .     .
gru_reset_before    .        yes    yes         .      .              .     .
indrnn              .        .      .           .      .              .     .
intersection_rnn    .        .      .           .      .              .     .
irnn                .        .      yes         .      .              .     .
janet               .        .      .           .      .              .     .
ligru               .        yes    yes         .      .              .     .
lstm                .        yes    yes         .      yes            yes   .
lstm_coupled        .        yes    yes         .      .              .     .
lstm_peephole       .        .      .           .      .              .     .
lstm_tanh_output    .        yes    yes         .      yes            yes   .
mgu                 .        yes    yes         .      .              .     .
mingru              .        yes    yes         .      .              .     yes
minlstm             .        .      .           .      .              .     yes
mogrifier_lstm      .        .      .           .      .              .     .
mut1                .        .      yes         .      .              .     .
mut2                .        yes    yes         .      .              .     .
mut3                .        yes    yes         .      .              .     .
nao                 .        .      .           yes    .              .     .
nas_bench_nlp_best  .        yes    .           .      yes            .     .
nascell             .        .      .           .      .              .     .
nbrc                .        .      .           .      .              .     .
qrnn                .        yes    yes         .      .              .     yes
rglru               .        .      .           .      .              .     .
rhn                 .        .      .           .      .              .     .
rnn                 yes      yes    yes         .      yes            yes   .
rnn_relu            yes      yes    yes         .      .              yes   .
scrn                .        .      .           .      .              .     .
slstm               .        .      .           .      .              .     .
sru                 .        .      .           .      .              .     .
sru_v1              .        .      .           .      .              .     .
star                .        yes    yes         .      .              .     .
ugrnn               .        yes    yes         .      .              .     .
"""

REASONS = """
gated          brc                 it uses scale, which is not among the operators.
gated          cfn                 it uses linear with bias=False, which is not allowed.
gated          fastrnn             it uses parameter, which is not among the operators.
gated          intersection_rnn    it assigns output; in a space the output is h.
gated          irnn                it uses linear with init='identity', which is not allowed.
gated          janet               the number 1 stands in sub second; it may stand first only.
gated          mogrifier_lstm      x enters mul; it may enter linear only.
gated          rhn                 it uses linear with bias_init=-2.0, which is not allowed.
gated          slstm               its state m begins at -1e+30; in a space, states begin at zero.
jozefowicz     nascell             it has 33 nodes; at most 18 are allowed.
jozefowicz     nbrc                the number 1 stands in add, which is not allowed.
darts          gru                 its h is neither a highway node nor the mean of some.
darts          lstm                it carries more than h, the one state of a highway cell.
nas_bench_nlp  gru                 one of its operators, linear, sees 1 value; it may see 2 or 3.
nas_bench_nlp  gru_reset_before    one of its operators, linear, sees mul; it may see x, states and\
 activations.
tree           gru                 one of its operators, sigmoid, is used 2 times; in a tree, once.
tree           nas_bench_nlp_best  one of its operators, sigmoid, is used 3 times; in a tree, once.
scan           gru                 its h at t-1 reaches itself through a linear or layer_norm; a\
 scan is elementwise.
scan           lstm                its h and c at t-1 reach themselves through a linear or\
 layer_norm; a scan is elementwise.
scan           brc                 its h is not affine in itself at t-1, as in a scan.
scan           sru                 x enters mul; it may enter linear only.
scan           sru_v1              x enters mul; it may enter linear only.
scan           rglru               x enters mul; it may enter linear only.
"""


def test_each_known_cell_is_in_the_spaces_that_are_said_to_hold_it() -> None:
    head, *rows = (line.split() for line in MEMBERS.strip().splitlines())
    assert [name for name, *_ in rows] == sorted(zoo)
    spaces = [load_space(name) for name in head]
    found = [
        [name, *("yes" if space.contains(cell) is None else "." for space in spaces)]
        for name, cell in sorted(zoo.items())
    ]
    assert found == rows


@pytest.mark.parametrize("line", REASONS.strip().splitlines())
def test_a_known_cell_outside_is_told_why(line: str) -> None:
    space, cell, reason = line.split(maxsplit=2)
    assert load_space(space).contains(zoo[cell]) == reason
