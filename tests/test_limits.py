"""Limits are looked at before a parser is called, and cannot be got round by odd spelling."""

from __future__ import annotations

import ast
import json
import re

import pytest

from cellsearch.cell import Cell
from cellsearch.errors import CellError
from cellsearch.limits import (
    MAX_ARGUMENTS,
    MAX_DEPTH,
    MAX_DIGITS,
    MAX_NODES,
    MAX_SIGNS,
    MAX_TEXT,
    MAX_TOKENS,
    check_code,
    check_json,
    check_size,
)


@pytest.fixture
def no_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    def called(*args: object, **named: object) -> None:
        raise AssertionError("a parser was called")

    monkeypatch.setattr(ast, "parse", called)
    monkeypatch.setattr(json, "loads", called)


TOO_MUCH = [
    ("h = x #" + "a" * MAX_TEXT, "longer than 64 KiB"),
    ("h = x #" + "é" * (MAX_TEXT // 2), "longer than 64 KiB"),
    ("h = " + "(" * (MAX_DEPTH + 1) + "x", "more than 60 levels of nesting"),
    ("h = (\n" + "tanh(\n" * MAX_DEPTH + "x", "line 61: more than 60 levels of nesting"),
    ("h = '('", 'unexpected character "\'"'),  # no text holds parentheses
    ("h = " + "(')'" * (MAX_DEPTH + 1), "unexpected character"),
    ("h = ''' ''' + x", "unexpected character"),
    ("h = " + "-" * (MAX_SIGNS + 1) + "x", "more than 1024 signs in one statement"),
    ("h = " + "0x1e+" * (MAX_SIGNS + 1) + "1", "more than 1024 signs in one statement"),
    ("h = (" + "x +\n" * (MAX_SIGNS + 1) + "x)", "more than 1024 signs in one statement"),
    ("h = " + "not " * (MAX_SIGNS + 1) + "x", "more than 1024 signs in one statement"),
    ("h = x" + ".y" * (MAX_SIGNS + 1), "more than 1024 signs in one statement"),
    ("h = x" + "()" * (MAX_SIGNS + 2), "more than 1024 signs in one statement"),
    ("h = " + "x," * (MAX_TOKENS // 2), "more than 16384 names, numbers and signs"),
    ("h = " + "9" * (MAX_DIGITS + 1), "a finite number of at most 512 characters"),
    ("h = 1if x else x", "expected a number, found '1i'"),
    ("h = x\n\x00", "line 2: unexpected character '\\x00'"),
]


@pytest.mark.parametrize(("text", "part"), TOO_MUCH, ids=lambda value: value[:30])
@pytest.mark.usefixtures("no_parser")
def test_a_text_beyond_the_limits_reaches_no_parser(text: str, part: str) -> None:
    with pytest.raises(CellError, match=re.escape(part)):
        Cell.parse(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (" " * MAX_TEXT + "{}", "longer than 64 KiB"),
        (b" " * MAX_TEXT + b"{}", "longer than 64 KiB"),
        (b"\xff", "not UTF-8"),
        ("[[[[", "more than 3 levels of nesting"),
        ('{"a": {"input": [{', "more than 3 levels of nesting"),
        ('["\\"", [[[', "more than 3 levels of nesting"),
        ("{" + '"a": {}, ' * (MAX_NODES + 1), "more than 512 nodes"),
    ],
    ids=lambda value: str(value)[:30],
)
@pytest.mark.usefixtures("no_parser")
def test_a_recipe_beyond_the_limits_reaches_no_parser(text: str | bytes, part: str) -> None:
    with pytest.raises(CellError, match=part):
        Cell.from_recipe(text)


def test_what_is_just_within_the_limits_passes() -> None:
    check_size("é" * (MAX_TEXT // 2), "cell")
    check_code(["h = " + "(" * MAX_DEPTH + "x" + ")" * MAX_DEPTH] * 20)
    check_code(["h = " + "-" * MAX_SIGNS + "x"] * 2)
    check_code(["h = " + "9" * MAX_DIGITS])
    check_json('{"[[[[{{{{": {"op": "\\"]", "input": ["x"]}}')
    check_json("{" + '"a": {}, ' * MAX_NODES)


def test_a_cell_of_the_greatest_size_is_read() -> None:
    size = MAX_NODES - 1
    chain = "".join(f"v{i} = tanh(v{i - 1})\n" for i in range(1, size))
    assert len(Cell.parse(f"v0 = tanh(x)\n{chain}h = v{size - 1}").normal.nodes) == MAX_NODES
    most = ", ".join(["x", "h_prev"] * (MAX_ARGUMENTS // 2))
    assert Cell.parse(f"h = linear({most})").id
    with pytest.raises(CellError, match="linear takes at most 256 arguments, found 257"):
        Cell.parse(f"h = linear({most}, x)")


def test_all_arguments_together_are_limited_as_written_and_in_the_normal_form() -> None:
    wide = ", ".join(["x"] * MAX_ARGUMENTS)
    lines = "".join(f"v{i} = mean({wide})\n" for i in range(17))
    with pytest.raises(CellError, match="more than 4096 arguments in all"):
        Cell.parse(lines + "h = v0")
    sums = "a = add(" + ", ".join(f"x * {i}" for i in range(200)) + ")\n"
    sums += "".join(f"v{i} = tanh(a + {i}.5)\n" for i in range(25))
    with pytest.raises(CellError, match="more than 4096 arguments in all, once nested sums"):
        Cell.parse(sums + f"h = mean({', '.join(f'v{i}' for i in range(25))})")
