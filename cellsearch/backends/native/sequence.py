"""Running a kernel for torch: what goes in and out, derivatives, and when eager has to do it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from cellsearch.backends.actions import Actions, Registers
from cellsearch.backends.eager import EagerSequence
from cellsearch.backends.native.code import DOUBLE, SINGLE
from cellsearch.backends.native.kernel import Kernel, get_kernel
from cellsearch.backends.native.layout import Layout, Shape
from cellsearch.backends.native.modes import is_transformed
from cellsearch.backends.native.streaming import Groups, Stream, learned
from cellsearch.backends.native.workspace import scratch
from cellsearch.lowering.program import LoopProgram
from cellsearch.shell import States

PRECISIONS = {torch.float32: SINGLE, torch.float64: DOUBLE}
FEW_ROWS = 4  # up to so many, packing the weights costs more than it saves

_warned: set[torch.dtype] = set()


class NativeSequence:
    """Runs one layer of a loop program in one direction, on the CPU, in float32 or float64.

    What kernels cannot do, the eager backend does: other devices and dtypes, subclasses of
    tensors, tracing, autocast, functional transforms, and gradients of gradients.
    """

    def __init__(self, program: LoopProgram, equal_sizes: bool) -> None:
        self.program = program
        self.equal_sizes = equal_sizes
        self.eager = EagerSequence(program)
        self._kernels: dict[torch.dtype, Kernel] = {}
        self._sizes: dict[tuple[int, int], list[tuple[int, ...]]] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Leave the machine code behind: another process compiles its own."""
        return {**self.__dict__, "_kernels": {}}

    def kernel(self, dtype: torch.dtype) -> Kernel:
        """Return the kernel for a dtype."""
        kernel = self._kernels.get(dtype)
        if kernel is None:
            kernel = get_kernel(self.program, self.equal_sizes, PRECISIONS[dtype])
            self._kernels[dtype] = kernel
        return kernel

    def __call__(
        self,
        tensors: Sequence[Tensor],
        rows: Tensor,
        batch_sizes: list[int],
        state: States,
        reverse: bool,
    ) -> tuple[Tensor, States]:
        """Return the output, (rows, hidden), and the last states; see `cellsearch.shell.scan`."""
        if not self._can_run(tensors, rows, batch_sizes, state):
            return self.eager(tensors, rows, batch_sizes, state, reverse)
        kernel = self.kernel(rows.dtype)
        inputs = [rows, *state, *self._constants(kernel, tensors, rows), *tensors]
        learns = torch.is_grad_enabled() and any(tensor.requires_grad for tensor in inputs)
        run = _Run(
            self,
            rows.dtype,
            kernel,
            kernel.layout(_shape(rows, state, batch_sizes, reverse, learns)),
        )
        if learns:
            results = _Function.apply(run, *inputs)  # type: ignore[no-untyped-call]
        else:
            results, _ = run.forward(inputs)
        return results[0], tuple(results[1:])

    def stream(self, groups: Groups, rows: Tensor, state: States) -> Stream | None:
        """Return what takes further steps like this one, where that is worth it."""
        names = [
            f"{g}.{role}" for g, group in groups.items() if group for role in group._parameters
        ]
        if names != [tensor.name for tensor in self.program.tensors]:  # registered anew, say
            return None
        tensors = learned(groups)
        given = (rows, *state, *tensors)
        if not all(isinstance(tensor, Parameter) for tensor in tensors):  # given for one call only
            return None
        plain = self._can_run(tensors, rows, [rows.size(0)], state)
        if not plain or not all(tensor.is_contiguous() for tensor in given):
            return None
        kernel = self.kernel(rows.dtype)
        layout = kernel.layout(_shape(rows, state, [rows.size(0)], False, False))
        if not layout.shape.direct or kernel.plan.loaded is None or not kernel.plan.output_is_first:
            return None
        return Stream(kernel, layout, groups, rows, state)

    def _can_run(
        self, tensors: Sequence[Tensor], rows: Tensor, batch_sizes: list[int], state: States
    ) -> bool:
        """Tell whether a kernel can do it; say once of each dtype that it cannot."""
        dtype = rows.dtype
        if is_transformed() or not _are_plain((rows, *state, *tensors), dtype):
            return False
        if dtype not in PRECISIONS:
            _warn(dtype)
            return False
        # Where something does not fit, eager says what is wrong.
        return _fit(rows, batch_sizes, state) and self._have_sizes(tensors, rows, state)

    def _have_sizes(self, tensors: Sequence[Tensor], rows: Tensor, state: States) -> bool:
        """Tell whether the learned tensors have the sizes that the kernel would read."""
        sizes = (rows.size(1), state[0].size(1))
        if sizes not in self._sizes:
            self._sizes[sizes] = [tensor.sizes(*sizes) for tensor in self.program.tensors]
        return [tensor.shape for tensor in tensors] == self._sizes[sizes]

    def _constants(self, kernel: Kernel, tensors: Sequence[Tensor], rows: Tensor) -> list[Tensor]:
        """Return what is known before any row; torch computes and differentiates it."""
        if not kernel.plan.constants:
            return []
        if kernel.plan.loaded is not None:
            return [tensors[index] for index in kernel.plan.loaded]
        registers: Registers = [None] * kernel.plan.registers
        for register, number in self.program.numbers:
            registers[register] = number
        actions = Actions(self.program, tensors, rows)
        for instruction in kernel.plan.prelude:
            actions.action(instruction)(registers)
        return [registers[register] for register in kernel.plan.constants]


class _Run:
    """One call of a sequence: its kernel and shapes; tensors are passed in.

    `inputs` are the rows, the states, the constants and the learned tensors, in this order.
    """

    def __init__(
        self, sequence: NativeSequence, dtype: torch.dtype, kernel: Kernel, layout: Layout
    ) -> None:
        self.sequence = sequence
        self.dtype = dtype
        self.kernel = kernel  # a backward pass may come after the cache has dropped it
        self.layout = layout
        self.states = len(kernel.plan.updates)

    def forward(self, inputs: Sequence[Tensor]) -> tuple[list[Tensor], Tensor]:
        """Return the output and the last states, and the workspace; it is kept if `keep` is."""
        inputs = [tensor.contiguous() for tensor in inputs]
        rows, shape = inputs[0], self.layout.shape
        needed = self.layout.elements[0]
        keep = shape.keep
        workspace = rows.new_empty(needed) if keep else scratch(needed * rows.dtype.itemsize)
        results = [rows.new_empty(shape.rows, shape.hidden_size)]
        results += [torch.empty_like(state) for state in inputs[1 : 1 + self.states]]
        self._run(workspace, inputs, results)
        return results, workspace

    def _run(self, workspace: Tensor, inputs: list[Tensor], results: list[Tensor]) -> None:
        first = 1 + self.states
        given = [workspace, inputs[0], results[0], *inputs[1:first], *results[1:], *inputs[first:]]
        self.kernel.forward(self.layout.address, self.kernel.pack(*map(Tensor.data_ptr, given)))

    def backward(
        self,
        inputs: Sequence[Tensor],
        workspace: Tensor,
        gradients: Sequence[Tensor],
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """Return the gradients of the inputs; None for those that are not wanted."""
        plan = self.kernel.plan
        fixed = 1 + len(plan.updates) + len(plan.constants)  # then the learned tensors follow
        learned = plan.learned
        targets = [
            torch.empty_like(tensor, memory_format=torch.contiguous_format)
            if want and (position < fixed or position - fixed in learned)
            else None
            for position, (tensor, want) in enumerate(zip(inputs, wanted, strict=True))
        ]
        here = [inputs[0].contiguous(), *(gradient.contiguous() for gradient in gradients)]
        here += [tensor.contiguous() for tensor in inputs[fixed:]]
        there = scratch(self.layout.elements[1] * self.dtype.itemsize)
        pointers = [tensor.data_ptr() for tensor in (workspace, there, *here)]
        pointers += [0 if target is None else target.data_ptr() for target in targets]
        self.kernel.backward(self.layout.address, self.kernel.pack_back(*pointers))
        return targets

    def differentiable(
        self,
        inputs: Sequence[Tensor],
        gradients: Sequence[Tensor],
        wanted: Sequence[bool],
        create_graph: bool,
    ) -> list[Tensor | None]:
        """Return the gradients of the inputs by way of eager: they may have gradients themselves.

        Those of constants go to the learned tensors that they were computed from.
        """
        plan, shape = self.kernel.plan, self.layout.shape
        first = 1 + len(plan.updates)
        last = first + len(plan.constants)
        # Inputs may depend on each other, or be the same tensor; what eager differentiates may not.
        inputs = [tensor.view_as(tensor) for tensor in inputs]
        output, states = self.sequence.eager(
            inputs[last:], inputs[0], list(shape.batch_sizes), tuple(inputs[1:first]), shape.reverse
        )
        asked = [
            position
            for position, want in enumerate(wanted)
            if want and not first <= position < last
        ]
        found: list[Tensor | None] = [None] * len(inputs)
        pairs = zip((output, *states), gradients, strict=True)
        learned = [(result, gradient) for result, gradient in pairs if result.requires_grad]
        results = torch.autograd.grad(
            [result for result, _ in learned],
            [inputs[position] for position in asked],
            [gradient for _, gradient in learned],
            create_graph=create_graph,
            allow_unused=True,
        )
        for position, gradient in zip(asked, results, strict=True):
            found[position] = gradient
        return found


class _Function(torch.autograd.Function):
    """Connects a kernel to torch's differentiation."""

    @staticmethod
    def forward(ctx: Any, run: _Run, *inputs: Tensor) -> tuple[Tensor, ...]:
        results, workspace = run.forward(inputs)
        ctx.run = run
        ctx.shapes = [tensor.shape for tensor in (workspace, *inputs)]
        ctx.save_for_backward(workspace, *inputs)
        needed = {position for position, need in enumerate(ctx.needs_input_grad[1:]) if need}
        pairs = zip(results, run.kernel.reach, strict=True)
        ctx.mark_non_differentiable(*(result for result, reach in pairs if not needed & reach))
        return tuple(results)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Any, ...]:
        wanted = ctx.needs_input_grad[1:]
        saved = ctx.saved_tensors  # as they were, unless somebody has set hooks that change them
        workspace, *inputs = saved
        same = [tensor.shape for tensor in saved] == ctx.shapes and workspace.is_contiguous()
        plain = same and _are_plain((*saved, *gradients), ctx.run.dtype)
        create_graph = torch.is_grad_enabled()
        if plain and not create_graph and not is_transformed():
            return (None, *ctx.run.backward(inputs, workspace, gradients, wanted))
        with torch.enable_grad():
            return (None, *ctx.run.differentiable(inputs, gradients, wanted, create_graph))


def _shape(
    rows: Tensor, state: States, batch_sizes: list[int], reverse: bool, learns: bool
) -> Shape:
    return Shape(
        input_size=rows.size(1),
        hidden_size=state[0].size(1),
        batch=state[0].size(0),
        batch_sizes=tuple(batch_sizes),
        reverse=reverse,
        keep=learns,
        direct=rows.size(0) <= FEW_ROWS and not learns,
    )


def _fit(rows: Tensor, batch_sizes: list[int], state: States) -> bool:
    """Tell whether the rows and the states are as many as the batch sizes say."""
    return (
        batch_sizes[0] == state[0].size(0)
        and batch_sizes[-1] >= 0
        and batch_sizes == sorted(batch_sizes, reverse=True)
        and sum(batch_sizes) == rows.size(0)
        and all(part.shape == state[0].shape for part in state)
    )


def _are_plain(tensors: Sequence[Tensor], dtype: torch.dtype) -> bool:
    """Tell whether tensors are what they look like: numbers of one type in the CPU's memory."""
    return all(
        type(tensor) in (Tensor, Parameter)
        and tensor.dtype == dtype
        and tensor.device.type == "cpu"
        and tensor.layout == torch.strided
        and not tensor.is_neg()
        and not tensor._is_zerotensor()
        and torch._C._has_storage(tensor)
        for tensor in tensors
    )


def _warn(dtype: torch.dtype) -> None:
    if dtype not in _warned:
        _warned.add(dtype)
        warnings.warn(
            f"the native backend computes in float32 and float64; {dtype} runs in torch operations",
            stacklevel=2,
        )
