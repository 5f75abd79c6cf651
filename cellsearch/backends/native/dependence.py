"""Which values does the derivative of an operator read? Found by running its formula on names."""

from __future__ import annotations

from functools import cache
from typing import Any

from cellsearch.operators import OPERATORS

RESULT = -1  # stands for the operator's own value; its arguments are 0, 1, ...


class _Name:
    """Stands for a value in a formula and remembers which names went into it."""

    def __init__(self, names: frozenset[int]) -> None:
        self.names = names

    def _with(self, *others: Any) -> _Name:
        return _Name(self.names.union(*(o.names for o in others if isinstance(o, _Name))))

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _with
    __truediv__ = __rtruediv__ = __neg__ = __invert__ = __and__ = __or__ = _with
    __lt__ = __le__ = __gt__ = __ge__ = _with
    __eq__ = __ne__ = _with  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


class _Namespace:
    """The namespace `m` of the formulas: every function gathers the names of its arguments."""

    def __getattr__(self, function: str) -> Any:
        return lambda *args: _Name(frozenset())._with(*args)


@cache
def read_by_derivative(op: str, count: int) -> tuple[frozenset[int], ...]:
    """Return, for each of `count` arguments, what its partial derivative reads.

    Indices are those of the arguments; RESULT is the value of the operator itself.
    """
    derivative = OPERATORS[op].derivative
    if derivative is None:
        raise TypeError(f"operator {op} has no derivative")
    names = [_Name(frozenset({index})) for index in range(RESULT, count)]
    partials = derivative(_Namespace(), *names)
    return tuple(p.names if isinstance(p, _Name) else frozenset() for p in partials)
