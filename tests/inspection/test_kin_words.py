"""Specification of the words for the nearest known cell: true, and the reader's own."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from cellsearch.cell import Cell
from cellsearch.inspection.kin import Kin, nearest_known
from cellsearch.known import zoo
from cellsearch.operators import OPERATORS
from cellsearch.space import load_space

SPACES = ("darts", "gated", "jozefowicz", "minimal", "nas_bench_nlp", "scan", "tree")
DRAWS = 43  # of each space, 301 in all

WITH_OUTPUTS = [
    "output = tanh(linear(x, h_prev))\nh = 0.5 * output",
    "output = tanh(linear(x, h_prev))\nh = sigmoid(output)",
    "output = relu(linear(x, h_prev))\nh = tanh(output)",
    "output = tanh(linear(x, h_prev))\nh = output * h_prev",
    "output = tanh(linear(x))\nh = maximum(h_prev, output)",
    "c = sigmoid(linear(x)) * c_prev + tanh(linear(x))\nh = tanh(c)\noutput = h * c",
    zoo["intersection_rnn"].text.replace("output = ", "y2 = "),
    zoo["scrn"].text.replace("linear(h, s, bias=False)", "s * relu(h)"),
]

SENTENCES = {
    "output = tanh(linear(x, h_prev))\nh = sigmoid(output)": (
        "rnn, with h = sigmoid(output) and output = tanh(linear(x, h_prev))"
    ),
    "output = relu(linear(x, h_prev))\nh = tanh(output)": (
        "rnn_relu, with h = tanh(output) and output = relu(linear(x, h_prev))"
    ),
    "output = tanh(linear(x, h_prev))\nh = output * h_prev": (
        "rnn, with h = output * h_prev and output = tanh(linear(x, h_prev))"
    ),
    "h = minimum(h_prev, tanh(linear(x)))": "rnn, with h = minimum(tanh(linear(x)), h_prev)",
    "h = tanh(linear(x)) * h_prev": "rnn, with h = tanh(linear(x)) * h_prev",
    "h = sigmoid(linear(x, h_prev)) * (tanh(linear(x)) + h_prev)": (
        "rnn, with h = sigmoid(linear(x, h_prev)) * (tanh(linear(x)) + h_prev)"
    ),
    "g = sigmoid(linear(x))\nh = g * (g + tanh(linear(x)) + h_prev)": (
        "rnn, with a gate on tanh(linear(x)) + sigmoid(linear(x)) + h_prev and a linear in h not"
        " seeing h_prev"
    ),
    "c = tanh(linear(x, h_prev))\nh = tanh(linear(x, sigmoid(linear(x, c_prev, h_prev))))": (
        "rnn, with a further state, c = tanh(linear(x, h_prev)) and a linear in h seeing"
        " sigmoid(linear(x, c_prev, h_prev)) instead of h_prev"
    ),
    "z = 0.5 * (tanh(linear(x)) + 1)\nh = z * h_prev + (1 - z) * tanh(linear(x, h_prev))": (
        "unlike any known cell (the nearest is ugrnn, 9 edits away)"
    ),
    "h = parameter(init=0.3) * h_prev + tanh(linear(x, h_prev))": (
        "rnn, with parameter(init=0.3) * h_prev added in h"
    ),
    "h = tanh(linear(x, h_prev)) * parameter(init=0.3, scalar=True)": (
        "rnn, with h = tanh(linear(x, h_prev)) * parameter(init=0.3, scalar=True)"
    ),
    "u = sigmoid(linear(x, h_prev))\nv = relu(linear(x, u * h_prev))\nw = sigmoid(linear(x))\n"
    "h = w * h_prev + (1 - w) * v": (
        "gru_reset_before, with relu for tanh and the update gate not seeing h_prev"
    ),
}


@pytest.mark.parametrize("text", SENTENCES, ids=list(SENTENCES.values()))
def test_sentence(text: str) -> None:
    found = nearest_known(Cell.parse(text))
    assert found is not None
    assert found.sentence == SENTENCES[text]


def told() -> Iterator[tuple[Cell, Kin | None]]:
    for name, cell in zoo.items():
        yield cell, nearest_known(cell, [other for other in zoo if other != name])
    for text in WITH_OUTPUTS:
        cell = Cell.parse(text)
        yield cell, nearest_known(cell)
    for space in map(load_space, SPACES):
        for seed in range(DRAWS):
            cell = space.draw(random.Random(seed))
            yield cell, nearest_known(cell)


def test_every_sentence_is_in_the_cell_s_own_names_and_does_not_contradict_itself() -> None:
    for cell, found in told():
        assert found is not None
        said = f"{found.sentence}\n{cell.text}"
        assert "step(" not in found.sentence and "..." not in found.sentence, said
        assert not re.search(r"-\d+ (more )?edit", found.sentence), said
        assert not names_of_the_known_cell_alone(cell, found), said
        assert not contradictions(cell, found), said


def names_of_the_known_cell_alone(cell: Cell, found: Kin) -> set[str]:
    graph = zoo[found.name].graph
    names = {data.get("name", "") for _, data in graph.nodes(data=True)}
    names |= {f"{state}_prev" for state in graph.graph["states"]} | {"step", "output"}
    words = " ".join(found.changes).replace("no output of its own", "")
    for term in sorted(zoo.terms(found.name).values(), key=len, reverse=True):
        words = words.replace(f"the {term}", "")
    words = re.sub(rf"\ban? (gate|factor|bias|further|{'|'.join(OPERATORS)})\b", "", words)
    return (names & tokens(words)) - tokens(cell.text) - {"h", "h_prev", "x"}


def contradictions(cell: Cell, found: Kin) -> list[str]:
    """Return what is said to see a value no more, although its line has it."""
    lines = dict(re.findall(r"^(\w+) = (.*)$", cell.text, flags=re.MULTILINE))
    wrong = []
    for change in found.changes:
        gone = re.fullmatch(r"(.+?) (?:not seeing|seeing .+ instead of) (.+)", change)
        for statement in re.split(", | and ", gone[1]) if gone else []:
            value = rf"(?<!\w){re.escape(gone[2])}(?!\w)" if gone else ""
            if re.search(value, lines.get(statement, "")):
                wrong.append(change)
    return wrong


def tokens(text: str) -> set[str]:
    return set(re.findall(r"[A-Za-z_]\w*", text))
