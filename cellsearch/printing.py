"""The text form of a cell: from a graph to text."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import count

from cellsearch.graph import Graph, Node
from cellsearch.notation import check_name, owner_name
from cellsearch.operators import OPERATORS

_LEAVES = ("x", "state", "number")
_SUM, _PRODUCT, _SIGN, _ATOM = 1, 2, 3, 4  # how tightly an expression binds
_BINDING = {"add": _SUM, "sub": _SUM, "mul": _PRODUCT, "div": _PRODUCT}
_INLINE_DEPTH = 4
_MAX_INLINE_DEPTH = 12  # a chain of operators of one argument is easy to read, up to here
_MAX_TERMS = 12  # the syntax tree of an infix expression is as deep as it has terms
_LETTERS = {"sigmoid": "g", "hard_sigmoid": "g", "tanh": "n", "relu": "n", "parameter": "p"}


def format_graph(graph: Graph) -> str:
    """Return the text of a graph; parsing and formatting it again gives the same text.

    Nodes keep their names where these are valid and free. A node that is used more than once, or
    that would nest deeply, gets a statement of its own.
    """
    return _Printer(_as_parsed(graph)).text()


def format_number(value: float) -> str:
    """Return the shortest text of a number."""
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(value)


def _as_parsed(graph: Graph) -> Graph:
    """Return the graph that its text is parsed to.

    Signs are part of numbers, sums and products have two arguments, and every state is read.
    """
    nodes: list[Node] = []
    new: list[int] = []
    for node in graph.nodes:
        args = tuple(new[arg] for arg in node.args)
        if node.op == "neg" and nodes[args[0]].op == "number":
            value = 0.0 - float(nodes[args[0]].attribute("value", 0.0))
            nodes.append(Node("number", attributes=(("value", value),)))
        elif node.op in _BINDING and 2 < len(args) <= _MAX_TERMS:
            left = args[0]
            for right in args[1:]:
                nodes.append(Node(node.op, (left, right)))
                left = len(nodes) - 1
            nodes[-1] = replace(nodes[-1], name=node.name)
        else:
            nodes.append(replace(node, args=args))
        new.append(len(nodes) - 1)
    states = tuple((name, new[update]) for name, update in graph.states)
    output = None if graph.output is None else new[graph.output]
    return _written(Graph(tuple(nodes), states, output))


def _written(graph: Graph) -> Graph:
    """Drop what gets no line: nodes without a name that nothing written reads, unread states."""
    updates = dict(graph.states)
    reads = Counter(node.name for node in graph.nodes if node.op == "state")
    reads["h"] += 1
    uses = Counter(arg for node in graph.nodes for arg in node.args)
    uses.update(index for index, node in enumerate(graph.nodes) if _has_line(node))
    uses.update(update for name, update in graph.states if reads[name])
    uses.update(() if graph.output is None else (graph.output,))
    dropped = [index for index in range(len(graph.nodes)) if not uses[index]]
    for index in dropped:  # which may leave others without a use, to be dropped as well
        node = graph.nodes[index]
        freed = list(node.args)
        if node.op == "state":
            reads[node.name] -= 1
            if not reads[node.name] and node.name in updates:
                freed.append(updates[node.name])
        for arg in freed:
            uses[arg] -= 1
            if not uses[arg]:
                dropped.append(arg)
    kept = sorted(set(range(len(graph.nodes))).difference(dropped))
    new = {old: index for index, old in enumerate(kept)}
    nodes = (graph.nodes[old] for old in kept)
    return Graph(
        tuple(replace(node, args=tuple(new[arg] for arg in node.args)) for node in nodes),
        tuple((name, new[update]) for name, update in graph.states if reads[name]),
        None if graph.output is None else new[graph.output],
    )


def _has_line(node: Node) -> bool:
    return node.name != "" and node.op not in _LEAVES


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
        return "\n".join([*self._starts(lines), *lines]) + "\n"

    def _starts(self, lines: list[str]) -> list[str]:
        """Return the lines that say where states begin, in the order of the states of the text."""
        starts = {
            node.name: f"{node.name}_prev = {format_number(float(value))}"
            for node in self.graph.nodes
            if node.op == "state" and (value := node.attribute("start", 0.0))
        }
        places = {"h": 0}
        for line in lines:
            statement, _, expression = line.partition(" = ")
            for name in (*re.findall(r"\w+(?=_prev\b)", expression), statement):
                places.setdefault(name, len(places))
        return [starts[name] for name in sorted(starts, key=places.__getitem__)]

    def _statements(self) -> dict[int, str]:
        """Choose the nodes that get a statement, and its name."""
        uses = Counter(arg for node in self.graph.nodes for arg in node.args)
        taken = {"output", *(target for targets in self.targets.values() for target in targets)}
        names: dict[int, str] = {}
        for index, targets in self.targets.items():
            node = self.graph.nodes[index]
            if node.op not in _LEAVES:
                names[index] = node.name if node.name in targets else min(targets)
        wanted = {node.name for node in self.graph.nodes}
        chained = {node.args[0] for node in self.graph.nodes if self._continues(node)}
        depth: list[int] = []
        terms: list[int] = []
        for index, node in enumerate(self.graph.nodes):
            inner = [depth[arg] + 1 for arg in node.args]
            chain = self._continues(node) and node.args[0] not in names
            if chain:
                inner[0] -= 1  # a + b + c reads as flat as a + b
            depth.append(max(inner, default=0))
            terms.append(terms[node.args[0]] + 1 if chain else 2)
            if node.op not in _LEAVES and index not in names:
                limit = _INLINE_DEPTH if len(node.args) > 1 else _MAX_INLINE_DEPTH
                deep = depth[index] >= limit and index not in chained
                if node.name or uses[index] > 1 or deep or terms[index] >= _MAX_TERMS:
                    names[index] = _free_name(node, taken, wanted)
                    taken.add(names[index])
            if index in names:
                depth[index] = 0
        self._part_owners(names, taken, wanted)
        return names

    def _part_owners(self, names: dict[int, str], taken: set[str], wanted: set[str]) -> None:
        """Give nodes statements where their learned tensors would be named as a statement is."""
        parts = list(names)
        for top in parts:
            owners = 0
            inside = [top]
            while inside:  # in the order in which the text is parsed
                index = inside.pop()
                node = self.graph.nodes[index]
                if index in names and index != top:
                    continue
                row = OPERATORS.get(node.op)
                if node.op == "parameter" or (row is not None and row.owns_tensors):
                    if owners and owner_name(names[top], owners + 1) in taken:
                        names[index] = _free_name(node, taken, wanted)
                        taken.add(names[index])
                        parts.append(index)
                        continue
                    owners += 1
                inside += reversed(node.args)

    def _continues(self, node: Node) -> bool:
        """Tell whether a node goes on with the sum or the product that its first argument is."""
        return (
            node.op in _BINDING
            and len(node.args) == len(self.graph.nodes[node.args[0]].args) == 2
            and _BINDING[node.op] == _BINDING.get(self.graph.nodes[node.args[0]].op)
        )

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
        elif node.op in _BINDING and len(node.args) == 2:
            own = _BINDING[node.op]
            left, right = node.args
            parts = [self._expression(left, own), self._expression(right, own + 1)]
            text = f" {OPERATORS[node.op].infix} ".join(parts)
        else:
            parts = [self._expression(arg, 0) for arg in node.args]
            parts += [f"{key}={_attribute(value)}" for key, value in node.attributes]
            text, own = f"{node.op}({', '.join(parts)})", _ATOM
        return f"({text})" if own < binding else text


def _free_name(node: Node, taken: set[str], wanted: set[str]) -> str:
    """Return a node's name if it is valid and free, else a new one that no node has."""
    if node.name and node.name not in taken and check_name(node.name) is None:
        return node.name
    letter = _LETTERS.get(node.op, "v")
    candidates = (f"{letter}{number}" for number in count(1))
    return next(name for name in candidates if name not in taken and name not in wanted)


def _attribute(value: bool | float | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    return str(value) if isinstance(value, bool) else format_number(value)
