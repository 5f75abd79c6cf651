"""Specification of the nearest known cell and of the words for what is different."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys

import pytest
from random_cells import random_cell, seeded

from cellsearch.analysis.edits import edit_path
from cellsearch.analysis.matching import size
from cellsearch.cell import Cell
from cellsearch.inspection.groups import familiar
from cellsearch.inspection.kin import MOST, MOST_PHRASES, Kin, nearest_known
from cellsearch.inspection.phrases import tell
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
    "output = tanh(linear(x, h_prev))\nh = 0.5 * output": (
        "rnn, with h = 0.5 * tanh(linear(x, h_prev)) and output = tanh(linear(x, h_prev))"
    ),
    "h = tanh(linear(x, h_prev))\noutput = 0.5 * h": "rnn, with output = 0.5 * h",
    "h = maximum(h_prev, tanh(linear(x)))": "rnn, with h = maximum(tanh(linear(x)), h_prev)",
    "h = tanh(linear(x)) - h_prev": "rnn, with h = tanh(linear(x)) - h_prev",
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


BESIDE = {  # a cell that may be nearer to another, as it is told of one
    ("gru", changed("gru", ("r * linear", "linear"), ("tanh(", "relu("))): (
        "gru, with the reset gate dropped and relu for tanh"
    ),
    ("gru_reset_before", changed("gru_reset_before", ("linear(x, r * h_prev)", "linear(x)"))): (
        "gru_reset_before, with the reset gate dropped and the candidate not seeing r * h_prev"
    ),
    ("gru_reset_before", zoo["mut3"].text): (
        "gru_reset_before, with a tanh on h_prev in the update gate"
        " and the update gate the other way round"
    ),
    ("gru_reset_before", zoo["gru"].text): (
        "gru_reset_before, with n = tanh(linear(x) + r * linear(h_prev))"
    ),
    ("gru_reset_before", changed("gru_reset_before", ("linear(x, r", "linear(r"))): (
        "gru_reset_before, with the candidate not seeing x"
    ),
    ("ugrnn", zoo["janet"].text): (
        "ugrnn, with sigmoid(linear(x, h_prev) - 1) for the update gate in h"
    ),
    ("lstm", changed("lstm", ("f * c_prev + i * g", "f * h_prev + i * g"))): (
        "lstm, with c no longer carried and h_prev for c_prev in the memory cell"
    ),
    ("lstm", changed("lstm", ("+ i * g", "+ (1 - f) * g"))): (
        "lstm, with 1 - f for the input gate"
    ),
    ("lstm", zoo["lstm_peephole"].text): (
        "lstm, with scale(c_prev) added in the input gate and the forget gate,"
        " scale(c) added in the output gate and the bias of the forget gate beginning at 1"
    ),
    ("lstm_coupled", zoo["qrnn"].text): (
        "lstm_coupled, with no tanh on the memory cell, the forget gate, the output gate and the"
        " candidate not seeing h_prev and the bias of the forget gate beginning at 0"
    ),
    ("rnn", "n = tanh(linear(x, h_prev))\nh = blend(sigmoid(linear(x)), h_prev, n)"): (
        "rnn, with a gate between h_prev and h"
    ),
    ("darts_v1", zoo["darts_v2"].text): (
        "darts_v1, with sigmoid for relu in s1 and s4, tanh for relu in s7,"
        " s8 seeing s3 instead of s1 and s5 seeing s1 instead of s4"
    ),
    ("rnn", "c = tanh(linear(x, h_prev)) + c_prev\nh = tanh(linear(x, c_prev))"): (
        "rnn, with a further state, c = tanh(linear(x, h_prev)) + c_prev"
        " and h seeing c_prev instead of h_prev"
    ),
    ("gru", zoo["intersection_rnn"].text): (
        "gru, with n = tanh(linear(x, h_prev)), output = r * x + relu(linear(x, h_prev)) * (1 - r)"
        " and the bias of the reset gate and the update gate beginning at 1"
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "text"), BESIDE, ids=list(BESIDE.values()))
def test_sentence_beside_one_cell(name: str, text: str) -> None:
    found = nearest_known(Cell.parse(text), [name])
    assert found is not None
    assert found.sentence == BESIDE[name, text]


def test_phrases_tell_every_edit_once() -> None:
    rng = random.Random(1)
    names = [name for name in zoo if size(zoo[name].normal) < 100]
    for seed in range(80):
        cell = Cell.parse(random_cell(seeded(f"phrases {seed}"))).normal
        name = rng.choice(names)
        known = zoo[name].normal
        path = familiar(known, cell, edit_path(known, cell, quick=True))
        told = tell(known, cell, path, zoo.terms(name))
        assert sum(count for _, count in told) == len(path.edits)
        assert all(count > 0 and text and "{" not in text for text, count in told)


def test_the_same_is_said_in_every_process() -> None:
    code = (
        "import random\n"
        "from cellsearch.inspection.kin import nearest_known\n"
        "from cellsearch.space import load_space\n"
        "space, rng = load_space('gated'), random.Random(2)\n"
        "for _ in range(5): print(nearest_known(space.draw(rng)))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("0", "1")
    }
    assert len(said) == 1


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
    found = nearest_known(zoo["nao"], ["enas"])
    assert found is not None
    assert len(found.changes) == MOST_PHRASES + 1
    count, words = found.changes[-1].split(" ", 1)
    assert 0 < int(count) < found.edits and words == "more edits"
    assert found.sentence.endswith(f" and {count} more edits")


def test_cells_of_a_space_are_told_in_one_short_line_each() -> None:
    rng = random.Random(0)
    space = load_space("gated")
    for _ in range(12):
        found = nearest_known(space.draw(rng))
        assert found is not None
        assert "\n" not in found.sentence and len(found.sentence) < 500
        assert "{" not in found.sentence
        assert bool(found.changes) != found.sentence.startswith("unlike") or not found.edits


@pytest.mark.parametrize("name", [name for name in zoo if not zoo[name].has_output])
def test_a_cell_that_gives_out_what_was_its_h_is_told_in_operators_that_there_are(
    name: str,
) -> None:
    graph = zoo[name].graph
    update = graph.graph["states"]["h"]
    graph.add_node("new", op="sigmoid")
    graph.add_edge(update, "new", key=0)
    graph.graph |= {"states": {**graph.graph["states"], "h": "new"}, "output": update}
    found = nearest_known(Cell.from_graph(graph))
    assert found is not None
    assert "step" not in found.sentence  # the user of h and of the output, in a path


def test_very_large_cells_are_not_compared() -> None:
    lines = ["v0 = tanh(linear(x, h_prev))"]
    lines += [f"v{i} = tanh(v{i - 1})" for i in range(1, MOST // 3)]
    cell = Cell.parse("\n".join([*lines, f"h = v{MOST // 3 - 1}"]))
    assert MOST < size(cell.normal) < MOST + 10
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
