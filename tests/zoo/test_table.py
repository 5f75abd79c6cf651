"""What known cells are made of, counted by hand from their equations."""

from __future__ import annotations

import math
from typing import NamedTuple

import pytest

from cellsearch.cell import Cell
from cellsearch.inspection.summary import summarise
from cellsearch.known import zoo
from cellsearch.shapes import learned_tensors


class Row(NamedTuple):
    """Learned tensors, the carried states, and the kind of the recurrence."""

    matrices: int
    vectors: int  # biases and weights of features
    numbers: int = 0
    states: str = "h"
    kind: str = "dense"


TABLE = {
    "rnn": Row(2, 1),
    "rnn_relu": Row(2, 1),
    "irnn": Row(2, 1),
    "indrnn": Row(1, 1 + 1, kind="diagonal"),
    "scrn": Row(1 + 3 + 2, 0, states="h s"),  # context, hidden, output
    "fastrnn": Row(2, 1, 2),
    "fastgrnn": Row(2, 2, 2),  # matrices shared, biases not
    "lstm": Row(8, 4, states="h c"),
    "lstm_tanh_output": Row(8, 4, states="h c"),
    "lstm_peephole": Row(8, 4 + 3, states="h c"),
    "lstm_coupled": Row(6, 3, states="h c"),
    "janet": Row(4, 2),
    "mogrifier_lstm": Row(5 + 8, 5 + 4, states="h c"),  # a matrix and a bias a round
    "slstm": Row(8, 4, states="h m c n"),
    "gru": Row(6, 4),  # one bias more than gru_reset_before, as torch has it
    "gru_reset_before": Row(6, 3),
    "mgu": Row(4, 2),
    "ugrnn": Row(4, 2),
    "ligru": Row(4, 2),
    "intersection_rnn": Row(8, 4),
    "mut1": Row(1 + 2 + 2, 3),  # the update gate sees x only
    "mut2": Row(6, 3),
    "mut3": Row(6, 3),
    "cfn": Row(2 + 2 + 1, 2),
    "star": Row(2 + 1, 2),
    "brc": Row(3, 2 + 2, kind="diagonal"),
    "nbrc": Row(3 + 2, 2),
    "rhn": Row(4 + 2 + 2, 6),  # x enters the first of three layers
    "mingru": Row(2, 2, kind="scan"),
    "minlstm": Row(3, 3, kind="scan"),
    "qrnn": Row(3, 3, states="h c", kind="scan"),
    "sru": Row(3, 2 + 2, states="h c", kind="diagonal"),
    "sru_v1": Row(3, 2, states="h c", kind="scan"),
    "rglru": Row(2, 2 + 1, states="h started", kind="scan"),
    "nascell": Row(16, 0, states="h c"),
    "enas": Row(4 + 11 * 2, 0),  # node 0 sees x and h, the others one node; a gate and a value
    "darts_v1": Row(4 + 8 * 2, 0),
    "darts_v2": Row(4 + 8 * 2, 0),
    "nao": Row(4 + 11 * 2, 0),
    "nas_bench_nlp_best": Row(6, 3, states="h k"),
}

BEGINNINGS = {  # of the vectors and numbers that do not begin at 0
    "indrnn": {"h_2.weight": 1.0},
    "brc": {"a_2.weight": 1.0, "z_2.weight": 1.0},
    "fastrnn": {"a.value": -3.0, "b.value": 3.0, "n.bias": 1.0},
    "fastgrnn": {"z.value": 1.0, "n.value": 1.0, "zeta.value": 1.0, "nu.value": -4.0},
    "lstm_peephole": {"f.bias": 1.0},
    "lstm_coupled": {"f.bias": 1.0},
    "janet": {"s.bias": 1.0},
    "slstm": {"f_log.bias": 4.5},
    "ugrnn": {"g.bias": 1.0},
    "intersection_rnn": {"gh.bias": 1.0, "gy.bias": 1.0},
    "cfn": {"f.bias": 1.0, "i.bias": -1.0},
    "rhn": {"t1.bias": -2.0, "t2.bias": -2.0, "t3.bias": -2.0},
    "rglru": {"a.value": -5.04},
}


def test_every_known_cell_has_a_row() -> None:
    assert set(zoo) == set(TABLE)


@pytest.mark.parametrize("name", sorted(TABLE))
def test_known_cell_in_numbers(name: str) -> None:
    row, cell = TABLE[name], zoo[name]
    assert cell.parameters(64, 64) == 4096 * row.matrices + 64 * row.vectors + row.numbers
    assert summarise(cell)["products"] == row.matrices
    assert cell.states == tuple(row.states.split())
    assert cell.kind == row.kind


@pytest.mark.parametrize("name", sorted(TABLE))
def test_what_known_cells_begin_with(name: str) -> None:
    starts = {tensor.name: tensor.start for tensor in learned_tensors(zoo[name].normal)}
    others = {key: start for key, start in starts.items() if start not in ("uniform", 0.0)}
    expected = {"h.weight_1": "identity"} if name == "irnn" else BEGINNINGS.get(name, {})
    assert others == expected


def test_decay_of_the_rglru_begins_at_nineteen_twentieths() -> None:
    number = BEGINNINGS["rglru"]["a.value"]
    assert math.exp(-8 * math.log1p(math.exp(number))) == pytest.approx(0.95, abs=5e-4)


def test_known_cells_differ() -> None:
    assert len({cell.id for cell in zoo.values()}) == len(zoo)


def test_irnn_is_a_rectified_network_but_for_its_beginning() -> None:
    plain = zoo["irnn"].text.replace(', init="identity"', "")
    assert Cell.parse(plain) == zoo["rnn_relu"]


def test_light_gru_is_an_ugrnn_with_relu_but_for_its_beginning() -> None:
    text = zoo["ugrnn"].text.replace(", bias_init=1.0", "").replace("tanh", "relu")
    assert Cell.parse(text) == zoo["ligru"]
