"""Recipes of NAS-Bench-NLP without the package: drawn, put in other words, and run in numpy."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Recipe = dict[str, dict[str, str | list[str]]]
Weights = dict[str, tuple[list[Array], Array]]  # of each linear: its matrices and its bias

RNN: Recipe = {
    "f": {"op": "linear", "input": ["x", "h_prev_0"]},
    "h_new_0": {"op": "activation_tanh", "input": ["f"]},
}
GRU: Recipe = {
    "r": {"op": "linear", "input": ["x", "h_prev_0"]},
    "r_act": {"op": "activation_sigm", "input": ["r"]},
    "z": {"op": "linear", "input": ["x", "h_prev_0"]},
    "z_act": {"op": "activation_sigm", "input": ["z"]},
    "rh": {"op": "elementwise_prod", "input": ["r_act", "h_prev_0"]},
    "n": {"op": "linear", "input": ["x", "rh"]},
    "n_act": {"op": "activation_tanh", "input": ["n"]},
    "h_new_0": {"op": "blend", "input": ["z_act", "h_prev_0", "n_act"]},
}
LSTM: Recipe = {
    **{gate: {"op": "linear", "input": ["x", "h_prev_0"]} for gate in "ifgo"},
    **{f"{gate}_act": {"op": "activation_sigm", "input": [gate]} for gate in "ifo"},
    "g_act": {"op": "activation_tanh", "input": ["g"]},
    "kept": {"op": "elementwise_prod", "input": ["f_act", "h_prev_1"]},
    "new": {"op": "elementwise_prod", "input": ["i_act", "g_act"]},
    "h_new_1": {"op": "elementwise_sum", "input": ["kept", "new"]},
    "shown": {"op": "activation_tanh", "input": ["h_new_1"]},
    "h_new_0": {"op": "elementwise_prod", "input": ["o_act", "shown"]},
}

ACTIVATIONS = ("activation_tanh", "activation_sigm", "activation_leaky_relu")


def random_recipe(rng: Random) -> Recipe:
    """Draw a recipe by the published rules.

    One to three states; an activation behind each linear; linears of two or three inputs, three
    times as frequent as sums, products and blends; every state is read, but not by an h_new.
    """
    states = [f"h_prev_{number}" for number in range(rng.choice((1, 1, 2, 3)))]
    recipe: Recipe = {}
    pool = ["x", *states]

    def add(op: str, inputs: list[str]) -> str:
        name = f"node_{len(recipe)}"
        recipe[name] = {"op": op, "input": inputs}
        pool.append(name)
        return name

    def linear(*first: str) -> str:
        others = [name for name in pool if name not in first]
        more = rng.sample(others, min(len(others), rng.choice((2, 2, 3)) - len(first)))
        return add(rng.choice(ACTIVATIONS), [add("linear", [*first, *more])])

    latest = linear("x", states[0])
    for state in states[1:]:
        latest = linear(latest, state)
    for _ in range(rng.randint(len(states), 6)):
        op = rng.choice(("linear", "linear", "linear", "blend", "prod", "sum"))
        others = [name for name in pool if name not in ("x", latest)]
        if op == "linear" or len(others) < 2:
            latest = linear(latest)
        elif op == "blend":
            inputs = [latest, *rng.sample(others, 2)]
            rng.shuffle(inputs)
            latest = add(op, inputs)
        else:
            latest = add(f"elementwise_{op}", [latest, rng.choice(others)])
    ends = [name for name, node in recipe.items() if not set(node["input"]) & set(states)]
    while len(ends) < len(states):
        ends.append(add(rng.choice(ACTIVATIONS), [latest]))
    results = dict(zip(ends[-len(states) :][::-1], map("h_new_{}".format, range(3)), strict=False))
    return renamed(recipe, results)


def renamed(recipe: Recipe, names: Mapping[str, str]) -> Recipe:
    """Give nodes other names."""
    return {
        names.get(name, name): {
            "op": node["op"],
            "input": [names.get(part, part) for part in node["input"]],
        }
        for name, node in recipe.items()
    }


def disguised(recipe: Recipe, rng: Random) -> Recipe:
    """Return the recipe under other names, in another order and with dead code.

    The inputs of linears, sums and products are shuffled, too.
    """
    inner = [name for name in recipe if not name.startswith("h_new")]
    fresh = [f"q{number}" for number in range(len(inner))]
    rng.shuffle(fresh)
    names = dict(zip(inner, fresh, strict=True))
    other = renamed(recipe, names)
    for node in other.values():
        if node["op"] != "blend":
            node["input"] = rng.sample(node["input"], len(node["input"]))
    other["dead"] = {"op": "linear", "input": ["x", rng.choice(list(other))]}
    keys = rng.sample(list(other), len(other))
    return {key: other[key] for key in keys}


def states_of(recipe: Recipe) -> int:
    return sum(f"h_new_{number}" in recipe for number in range(len(recipe)))


def draw_weights(recipe: Recipe, inputs: int, hidden: int, rng: np.random.Generator) -> Weights:
    def matrix(part: str) -> Array:
        return rng.normal(size=(hidden, inputs if part == "x" else hidden)) / (4 * hidden**0.5)

    return {
        name: ([matrix(part) for part in node["input"]], rng.normal(size=hidden) / 4)
        for name, node in recipe.items()
        if node["op"] == "linear"
    }


def run(recipe: Recipe, weights: Weights, x: Array, states: list[Array]) -> Array:
    """Run a recipe over x, (steps, batch, inputs); return the outputs, (steps, batch, hidden)."""
    outputs = []
    for row in x:
        values = {"x": row, **{f"h_prev_{i}": state for i, state in enumerate(states)}}
        states = [_value(f"h_new_{i}", recipe, weights, values) for i in range(len(states))]
        outputs.append(states[0])
    return np.stack(outputs)


def _value(name: str, recipe: Recipe, weights: Weights, values: dict[str, Array]) -> Array:
    if name not in values:
        op = recipe[name]["op"]
        args = [_value(part, recipe, weights, values) for part in recipe[name]["input"]]
        if op == "linear":
            matrices, bias = weights[name]
            values[name] = sum(
                (arg @ matrix.T for arg, matrix in zip(args, matrices, strict=True)), bias
            )
        elif op == "blend":
            values[name] = args[0] * args[1] + (1 - args[0]) * args[2]
        elif op == "elementwise_sum":
            values[name] = sum(args[1:], args[0])
        elif op == "elementwise_prod":
            values[name] = np.prod(args, axis=0)
        elif op == "activation_tanh":
            values[name] = np.tanh(args[0])
        elif op == "activation_sigm":
            values[name] = 0.5 + 0.5 * np.tanh(0.5 * args[0])
        else:
            values[name] = np.where(args[0] > 0, args[0], 0.01 * args[0])
    return values[name]
