"""What the states of a cell make of x, seen by running it.

A graph may depend on x and its values not: what it makes of x can cancel out, as n does in
n + h_prev - n, be multiplied by a gate that is shut where the states begin, or stay below zero in
front of a relu. So a cell takes a few steps with random weights, on sequences that differ in their
first steps, and what differs then is looked at.

It is seen to within rounding: what cancels out can come back enlarged, as from sqrt or layer_norm,
and counts as a reaction then.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cellsearch.graph import Graph
from cellsearch.numpy_step import Array, step
from cellsearch.shapes import LearnedTensor, learned_tensors

INPUT_SIZE, HIDDEN_SIZE, SEQUENCES = 3, 8, 4
"""Several sequences, and so many features that hardly a relu is shut in all."""
SEEDS = 8
"""How many sets of matrices are tried before a cell counts as one that does not react."""
TOLERANCE = 1e-12
"""Differences count from here on, relative to the largest value computed so far ..."""
FAR = 1e-6
"""... and from here on however large that is."""
LONGEST = 8
"""Steps at the beginning that may differ; with fewer states, fewer do."""


def judge_reaction(graph: Graph) -> str | None:
    """Return None if x reaches every state of a normal form, else in one sentence what is amiss.

    Matrices are random, whatever their `init`; biases and other vectors are as before training. One
    set of matrices that does not find a fault is enough. x may enter linears only, and states begin
    at zero.
    """
    reason: str | None = None
    for seed in range(SEEDS):
        reason = _Run.of(graph, np.random.default_rng(seed)).fault()
        if reason is None:
            return None
    return reason


@dataclass(frozen=True, slots=True)
class _Run:
    """The states of all steps, by name: (steps, variants, sequences * hidden_size).

    Variant k has the sequences of variant 0, but for the first k steps.
    """

    states: dict[str, Array]
    slack: Array  # (steps,): what is smaller is an error of rounding

    @classmethod
    def of(cls, graph: Graph, rng: np.random.Generator) -> _Run:
        changed = min(LONGEST, 1 + len(graph.states))
        variants, steps = 1 + changed, 2 * changed + len(graph.states)
        tensors = {tensor.name: _drawn(tensor, rng) for tensor in learned_tensors(graph)}
        x = np.repeat(rng.standard_normal((steps, 1, SEQUENCES, INPUT_SIZE)), variants, axis=1)
        for t, other in enumerate(rng.standard_normal((changed, SEQUENCES, INPUT_SIZE))):
            x[t, t + 1 :] = other
        rows = variants * SEQUENCES
        states = {name: np.zeros((rows, HIDDEN_SIZE)) for name, _ in graph.states}
        history: dict[str, list[Array]] = {name: [] for name in states}
        slack: list[float] = []
        largest = 1.0
        for x_t in x.reshape(steps, rows, INPUT_SIZE):
            values = step(graph, x_t, states, tensors)
            states = {
                name: np.broadcast_to(values[update], (rows, HIDDEN_SIZE))
                for name, update in graph.states
            }
            sizes = np.abs(np.concatenate([np.ravel(value) for value in values]))
            largest = float(np.max(sizes, where=np.isfinite(sizes), initial=largest))
            slack.append(min(TOLERANCE * largest, FAR))
            for name, value in states.items():
                history[name].append(value.reshape(variants, -1))
        return cls({name: np.array(every) for name, every in history.items()}, np.array(slack))

    def fault(self) -> str | None:
        """Return in one sentence what is amiss with the states, or None."""
        for name, values in self.states.items():
            if not self._differ(values, np.zeros_like(values)).any():
                return f"its state {name} begins at zero and does not leave it untrained."
        changes = {
            name: np.any(self._differ(values, values[:, :1]), axis=-1)  # (steps, variants)
            for name, values in self.states.items()
        }
        for name, changed in changes.items():
            if not changed.any():
                return f"its {name} does not change with x, although x is among what it sees."
        if not any(changes["h"][k:, k].any() for k in range(1, changes["h"].shape[1])):
            return "its h does not change with the x of earlier steps."
        for one, other in itertools.combinations(self.states.values(), 2):
            if not self._differ(one, other).any():
                return "two of its states are always equal."
        return None

    def _differ(self, one: Array, other: Array) -> NDArray[np.bool_]:
        """Return where two courses of states, (steps, ...), differ; two of NaN do not."""
        with np.errstate(invalid="ignore"):  # the difference of infinities
            far = np.abs(one - other) > self.slack.reshape(-1, *[1] * (one.ndim - 1))
        return np.asarray(far | (np.isnan(one) != np.isnan(other)), dtype=np.bool_)


def _drawn(tensor: LearnedTensor, rng: np.random.Generator) -> Array:
    """Return a learned tensor: a random matrix that keeps the size of values, others untrained."""
    shape = tensor.sizes(INPUT_SIZE, HIDDEN_SIZE)
    if len(shape) == 2:
        return np.asarray(rng.standard_normal(shape) / np.sqrt(shape[1]))
    return np.full(shape, float(tensor.start))
