"""`Trained`: weights on disk together with what they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from cellsearch.cell import Cell
from cellsearch.errors import CellSearchError
from cellsearch.model import make_network
from cellsearch.network import Network
from cellsearch.tasks import Task, load_task

MAX_FILE = 1 << 30
"""Longest weights file that is read, in bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A cell trained on a task: the network's tensors by name, and how it was built."""

    cell: Cell
    task: Task
    hidden_size: int
    layers: int
    tensors: Mapping[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> Trained:
        """Read a weights file that a run or `train` wrote.

        Raises CellSearchError if it is none, or if names or shapes are not those of its cell.
        """
        try:
            if path.stat().st_size > MAX_FILE:
                raise CellSearchError(f"{path}: larger than {MAX_FILE >> 20} MiB")
            with safetensors.safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                shapes = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118 - not a mapping
            cell = Cell.parse(metadata["cell"])
            description: dict[str, Any] = json.loads(metadata["task"])
            hidden_size, layers = int(metadata["hidden_size"]), int(metadata["layers"])
        except OSError as error:
            raise CellSearchError(f"{path}: {error.strerror}; expected a weights file") from None
        except (safetensors.SafetensorError, KeyError, ValueError, RecursionError) as error:
            reason = " ".join(str(error).split())[:200]
            raise CellSearchError(f"{path}: not a weights file of cellsearch ({reason})") from None
        task = load_task(**description)
        network = make_network(cell, task, hidden_size, layers)
        expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
        if shapes != expected:
            raise CellSearchError(f"{path}: the tensors are not those of the cell that it names")
        return cls(cell, task, hidden_size, layers, safetensors.torch.load_file(path))

    def network(self) -> Network:
        """Return the network with the trained weights, in evaluation mode."""
        network = make_network(self.cell, self.task, self.hidden_size, self.layers)
        network.load_state_dict(dict(self.tensors))
        return network.eval()

    def constructor_arguments(self) -> dict[str, Any]:
        """Return what an exported source needs: arguments of layer and network, and the tensors."""
        return {
            "layer": {
                "input_size": self.task.input_size,
                "hidden_size": self.hidden_size,
                "num_layers": self.layers,
                "batch_first": True,
            },
            "network": {
                "input_size": self.task.input_size,
                "hidden_size": self.hidden_size,
                "output_size": self.task.output_size,
                "vocabulary": self.task.vocabulary,
                "last_only": self.task.readout == "last",
            },
            "tensors": dict(self.tensors),
        }
