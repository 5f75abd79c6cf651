"""Compiling LLVM IR in memory, and freeing it."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir


def hold_in_fork(lock: Any) -> None:
    """Let no process be forked while another thread holds a lock: the child would wait for ever.

    The lock that is registered last is taken first.
    """
    if sys.platform != "win32":
        os.register_at_fork(
            before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
        )


# LLVM's context is shared by all threads; an engine may be freed while its own thread compiles.
_LOCK = threading.RLock()
hold_in_fork(_LOCK)


class Engine:
    """The machine code of one module; freed when nothing refers to this object any more.

    Each module has an engine of its own: one that is shared keeps all that it ever compiled. What
    is not `thorough` goes through few passes: for code that is already as it should be, they make
    it as fast in a fifth of the time.
    """

    def __init__(self, module: ir.Module, thorough: bool = True) -> None:
        text = str(module)
        with _LOCK:
            parsed = llvm.parse_assembly(text)
            machine = _target_machine()
            options = llvm.create_pipeline_tuning_options(speed_level=2)
            options.loop_vectorization = False  # the code is written in vectors already
            options.slp_vectorization = False
            options.loop_unrolling = False
            builder = llvm.create_pass_builder(machine, options)
            passes = builder.getModulePassManager() if thorough else _few_passes()
            passes.run(parsed, builder)
            self._engine = llvm.create_mcjit_compiler(parsed, machine)
            self._engine.finalize_object()
        self._finalizer = weakref.finalize(self, _close, self._engine)

    def function(self, name: str, arguments: int) -> Callable[..., Any]:
        """Return a function of so many pointers or integers, called without the GIL.

        The caller keeps the engine alive for as long as the function may be called.
        """
        kind = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * arguments)
        return kind(self.address(name))

    def address(self, name: str) -> int:
        """Return the address of a function."""
        return int(self._engine.get_function_address(name))


def check() -> None:
    """Raise RuntimeError or OSError if this platform cannot compile and run code in memory."""
    module = ir.Module("cellsearch_check")
    pointer = ir.PointerType()
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [pointer]), "store_one")
    builder = ir.IRBuilder(function.append_basic_block())
    builder.store(ir.Constant(ir.IntType(64), 1), function.args[0])
    builder.ret_void()
    engine = Engine(module)
    found = ctypes.c_int64(0)
    engine.function("store_one", 1)(ctypes.addressof(found))
    if found.value != 1:
        raise RuntimeError("compiled code gives wrong results")


def publish(name: str, address: int) -> None:
    """Let modules that are compiled from now on call the function at an address by name."""
    with _LOCK:
        llvm.add_symbol(name, address)


def _close(engine: Any) -> None:
    with _LOCK:
        engine.close()


def _few_passes() -> Any:
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_simplify_cfg_pass()
    passes.add_new_gvn_pass()
    passes.add_dead_code_elimination_pass()
    return passes


@cache
def _start() -> llvm.Target:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple()


def _target_machine() -> Any:
    return _start().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=2,
        jit=True,
    )
