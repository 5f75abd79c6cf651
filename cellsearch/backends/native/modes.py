"""Is torch asked for more than to compute? Then kernels cannot do it."""

from __future__ import annotations

import torch
from torch.autograd import forward_ad

_functorch = torch._C._are_functorch_transforms_active
_dispatch_modes = torch._C._len_torch_dispatch_stack
_tracing = torch._C._get_tracing_state
_autocast = torch.is_autocast_enabled
_any_autocast = torch._C._is_any_autocast_enabled  # takes half as long to say no
_compiling = torch.compiler.is_compiling


def is_transformed() -> bool:
    """Tell whether torch is tracing, transforming or changing what its operations do."""
    return (
        (_any_autocast() and _autocast("cpu"))
        or _compiling()
        or _tracing() is not None
        or _functorch()
        or _dispatch_modes() > 0
        or forward_ad._current_level >= 0
    )
