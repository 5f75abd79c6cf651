"""One step at a time where nothing is learned: the call must not cost more than the step.

Torch needs a microsecond to allocate a tensor and Python as long to ask a few tensors for their
type, while the kernel of a step needs three. So what was found out for one step is remembered, and
the next is only compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter, is_

import torch
from torch import Tensor, nn

from cellsearch.backends.native.kernel import Kernel
from cellsearch.backends.native.layout import Layout
from cellsearch.backends.native.modes import is_transformed
from cellsearch.backends.native.workspace import scratch
from cellsearch.shell import States

_ADDRESS, _CONTIGUOUS, _NEGATED = Tensor.data_ptr, Tensor.is_contiguous, Tensor.is_neg
_SHAPE = attrgetter("shape")
Groups = Mapping[str, nn.Module | None]


class Stream:
    """Takes a step like the one it was made after: same weights, same shapes, same types.

    `groups` are the modules that hold a cell's learned tensors, in the order of its tensors.
    """

    def __init__(
        self, kernel: Kernel, layout: Layout, groups: Groups, rows: Tensor, state: States
    ) -> None:
        self.kernel = kernel
        self.layout = layout
        self.groups = groups
        self.tensors = learned(groups)
        self.addresses = list(map(_ADDRESS, self.tensors))
        self.shapes = list(map(_SHAPE, self.tensors))
        loaded = kernel.plan.loaded or ()
        self.given = [*(self.addresses[index] for index in loaded), *self.addresses]
        self.elements = layout.elements[0]
        self.count = len(state)
        self.dtype = rows.dtype
        self.shape = rows.shape
        self.state_shape = state[0].shape

    def step(self, rows: Tensor, state: States) -> States | None:
        """Return the new states, or None where this step is not like the one before.

        Weights are compared by identity, address, shape and the like: assigning to `.data` may
        change all but the first; it cannot give them another type of the same size and shape.
        """
        if len(state) != self.count or rows.shape != self.shape or is_transformed():
            return None
        dtype, shape = self.dtype, self.state_shape
        for tensor in (rows, *state):
            if (
                type(tensor) is not Tensor
                or tensor.dtype is not dtype
                or not tensor.is_cpu
                or tensor.layout is not torch.strided
                or not tensor.is_contiguous()
                or tensor.is_neg()
                or (tensor is not rows and tensor.shape != shape)
            ):
                return None
        tensors, before = learned(self.groups), list(map(_ADDRESS, (rows, *state)))
        if (
            not all(before)  # no memory behind a tensor, where torch only says that it is zeros
            or len(tensors) != len(self.tensors)
            or not all(map(is_, tensors, self.tensors))
            or list(map(_ADDRESS, tensors)) != self.addresses
            or list(map(_SHAPE, tensors)) != self.shapes
            or not all(map(_CONTIGUOUS, tensors))
            or any(map(_NEGATED, tensors))
        ):
            return None
        new = tuple(map(torch.empty_like, state))
        there = list(map(_ADDRESS, new))
        workspace = scratch(self.elements, dtype)
        given = (workspace.data_ptr(), before[0], there[0], *before[1:], *there, *self.given)
        self.kernel.forward(self.layout, given)
        return new


def learned(groups: Groups) -> list[Tensor]:
    """Return the learned tensors in the modules of a cell, in order."""
    found: list[Tensor] = []
    for group in groups.values():
        found += () if group is None else group._parameters.values()  # type: ignore[arg-type]
    return found
