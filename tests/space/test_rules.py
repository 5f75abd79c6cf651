"""Specification of the rules that a space may add: what they allow, and what they say."""

from __future__ import annotations

import itertools
import random

import pytest

from cellsearch.cell import Cell
from cellsearch.operators import OPERATORS
from cellsearch.space import Space, load_space
from cellsearch.space.rules import RULES, LocalRule

GATE = "g = sigmoid(linear(x, h_prev))\n"
ALLOWED = {
    "linears_of_2_or_3": (
        "h = tanh(linear(x, h_prev))",
        "c = tanh(linear(x, h_prev))\nh = tanh(linear(x, h_prev, c_prev))",
    ),
    "linears_of_activations": (
        GATE + "h = tanh(linear(x, g))",
        GATE + "h = g - h_prev",
    ),
    "indirect_carry": (
        GATE + "h = tanh(g - h_prev)",
        GATE + "h = g * h_prev + tanh(linear(x))",
        GATE + "h = h_prev + g + tanh(linear(x))",  # (h_prev + g) + tanh(...)
        GATE + "c = g\nh = h_prev + c_prev + g",  # (h_prev + c_prev) + g
    ),
    "nothing_cancels": (
        GATE + "h = g * h_prev + (1 - g) * tanh(linear(x))",
        GATE + "h = h_prev - g - g * h_prev",
        GATE + "h = 1 - (1 - g)",
    ),
    "positive_divisors": (
        GATE + "h = g + h_prev / g",
        GATE + "h = tanh(linear(x)) / (g + sigmoid(linear(x)) * softplus(linear(x)))",
        GATE + "h = tanh(linear(x)) / (relu(h_prev) + g)",
        GATE + "h = g + reciprocal(exp(linear(h_prev)))",
    ),
    "scan": (
        "h = sigmoid(linear(x)) * h_prev + linear(x)",
        "c = sigmoid(linear(x)) * c_prev + linear(x)\nh = tanh(linear(c, x))",
        "c = c_prev + linear(x)\nh = sigmoid(linear(c_prev)) * h_prev + c",
        "c = c_prev - h_prev + linear(x)\nh = h_prev + c",
    ),
}
REFUSED = {
    "linears_of_2_or_3": {
        "h = tanh(linear(x)) + tanh(linear(x, h_prev))": (
            "one of its operators, linear, sees 1 value; it may see 2 or 3."
        ),
        GATE + "c = g\nh = tanh(linear(x, g, h_prev, c_prev))": (
            "one of its operators, linear, sees 4 values; it may see 2 or 3."
        ),
    },
    "linears_of_activations": {
        GATE + "h = tanh(linear(x, g * h_prev))": (
            "one of its operators, linear, sees mul; it may see x, states and activations."
        ),
    },
    "indirect_carry": {
        GATE + "h = blend(g, h_prev, g)": "its h sees a state at t-1 directly.",
        GATE + "h = g * h_prev": "its h sees a state at t-1 directly.",
        "h = linear(x, h_prev)": "its h sees a state at t-1 directly.",
        GATE + "c = h_prev\nh = tanh(linear(x, c_prev) * g)": "its c sees a state at t-1 directly.",
        "c = tanh(linear(x))\nb = tanh(linear(x))\nh = h_prev + c_prev + b_prev": (
            "its h sees a state at t-1 directly."
        ),
    },
    "nothing_cancels": {
        GATE
        + "h = g + (h_prev - g)": "a value, sigmoid, cancels out in one of its operators, add.",
        GATE + "h = tanh(g + h_prev - h_prev)": (
            "h_prev cancels out in one of its operators, sub."
        ),
        "v = linear(x)\nh = blend(v, h_prev, v) + v * v - h_prev * v": (
            "h_prev cancels out in one of its operators, sub."
        ),
        "v = linear(x)\nh = h_prev - (v + v * h_prev) + v": (
            "its state h begins at zero and does not leave it untrained."
        ),
    },
    "positive_divisors": {
        GATE + "h = g / h_prev": "it divides by one of its values, state, that may be",
        GATE + "h = g / relu(linear(x))": "divides by one of its values, relu, that may be zero.",
        GATE + "h = g / (g - 1)": "divides by one of its values, sub, that may be zero.",
        GATE + "h = g / (g * tanh(h_prev))": "divides by one of its values, mul, that may be zero.",
        GATE + "h = reciprocal(h_prev) + g": "divides by one of its values, state, that may be",
    },
    "scan": {
        "h = tanh(linear(x, h_prev))": "its h at t-1 reaches itself through a linear",
        "h = layer_norm(h_prev + linear(x))": "its h at t-1 reaches itself through a linear",
        "h = tanh(h_prev + linear(x))": "its h is not affine in itself at t-1, as in a scan.",
        "c = h_prev * linear(x)\nh = c_prev * c_prev + linear(x)": (
            "its h and c are not affine in themselves at t-1, as in a scan."
        ),
        "c = tanh(linear(x, h_prev))\nh = c_prev + linear(x)": (
            "its h and c at t-1 reach themselves through a linear"
        ),
        "c = tanh(linear(x))\nh = c_prev + linear(x)": (
            "none of its states depends on itself at t-1."
        ),
    },
}


def wide(rule: str) -> Space:
    """Return a space with room for all, but for one rule."""
    return Space(
        name="wide",
        operators=tuple(OPERATORS),
        states=("h", "c", "b"),
        rules=(rule,),
        numbers=(1.0,),
        nodes=40,
        depth=20,
        products=20,
    )


@pytest.mark.parametrize("count", range(2, 6))
def test_a_state_in_a_long_sum_is_direct_if_no_nesting_of_pairs_hides_it(count: int) -> None:
    """At the head stands a pair of values, each an argument or a sum of two or more others."""
    rule = RULES["indirect_carry"]
    assert isinstance(rule, LocalRule)
    for states in range(count + 1):
        seen = ["state"] * states + ["tanh"] * (count - states)
        hidden = any(
            all(len(part) > 1 or part == ["tanh"] for part in (first, second))
            for bits in itertools.product((True, False), repeat=count)
            if (first := list(itertools.compress(seen, bits)))
            and (second := list(itertools.compress(seen, (not bit for bit in bits))))
        )
        assert (rule.check("add", seen) is None) == hidden


def test_every_rule_has_examples() -> None:
    assert list(ALLOWED) == list(REFUSED) == list(RULES)


@pytest.mark.parametrize("rule", RULES)
def test_what_a_rule_allows(rule: str) -> None:
    for text in ALLOWED[rule]:
        reason = wide(rule).contains(Cell.parse(text))
        assert reason is None, text


@pytest.mark.parametrize("rule", RULES)
def test_what_a_rule_refuses_and_says(rule: str) -> None:
    for text, expected in REFUSED[rule].items():
        reason = wide(rule).contains(Cell.parse(text))
        assert reason is not None, text
        assert expected in reason
        assert reason.endswith(".")


# The cells of NAS-Bench-NLP, made as its article says


def benchmark_cell(rng: random.Random) -> str | None:
    """Return the text of a cell, or None where the article's checks refuse it.

    Klyuchnikov et al. (2022): nodes are linears of two or three of x, states and activations, each
    with an activation after it, and sums, products and blends of anything but x. Some nodes become
    the updates; what none needs is dropped. No update may see a state at t-1.
    """
    states = ["h", "h1", "h2"][: rng.randint(1, 3)]
    leaves = [f"{state}_prev" for state in states]
    seen: dict[str, list[str]] = {}
    values: dict[str, str] = {}
    linear_arguments = ["x", *leaves]

    def add(op: str, args: list[str]) -> None:
        name = f"v{len(values)}"
        seen[name], values[name] = args, f"{op}({', '.join(args)})"

    for _ in range(rng.randint(2, 7)):
        op = rng.choices(["linear", "blend", "mul", "add"], [3, 1, 1, 1])[0]
        if op == "linear":
            count = min(rng.choices([2, 3], [4, 1])[0], len(linear_arguments))
            add("linear", rng.sample(linear_arguments, count))
            add(rng.choice(["tanh", "sigmoid", "leaky_relu"]), [list(values)[-1]])
            linear_arguments.append(list(values)[-1])
        elif len(leaves) + len(values) >= (count := 3 if op == "blend" else 2):
            add(op, rng.sample([*leaves, *values], count))
    if len(values) < len(states):
        return None
    updates = dict(zip(states, rng.sample(list(values), len(states)), strict=True))
    needed, waiting = set[str](), list(updates.values())
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting += seen.get(name, [])
    direct = any(leaf in seen[update] for update in updates.values() for leaf in leaves)
    if direct or not needed >= {"x", *leaves}:
        return None
    lines = [f"{name} = {value}" for name, value in values.items() if name in needed]
    return "\n".join([*lines, *(f"{state} = {update}" for state, update in updates.items())])


BROKEN = (  # what the benchmark has, and no space
    "its h does not depend on",
    "sees the same value twice",
    "begins at zero and does not leave it",
    "never learns of x",
)


def test_cells_of_the_benchmark_are_inside_unless_they_are_broken() -> None:
    space, rng = load_space("nas_bench_nlp"), random.Random(0)
    inside = refused = 0
    while inside + refused < 400:
        text = benchmark_cell(rng)
        if text is None:
            continue
        reason = space.contains(Cell.parse(text))
        assert reason is None or any(words in reason for words in BROKEN), f"{text}\n{reason}"
        inside += reason is None
        refused += reason is not None
    assert inside > 250
