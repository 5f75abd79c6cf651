"""A recurrent layer between an embedding and a fully connected readout.

Imports torch only and nothing of this package: exported sources carry this file along.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Network(nn.Module):
    """Embedding (for symbols only), recurrent layer (batch first), readout.

    `vocabulary` is the number of symbols, or None where inputs are numbers; `last_only` tells
    whether the last step of a sequence is read, or every step.
    """

    def __init__(
        self,
        layer: nn.Module,
        input_size: int,
        hidden_size: int,
        output_size: int,
        vocabulary: int | None,
        last_only: bool,
    ) -> None:
        super().__init__()
        self.layer = layer
        self.readout = nn.Linear(hidden_size, output_size)
        self.embedding = None if vocabulary is None else nn.Embedding(vocabulary, input_size)
        self.last_only = last_only

    def forward(self, inputs: Tensor, lengths: Tensor | None = None) -> Tensor:
        """Return predictions.

        Shapes: inputs (count, steps, input_size), or (count, steps) symbols; lengths (count,). The
        result is (count, output_size) where the last step is read, else (count, steps,
        output_size).
        """
        output, _ = self.layer(inputs if self.embedding is None else self.embedding(inputs))
        if self.last_only:
            if lengths is None:
                output = output[:, -1]
            else:
                output = output[torch.arange(len(output), device=output.device), lengths - 1]
        predictions: Tensor = self.readout(output)
        return predictions
