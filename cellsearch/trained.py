"""`Trained`: weights on disk together with what they belong to."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from cellsearch.cell import Cell
from cellsearch.errors import CellSearchError
from cellsearch.layers import Recurrent
from cellsearch.network import Network
from cellsearch.tasks import Task

MAX_FILE = 1 << 30
"""Longest weights file that is read, in bytes."""


def describe_weights(cell: Cell, task: Task, hidden_size: int, layers: int) -> dict[str, str]:
    """Return what a weights file says of itself; all that is needed to build the network again."""
    return {
        "cell": cell.text,
        "task": task.name,
        "network": json.dumps(
            {
                "input_size": task.input_size,
                "hidden_size": hidden_size,
                "layers": layers,
                "output_size": task.output_size,
                "vocabulary": task.vocabulary,
                "last_only": task.readout == "last",
            }
        ),
        "encoding": json.dumps(dict(task.encoding)),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A cell trained on a task: the network's tensors by name, and how it was built.

    `encoding` tells how raw data become inputs, and outputs answers; see `Task.encoding`.
    """

    cell: Cell
    task: str
    input_size: int
    hidden_size: int
    layers: int
    output_size: int
    vocabulary: int | None
    last_only: bool
    encoding: Mapping[str, Any]
    tensors: Mapping[str, Tensor]

    @classmethod
    def read(cls, path: Path) -> Trained:
        """Read a weights file that a run or `train` wrote; neither task nor data are needed.

        Raises CellSearchError if it is none, or if names or shapes are not those of its cell.
        """
        try:
            if path.stat().st_size > MAX_FILE:
                raise CellSearchError(f"{path}: larger than {MAX_FILE >> 20} MiB")
            with safetensors.safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
                names = list(file.keys())
                shapes = {name: tuple(file.get_slice(name).get_shape()) for name in names}
            cell = Cell.parse(metadata["cell"])
            built = json.loads(metadata["network"])
            encoding = json.loads(metadata["encoding"])
            expected = _shapes(cell, built)
            if shapes != expected or not isinstance(encoding, dict):
                raise CellSearchError("its tensors are not those of the cell that it names")
            tensors = safetensors.torch.load_file(path)
            return cls(
                cell=cell, task=metadata["task"], encoding=encoding, tensors=tensors, **built
            )
        except OSError as error:
            raise CellSearchError(f"{path}: {error.strerror}; expected a weights file") from None
        except (
            *(safetensors.SafetensorError, CellSearchError, RecursionError),
            *(AttributeError, KeyError, TypeError, ValueError, RuntimeError),
        ) as error:
            reason = " ".join(str(error).split())[:200]
            raise CellSearchError(f"{path}: not a weights file of cellsearch ({reason})") from None

    def network(self) -> Network:
        """Return the network with the trained weights, in evaluation mode."""
        network = _build(self.cell, **self._built())
        network.load_state_dict(dict(self.tensors), assign=True)
        return network.eval()

    def _built(self) -> dict[str, Any]:
        names = ("input_size", "hidden_size", "layers", "output_size", "vocabulary", "last_only")
        return {name: getattr(self, name) for name in names}

    def constructor_arguments(self) -> dict[str, Any]:
        """Return what an exported source needs: arguments of layer and network, and the tensors."""
        return {
            "layer": {
                "input_size": self.input_size,
                "hidden_size": self.hidden_size,
                "num_layers": self.layers,
                "batch_first": True,
            },
            "network": {
                "input_size": self.input_size,
                "hidden_size": self.hidden_size,
                "output_size": self.output_size,
                "vocabulary": self.vocabulary,
                "last_only": self.last_only,
            },
            "encoding": dict(self.encoding),
            "tensors": dict(self.tensors),
        }


def _shapes(cell: Cell, built: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    network = _build(cell, **built)
    return {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}


def _build(
    cell: Cell,
    *,
    input_size: int,
    hidden_size: int,
    layers: int,
    output_size: int,
    vocabulary: int | None,
    last_only: bool,
) -> Network:
    """Return the network without memory for its weights: nothing is drawn, nothing allocated."""
    with torch.device("meta"):
        layer = Recurrent(cell, input_size, hidden_size, layers, batch_first=True)
        return Network(layer, input_size, hidden_size, output_size, vocabulary, last_only)
