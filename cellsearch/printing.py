"""The text form of a cell: from a graph to text."""

from __future__ import annotations

import re
from collections import Counter
from itertools import count

from cellsearch.graph import Graph, Node
from cellsearch.notation import check_name
from cellsearch.operators import OPERATORS

_LEAVES = ("x", "state", "number")
_SUM, _PRODUCT, _SIGN, _ATOM = 1, 2, 3, 4  # how tightly an expression binds
_BINDING = {"add": _SUM, "sub": _SUM, "mul": _PRODUCT, "div": _PRODUCT}
_INLINE_DEPTH = 4
_LETTERS = {"sigmoid": "g", "hard_sigmoid": "g", "tanh": "n", "relu": "n", "parameter": "p"}


def format_graph(graph: Graph) -> str:
    """Return the text of a graph; parsing and formatting it again gives the same text.

    Nodes keep their names where these are valid and free. A node that is used more than once, or
    that would nest deeply, gets a statement of its own.
    """
    return _Printer(graph).text()


def format_number(value: float) -> str:
    """Return the shortest text of a number."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


class _Printer:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.targets: dict[int, list[str]] = {}
        for state, update in graph.states:
            self.targets.setdefault(update, []).append(state)
        if graph.output is not None:
            self.targets.setdefault(graph.output, []).append("output")
        self.names = self._statements()

    def text(self) -> str:
        lines = [
            f"{name} = {self._expression(index, 0, top=True)}"
            for index, name in sorted(self.names.items())
        ]
        aliases = [
            (target, index)
            for index, targets in self.targets.items()
            for target in targets
            if self.names.get(index) != target
        ]
        # In alphabetical order: the order of the states is read from the text, not the reverse.
        lines += [f"{target} = {self._expression(index, 0)}" for target, index in sorted(aliases)]
        return "\n".join(lines) + "\n"

    def _statements(self) -> dict[int, str]:
        """Choose the nodes that get a statement, and its name."""
        uses = Counter(arg for node in self.graph.nodes for arg in node.args)
        taken = {target for targets in self.targets.values() for target in targets}
        names: dict[int, str] = {}
        for index, targets in self.targets.items():
            node = self.graph.nodes[index]
            if node.op not in _LEAVES:
                names[index] = node.name if node.name in targets else min(targets)
        wanted = {node.name for node in self.graph.nodes}
        depth: list[int] = []
        for index, node in enumerate(self.graph.nodes):
            depth.append(1 + max((depth[arg] for arg in node.args), default=-1))
            if node.op not in _LEAVES and index not in names:
                deep = depth[index] >= _INLINE_DEPTH and len(node.args) > 1
                if node.name or uses[index] > 1 or deep:
                    names[index] = self._free_name(node, taken, wanted)
                    taken.add(names[index])
            if index in names:
                depth[index] = 0
        return names

    def _free_name(self, node: Node, taken: set[str], wanted: set[str]) -> str:
        # A name such as i_2 may clash with the learned tensors of a statement i.
        numbered = re.fullmatch(r"(.+)_\d+", node.name)
        clash = numbered is not None and numbered[1] in taken | wanted
        if node.name and node.name not in taken and not clash and check_name(node.name) is None:
            return node.name
        letter = _LETTERS.get(node.op, "v")
        candidates = (f"{letter}{number}" for number in count(1))
        return next(name for name in candidates if name not in taken | wanted)

    def _expression(self, index: int, binding: int, top: bool = False) -> str:
        """Return an expression, in parentheses if it binds less tightly than `binding`."""
        node = self.graph.nodes[index]
        if index in self.names and not top:
            return self.names[index]
        if node.op == "x":
            return "x"
        if node.op == "state":
            return f"{node.name}_prev"
        if node.op == "number":
            value = format_number(float(node.attribute("value", 0.0)))
            return f"({value})" if value.startswith("-") and binding > _SIGN else value
        if node.op == "neg":
            text, own = f"-{self._expression(node.args[0], _SIGN)}", _SIGN
        elif node.op in _BINDING:
            own = _BINDING[node.op]
            parts = [self._expression(node.args[0], own)]
            parts += [self._expression(arg, own + 1) for arg in node.args[1:]]
            text = f" {OPERATORS[node.op].infix} ".join(parts)
        else:
            parts = [self._expression(arg, 0) for arg in node.args]
            parts += [f"{key}={_attribute(value)}" for key, value in node.attributes]
            text, own = f"{node.op}({', '.join(parts)})", _ATOM
        return f"({text})" if own < binding else text


def _attribute(value: bool | float | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(value) if isinstance(value, bool) else format_number(value)
