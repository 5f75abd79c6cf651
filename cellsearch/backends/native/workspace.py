"""Memory that a kernel needs only while it runs: each thread keeps some of it.

What is allocated anew has to be mapped anew, page by page, which for the small sequences of a
search takes as long as a tenth of the computation.
"""

from __future__ import annotations

import threading

import torch
from torch import Tensor

KEPT_BYTES = 2**24  # that a thread keeps; whoever needs more gets it for once

_local = threading.local()


def scratch(elements: int, dtype: torch.dtype) -> Tensor:
    """Return memory for at least so many elements, to be used until the thread asks again."""
    size = elements * dtype.itemsize
    if size > KEPT_BYTES:
        return torch.empty(elements, dtype=dtype, device="cpu")
    try:
        kept: Tensor = _local.kept
    except AttributeError:
        kept = _local.kept = torch.empty(2**18, dtype=torch.uint8, device="cpu")
    if kept.numel() < size:
        kept = _local.kept = torch.empty(min(2 * size, KEPT_BYTES), dtype=torch.uint8, device="cpu")
    return kept
