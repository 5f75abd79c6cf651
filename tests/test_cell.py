"""Cell: where it comes from, what it tells, and what it refuses."""

from __future__ import annotations

import copy
import subprocess
import sys
from pathlib import Path

import pytest

from cellsearch.cell import Cell
from cellsearch.errors import CellError

LSTM = """\
i = sigmoid(linear(x, h_prev))
f = sigmoid(linear(x, h_prev))
g = tanh(linear(x, h_prev))
o = sigmoid(linear(x, h_prev))
c = f * c_prev + i * g
h = o * tanh(c)
"""


def test_a_cell_keeps_its_text() -> None:
    text = "# Mine\n\nh = identity( tanh(x) )   # odd\n"
    assert str(Cell.parse(text)) == text
    assert Cell.parse("\n\nh = x").text == "h = x\n"


def test_a_cell_tells_its_nodes_states_and_output() -> None:
    cell = Cell.parse(LSTM)
    assert cell.states == ("h", "c")
    assert not cell.has_output
    assert [node.name for node in cell.nodes if node.name] == list("hifgocch")
    assert cell.nodes == cell.structure.nodes
    assert repr(cell) == f"<Cell {cell.id}: 16 nodes, states h, c>"


@pytest.mark.parametrize(
    ("text", "found"), [(None, "None"), (b"h = x", "<bytes>"), (Path("h.cell"), "<PosixPath>")]
)
def test_what_is_no_text_is_refused_in_words(text: object, found: str) -> None:
    with pytest.raises(CellError, match=f"^cell: expected a text, found {found}; a file is read"):
        Cell.parse(text)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        (("a", 3), "input_size is 'a'"),
        ((None, 3), "input_size is None"),
        ((3, 2.5), "hidden_size is 2.5"),
        ((3, True), "hidden_size is True"),
        ((0, 3), "input_size is 0"),
    ],
)
def test_sizes_are_whole_numbers(sizes: tuple[int, int], found: str) -> None:
    for count in (Cell.parse(LSTM).parameters, Cell.parse(LSTM).operations):
        with pytest.raises(CellError, match=f"^cell: {found}; expected a whole number of at"):
            count(*sizes)


def test_a_cell_cannot_be_changed() -> None:
    cell = Cell.parse(LSTM)
    with pytest.raises(AttributeError):
        cell.text = "h = x"  # type: ignore[misc]
    before = cell.id
    cell.graph.clear()
    cell.graph.graph["states"]["h"] = 0
    assert cell.id == Cell.parse(LSTM).id == before


def test_a_copied_cell_is_the_same_cell() -> None:
    cell = Cell.parse(LSTM)
    assert cell.id
    assert copy.deepcopy(cell) == cell


def test_a_file_is_read_with_whatever_line_ends_and_mark(tmp_path: Path) -> None:
    path = tmp_path / "my.cell"
    for data in (
        LSTM.encode(),
        LSTM.replace("\n", "\r\n").encode(),
        "\N{BYTE ORDER MARK}".encode() + LSTM.encode(),
    ):
        path.write_bytes(data)
        assert str(Cell.read(path)) == LSTM
        assert Cell.read(str(path)) == Cell.parse(LSTM)


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (None, "No such file or directory; expected a cell file"),
        (b"\xff\xfe\x00h", "not UTF-8 text; expected a cell file"),
        (b"\x80\x03}q\x00.", "not UTF-8 text"),
        (b"h = tahn(x)", "line 1: unknown operator 'tahn'"),
        (b"", "h is never assigned"),
        (b"h = x\n" * 100_000, "longer than 64 KiB"),
        (b"h = x" + b"\r\n" * 40_000 + b"c = x", "longer than 64 KiB"),
        (b"# " + "é".encode() * 60_000, "longer than 64 KiB"),
    ],
)
def test_a_file_that_is_no_cell_is_refused_by_its_path(
    tmp_path: Path, data: bytes | None, part: str
) -> None:
    path = tmp_path / "my.cell"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CellError) as caught:
        Cell.read(path)
    assert part in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_folder_is_no_cell(tmp_path: Path) -> None:
    with pytest.raises(CellError, match="Is a directory; expected a cell file"):
        Cell.read(tmp_path)


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        ("cellsearch", ("torch", "ray", "scipy", "networkx", "deap", "numpy")),
        ("cellsearch.cell", ("torch", "ray", "scipy", "deap")),
        ("cellsearch.notation", ("torch", "ray", "scipy", "networkx", "deap")),
        ("cellsearch.lowering", ("torch", "ray", "scipy", "deap")),
        ("cellsearch.strategies.base", ("torch", "ray", "deap")),
        ("cellsearch.layers", ("ray", "deap", "scipy")),
    ],
)
def test_importing_a_module_loads_no_more_than_it_needs(
    module: str, forbidden: tuple[str, ...]
) -> None:
    code = (
        f"import {module}, sys; "
        f"print(','.join(name for name in {forbidden!r} if name in sys.modules))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
