"""Recipes, as JSON and as decoded from it, that are sent to break the reader."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import product
from random import Random
from typing import Any

from hard_graphs import symmetric_graph
from hostile_texts import NAMES, NUMBERS, edited, noise, words
from recipes import GRU, LSTM, RNN, random_recipe

OPERATORS = (
    *words("linear blend elementwise_sum elementwise_prod"),
    *words("activation_tanh activation_sigm activation_leaky_relu"),
)
PARTS = (
    *words('" { } [ ] , : null true "op" "input" "x" "h_prev_0" "h_new_0" "linear" [[[[ \\ /**/'),
    *('{"op": "linear", "input": []}', '"\\ud800"', '"\\u0000"', "'", "\x00", "\ufeff", "\n"),
)
NESTED = (
    *(("[", "]"), ('{"a":', "}"), ("[", ""), ('{"a":', ""), ('{"a":[', "]}"), ('["[",', "]")),
    *(('["\\"",[', "]]"), ("]", "["), ('"', ""), ("\\", ""), ('"\\', '"'), ("[]", ""), ("[],", "")),
)
WRONG: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, float("nan"), float("inf"), 10**400, [], {}, [[]], [None]),
    *("", "x", "h_prev_0", "linear", "a" * 100_000, ["x"], ["linear"], {"op": "linear"}),
    *([["x"], ["x"]], ["x"] * 300, ["x"] * 100_000, [*"xxx", True], *NAMES),
)
MANY = {"op": "linear", "input": ["x"] * 1_000_000}
SIGNS = [chr(code) for code in range(35, 126) if chr(code) != "\\"]  # in JSON as they are
Family = Callable[[Random], object]


def recipes() -> Sequence[Family]:
    """The families of recipes: they return text, bytes, or what JSON may be decoded to."""
    return (
        *(_bytes, _broken_json, _broken_json, _numbers, _wrong_values, _wrong_values, _cycles),
        *(_large, _deep, _twice, _odd_names, _doubling, _symmetric, _widest, _wrong_objects),
    )


def _valid(rng: Random) -> dict[str, Any]:
    recipe = rng.choice((RNN, GRU, LSTM)) if rng.random() < 0.3 else random_recipe(rng)
    return {name: {**node, "input": list(node["input"])} for name, node in recipe.items()}


def _node(op: str, *inputs: str) -> dict[str, Any]:
    return {"op": op, "input": list(inputs)}


def _either(rng: Random, recipe: object) -> object:
    """Give a recipe decoded or as text."""
    return recipe if rng.random() < 0.5 else json.dumps(recipe, ensure_ascii=rng.random() < 0.5)


def _bytes(rng: Random) -> object:
    if rng.random() < 0.5:
        return noise(rng)
    coding = rng.choice(("utf-16", "utf-32", "latin-1", "utf-8-sig"))
    data = rng.choice((rng.randbytes(rng.randrange(5000)), json.dumps(_valid(rng)).encode(coding)))
    return data[rng.randrange(3) :]


def _broken_json(rng: Random) -> object:
    text = edited(json.dumps(_valid(rng), indent=rng.choice((None, 1))), rng, PARTS)
    return text.encode("utf-8", "replace") if rng.random() < 0.3 else text


def _numbers(rng: Random) -> object:
    text, number = json.dumps(_valid(rng)), rng.choice(NUMBERS)
    part = rng.choice(('"x"', '"linear"', '"h_prev_0"', '{"op"', '"input"', "["))
    return text.replace(part, number, rng.choice((1, -1)))


def _wrong_values(rng: Random) -> object:
    """Put something else in the place of nodes, operators, inputs or names."""
    recipe: dict[str, Any] = _valid(rng)
    for _ in range(rng.choice((1, 1, 2, 5))):
        name, value = rng.choice(list(recipe)), rng.choice(WRONG)
        node = recipe[name]
        place = rng.choice(("node", "op", "input", "first", "key", "no node", "name"))
        if place == "node":
            recipe[name] = value
        elif place == "no node" and len(recipe) > 1:
            del recipe[name]
        elif place == "name" and isinstance(value, str):
            recipe[value] = recipe.pop(name)
        elif place in ("op", "input") and isinstance(node, dict):
            node[place] = value
        elif place == "first" and isinstance(node, dict):
            inputs = node.get("input")
            node["input"] = [value, *(inputs[1:] if isinstance(inputs, list) else ())]
        elif place == "key" and isinstance(node, dict):
            node[str(value)] = value
    return _either(rng, recipe)


def _cycles(rng: Random) -> object:
    size = rng.choice((1, 2, 3, 30, 500, 600))
    recipe = {f"n{i}": _node("linear", f"n{(i + 1) % size}", "x") for i in range(size)}
    recipe["h_new_0"] = _node("activation_tanh", rng.choice(("n0", "x", "h_new_0")))
    return _either(rng, recipe)


def _large(rng: Random) -> object:
    size = rng.choice((500, 511, 512, 513, 2000, 20_000, 1_000_000))
    if size == 1_000_000:
        parts = ('"n": {"op": "linear", "input": ["x"]}, ', '"n": {}, ', '"a": "a", ', "[], ")
        return "{" + rng.choice(parts) * size + '"h_new_0": {"op": "linear", "input": ["x"]}}'
    name = rng.choice(("n{}", "h_new_{}", "{}" + "a" * 90, "a_{}", "h{}"))
    chain = rng.random() < 0.3
    recipe = {
        name.format(i): _node("activation_tanh", name.format(i - 1) if chain and i else "h_prev_0")
        for i in range(size - 1)
    }
    return _either(rng, {**recipe, "h_new_0": _node("activation_tanh", "x")})


def _deep(rng: Random) -> object:
    before, after = rng.choice(NESTED)
    size = int(10 ** rng.uniform(0, 4.7))
    text = before * size + rng.choice(("", "1", '"x"', "{}")) + after * size
    return rng.choice((text, f'{{"h_new_0": {{"op": "linear", "input": {text}}}}}'))


def _twice(rng: Random) -> object:
    """JSON in which names come twice."""
    text = json.dumps(_valid(rng))
    part = text[1:-1]
    forms = (
        *(f"{{{part}, {part}}}", text.replace('"op"', '"input"', 1), '{"a": {}, ' * 200 + "}"),
        *(text.replace('"input"', '"op"', 1), text.replace("{", '{"op": "linear", ', 3)),
        f'{{"h_new_0": {{"op": "linear", "input": ["x"]}}, {part}}}',
        "{" + "".join(f'"{number}": "", ' for number in range(5000)) + '"4999": ""}',
        "{" + "".join(f'"{a}{b}":[],' for a, b in product(SIGNS, SIGNS)) + '"}}":[]}',
    )
    return rng.choice(forms)


def _odd_names(rng: Random) -> object:
    recipe = _valid(rng)
    for name in list(recipe):
        new = rng.choice((*NAMES, "a" * 64, "a" * 65, "b_1", "b", "b_2"))
        if rng.random() < 0.3 and name != "h_new_0" and new not in recipe:
            recipe = json.loads(json.dumps(recipe).replace(json.dumps(name), json.dumps(new)))
    return _either(rng, recipe)


def _doubling(rng: Random) -> object:
    """Each node takes the one before it twice or thrice: flattened, sums and products blow up."""
    op, size = rng.choice(OPERATORS), rng.randint(3, 511)
    count = {"blend": 3, "elementwise_sum": 2, "elementwise_prod": 2, "linear": 3}.get(op, 1)
    recipe = {"n0": _node("activation_tanh", "x")}
    recipe |= {f"n{i}": _node(op, *[f"n{i - 1}"] * count) for i in range(1, size)}
    return _either(rng, {**recipe, "h_new_0": _node("activation_tanh", f"n{size - 1}")})


def _symmetric(rng: Random) -> object:
    """States that read each other at t-1 along the edges of a symmetric graph."""
    recipe = {
        f"h_new_{i}": _node("linear", *(f"h_prev_{other}" for other in others), "x")
        for i, others in enumerate(symmetric_graph(rng))
    }
    return _either(rng, recipe)


def _widest(rng: Random) -> object:
    """Recipes of about the greatest size, with as many inputs as there may be."""
    names, recipe = ["x", "h_prev_0"], {}
    size = rng.choice((15, 60, 200, 511))
    for number in range(size):
        op = rng.choice(OPERATORS)
        count = 1 if "activation" in op else rng.choice((2, max(2, 4000 // size), 256))
        recent = names[-rng.choice((3, 500)) :]
        recipe[f"n{number}"] = _node(op, *rng.choices(recent, k=3 if op == "blend" else count))
        names.append(f"n{number}")
    return _either(rng, {**recipe, "h_new_0": _node("activation_tanh", names[-1])})


def _doubled() -> dict[object, int]:
    """A key that would take seconds to be written out."""
    key: object = ()
    for _ in range(22):
        key = (key, key)
    return {key: 1}


DOUBLED = _doubled()  # once: its hash takes a while


class Unsayable:
    def __str__(self) -> str:
        raise RuntimeError

    __repr__ = __str__


def _wrong_objects(rng: Random) -> object:
    """What JSON is never decoded to, and what holds itself."""
    fine = _node("linear", "x")
    loop: dict[str, Any] = {"op": "linear"}
    loop["input"] = [loop]
    loops: list[Any] = []
    loops.append(loops)
    nodes = (
        *({10**5000: 1}, DOUBLED, {Unsayable(): 1}, type("A\nB", (), {})()),
        *(loop, loops, {1: 2, None: 3}, fine["input"], {"op": {}, "input": ["x"]}),
        *({"op": "linear", "input": inputs} for inputs in ({"x"}, ("x",), ("x", b"x"), {}, loops)),
        *(MANY, _node("linear", "x" * 1_000_000)),
    )
    objects = (
        *(None, True, 7, 1.5, [], loops, loop, set(), object(), range(10**9), fine, "", b"", b"{}"),
        *(bytearray(b"{}"), memoryview(b""), {1: fine}, {None: None}, {("x",): fine}, {b"a": fine}),
        *({"h_new_0": node} for node in nodes),
        {"h" * 1_000_000: fine, "h_new_0": fine},
    )
    return rng.choice(objects)
