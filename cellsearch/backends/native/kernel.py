"""The compiled kernels of one loop program in one precision, and the cache of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Any

from llvmlite import ir

from cellsearch.backends.native.backward import (
    backward_arrays,
    backward_pointers,
    write_backward,
)
from cellsearch.backends.native.code import Precision
from cellsearch.backends.native.engine import Engine, hold_in_fork
from cellsearch.backends.native.forward import (
    forward_arrays,
    forward_pointers,
    write_forward,
)
from cellsearch.backends.native.layout import Layout, Shape, make_layout
from cellsearch.backends.native.plan import Plan
from cellsearch.backends.native.planning import make_plan
from cellsearch.backends.native.reach import reach
from cellsearch.backends.native.storage import Storage
from cellsearch.lowering.program import LoopProgram

KEPT_KERNELS = 64  # that nobody may be using at the moment
KEPT_LAYOUTS = 16  # per kernel: an application seldom has more shapes at a time


class Kernel:
    """Machine code for the forward and the backward pass of a loop program.

    Its engine lives as long as this object, which every running computation refers to.
    """

    def __init__(self, program: LoopProgram, equal_sizes: bool, precision: Precision) -> None:
        self.precision = precision
        self.plan: Plan = make_plan(program, equal_sizes)
        storage = Storage(self.plan)
        self.reach = reach(self.plan)
        tensors = len(program.tensors)
        module = ir.Module(name="cellsearch_kernel")
        write_forward(module, precision, self.plan, storage, tensors)
        write_backward(module, precision, self.plan, storage, tensors)
        self._engine = Engine(module, thorough=False)
        # Both take a layout's address and pointers that are packed in their order.
        self.forward = self._engine.function("forward", 2)
        self.backward = self._engine.function("backward", 2)
        self.pack = Struct(f"{len(forward_pointers(self.plan, tensors))}q").pack
        self.pack_back = Struct(f"{len(backward_pointers(self.plan, tensors))}q").pack
        workspaces = (forward_arrays(self.plan, storage), backward_arrays(self.plan, storage))
        self.layout: Callable[[Shape], Layout] = lru_cache(maxsize=KEPT_LAYOUTS)(
            lambda shape: make_layout(shape, workspaces, precision)
        )


class _Cache:
    """The kernels that were asked for last."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        hold_in_fork(self._lock)
        self._kernels: OrderedDict[Any, Kernel] = OrderedDict()

    def get(self, program: LoopProgram, equal_sizes: bool, precision: Precision) -> Kernel:
        key = (program, equal_sizes, precision)
        with self._lock:
            if key not in self._kernels:
                self._kernels[key] = Kernel(program, equal_sizes, precision)
                if len(self._kernels) > KEPT_KERNELS:
                    self._kernels.popitem(last=False)
            self._kernels.move_to_end(key)
            return self._kernels[key]

    def clear(self) -> None:
        with self._lock:
            self._kernels.clear()


_CACHE = _Cache()
get_kernel = _CACHE.get
clear_kernels = _CACHE.clear
