"""What speed.py measures: sizes, layers, options, and the thresholds of its claims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from timing import claim
from torch import nn

from cellsearch.cell import Cell
from cellsearch.layers import Recurrent

THRESHOLDS: dict[str, tuple[str, float]] = {  # of the claims, by name
    "lstm forward and backward": ("at least", 1.15),
    "lstm forward and backward, least": ("at least", 0.9),
    "gru forward and backward, first four": ("at least", 2.0),
    "cells node by node": ("at least", 10.0),
    "cells node by node, least": ("at least", 4.0),
    "cells eager": ("at least", 3.0),
    "cells eager, least": ("at least", 1.5),
    "compile median": ("at most", 300.0),
    "compile cached": ("at most", 2.0),
    "compile memory": ("at most", 4.0),
    "stream lstm": ("at least", 2.5),
}
SIZES = (  # batch, steps, input, hidden
    (32, 50, 16, 32),
    (8, 100, 16, 32),
    (32, 50, 64, 64),
    (32, 50, 128, 128),
    (32, 35, 256, 256),
)
SMALL = SIZES[0]
LAYERS: dict[str, Callable[..., nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU}
CELLS: dict[str, Callable[..., nn.Module]] = {"lstm": nn.LSTMCell, "gru": nn.GRUCell}
TOLERANCE = 1e-4  # relative, for outputs and gradients that should be equal
SEED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the command line asked for."""

    backend: str
    rounds: int
    least: float
    cells: int
    compiled: int
    compile_many: int


def stated(name: str, text: str, value: float, unit: str = "") -> dict[str, Any]:
    """Print a claim with the threshold of its name, if one is set."""
    return {"name": name, **claim(text, value, THRESHOLDS.get(name), unit)}


def make_layer(cell: Cell, backend: str) -> Recurrent:
    """Return a layer of the small size, with the same weights each time."""
    layer = Recurrent(cell, SMALL[2], SMALL[3], backend=backend)
    layer.reset_parameters(torch.Generator().manual_seed(SEED))
    return layer


def skipped(reason: str) -> dict[str, Any]:
    print(f"\nskipped: {reason}")
    return {"skipped": reason, "claims": []}


def forget_kernels() -> None:
    """Empty the cache of compiled kernels, where there is one."""
    try:
        from cellsearch.backends.native import clear_kernels
    except ImportError:
        return
    clear_kernels()
