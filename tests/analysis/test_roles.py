"""Roles of values: of known cells as their authors call them, and of one gate in many spellings."""

from __future__ import annotations

import pytest
from elementwise_cells import elementwise_cell
from hypothesis import given
from hypothesis import strategies as st
from random_cells import random_cell, seeded

from cellsearch.analysis.ranges import ranges
from cellsearch.analysis.recurrence import recurrences
from cellsearch.analysis.roles import Role, roles
from cellsearch.cell import Cell
from cellsearch.graph import Graph
from cellsearch.inspection.written import written
from cellsearch.known import zoo


def parsed(text: str) -> Cell:
    return Cell.parse(text.replace("; ", "\n"))


def text_of(graph: Graph, index: int) -> str:
    node = graph.nodes[index]
    if node.op == "state":
        return f"{node.name}_prev"
    args = ", ".join(text_of(graph, arg) for arg in node.args)
    return node.name or (f"{node.op}({args})" if args else node.op)


def found(cell: Cell) -> dict[str, Role]:
    graph = written(cell)
    every = roles(graph, ranges(graph))
    return {text_of(graph, index): role for index, role in enumerate(every)}


def told(cell: Cell) -> dict[str, str]:
    """Return what the roles say: "gate: keeps h_prev; not lets in n into h" and the like."""
    graph = written(cell)
    lines = {}
    for name, role in found(cell).items():
        effects = "; ".join(
            f"{'not ' * effect.complement}{effect.verb} {text_of(graph, effect.value)}"
            f"{f' into {effect.into}' * bool(effect.into)}"
            for effect in role.effects
        )
        whose = f" of {', '.join(role.states)}" * bool(role.states)
        lines[name] = f"{role.name}{whose}{f': {effects}' * bool(effects)}"
    return lines


KNOWN = {
    "gru": {
        "x": "input",
        "h_prev": "memory of h",
        "r": "gate: lets in linear(h_prev) into n",
        "z": "gate: keeps h_prev; not lets in n into h",
        "n": "candidate of h",
        "h": "memory of h",
    },
    "gru_reset_before": {"r": "gate: lets in h_prev into n"},
    "lstm": {
        "h_prev": "state of h",
        "i": "gate: lets in g into c",
        "f": "gate: keeps c_prev",
        "g": "candidate of c",
        "o": "gate: lets out tanh(c)",
        "c_prev": "memory of c",
        "c": "memory of c",
        "tanh(c)": "",
        "h": "state of h",
    },
    "lstm_peephole": {"f": "gate: keeps c_prev", "o": "gate: lets out tanh(c)"},
    "lstm_coupled": {"f": "gate: keeps c_prev; not lets in g into c"},
    "lstm_tanh_output": {"o": "weight: lets out tanh(c)", "g": "candidate of c"},
    "janet": {"f": "gate: keeps h_prev", "i": "gate: lets in g into h"},
    "mgu": {"f": "gate: lets in h_prev into n; not keeps h_prev; lets in n into h"},
    "rnn": {"h_prev": "state of h", "h": "state of h", "linear(x, h_prev)": ""},
    "ugrnn": {"g": "gate: keeps h_prev; not lets in n into h"},
    "cfn": {"f": "gate: keeps tanh(h_prev)", "i": "gate: lets in n into h", "h": "state of h"},
    "star": {"k": "gate: not keeps h_prev; lets in z into h", "z": "candidate of h"},
    "brc": {"a": "", "z": "gate: keeps h_prev; not lets in n into h", "n": "candidate of h"},
    "intersection_rnn": {"gy": "gate: lets out x; not lets out y"},
    "rhn": {"t2": "gate: lets in n2 into h; not keeps s1", "n2": "candidate of h"},
    "minlstm": {"f": "gate: keeps h_prev", "i": "gate: lets in n into h"},
    "rglru": {"a": "gate: keeps h_prev", "i": "gate: lets in x into h"},
    "qrnn": {"o": "gate: lets out c", "z": "candidate of c", "h": "state of h"},
    "sru": {"r": "gate: lets out c; not lets out x"},
    "scrn": {"s": "memory of s", "linear(x)": "candidate of s", "h": "state of h"},
    "slstm": {"f": "gate: keeps c_prev; keeps n_prev", "n": "memory of n", "m": "state of m"},
    "nas_bench_nlp_best": {"k_prev": "state of k: keeps h_prev; not lets in n into h"},
}


@pytest.mark.parametrize("name", KNOWN)
def test_known_cells(name: str) -> None:
    said = told(zoo[name])
    assert {key: said[key] for key in KNOWN[name]} == KNOWN[name]


def test_roles_are_what_authors_call_the_values() -> None:
    """Statements that are called a gate, a candidate or a memory cell in the zoo are that.

    But for four: a gate that is carried is a state, NASCell's memory goes through tanh at each
    step, an output gate is between -1 and 1, and one candidate is for the output, not for a state.
    """
    others = {}
    for name in zoo:
        for statement, term in zoo.terms(name).items():
            role = found(zoo[name])[statement].name
            called = "memory" if term == "memory cell" else term.split()[-1]
            if called in ("gate", "candidate", "memory") and role != called:
                others[name, term] = role
    assert others == {
        ("nas_bench_nlp_best", "carried gate"): "state",
        ("nascell", "memory cell"): "state",
        ("lstm_tanh_output", "output gate"): "weight",
        ("intersection_rnn", "depth candidate"): "",
    }


SPELLINGS = [
    "h = z * h_prev + (1 - z) * n",
    "h = (1 - z) * n + h_prev * z",
    "h = blend(z, h_prev, n)",
    "h = blend(1 - z, n, h_prev)",
    "h = n + z * (h_prev - n)",
    "h = n - z * (n - h_prev)",
    "h = z * h_prev + (-z + 1) * n",
    "h = add(z * h_prev, n * (1 - z), 1)",
    "h = 2 * z * h_prev * 0.5 + n * (1 - z) * 3",
    "h = mean(z * h_prev, (1 - z) * n)",
    "kept = z * h_prev; new = (1 - z) * n; h = kept + new",
    "d = h_prev - n; h = n + z * d",
    "h = (z * h_prev + (1 - z) * n) / 2",
]


@pytest.mark.parametrize("update", SPELLINGS)
def test_one_gate_in_many_spellings(update: str) -> None:
    cell = parsed(f"z = sigmoid(linear(x, h_prev)); n = tanh(linear(x, h_prev)); {update}")
    effects = {(e.verb, e.complement, e.into) for e in found(cell)["z"].effects}
    assert effects == {("keeps", False, ""), ("lets in", True, "h")}
    assert found(cell)["n"].name == "candidate"
    assert found(cell)["h"].name == "memory"


def test_gates_with_names_of_their_own() -> None:
    cell = parsed(
        "z = sigmoid(linear(x)); k = 1 - z; r = z * sigmoid(linear(h_prev)); "
        "h = r * h_prev + k * tanh(linear(x))"
    )
    said = told(cell)
    assert said["k"] == "gate: lets in tanh(linear(x)) into h"
    assert said["r"] == "gate: keeps h_prev"
    assert said["z"].startswith("gate: not lets in tanh(linear(x)) into h")


BY_HAND = {
    "s = sigmoid(x); h = tanh(linear(s + h_prev))": {"s": ""},
    "s = sigmoid(x); h = tanh(s + h_prev)": {"s": "candidate of h", "h": "state of h"},
    "s = sigmoid(linear(h_prev)); h = 2 * s": {"s": "candidate of h"},
    "h = sigmoid(x) * tanh(linear(h_prev))": {
        "sigmoid(x)": "gate: lets in tanh(linear(h_prev)) into h"
    },
    "s = sigmoid(linear(h_prev)); h = s * s": {"s": "gate: lets in s into h"},
    "a = tanh(x); h = a * linear(h_prev)": {"a": "weight: lets in linear(h_prev) into h"},
    "a = tanh(x); b = tanh(linear(h_prev)); h = a * b": {
        "a": "weight: lets in b into h",
        "b": "candidate of h",
    },
    "a = 1 + tanh(x); h = a * h_prev": {"a": "", "h": "memory of h"},
    "g = sigmoid(x); h = g * h_prev + x": {"g": "gate: keeps h_prev", "x": "input"},
    "c = sigmoid(linear(c_prev)); h = c * h_prev": {"c": "state of c: keeps h_prev"},
    "c = c_prev * c_prev; h = tanh(linear(c, h_prev))": {"c": "state of c"},
    "g = h_prev; h = tanh(linear(g_prev))": {"g_prev": "state of g", "h_prev": "state of h"},
    "z = sigmoid(x); h = z * h_prev + (1 - z) * sigmoid(linear(x))": {
        "sigmoid(linear(x))": "candidate of h"
    },
    "h = scale(h_prev) + x": {"h": "memory of h"},
    "h = layer_norm(h_prev + x)": {"h": "state of h"},
}


@pytest.mark.parametrize("text", BY_HAND)
def test_roles_by_hand(text: str) -> None:
    said = told(parsed(text))
    assert {key: said[key] for key in BY_HAND[text]} == BY_HAND[text]


def drawn(seed: int) -> Cell:
    rng = seeded(seed)
    affine = seed % 2 == 0
    return Cell.parse(elementwise_cell(rng, curved=0.3) if affine else random_cell(rng))


@given(st.integers(0, 10**6))
def test_gates_are_between_0_and_1_and_are_factors(seed: int) -> None:
    graph = written(drawn(seed))
    bounds = ranges(graph)
    for index, role in enumerate(roles(graph, bounds)):
        factors = {
            arg
            for node in graph.nodes
            if node.op in ("mul", "blend")
            for arg in (node.args if node.op == "mul" else node.args[:1])
        }
        complements = {graph.nodes[arg].args[-1] for arg in factors if graph.nodes[arg].args}
        if role.name == "gate":
            assert bounds[index].within(-1e-6, 1 + 1e-6)
        if role.name in ("gate", "weight"):
            assert bounds[index].within(-1 - 1e-6, 1 + 1e-6)
            assert index in factors | complements
            assert role.effects


@given(st.integers(0, 10**6))
def test_what_a_scan_carries_is_a_memory(seed: int) -> None:
    cell = drawn(2 * seed)
    names = {
        each.states[0]
        for each in recurrences(cell.normal)
        if each.kind == "scan" and len(each.states) == 1
    }
    every = found(cell)
    assert {name for name in names if every[f"{name}_prev"].name == "memory"} == names


def test_one_role_for_each_node_of_any_graph() -> None:
    for name in zoo:
        normal = zoo[name].normal
        assert len(roles(normal, ranges(normal))) == len(normal.nodes)
