"""Whether a cell is inside a space, and if not, why."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cellsearch.graph import Graph
from cellsearch.operators import OPERATORS
from cellsearch.shapes import products
from cellsearch.space import gated_update, highway
from cellsearch.space.reaction import judge_reaction
from cellsearch.space.rules import RULES, LocalRule
from cellsearch.space.trees import judge_tree

if TYPE_CHECKING:
    from cellsearch.space import Space


@lru_cache(maxsize=4096)  # searches come back to the same cells, and the last look takes long
def judge(space: Space, graph: Graph) -> str | None:
    """Return None if a normal form is inside the space, else in one sentence why it is not."""
    return (
        _judge_frame(graph)
        or _judge_shape(space, graph)
        or _judge_rules(space, graph)
        or _judge_parts(space, graph)
        or _judge_size(space, graph)
        or _judge_flow(space, graph)
        or judge_reaction(graph)  # last: it takes the longest, and says the least of where
    )


def _judge_frame(graph: Graph) -> str | None:
    """Judge how x enters, where states begin and what is given out."""
    if graph.output is not None:
        return "it assigns output; in a space the output is h."
    for node in graph.nodes:
        if node.op == "state" and node.attributes:
            start = node.attribute("start", 0.0)
            return f"its state {node.name} begins at {start:g}; in a space, states begin at zero."
        if node.op != "linear" and any(graph.nodes[arg].op == "x" for arg in node.args):
            return f"x enters {node.op}; it may enter linear only."
    for name, update in graph.states:
        if graph.nodes[update].op == "x":
            return f"its state {name} is x; x may enter linear only."
    return None


def _judge_parts(space: Space, graph: Graph) -> str | None:
    """Judge each node by itself."""
    nodes = [node for node in graph.nodes if node.op not in ("x", "state", "number")]
    for node in nodes:
        if node.op not in space.operators:
            return f"it uses {node.op}, which is not among the operators."
    for node in nodes:
        for key, value in node.attributes:
            if value not in space.allowed(node.op, key):
                return f"it uses {node.op} with {key}={value!r}, which is not allowed."
        if len(set(node.args)) < len(node.args):
            return f"one of its operators, {node.op}, sees the same value twice."
        for slot, arg in enumerate(node.args):
            source = graph.nodes[arg]
            if node.op == "linear":
                if source.op in ("linear", "number"):
                    return f"one of its linears sees a {source.op}."
            elif source.op == "number":
                value = source.attribute("value", 0.0)
                if node.op != "sub" or value not in space.numbers:
                    return f"the number {value:g} stands in {node.op}, which is not allowed."
                if slot != 0:
                    return f"the number {value:g} stands in sub second; it may stand first only."
    return None


def _judge_size(space: Space, graph: Graph) -> str | None:
    """Judge the number of states, operators and products, and the depth."""
    operators = [node for node in graph.nodes if node.op in OPERATORS]
    depths: list[int] = []
    for node in graph.nodes:
        below = [depths[arg] for arg in node.args]
        depths.append(1 + max(below) if node.op in OPERATORS else 0)
    for what, found, most in (
        ("states", len(graph.states), len(space.states)),
        ("nodes", len(operators), space.nodes),
        ("products", products(graph), space.products),
        ("operators in a row", max(depths), space.depth),
    ):
        if found > most:
            return f"it has {found} {what}; at most {most} are allowed."
    return None


def _judge_flow(space: Space, graph: Graph) -> str | None:
    """Judge what the updates depend on."""
    reads: list[frozenset[str]] = []  # the leaves that each node depends on
    straight: list[frozenset[str]] = []  # those it reaches without a linear between
    for node in graph.nodes:
        own = {"x"} if node.op == "x" else {node.name} if node.op == "state" else set()
        reads.append(frozenset(own).union(*(reads[arg] for arg in node.args)))
        passed = [straight[arg] for arg in node.args] if node.op != "linear" else []
        straight.append(frozenset(own).union(*passed))
    updates = dict(graph.states)
    if "x" not in reads[updates["h"]]:
        return "its h does not depend on x."
    if reads[updates["h"]] <= {"x"}:
        return "its h does not depend on a carried state."
    informed = {"x"}  # and the states that x reaches, at once or by way of other states
    while more := {s for s, update in graph.states if reads[update] & informed} - informed:
        informed |= more
    for name, update in graph.states:
        if name not in informed:
            return f"its state {name} never learns of x."
        if not space.carry and straight[update]:
            state = min(straight[update])
            return f"{state}_prev reaches {name} without passing through a linear."
    return None


def _judge_shape(space: Space, graph: Graph) -> str | None:
    if space.shape == "tree":
        return judge_tree(graph)
    found: object = None
    if space.shape == "gated_update":
        found = gated_update.read(space, graph)
    if space.shape == "highway":
        found = highway.read(graph)
    return found if isinstance(found, str) else None


def _judge_rules(space: Space, graph: Graph) -> str | None:
    """Judge by the rules that the space adds."""
    for rule in (RULES[name] for name in space.rules):
        if not isinstance(rule, LocalRule):
            reason = rule.check(graph)
            if reason is not None:
                return reason
            continue
        subjects = [
            (f"one of its operators, {node.op},", node) for node in graph.nodes if node.args
        ]
        if rule.about == "updates":
            subjects = [(f"its {name}", graph.nodes[update]) for name, update in graph.states]
        for subject, node in subjects:
            reason = rule.check(node.op, [graph.nodes[arg].op for arg in node.args])
            if reason is not None:
                return f"{subject} {reason}."
    return None
