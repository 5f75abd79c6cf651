"""One step at a time where nothing is learned: the call must not cost more than the step.

Torch needs a microsecond to allocate a tensor and Python as long to ask a few tensors for their
type, while the kernel of a step needs three. So what was found out for one step is remembered, and
the next is only compared with it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from operator import is_

import torch
from torch import Tensor, nn

from cellsearch.backends.native.kernel import Kernel
from cellsearch.backends.native.layout import Layout
from cellsearch.backends.native.modes import is_transformed
from cellsearch.shell import States

SMALL = 32768  # elements of the workspace that each thread keeps

_ADDRESS, _CONTIGUOUS = Tensor.data_ptr, Tensor.is_contiguous
_local = threading.local()
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
        self.tensors = _learned(groups)
        self.addresses = list(map(_ADDRESS, self.tensors))
        loaded = kernel.plan.loaded or ()
        self.learned = [*(self.addresses[index] for index in loaded), *self.addresses]
        self.count = len(state)
        self.dtype = rows.dtype
        self.shape = rows.shape
        self.state_shape = state[0].shape

    def step(self, rows: Tensor, state: States) -> States | None:
        """Return the new states, or None where this step is not like the one before.

        Weights are compared by identity, address and contiguity: assigning to `.data` may give a
        parameter other memory or other strides; it cannot give it another type of the same size.
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
        tensors = _learned(self.groups)
        if (
            len(tensors) != len(self.tensors)
            or not all(map(is_, tensors, self.tensors))
            or list(map(_ADDRESS, tensors)) != self.addresses
            or not all(map(_CONTIGUOUS, tensors))
        ):
            return None
        new = tuple(map(torch.empty_like, state))
        there = list(map(_ADDRESS, new))
        before = map(_ADDRESS, state)
        given = (_workspace(), rows.data_ptr(), there[0], *before, *there, *self.learned)
        self.kernel.forward(self.layout, given)
        return new


def _learned(groups: Groups) -> list[Tensor]:
    found: list[Tensor] = []
    for group in groups.values():
        found += group._parameters.values()  # type: ignore[union-attr,arg-type]
    return found


def _workspace() -> int:
    """Return the address of this thread's workspace."""
    try:
        return _local.address  # type: ignore[no-any-return]
    except AttributeError:
        _local.workspace = torch.empty(SMALL, dtype=torch.float64)
        _local.address = _local.workspace.data_ptr()
        return _local.address  # type: ignore[no-any-return]
