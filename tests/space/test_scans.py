"""Specification of drawn scans: each runs as one, seen on its kind and by its Jacobians."""

from __future__ import annotations

import random
from collections import Counter

import torch

from cellsearch.analysis.recurrence import recurrences
from cellsearch.cell import Cell
from cellsearch.layers import RecurrentCell
from cellsearch.space import load_space


def jacobian(step: RecurrentCell, x: torch.Tensor, states: torch.Tensor) -> torch.Tensor:
    """Return d new state / d state, of shape (states, hidden, states, hidden), of one sample."""

    def new_states(old: torch.Tensor) -> torch.Tensor:
        given = tuple(old) if len(old) > 1 else old[0]
        found = step(x, given)
        return torch.stack(found if isinstance(found, tuple) else (found,))

    found = torch.autograd.functional.jacobian(new_states, states)
    assert isinstance(found, torch.Tensor)
    return found


def test_draws_are_scans(full: bool) -> None:
    space, rng = load_space("scan"), random.Random(4)
    kinds = Counter()
    for _ in range(1000 if full else 200):
        cell = space.draw(rng)
        found = recurrences(cell.normal)
        assert found
        assert cell.kind == "scan"
        kinds[tuple(recurrence.states for recurrence in found)] += 1
    assert kinds[(("h",),)] > 50
    assert kinds[(("c",),)] > 20  # h is read off c, as in a QRNN


def test_states_that_read_each_other_do_so_in_an_affine_way(full: bool) -> None:
    """Within a recurrence, the Jacobian is diagonal and the same whatever the states are."""
    space, rng = load_space("scan"), random.Random(6)
    for seed in range(200 if full else 40):
        cell: Cell = space.draw(rng)
        torch.manual_seed(seed)
        step = RecurrentCell(cell, 3, 4, dtype=torch.float64, backend="eager")
        x = torch.randn(3, dtype=torch.float64)
        for recurrence in recurrences(cell.normal):
            own = [cell.states.index(state) for state in recurrence.states]
            states = torch.randn(len(cell.states), 4, dtype=torch.float64)
            other = states.clone()
            other[own] = torch.randn(len(own), 4, dtype=torch.float64)
            first = jacobian(step, x, states)[own][:, :, own]
            second = jacobian(step, x, other)[own][:, :, own]
            assert torch.allclose(first, second, rtol=1e-9, atol=1e-9)
            diagonal = torch.diagonal(first, dim1=1, dim2=3)
            assert torch.equal(first, torch.diag_embed(diagonal, dim1=1, dim2=3))
