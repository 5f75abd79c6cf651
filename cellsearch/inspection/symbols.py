"""What values and learned tensors of a cell are called in its equations."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal

from cellsearch.graph import Graph, Node

_GREEK = re.compile(  # the letters that LaTeX has; sigma is left to the sigmoid
    "alpha|beta|gamma|delta|epsilon|zeta|eta|theta|iota|kappa|lambda|mu|nu|xi|pi|rho|tau|upsilon|"
    "phi|chi|psi|omega"
)


Time = Literal["t", "t-1", "0"]
_PLAIN: Mapping[Time, str] = {"t": "ₜ", "t-1": "ₜ₋₁", "0": "₀"}


def value(name: str, latex: bool, time: Time = "t") -> str:
    """Return the symbol of a value at step t, or of a state at t-1 or before the first step."""
    if not latex:
        return f"{name}{_PLAIN[time]}"
    numbered = re.fullmatch(r"([A-Za-z]+)(\d+)", name)
    if numbered is not None:
        return f"{_letters(numbered[1])}_{{{numbered[2]},{time}}}"
    return f"{_letters(name)}_{time}" if len(time) == 1 else f"{_letters(name)}_{{{time}}}"


def constant(name: str, latex: bool) -> str:
    """Return the symbol of a learned value that is the same at every step."""
    return _letters(name) if latex else name


def learned(letter: str, parts: Sequence[str], latex: bool) -> str:
    """Return the symbol of a learned tensor, for instance W with the subscripts i and x."""
    return (
        f"{letter}_{{{subscript(parts, latex)}}}"
        if latex
        else f"{letter}_{subscript(parts, latex)}"
    )


def subscript(parts: Sequence[str], latex: bool) -> str:
    """Return names as one subscript; names of several letters are parted."""
    short = all(re.fullmatch(r".(_\d+)?", part) for part in parts)
    if latex:
        return ("" if short else ",").join(_index(part) for part in parts)
    return ("" if short else "_").join(_plain_index(part) for part in parts)


def owner(node: Node) -> str:
    """Return the name under which a node's learned tensors are kept."""
    return node.tensors[0].rpartition(".")[0]


def argument_labels(graph: Graph, node: Node) -> list[str]:
    """Return a short label for each argument of a linear, as the subscript of its matrix.

    It is the value's name, for an expression that of the one state in it or of the one value in
    it; where that fails to tell the arguments apart, it is the number of the matrix.
    """
    labels = [_label(graph, arg) for arg in node.args]
    count = Counter(labels)
    return [
        label if label and count[label] == 1 else str(slot) for slot, label in enumerate(labels)
    ]


def _label(graph: Graph, index: int) -> str:
    states: set[str] = set()
    values: set[str] = set()
    waiting = [index]
    while waiting:
        node = graph.nodes[waiting.pop()]
        if node.op == "state":
            states.add(node.name)
        elif node.op == "x" or node.name:
            values.add(node.name or "x")
        else:
            waiting += node.args
    for names in (states, values):
        if len(names) == 1:
            return names.pop()
    return ""


def _letters(name: str) -> str:
    if _GREEK.fullmatch(name):
        return f"\\{name}"
    return name if len(name) == 1 else rf"\mathrm{{{_escape(name)}}}"


def _index(name: str) -> str:
    numbered = re.fullmatch(r"(.+)_(\d+)", name)  # i_2 owns what the second linear of i learns
    if numbered is not None:
        return f"{_index(numbered[1])}_{{{numbered[2]}}}"
    if name == "t":  # b_t is the value of b at step t
        return r"\mathrm{t}"
    return name if re.fullmatch(r"\d+|[A-Za-z]\d*", name) else rf"\mathrm{{{_escape(name)}}}"


def _plain_index(name: str) -> str:
    numbered = re.fullmatch(r"(.+)_(\d+)", name)
    if numbered is None:
        return name
    return numbered[1] + "".join(chr(ord("₀") + int(digit)) for digit in numbered[2])


def _escape(name: str) -> str:
    return name.replace("_", r"\_")
