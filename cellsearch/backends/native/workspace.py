"""Memory that a kernel needs only while it runs: each thread keeps some of it.

What is allocated anew has to be mapped anew, page by page, which for the small sequences of a
search takes as long as a tenth of the computation.
"""

from __future__ import annotations

import threading

import torch
from torch import Tensor

KEPT_BYTES = 2**24  # that a thread keeps; whoever needs more gets it for once


class _Local(threading.local):
    kept = torch.empty(0, dtype=torch.uint8, device="cpu")


_local = _Local()


def scratch(size: int) -> Tensor:
    """Return memory for at least so many bytes, to be used until the thread asks again.

    Hold the tensor while its address is in use: much memory is not kept here.
    """
    kept = _local.kept
    if kept.numel() < size:
        kept = torch.empty(max(size, 2**18), dtype=torch.uint8, device="cpu")
        if size <= KEPT_BYTES:
            _local.kept = kept
    return kept
