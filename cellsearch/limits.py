"""Limits on the cells that are read, and what is checked before a parser sees a text.

Python's and JSON's parsers recurse, and build objects many times as large as their text. So size,
nesting and number of parts are looked at first, in one pass over the text.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from cellsearch.errors import CellError, quoted

MAX_TEXT = 64 * 1024
"""Longest cell text or recipe, in bytes."""
TOO_LONG = f"the text is longer than {MAX_TEXT // 1024} KiB, the most that is read"
"""What is said of a longer one."""
MAX_NODES = 512
"""Most nodes that a text or a recipe may spell out."""
MAX_EDGES = 4096
"""Most arguments of all nodes together, as written and in the normal form."""
MAX_ARGUMENTS = 256
"""Most arguments of one node, as written and once nested sums and products are joined."""
MAX_DEPTH = 60
"""Deepest nesting of one expression."""
TOO_DEEP = f"more than {MAX_DEPTH} levels of nesting; give parts names of their own"
"""What is said of a deeper one."""
MAX_TOKENS = 4 * MAX_EDGES
"""Most names, numbers and signs of a text."""
MAX_SIGNS = 2 * MAX_NODES
"""Most signs and Python keywords of one statement: a chain of them nests as parentheses do."""
MAX_DIGITS = 512
"""Most characters of a number."""
MAX_RECIPE_DEPTH = 3
"""Deepest nesting of a recipe's JSON: the nodes, a node, its inputs."""

EXPECTED = "a name, a number, + - * / or an operator such as tanh(...)"
"""What may stand in an expression."""

_TOKEN = re.compile(
    r"[ \t]+"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
    r"|(?P<number>0[xXoObB][0-9A-Fa-f_]+"
    r"|(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9][0-9_]*)?)"
    r"|(?P<text>\"[A-Za-z0-9_ ]+\"|'[A-Za-z0-9_ ]+')"
    r"|(?P<sign>[+\-*/.])"
    r"|(?P<open>\()|(?P<close>\))|(?P<other>[=,])"
)
_CONSTANTS = ("True", "False", "None")


def check_size(text: str | bytes, what: str) -> None:
    """Raise CellError if a text, of a cell or a recipe, is longer than `MAX_TEXT` bytes."""
    long = len(text) > MAX_TEXT
    if long or (isinstance(text, str) and len(text.encode("utf-8", "replace")) > MAX_TEXT):
        raise CellError(f"{what}: {TOO_LONG}")


def check_code(lines: list[str]) -> None:
    """Check the lines of a cell's text, without comments, before they are parsed as Python.

    Raises CellError that names the line if there is a character that no cell has, a number of more
    than `MAX_DIGITS` characters, more than `MAX_DEPTH` parentheses within each other, more than
    `MAX_SIGNS` signs in a statement or more than `MAX_TOKENS` tokens.
    """
    if next(filter(None, map(str.strip, lines)), "").startswith("{"):
        raise CellError(
            "cell: this is JSON, not a cell's text; name the file .json, or use "
            "Cell.from_recipe(text)"
        )
    tokens = depth = signs = 0
    for number, line in enumerate(lines, start=1):
        where = f"cell, line {number}"
        if depth == 0:
            signs = 0  # a statement ends with its line, unless a parenthesis is open
        before = ""
        for kind, token in _tokens(line, where):
            tokens += 1
            depth = max(0, depth + (kind == "open") - (kind == "close"))
            word = kind == "name" and keyword.iskeyword(token) and token not in _CONSTANTS
            call = kind == "open" and before == "close"
            signs += kind == "sign" or word or call
            before = kind
            if depth > MAX_DEPTH:
                raise CellError(f"{where}: {TOO_DEEP}")
            if signs > MAX_SIGNS:
                raise CellError(f"{where}: more than {MAX_SIGNS} signs in one statement")
            if tokens > MAX_TOKENS:
                raise CellError(f"{where}: more than {MAX_TOKENS} names, numbers and signs")


def _tokens(line: str, where: str) -> Iterator[tuple[str, str]]:
    """Yield the kind and the text of each token of a line."""
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if match is None:
            found = line[position]
            expected = "one statement a line" if found == ";" else EXPECTED
            raise CellError(f"{where}: unexpected character {found!r}; expected {expected}")
        position, kind, token = match.end(), match.lastgroup, match[0]
        if kind == "number":
            after = line[position : position + 1]
            if after.isalpha():  # Python reads 1if as two words
                raise CellError(f"{where}: expected a number, found {quoted(token + after)}")
            if len(token) > MAX_DIGITS:
                raise CellError(
                    f"{where}: expected a finite number of at most {MAX_DIGITS} characters"
                )
        if kind is not None:
            yield kind, token


_JSON_PART = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}]', re.DOTALL)


def check_json(text: str) -> None:
    """Check the text of a recipe before it is parsed as JSON.

    Raises CellError if brackets stand more than `MAX_RECIPE_DEPTH` levels within each other or if
    there are more than `MAX_NODES` nodes.
    """
    depth = objects = 0
    for match in _JSON_PART.finditer(text):
        depth += (match[0] in ("[", "{")) - (match[0] in ("]", "}"))
        objects += match[0] == "{"
        if depth > MAX_RECIPE_DEPTH:
            raise CellError(f"recipe: more than {MAX_RECIPE_DEPTH} levels of nesting; {RECIPE}")
        if objects > MAX_NODES + 1:
            raise CellError(f"recipe: more than {MAX_NODES} nodes")


RECIPE = 'expected {"node": {"op": "...", "input": ["..."]}, ...}'
"""What a recipe looks like."""
