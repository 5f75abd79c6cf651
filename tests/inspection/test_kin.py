"""Specification of the nearest known cell and of the words for what is different."""

from __future__ import annotations

import json
import random

import pytest

from cellsearch.cell import Cell
from cellsearch.inspection.kin import MOST_NODES, MOST_PHRASES, Kin, nearest_known
from cellsearch.inspection.summary import summarise
from cellsearch.known import zoo
from cellsearch.space import load_space


def near(text: str) -> Kin:
    found = nearest_known(Cell.parse(text))
    assert found is not None
    return found


def changed(name: str, *changes: tuple[str, str]) -> str:
    text = zoo[name].text
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.mark.parametrize("name", zoo)
def test_a_known_cell_is_itself(name: str) -> None:
    assert near(zoo[name].text) == Kin(name, 0, 0, (), name)


SENTENCES = {
    changed("lstm", ("h = o * tanh(c)", "h = tanh(c)")): "lstm, with the output gate dropped",
    changed("lstm", ("o * tanh(c)", "o * c")): "lstm, with no tanh on the memory cell",
    changed("lstm", ("g = tanh", "g = relu")): "lstm, with relu for tanh in the candidate",
    changed("lstm", ("i = sigmoid(linear(x, h_prev))", "i = sigmoid(linear(x, h_prev, c_prev))")): (
        "lstm, with the input gate seeing c_prev too"
    ),
    changed("lstm", ("h_prev))  # forget", "h_prev, bias_init=1))  # forget")): (
        "lstm, with the bias of the forget gate beginning at 1"
    ),
    changed("gru", ("z * h_prev + (1 - z) * n", "blend(z, h_prev, n)")): (
        "gru, but for how its blends are written"
    ),
    changed("gru", ("n = tanh(linear(x) +", "n = tanh(linear(x, h_prev) +")): (
        "gru, with the candidate seeing h_prev too"
    ),
    "h_prev = 1\n" + zoo["gru"].text: "gru, with h beginning at 1",
    changed("rnn", ("tanh(", "sigmoid(linear(x, h_prev)) * tanh(")): "rnn, with a gate on h",
    changed("rnn", ("tanh(", "h_prev + tanh(")): "rnn, with h_prev added in h",
    changed("gru_reset_before", ("n = tanh(", "n = sin("), ("r * h_prev", "h_prev")): (
        "ligru, with sin for relu"  # nothing resets any more
    ),
    changed("mgu", ("tanh(linear(x, f * h_prev))", "relu(linear(x, f * h_prev))")): (
        "mgu, with relu for tanh"
    ),
}  # fmt: skip


@pytest.mark.parametrize("text", SENTENCES, ids=list(SENTENCES.values()))
def test_sentence(text: str) -> None:
    assert near(text).sentence == SENTENCES[text]


def test_an_exact_blend_of_a_known_cell_is_no_other_cell() -> None:
    cell = Cell.parse(changed("gru", ("z * h_prev + (1 - z) * n", "blend(z, h_prev, n)")))
    assert cell != zoo["gru"]
    found = nearest_known(cell)
    assert found is not None and (found.name, found.distance, found.edits) == ("gru", 0, 0)


def test_what_has_little_in_common_with_all_known_cells_is_said_to() -> None:
    found = near(
        "v = sin(linear(x, h_prev))\nw = exp(v) / square(v)\nh = silu(w * w - gelu(v)) + w"
    )
    assert found.sentence.startswith(f"unlike any known cell (the nearest is {found.name}, ")
    assert found.changes == ()
    assert found.edits > MOST_PHRASES


def test_of_many_changes_some_are_told_and_the_rest_counted() -> None:
    found = nearest_known(zoo["darts_v1"], ["darts_v2"])
    assert found is not None
    assert len(found.changes) == MOST_PHRASES + 1
    assert found.changes[-1] == "1 more edit"
    assert found.sentence.endswith(" and 1 more edit")


def test_cells_of_a_space_are_told_in_one_short_line_each() -> None:
    rng = random.Random(0)
    space = load_space("gated")
    for _ in range(12):
        found = nearest_known(space.draw(rng))
        assert found is not None
        assert "\n" not in found.sentence and len(found.sentence) < 500
        assert "{" not in found.sentence
        assert bool(found.changes) != found.sentence.startswith("unlike") or not found.edits


def test_very_large_cells_are_not_compared() -> None:
    lines = ["v0 = tanh(linear(x, h_prev))"]
    lines += [f"v{i} = tanh(v{i - 1})" for i in range(1, MOST_NODES)]
    cell = Cell.parse("\n".join([*lines, f"h = v{MOST_NODES - 1}"]))
    assert nearest_known(cell) is None
    assert summarise(cell)["nearest"] is None


def test_json_says_the_same() -> None:
    found = json.loads(json.dumps(summarise(zoo["lstm"])))["nearest"]
    assert found == {
        "name": "lstm",
        "distance": 0,
        "edits": 0,
        "changes": [],
        "sentence": "lstm",
    }
