"""The native backend: a cell's whole sequence as machine code, generated and compiled in memory.

How a cell gets there: `planning` and `schedule` turn its loop program into a `plan` of single
values, calls and fused passes; `storage` and `adjoints` give them places in memory; `forward` and
`backward` write the kernel in LLVM IR, with the passes of `passes` and calls of routines that are
compiled once (`products`, `rows`); `kernel` keeps what was compiled, `sequence` runs it for torch.
"""

from __future__ import annotations

import torch

from cellsearch.backends.native.kernel import Kernel, clear_kernels
from cellsearch.backends.native.sequence import NativeSequence
from cellsearch.cell import Cell
from cellsearch.lowering import lower
from cellsearch.shapes import needs_equal_sizes

__all__ = ["NativeSequence", "clear_kernels", "compile_kernel"]


def compile_kernel(cell: Cell, dtype: torch.dtype = torch.float32) -> Kernel:
    """Return the kernels of a cell, from the cache if they are there."""
    sequence = NativeSequence(lower(cell.normal), needs_equal_sizes(cell.normal))
    return sequence.kernel(dtype)
