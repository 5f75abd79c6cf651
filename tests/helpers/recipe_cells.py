"""Cells that were read from recipes: run with a recipe's weights, and compared with each other."""

from __future__ import annotations

import re

import numpy as np
import torch
from recipes import Array, Recipe, Weights, draw_weights, run, states_of
from torch import Tensor

from cellsearch.cell import Cell
from cellsearch.layers import Recurrent
from cellsearch.shapes import needs_equal_sizes

HIDDEN, STEPS, BATCH = 4, 6, 2


def draw(recipe: Recipe, cell: Cell, seed: int) -> tuple[Weights, Array, list[Array]]:
    """Draw weights, inputs (steps, batch, inputs) and first states for a recipe."""
    rng = np.random.default_rng(seed)
    inputs = HIDDEN if needs_equal_sizes(cell.normal) else HIDDEN + 1
    states = [rng.normal(size=(BATCH, HIDDEN)) / 4 for _ in range(states_of(recipe))]
    return (
        draw_weights(recipe, inputs, HIDDEN, rng),
        rng.normal(size=(STEPS, BATCH, inputs)) / 4,
        states,
    )


def outputs(
    cell: Cell, weights: Weights, x: Array, states: list[Array], backend: str = "reference"
) -> Array:
    """Run a cell, whose statements have the names of the recipe's nodes, in a layer."""
    layer = Recurrent(cell, x.shape[-1], HIDDEN, backend=backend, dtype=torch.float64)
    tensors = {f"l0.{name}": torch.from_numpy(value) for name, value in named(weights).items()}
    layer.load_state_dict({name: tensors[name] for name in layer.state_dict()})
    numbers = [number(name) for name in cell.states]
    begin = tuple(torch.from_numpy(states[number])[None] for number in numbers)
    with torch.no_grad():
        found: Tensor = layer(torch.from_numpy(x), begin[0] if len(begin) == 1 else begin)[0]
    return found.numpy()


def number(state: str) -> int:
    return int(state[1:] or 0)


def named(weights: Weights) -> dict[str, Array]:
    """Return a recipe's weights under the names of a cell's learned tensors."""
    found: dict[str, Array] = {}
    for node, (matrices, bias) in weights.items():
        name = statement(node)
        found |= {f"{name}.weight_{slot}": matrix for slot, matrix in enumerate(matrices)}
        found[f"{name}.bias"] = bias
    return found


def statement(node: str) -> str:
    """Return what a node of a recipe is called in the cell: h_new_0 is h, h_new_1 is h1."""
    numbered = re.fullmatch(r"h_new_(\d+)", node)
    return node if numbered is None else f"h{int(numbered[1]) or ''}"


def carried_over(first: Cell, weights: Weights, second: Cell, others: Weights) -> Weights:
    """Return weights of the second cell that make it compute what the first one does.

    Cells of one id have normal forms that are equal node by node, and so are their tensors. What
    is dead code in the second cell keeps its own weights.
    """
    given, taken = named(weights), {}
    for one, other in zip(first.normal.nodes, second.normal.nodes, strict=True):
        taken |= {b: given[a] for a, b in zip(one.tensors, other.tensors, strict=True)}
    return {
        name: (
            [taken.get(f"{statement(name)}.weight_{i}", own) for i, own in enumerate(matrices)],
            taken.get(f"{statement(name)}.bias", bias),
        )
        for name, (matrices, bias) in others.items()
    }


def states_carried_over(first: Cell, states: list[Array], second: Cell, count: int) -> list[Array]:
    """Return first states of the second cell that are those of the first one."""
    found = [np.zeros_like(states[0]) for _ in range(count)]
    for (one, _), (other, _) in zip(first.normal.states, second.normal.states, strict=True):
        found[number(other)] = states[number(one)]
    return found


def difference(recipe: Recipe, seed: int, backend: str = "reference") -> float:
    """Return by how much a cell read from a recipe and the recipe differ, run side by side.

    The difference of values greater than 1 is relative to them.
    """
    cell = Cell.from_recipe(recipe)
    weights, x, states = draw(recipe, cell, seed)
    found = outputs(cell, weights, x, states, backend)
    return _greatest_difference(found, run(recipe, weights, x, states))


def difference_of_equals(first: Recipe, second: Recipe, seed: int) -> float:
    """Return by how much two recipes of one cell differ, given weights that correspond."""
    one, other = Cell.from_recipe(first), Cell.from_recipe(second)
    weights, x, states = draw(first, one, seed)
    others = carried_over(one, weights, other, draw(second, other, seed + 1)[0])
    began = states_carried_over(one, states, other, states_of(second))
    return _greatest_difference(run(second, others, x, began), run(first, weights, x, states))


def _greatest_difference(found: Array, expected: Array) -> float:
    assert np.isfinite(expected).all()
    return float((np.abs(found - expected) / np.maximum(1, np.abs(expected))).max())
