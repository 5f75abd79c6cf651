"""One step at a time where nothing is learned: the call must not cost more than the step.

Torch needs a microsecond to allocate a tensor and Python as long to ask a few tensors for their
type, while the kernel of a step needs three. So what was found out for one step is remembered, and
the next is only compared with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter, is_
from struct import Struct

import torch
from torch import Tensor, nn

from cellsearch.backends.native.kernel import Kernel
from cellsearch.backends.native.layout import Layout
from cellsearch.backends.native.modes import is_transformed
from cellsearch.backends.native.workspace import scratch
from cellsearch.shell import States

_ADDRESS, _CONTIGUOUS, _NEGATED = Tensor.data_ptr, Tensor.is_contiguous, Tensor.is_neg
_SHAPE = attrgetter("shape")
_LIKE, _STRIDED = torch.empty_like, torch.strided
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
        self.bytes = layout.elements[0] * rows.dtype.itemsize
        self.dtype = rows.dtype
        self.given_shapes = [tensor.shape for tensor in (rows, *state)]
        self.groups = groups
        self.tensors = learned(groups)
        self.addresses = list(map(_ADDRESS, self.tensors))
        self.shapes = list(map(_SHAPE, self.tensors))
        fixed = [*(self.addresses[index] for index in kernel.plan.loaded or ()), *self.addresses]
        first = 3 + 2 * len(state)  # pointers that change with each step
        self.pack = Struct(f"{first}q").pack
        self.fixed = kernel.pack(*[0] * first, *fixed)[8 * first :]

    def step(
        self, rows: Tensor, state: Tensor | States, trusting: bool = False
    ) -> Tensor | States | None:
        """Return the new state, or None where this step is not like the one before.

        `trusting`, of the weights it asks only whether they lie where they did.
        """
        taken = (rows, state) if isinstance(state, Tensor) else (rows, *state)
        if is_transformed() or list(map(_SHAPE, taken)) != self.given_shapes:
            return None
        dtype = self.dtype
        for tensor in taken:
            if (
                type(tensor) is not Tensor
                or tensor.dtype is not dtype
                or not tensor.is_cpu
                or tensor.layout is not _STRIDED
                or not tensor.is_contiguous()
                or tensor.is_neg()
            ):
                return None
        if list(map(_ADDRESS, self.tensors)) != self.addresses:
            return None
        if not trusting and self._has_other_weights():
            return None
        before = list(map(_ADDRESS, taken))
        if 0 in before:
            return None  # no memory behind a tensor, where torch only says that it is zeros
        new = tuple(map(_LIKE, taken[1:]))
        there = list(map(_ADDRESS, new))
        workspace = scratch(self.bytes)  # a name keeps it until the kernel is done
        pointers = self.pack(workspace.data_ptr(), before[0], there[0], *before[1:], *there)
        self.kernel.forward(self.layout.address, pointers + self.fixed)
        return new if len(new) > 1 else new[0]

    def _has_other_weights(self) -> bool:
        """Ask all but where they lie: identity, and what assigning to `.data` may change too.

        It cannot give a weight another type of the same size and shape.
        """
        tensors = learned(self.groups)
        return (
            len(tensors) != len(self.tensors)
            or not all(map(is_, tensors, self.tensors))
            or list(map(_SHAPE, tensors)) != self.shapes
            or not all(map(_CONTIGUOUS, tensors))
            or any(map(_NEGATED, tensors))
        )


def learned(groups: Groups) -> list[Tensor]:
    """Return the learned tensors in the modules of a cell, in order."""
    found: list[Tensor] = []
    for group in groups.values():
        found += () if group is None else group._parameters.values()  # type: ignore[arg-type]
    return found
