"""Specification of states that begin elsewhere than at zero: `m_prev = -1` before it is read."""

from __future__ import annotations

import re

import pytest
import torch
from torch.nn.utils.rnn import pack_sequence

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.export.source import export_source
from cellsearch.inspection.equations import equations, plain_equations
from cellsearch.layers import Recurrent, RecurrentCell

TEXT = """\
m_prev = -2.5
m = maximum(0.5 * m_prev, tanh(linear(x, h_prev)))
h = tanh(linear(x, h_prev)) * m
"""
CELL = Cell.parse(TEXT)
LATER = Cell.parse(TEXT.replace("m_prev = -2.5\n", ""))

SAME = {
    "the state's name": TEXT.replace("m_prev", "memory_prev").replace("m =", "memory =").replace(
        "* m\n", "* memory\n"
    ),
    "a start of zero": "h_prev = 0\nh_prev_is_read = h_prev\n" + TEXT,
    "a start of what is not read": "m_prev = -2.5\nn_prev = 3\nn = x\n" + TEXT.split("\n", 1)[1],
}  # fmt: skip
DIFFERENT = {
    "no start": TEXT.split("\n", 1)[1],
    "another start": TEXT.replace("-2.5", "2.5"),
    "a start of h": "h_prev = 1\n" + TEXT,
}
BAD = {
    "m_prev = x\nm = m_prev\nh = m * x": "line 1: 'm_prev' cannot be assigned but for a number",
    "m_prev = 1 + 1\nm = m_prev\nh = m * x": "line 1: 'm_prev' cannot be assigned but for a number",
    "m_prev = True\nm = m_prev\nh = m * x": "line 1: expected a number",
    "m_prev = 1e999\nm = m_prev\nh = m * x": "line 1: expected a finite number",
    "m_prev = -1e39\nm = m_prev\nh = m * x": "'m_prev' is -1e+39; expected a number that float32",
    "m_prev = 1\nm_prev = 2\nm = m_prev\nh = m * x": "line 2: 'm_prev' is given a start twice",
    "m = m_prev\nm_prev = 1\nh = m * x": "line 2: 'm_prev' was read before",
    "m_prev = 1\nh = linear(x)": "m_prev is given a start but m is never assigned",
    "output_prev = 1\nh = x": "line 1: the output is not carried",
    "x_prev = 1\nh = x": "line 1: 'x_prev': 'x' cannot be a state's name",
    "tanh_prev = 1\nh = x": "line 1: 'tanh_prev': 'tanh' cannot be a state's name",
}


@pytest.mark.parametrize("text", SAME.values(), ids=list(SAME))
def test_one_identity(text: str) -> None:
    assert Cell.parse(text) == CELL


@pytest.mark.parametrize("text", DIFFERENT.values(), ids=list(DIFFERENT))
def test_another_identity(text: str) -> None:
    assert Cell.parse(text) != CELL


@pytest.mark.parametrize("text", BAD)
def test_bad_start_is_refused(text: str) -> None:
    with pytest.raises(CellError, match=re.escape(BAD[text])):
        Cell.parse(text)


def test_starts_survive_graph_and_text() -> None:
    graph = CELL.graph
    assert [data["attributes"] for _, data in graph.nodes(data=True) if data["name"] == "m"] == [
        {"start": -2.5},
        {},
    ]
    again = Cell.from_graph(graph)
    assert again == CELL
    assert again.text == TEXT
    assert again.states == CELL.states == ("h", "m")


def test_a_graph_with_two_starts_of_a_state_is_refused() -> None:
    graph = CELL.graph
    twin = max(graph) + 1
    graph.add_node(twin, op="state", name="m", attributes={"start": 1.0})
    graph.add_edge(twin, twin + 1, key=0)
    graph.add_node(twin + 1, op="tanh", name="")
    with pytest.raises(CellError, match="state m has two different starts"):
        Cell.from_graph(graph)
    graph.nodes[twin]["attributes"] = {"start": "zero"}
    with pytest.raises(CellError, match="state: start: expected a finite number, found 'zero'"):
        Cell.from_graph(graph)


def given(batch: tuple[int, ...], dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, ...]:
    return torch.zeros(*batch, 4, dtype=dtype), torch.full((*batch, 4), -2.5, dtype=dtype)


@pytest.mark.parametrize("backend", ["reference", "eager", "native"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_layer_without_a_state_begins_there(backend: str, bidirectional: bool) -> None:
    layer = Recurrent(
        CELL, 3, 4, 2, backend=backend, bidirectional=bidirectional, dtype=torch.float64
    )
    inputs = torch.randn(5, 2, 3, dtype=torch.float64)
    begin = given((2 * (1 + bidirectional), 2))
    torch.testing.assert_close(layer(inputs), layer(inputs, begin), rtol=0, atol=0)
    packed = pack_sequence([inputs[:2, 0], inputs[:5, 1]], enforce_sorted=False)
    found, expected = layer(packed)[0].data, layer(packed, begin)[0].data
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    plain = Recurrent(
        LATER, 3, 4, 2, backend=backend, bidirectional=bidirectional, dtype=torch.float64
    )
    plain.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(inputs)[0], plain(inputs, begin)[0], rtol=0, atol=0)
    assert not torch.allclose(layer(inputs)[0], plain(inputs)[0])


def test_a_step_without_a_state_begins_there() -> None:
    step = RecurrentCell(CELL, 3, 4, dtype=torch.float64)
    inputs = torch.randn(2, 3, dtype=torch.float64)
    torch.testing.assert_close(step(inputs), step(inputs, given((2,))), rtol=0, atol=0)
    with torch.no_grad():
        torch.testing.assert_close(step.streaming()(inputs), step(inputs), rtol=0, atol=0)
    torch.testing.assert_close(step(inputs[0]), step(inputs[0], given(())), rtol=0, atol=0)


def test_a_start_beyond_half_precision_is_the_least_there_is() -> None:
    cell = Cell.parse(TEXT.replace("-2.5", "-1e30"))
    step = RecurrentCell(cell, 3, 4, backend="eager", dtype=torch.float16)
    h, m = step(torch.randn(2, 3, dtype=torch.float16))
    assert bool(h.isfinite().all() and m.isfinite().all())


def test_an_exported_file_begins_there() -> None:
    source = export_source(CELL, "Exported")
    namespace: dict[str, type[torch.nn.Module]] = {"__name__": "exported"}
    exec(source, namespace)  # noqa: S102 - our own source
    layer = Recurrent(CELL, 3, 4, backend="eager")
    exported = namespace["Exported"](3, 4)
    exported.load_state_dict(layer.state_dict())
    inputs = torch.randn(5, 2, 3)
    torch.testing.assert_close(exported(inputs)[0], layer(inputs)[0], rtol=0, atol=0)


def test_output_and_state_given_back_as_the_state_are_refused_in_words() -> None:
    for text in ("c = tanh(linear(x, c_prev))\nh = c\noutput = h_prev", "h = x\noutput = h_prev"):
        step = RecurrentCell(Cell.parse(text), 4, 4)
        both = step(torch.randn(2, 4))
        with pytest.raises(RuntimeError, match=r"expected the states h.*of \(output, state\) give"):
            step(torch.randn(2, 4), both)


def test_equations_say_where_a_state_begins() -> None:
    assert equations(CELL)[0] == "m_0 = -2.5"
    assert plain_equations(CELL)[0] == "m₀ = -2.5"
    large = Cell.parse("h1_prev = -1e30\nh1 = maximum(x, h1_prev)\nh = h1 * linear(x)")
    assert equations(large)[0] == r"h_{1,0} = -1 \cdot 10^{30}"
