"""The operator table: one row says all there is to know of an operator.

Formulas are written once, over a namespace `m` of elementary functions (`exp`, `log`, `log1p`,
`tanh`, `sin`, `cos`, `sqrt`, `erf`, `abs`, `maximum`, `minimum`, `where`) and Python's arithmetic,
so that every backend can run or print them. A third party adds a row through the entry point group
``cellsearch.operators``.
"""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Formula = Callable[..., Any]
INFINITY = math.inf


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One row of the table.

    `arity` is the least and the greatest number of arguments (None: no limit). `value(m, *a)` is
    the operator's value and `derivative(m, y, *a)` the tuple of its partial derivatives, `y` being
    the value; both are elementwise and None for the other kinds. `torch` is the dotted name of the
    torch function that computes the value fastest (with `torch_order` if its arguments stand in
    another order, and `torch_arguments` if it needs more); without one, `value` itself is run.
    `range` bounds the value for any arguments. `cost` counts elementary operations per element.
    `latex` is a template over the arguments; for an n-ary operator, what joins them.
    """

    name: str
    arity: tuple[int, int | None] = (1, 1)
    kind: str = "elementwise"  # or "linear", "scale", "layer_norm": they own learned tensors
    commutative: bool = False
    associative: bool = False
    value: Formula | None = None
    derivative: Formula | None = None
    range: tuple[float, float] = (-INFINITY, INFINITY)
    cost: int = 1
    infix: str | None = None
    latex: str = ""
    torch: str | None = None
    torch_order: tuple[int, ...] | None = None
    torch_arguments: Mapping[str, float] = field(default_factory=dict)
    attributes: Mapping[str, bool | float | str] = field(default_factory=dict)

    @property
    def formula(self) -> Formula:
        """The value's formula; only elementwise operators have one."""
        if self.value is None:
            raise TypeError(f"{self.name} is not elementwise and has no formula")
        return self.value

    @property
    def owns_tensors(self) -> bool:
        """Whether every use of the operator has learned tensors of its own."""
        return self.kind != "elementwise"


INITIALISATIONS = ("uniform", "orthogonal", "identity")
"""What ``linear(..., init=...)`` may say."""

PARAMETER_ATTRIBUTES: Mapping[str, bool | float | str] = MappingProxyType(
    {"init": 0.0, "scalar": False}
)
"""What ``parameter(...)``, a learned vector, may say, with its defaults."""

LAYER_NORM_EPSILON = 1e-5
"""What layer_norm adds to the variance, as torch.nn.LayerNorm does."""

_INV_SQRT_2 = 1 / math.sqrt(2)
_INV_SQRT_2PI = 1 / math.sqrt(2 * math.pi)


def _sigmoid(m: Any, a: Any) -> Any:
    e = m.exp(-m.abs(a))  # does not overflow, and keeps all digits where the value is tiny
    return m.where(a >= 0, 1.0, e) / (1 + e)


def _normal_cdf(m: Any, a: Any) -> Any:
    return 0.5 * (1 + m.erf(a * _INV_SQRT_2))


def _total(terms: tuple[Any, ...]) -> Any:
    result = terms[0]
    for term in terms[1:]:
        result = result + term
    return result


def _product(factors: tuple[Any, ...]) -> Any:
    result = factors[0]
    for factor in factors[1:]:
        result = result * factor
    return result


def _product_derivative(m: Any, y: Any, *a: Any) -> tuple[Any, ...]:
    return tuple(_product((*a[:i], *a[i + 1 :])) for i in range(len(a)))  # no division: a may be 0


def _step(m: Any, condition: Any, inside: float = 1.0, outside: float = 0.0) -> Any:
    return m.where(condition, inside, outside)


def _sign(m: Any, a: Any) -> Any:
    return _step(m, a > 0) - _step(m, a < 0)


def _share(m: Any, first: Any, second: Any) -> Any:
    """1 where the first is greater, 0 where the second is, a half each on a tie, as in torch."""
    return m.where(first < second, 0.0, _step(m, first == second, 0.5, 1.0))


_ROWS = (
    Operator(
        name="identity",
        value=lambda m, a: a,
        derivative=lambda m, y, a: (1.0,),
        cost=0,
        latex="{0}",
    ),
    Operator(
        name="sigmoid",
        value=_sigmoid,
        derivative=lambda m, y, a: (y * (1 - y),),
        range=(0, 1),
        cost=4,
        latex=r"\sigma\left({0}\right)",
        torch="torch.sigmoid",
    ),
    Operator(
        name="tanh",
        value=lambda m, a: m.tanh(a),
        derivative=lambda m, y, a: (1 - y * y,),
        range=(-1, 1),
        cost=4,
        latex=r"\tanh\left({0}\right)",
        torch="torch.tanh",
    ),
    Operator(
        name="relu",
        value=lambda m, a: m.where(a <= 0, 0.0, a),  # NaN stays NaN
        derivative=lambda m, y, a: (_step(m, a <= 0, 0.0, 1.0),),
        range=(0, INFINITY),
        latex=r"\mathrm{{relu}}\left({0}\right)",
        torch="torch.relu",
    ),
    Operator(
        name="leaky_relu",
        value=lambda m, a: m.where(a > 0, a, 0.01 * a),
        derivative=lambda m, y, a: (_step(m, a > 0, 1.0, 0.01),),
        cost=2,
        latex=r"\mathrm{{leaky\,relu}}\left({0}\right)",
        torch="torch.nn.functional.leaky_relu",
    ),
    Operator(
        name="softplus",
        value=lambda m, a: m.where(a > 0, a, 0.0) + m.log1p(m.exp(-m.abs(a))),
        derivative=lambda m, y, a: (_sigmoid(m, a),),
        range=(0, INFINITY),
        cost=5,
        latex=r"\mathrm{{softplus}}\left({0}\right)",
        torch="torch.nn.functional.softplus",
        torch_arguments={"threshold": 40.0},  # torch's own, 20, is off by 2e-9
    ),
    Operator(
        name="silu",
        value=lambda m, a: a * _sigmoid(m, a),
        derivative=lambda m, y, a: (_sigmoid(m, a) + y * (1 - _sigmoid(m, a)),),
        range=(-0.27846454276107374, INFINITY),
        cost=5,
        latex=r"\mathrm{{silu}}\left({0}\right)",
        torch="torch.nn.functional.silu",
    ),
    Operator(
        name="gelu",
        value=lambda m, a: a * _normal_cdf(m, a),
        derivative=lambda m, y, a: (_normal_cdf(m, a) + a * _INV_SQRT_2PI * m.exp(-0.5 * a * a),),
        range=(-0.16997120747990366, INFINITY),
        cost=6,
        latex=r"\mathrm{{gelu}}\left({0}\right)",
        torch="torch.nn.functional.gelu",
    ),
    Operator(
        name="sin",
        value=lambda m, a: m.sin(a),
        derivative=lambda m, y, a: (m.cos(a),),
        range=(-1, 1),
        cost=4,
        latex=r"\sin\left({0}\right)",
        torch="torch.sin",
    ),
    Operator(
        name="exp",
        value=lambda m, a: m.exp(a),
        derivative=lambda m, y, a: (y,),
        range=(0, INFINITY),
        cost=4,
        latex=r"\exp\left({0}\right)",
        torch="torch.exp",
    ),
    Operator(
        name="log",
        value=lambda m, a: m.log(a),
        derivative=lambda m, y, a: (1 / a,),
        cost=4,
        latex=r"\log\left({0}\right)",
        torch="torch.log",
    ),
    Operator(
        name="sqrt",
        value=lambda m, a: m.sqrt(a),
        derivative=lambda m, y, a: (0.5 / y,),
        range=(0, INFINITY),
        latex=r"\sqrt{{{0}}}",
        torch="torch.sqrt",
    ),
    Operator(
        name="abs",
        value=lambda m, a: m.abs(a),
        derivative=lambda m, y, a: (_sign(m, a),),
        range=(0, INFINITY),
        latex=r"\left|{0}\right|",
        torch="torch.abs",
    ),
    Operator(
        name="square",
        value=lambda m, a: a * a,
        derivative=lambda m, y, a: (2 * a,),
        range=(0, INFINITY),
        latex=r"\left({0}\right)^2",
        torch="torch.square",
    ),
    Operator(
        name="reciprocal",
        value=lambda m, a: 1 / a,
        derivative=lambda m, y, a: (-y * y,),
        latex=r"\frac{{1}}{{{0}}}",
        torch="torch.reciprocal",
    ),
    Operator(
        # The line a / 6 + 1/2 between -3 and 3, as in torch. torch's own function is not used: its
        # derivative takes 1 / 6 in single precision, whatever the dtype.
        name="hard_sigmoid",
        value=lambda m, a: m.where(a >= 3, 6.0, m.where(a <= -3, 0.0, a + 3)) / 6,
        derivative=lambda m, y, a: (_step(m, m.abs(a) >= 3, 0.0, 1 / 6),),
        range=(0, 1),
        cost=4,
        latex=r"\hat\sigma\left({0}\right)",
    ),
    Operator(
        name="neg",
        value=lambda m, a: -a,
        derivative=lambda m, y, a: (-1.0,),
        latex="-{0}",
        torch="torch.neg",
    ),
    Operator(
        name="add",
        arity=(2, None),
        commutative=True,
        associative=True,
        value=lambda m, *a: _total(a),
        derivative=lambda m, y, *a: (1.0,) * len(a),
        infix="+",
        latex=" + ",
    ),
    Operator(
        name="mul",
        arity=(2, None),
        commutative=True,
        associative=True,
        value=lambda m, *a: _product(a),
        derivative=_product_derivative,
        infix="*",
        latex=r" \odot ",
    ),
    Operator(
        name="sub",
        arity=(2, 2),
        value=lambda m, a, b: a - b,
        derivative=lambda m, y, a, b: (1.0, -1.0),
        infix="-",
        latex="{0} - {1}",
    ),
    Operator(
        name="div",
        arity=(2, 2),
        value=lambda m, a, b: a / b,
        derivative=lambda m, y, a, b: (1 / b, -y / b),
        infix="/",
        latex=r"\frac{{{0}}}{{{1}}}",
    ),
    Operator(
        name="maximum",
        arity=(2, 2),
        commutative=True,
        value=lambda m, a, b: m.maximum(a, b),
        derivative=lambda m, y, a, b: (_share(m, a, b), _share(m, b, a)),
        latex=r"\max\left({0},\, {1}\right)",
        torch="torch.maximum",
    ),
    Operator(
        name="minimum",
        arity=(2, 2),
        commutative=True,
        value=lambda m, a, b: m.minimum(a, b),
        derivative=lambda m, y, a, b: (_share(m, b, a), _share(m, a, b)),
        latex=r"\min\left({0},\, {1}\right)",
        torch="torch.minimum",
    ),
    Operator(
        name="mean",
        arity=(2, None),
        commutative=True,
        value=lambda m, *a: _total(a) / len(a),
        derivative=lambda m, y, *a: (1 / len(a),) * len(a),
        latex=r"\mathrm{{mean}}\left({all}\right)",
    ),
    Operator(
        name="blend",  # a gate a in 0..1 decides between b and c
        arity=(3, 3),
        value=lambda m, a, b, c: a * b + (1 - a) * c,
        derivative=lambda m, y, a, b, c: (b - c, a, 1 - a),
        cost=4,
        latex=r"{0} \odot {1} + \left(1 - {0}\right) \odot {2}",
        torch="torch.lerp",
        torch_order=(2, 1, 0),
    ),
    Operator(
        name="layer_norm",  # over the features, epsilon 1e-5, learned weight and bias
        kind="layer_norm",
        cost=8,
        latex=r"\mathrm{{LN}}\left({0}\right)",
    ),
    Operator(
        name="scale",  # a learned weight per feature, or one learned number
        kind="scale",
        attributes={"init": 1.0, "scalar": False},
        latex=r"{w} \odot {0}",
    ),
    Operator(
        name="linear",  # one matrix per argument, one bias
        arity=(1, None),
        kind="linear",
        commutative=True,  # each argument keeps its own matrix
        attributes={"bias": True, "bias_init": 0.0, "init": "uniform"},
        latex=" + ",
    ),
)

LEAVES = ("x", "state", "number", "parameter")
"""What a node may be beside an operator."""


def _table() -> Mapping[str, Operator]:
    table = {row.name: row for row in _ROWS}
    for entry in importlib.metadata.entry_points(group="cellsearch.operators"):
        row = entry.load()
        if not isinstance(row, Operator) or row.name in table or row.name in LEAVES:
            raise ValueError(f"entry point {entry.value!r} is not a new Operator row: {row!r}")
        table[row.name] = row
    return MappingProxyType(table)


OPERATORS = _table()
"""Every operator by name."""
