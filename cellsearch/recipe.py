"""Recipes, the JSON form of NAS-Bench-NLP: read and written.

    {"f": {"op": "linear", "input": ["x", "h_prev_0"]},
     "h_new_0": {"op": "activation_tanh", "input": ["f"]}}

The benchmark: Klyuchnikov et al. 2020, https://arxiv.org/abs/2006.07116; what a recipe means is
said by the reader in https://github.com/fmsnew/nas-bench-nlp-release. `h_prev_0` is state h at t-1
and `h_new_0` its new value, the output; state 1 is called h1 here, state 2 h2. How weights begin is
no part of a recipe: those of a cell that is read begin as in any other cell.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from collections import Counter
from collections.abc import Mapping
from itertools import count

from cellsearch import limits
from cellsearch.errors import CellError, nearest, quoted, shown
from cellsearch.graph import Graph, Node, order_of_computation
from cellsearch.operators import OPERATORS

Recipe = dict[str, dict[str, str | list[str]]]

_OPERATORS = {
    "linear": "linear",  # a matrix for each input, and one bias
    "activation_tanh": "tanh",
    "activation_sigm": "sigmoid",
    "activation_leaky_relu": "leaky_relu",
    "elementwise_sum": "add",
    "elementwise_prod": "mul",
    "blend": "blend",
}
_WORDS = {ours: theirs for theirs, ours in _OPERATORS.items()}
_SHORT = {**_WORDS, **{theirs.split("_", 1)[-1]: theirs for theirs in _OPERATORS}}
"""Operators by what people may call them."""
_PATH = re.compile(r"[^\n{}]{1,255}\.(json|cell)")
_FILE = "; a file is read with Cell.read(path)"
_NEW_STATE = re.compile(r"h_new_(0|[1-9][0-9]{0,2})")
_RESERVED = re.compile(r"|x|h_(new|prev)_[0-9]+")  # "": a node without a name
_KINDS = {
    type(None): "null",
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "an object",
}


def read(recipe: object) -> Graph:
    """Return the graph of a recipe, which is a mapping or JSON text; nodes keep their names.

    The order of the nodes does not matter. Raises CellError that names the node if the recipe makes
    no sense, or if it is larger than `limits` says, which is looked at before JSON is decoded.
    """
    nodes = _nodes(_decoded(recipe) if isinstance(recipe, str | bytes) else recipe)
    states = _states(nodes)
    leaves = {"x": Node("x")}
    leaves |= {f"h_prev_{i}": Node("state", name=state) for i, state in enumerate(states.values())}
    names = [*leaves, *nodes]
    place = {name: index for index, name in enumerate(names)}
    args: list[list[int]] = [[] for _ in leaves]
    for name, (_, inputs) in nodes.items():
        unknown = next((arg for arg in inputs if arg not in place), None)
        if unknown is not None:
            last = f" to h_prev_{len(states) - 1}" if len(states) > 1 else ""
            carried = re.fullmatch(r"h_prev_([0-9]{1,3})", unknown)
            update = (
                f"; it needs a node 'h_new_{carried[1]}'" if carried else nearest(unknown, names)
            )
            raise CellError(
                f"recipe, node {quoted(name)}: input {quoted(unknown)} is neither a node nor among "
                f"x and h_prev_0{last}{update}"
            )
        args.append([place[arg] for arg in inputs])
    order = order_of_computation(args, "recipe", lambda index: quoted(names[index]))
    built: list[Node] = []
    new: dict[str, int] = {}
    for name in (names[index] for index in order):
        new[name] = len(built)
        if name in leaves:
            built.append(leaves[name])
        else:
            op, inputs = nodes[name]
            built.append(Node(op, tuple(new[arg] for arg in inputs), (), states.get(name, name)))
    return Graph(tuple(built), tuple((state, new[name]) for name, state in states.items()))


def _decoded(recipe: str | bytes) -> object:
    """Decode JSON in which there are no numbers and no name comes twice."""
    try:
        limits.check_size(recipe, "recipe")
        text = recipe if isinstance(recipe, str) else recipe.decode("utf-8-sig")
        limits.check_json(text)
        return json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=_refused,
            parse_float=_refused,
            parse_constant=_refused,
        )
    except UnicodeDecodeError:
        raise CellError("recipe: not UTF-8 text; expected JSON") from None
    except json.JSONDecodeError as error:
        hint = _FILE if _PATH.fullmatch(text.strip()) else ""
        raise CellError(
            f"recipe, line {error.lineno}: {error.msg}; {limits.RECIPE}{hint}"
        ) from None


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = next(name for name, times in counts.items() if times > 1)
        raise CellError(f"recipe: {quoted(twice)} is there twice; keep one of them")
    return found


def _refused(number: str) -> object:
    raise CellError(f"recipe: unexpected number {number[:40]}; {limits.RECIPE}")


def _kind(value: object) -> str:
    return _KINDS.get(type(value)) or shown(value)


def _nodes(recipe: object) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the operator, as it is called here, and the inputs of each node."""
    if not isinstance(recipe, Mapping):
        hint = _FILE if isinstance(recipe, os.PathLike) else ""
        raise CellError(f"recipe: found {_kind(recipe)}; {limits.RECIPE}{hint}")
    if len(recipe) > limits.MAX_NODES:
        raise CellError(f"recipe: more than {limits.MAX_NODES} nodes")
    nodes: dict[str, tuple[str, tuple[str, ...]]] = {}
    edges = 0
    for name, node in recipe.items():
        if not isinstance(name, str):
            raise CellError(f"recipe: a node's name is {_kind(name)}; {limits.RECIPE}")
        nodes[name] = _node(name, node, f"recipe, node {quoted(name)}")
        edges += len(nodes[name][1])
        if edges > limits.MAX_EDGES:
            raise CellError(f"recipe: more than {limits.MAX_EDGES} inputs in all")
    return nodes


def _node(name: str, node: object, where: str) -> tuple[str, tuple[str, ...]]:
    if name == "x" or re.fullmatch(r"h_prev_[0-9]+", name):
        raise CellError(f"{where}: this is what a step is given; choose another name")
    if not isinstance(node, Mapping):
        raise CellError(f"{where}: found {_kind(node)}; {limits.RECIPE}")
    if node.keys() != {"op", "input"}:
        found = ", ".join(map(shown, list(node)[:4])) or "neither"
        raise CellError(f"{where}: expected exactly 'op' and 'input', found {found}")
    op, inputs = node["op"], node["input"]
    if not isinstance(op, str) or op not in _OPERATORS:
        found = f"{quoted(op)}{_meant(op)}" if isinstance(op, str) else _kind(op)
        raise CellError(
            f"{where}: unknown operator {found}; expected one of {', '.join(_OPERATORS)}"
        )
    if not isinstance(inputs, list | tuple):
        raise CellError(f"{where}: input is {_kind(inputs)}; expected a list of names")
    low, high = OPERATORS[_OPERATORS[op]].arity
    if not low <= len(inputs) <= (high or limits.MAX_ARGUMENTS):
        expected = f"{low}" if low == high else f"{low} to {limits.MAX_ARGUMENTS}"
        raise CellError(f"{where}: inputs of {op}: expected {expected}, found {len(inputs)}")
    wrong = [value for value in inputs if not isinstance(value, str)]
    if wrong:
        raise CellError(f"{where}: an input is {_kind(wrong[0])}; expected the name of a node")
    return _OPERATORS[op], tuple(inputs)


def _meant(op: str) -> str:
    """Return a hint at the operator that is meant, perhaps by another name than a recipe's."""
    word = op[:80].removeprefix("activation_").removeprefix("elementwise_")
    close = difflib.get_close_matches(word, _SHORT, n=1, cutoff=0.5)
    return f" (did you mean {_SHORT[close[0]]!r}?)" if close else ""


def _states(nodes: Mapping[str, object]) -> dict[str, str]:
    """Return the nodes that are new states, in order, and what each state is called here."""
    found = sum(_NEW_STATE.fullmatch(name) is not None for name in nodes)
    names = [f"h_new_{number}" for number in range(max(1, found))]
    missing = next((name for name in names if name not in nodes), None)
    if missing is not None:
        raise CellError(
            f"recipe: there is no node {missing!r}; expected h_new_0, the output, and as many more "
            "new states h_new_1, h_new_2, ... as are carried"
        )
    return {name: f"h{number or ''}" for number, name in enumerate(names)}


def write(written: Graph, normal: Graph) -> Recipe:
    """Return the recipe of a cell, given as it was written and in its normal form.

    Names are kept where a recipe can have them. Sums and products get two inputs each, as the
    benchmark's own reader fails on more. Raises CellError that names the statement if the cell is
    none that a recipe can say.
    """
    try:
        return _Writer(written).recipe
    except CellError:  # perhaps of no more than dead code, or of an output that is h after all
        return _Writer(normal).recipe


class _Writer:
    """Writes a graph node by node; `terms` are what the nodes are called as inputs."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.recipe: Recipe = {}
        self.terms: list[str] = []
        kept = {node.name for node in graph.nodes if not _RESERVED.fullmatch(node.name)}
        self.spare = (name for number in count(1) if (name := f"v{number}") not in kept)
        order = sorted(graph.states, key=lambda state: _number(state[0]))
        self.places = {state: place for place, (state, _) in enumerate(order)}
        self.results = self._results()
        for index, node in enumerate(graph.nodes):
            self.terms.append(self._term(index, node))

    def _results(self) -> dict[int, list[str]]:
        """Return the names of the nodes that are new states."""
        source: list[int] = []  # of each node, the node whose value it passes on
        for index, node in enumerate(self.graph.nodes):
            source.append(source[node.args[0]] if node.op == "identity" else index)
        results: dict[int, list[str]] = {}
        for state, update in self.graph.states:
            results.setdefault(source[update], []).append(f"h_new_{self.places[state]}")
        output = self.graph.output
        if output is not None and "h_new_0" not in results.get(source[output], []):
            raise CellError("cell: its output is not its new h; the output of a recipe always is")
        return results

    def _term(self, index: int, node: Node) -> str:
        inputs = [self.terms[arg] for arg in node.args]
        if node.op == "identity":
            return inputs[0]
        if node.op not in ("x", "state"):
            return self._statement(index, node, inputs)
        term = "x" if node.op == "x" else f"h_prev_{self.places[node.name]}"
        if node.attributes:
            raise CellError(
                f"cell: state {node.name} does not begin at zero; the states of a recipe do"
            )
        if index in self.results:
            raise CellError(
                f"cell: a new state is {term} as it is; in a recipe an operator computes it"
            )
        return term

    def _statement(self, index: int, node: Node, inputs: list[str]) -> str:
        """Write a node; return its name."""
        if node.op not in _WORDS or node.attributes:
            said = ", ".join(f"{name}={value}" for name, value in node.attributes)
            raise CellError(
                f"{self._where(index)}: a recipe cannot say {node.op}{said and f' with {said}'}; "
                "it can say linear with a bias, tanh, sigmoid, leaky_relu, add, mul and blend"
            )
        names = self.results.get(index) or [
            next(self.spare) if _RESERVED.fullmatch(node.name) else node.name
        ]
        if len(names) > 1 and node.op == "linear":
            raise CellError(
                f"{self._where(index)}: {' and '.join(names)} are one linear; in "
                "a recipe each new state has one of its own"
            )
        while node.op in ("add", "mul") and len(inputs) > 2:
            part = next(self.spare)
            self.recipe[part] = {"op": _WORDS[node.op], "input": inputs[:2]}
            inputs = [part, *inputs[2:]]
        for name in names:
            self.recipe[name] = {"op": _WORDS[node.op], "input": list(inputs)}
        return names[0]

    def _where(self, index: int | None) -> str:
        """Return the statement that a node is part of, for an error."""
        nodes = self.graph.nodes
        new = {update: state for state, update in self.graph.states}
        while index is not None and not nodes[index].name and index not in new:
            index = next((user for user, node in enumerate(nodes) if index in node.args), None)
        return "cell" if index is None else f"cell, statement {nodes[index].name or new[index]!r}"


def _number(state: str) -> int:
    """Return a number by which states are put in order: h, h1, h2, ..., and then the others."""
    if state == "h":
        return 0
    return int(state[1:]) if re.fullmatch(r"h[1-9][0-9]{0,2}", state) else 1000
