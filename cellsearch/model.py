"""The network that is trained on a task, with weights drawn from a seed."""

from __future__ import annotations

import math

import torch

from cellsearch.cell import Cell
from cellsearch.layers import Recurrent
from cellsearch.network import Network
from cellsearch.tasks.base import Task


def make_network(
    cell: Cell, task: Task, hidden_size: int, layers: int = 1, seed: int = 0, backend: str = "auto"
) -> Network:
    """Return a cell's layers between what a task gives and what it asks for.

    All weights are drawn from `seed`, in an order that the names in the cell's text do not
    influence; torch's global generator is left alone.
    """
    with torch.random.fork_rng(devices=[]):  # constructors draw from the global generator
        layer = Recurrent(
            cell, task.input_size, hidden_size, layers, batch_first=True, backend=backend
        )
        network = Network(
            layer,
            task.input_size,
            hidden_size,
            task.output_size,
            task.vocabulary,
            last_only=task.readout == "last",
        )
    generator = torch.Generator().manual_seed(seed)
    layer.reset_parameters(generator)
    with torch.no_grad():
        bound = 1 / math.sqrt(hidden_size)
        for parameter in network.readout.parameters():
            parameter.uniform_(-bound, bound, generator=generator)
        if network.embedding is not None:
            network.embedding.weight.normal_(generator=generator)
    return network
