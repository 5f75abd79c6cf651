"""How a cell runs: backends that share one face and are chosen by name.

A backend makes, from a cell, a function of the learned tensors, the input rows, the batch sizes,
the states and the direction; see `cellsearch.shell.scan`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import Module

from cellsearch.backends.eager import EagerSequence
from cellsearch.backends.reference import ReferenceSequence
from cellsearch.cell import Cell
from cellsearch.lowering import lower
from cellsearch.shapes import needs_equal_sizes
from cellsearch.shell import SequenceFunction, States

if TYPE_CHECKING:
    from cellsearch.backends.native.streaming import Stream

BACKENDS = ("auto", "native", "eager", "reference")


def resolve(backend: str) -> str:
    """Return the name of the backend that is meant: "auto" is the fastest that this platform has.

    Warns once where that is not native. Raises ValueError for an unknown name and RuntimeError if
    "native" cannot be had.
    """
    if backend not in BACKENDS:
        raise ValueError(f"backend is {backend!r}; expected one of {', '.join(BACKENDS)}")
    problem = _native_problem() if backend in ("auto", "native") else ""
    if problem and backend == "native":
        raise RuntimeError(f"backend native: {problem}; use backend='eager'")
    if problem:
        _warn_once(problem)
    return backend if backend != "auto" else "eager" if problem else "native"


def make_sequence(cell: Cell, backend: str) -> SequenceFunction:
    """Return the function that runs a layer of a cell; its states are in the normal form's order.

    For `backend` see `resolve`; "native" leaves to eager what it cannot do, such as other devices.
    """
    resolved = resolve(backend)
    if resolved == "reference":
        return ReferenceSequence(cell.normal)
    program = lower(cell.normal)
    if resolved == "eager":
        return EagerSequence(program)
    from cellsearch.backends.native import NativeSequence

    return NativeSequence(program, needs_equal_sizes(cell.normal))


def make_stream(
    function: SequenceFunction, groups: Mapping[str, Module | None], rows: Tensor, state: States
) -> Stream | None:
    """Return what takes steps like this one faster, with the weights in `groups`; None if nothing.

    For inference: it differentiates nothing.
    """
    if isinstance(function, EagerSequence | ReferenceSequence):
        return None
    from cellsearch.backends.native import NativeSequence

    if not isinstance(function, NativeSequence):
        return None
    return function.stream(groups, rows, state)


@cache
def _native_problem() -> str:
    """Return why this platform cannot run native code, or ""."""
    try:
        from cellsearch.backends.native import NativeSequence  # noqa: F401
        from cellsearch.backends.native.engine import check

        check()
    except (ImportError, AttributeError, OSError, RuntimeError) as error:
        return f"llvmlite cannot compile here ({error})"
    return ""


@cache
def _warn_once(problem: str) -> None:
    warnings.warn(f"{problem}; cells run in torch operations instead", stacklevel=4)
