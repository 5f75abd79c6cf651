"""Every row of the operator table, against mpmath, torch and finite differences."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import torch
from random_cells import seeded
from torch.nn import functional

from cellsearch.backends.torch_functions import TorchMath, takes_numbers, torch_function
from cellsearch.numpy_math import NumpyMath
from cellsearch.operators import LEAVES, OPERATORS, Operator

ELEMENTWISE = sorted(name for name, row in OPERATORS.items() if row.kind == "elementwise")

ORACLE: dict[str, Callable[..., mpmath.mpf]] = {
    "identity": lambda a: a,
    "sigmoid": lambda a: 1 / (1 + mpmath.exp(-a)),
    "tanh": mpmath.tanh,
    "relu": lambda a: max(a, mpmath.mpf(0)),
    "leaky_relu": lambda a: a if a > 0 else a * mpmath.mpf(0.01),
    "softplus": lambda a: mpmath.log(1 + mpmath.exp(a)),
    "silu": lambda a: a / (1 + mpmath.exp(-a)),
    "gelu": lambda a: a * mpmath.ncdf(a),
    "sin": mpmath.sin,
    "exp": mpmath.exp,
    "log": mpmath.log,
    "sqrt": mpmath.sqrt,
    "abs": abs,
    "square": lambda a: a**2,
    "reciprocal": lambda a: 1 / a,
    "hard_sigmoid": lambda a: min(max(a / 6 + mpmath.mpf(0.5), mpmath.mpf(0)), mpmath.mpf(1)),
    "neg": lambda a: -a,
    "add": lambda *a: mpmath.fsum(a),
    "mul": lambda *a: mpmath.fprod(a),
    "sub": lambda a, b: a - b,
    "div": lambda a, b: a / b,
    "maximum": lambda a, b: max(a, b),
    "minimum": lambda a, b: min(a, b),
    "mean": lambda *a: mpmath.fsum(a) / len(a),
    "blend": lambda a, b, c: a * b + (1 - a) * c,
}

TORCH: dict[str, Callable[..., torch.Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": functional.relu,
    "leaky_relu": functional.leaky_relu,
    "softplus": lambda a: functional.softplus(a, threshold=40),
    "silu": functional.silu,
    "gelu": functional.gelu,
    "sqrt": torch.sqrt,
    "abs": torch.abs,
    "hard_sigmoid": functional.hardsigmoid,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
"""torch's own functions, where ties, kinks and infinities are a matter of convention."""

POSITIVE = ("log", "sqrt")
NO_ZERO = {"reciprocal": 0, "div": 1}
KINKS = {"relu": (0,), "leaky_relu": (0,), "abs": (0,), "hard_sigmoid": (-3, 3)}


def arities(row: Operator) -> tuple[int, ...]:
    low, high = row.arity
    return (low,) if high == low else (low, low + 1, low + 3)


def points(row: Operator, count: int, spread: float = 4.0) -> list[tuple[float, ...]]:
    """Arguments inside the operator's domain, away from kinks and ties, some far out."""
    rng = seeded(row.name)
    found: list[tuple[float, ...]] = []
    while len(found) < count:
        args = []
        for position in range(rng.choice(arities(row))):
            value = rng.uniform(-spread, spread) * rng.choice((0.01, 1.0, 1.0, 5.0))
            if row.name in POSITIVE or NO_ZERO.get(row.name) == position:
                value = (abs(value) + 0.01) * (rng.choice((-1, 1)) if row.name in NO_ZERO else 1)
            args.append(value)
        kinked = any(abs(args[0] - kink) < 1e-3 for kink in KINKS.get(row.name, ()))
        if not kinked and len(set(args)) == len(args):
            found.append(tuple(args))
    return found


def test_the_table_has_the_operators_that_the_text_form_promises() -> None:
    promised = (
        "identity sigmoid tanh relu leaky_relu softplus silu gelu sin exp log sqrt abs square "
        "reciprocal hard_sigmoid neg add mul sub div maximum minimum mean blend layer_norm scale "
        "linear"
    )
    assert set(promised.split()) == set(OPERATORS)
    assert set(ORACLE) == set(ELEMENTWISE)
    assert not set(LEAVES) & set(OPERATORS)
    with pytest.raises(TypeError):
        OPERATORS["new"] = OPERATORS["tanh"]  # type: ignore[index]


@pytest.mark.parametrize("name", OPERATORS)
def test_a_row_is_complete(name: str) -> None:
    row = OPERATORS[name]
    low, high = row.arity
    assert row.name == name
    assert row.latex
    assert 1 <= low <= (math.inf if high is None else high)
    assert row.range[0] < row.range[1]
    assert (row.value is None) == (row.derivative is None) == row.owns_tensors
    assert high is None or not row.associative
    if row.owns_tensors:
        with pytest.raises(TypeError, match=f"{name} is not elementwise"):
            _ = row.formula


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_value_is_right(name: str) -> None:
    row = OPERATORS[name]
    for args in points(row, 200):
        with mpmath.workdps(40):
            expected = ORACLE[name](*(mpmath.mpf(a) for a in args))
        found = row.formula(NumpyMath, *(np.float64(a) for a in args))
        scale = max(abs(expected), *(abs(a) for a in args)) if name == "gelu" else abs(expected)
        cancelling = 1 + sum(map(abs, args)) if len(args) > 1 else 0
        assert abs(found - expected) <= 4e-16 * (4 * scale + cancelling), args


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_the_derivative_is_the_slope_of_the_value(name: str) -> None:
    row = OPERATORS[name]
    assert row.derivative is not None
    for args in points(row, 60):
        numbers = [np.float64(a) for a in args]
        found = row.derivative(NumpyMath, row.formula(NumpyMath, *numbers), *numbers)
        assert len(found) == len(args)
        for position, partial in enumerate(found):
            orders = tuple(int(i == position) for i in range(len(args)))
            with mpmath.workdps(40):
                exact = [mpmath.mpf(a) for a in args]
                slope = (
                    mpmath.diff(ORACLE[name], exact, orders)
                    if len(args) > 1
                    else (mpmath.diff(ORACLE[name], exact[0]))
                )
            size = max(1.0, abs(float(slope)), *map(abs, args))
            assert abs(float(partial) - float(slope)) <= 1e-14 * size, (args, position)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_torchs_function_and_its_derivative_equal_the_formula(name: str) -> None:
    row = OPERATORS[name]
    assert row.derivative is not None
    for count in arities(row):
        chosen = [args for args in points(row, 200) if len(args) == count]
        columns = [
            torch.tensor(column, dtype=torch.float64, requires_grad=True)
            for column in zip(*chosen, strict=True)
        ]
        value = torch_function(name, len(columns))(*columns)
        slopes = torch.autograd.grad(value.sum(), columns)
        arrays = [column.detach().numpy() for column in columns]
        expected = row.formula(NumpyMath, *arrays)
        np.testing.assert_allclose(value.detach(), expected, rtol=1e-13, atol=1e-14)
        for found, partial in zip(
            slopes, row.derivative(NumpyMath, expected, *arrays), strict=True
        ):
            np.testing.assert_allclose(
                found, np.broadcast_to(partial, found.shape), rtol=1e-12, atol=1e-13
            )


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_formulas_mean_the_same_in_torch_and_in_numpy(name: str) -> None:
    row = OPERATORS[name]
    for args in points(row, 20):
        found = row.formula(TorchMath, *(torch.tensor(a, dtype=torch.float64) for a in args))
        assert float(found) == pytest.approx(
            float(row.formula(NumpyMath, *(np.float64(a) for a in args))), rel=1e-14, abs=1e-15
        )


@pytest.mark.parametrize("name", sorted(TORCH))
def test_kinks_ties_infinities_and_nan_are_as_in_torch(name: str) -> None:
    row = OPERATORS[name]
    assert row.derivative is not None
    special = (0.0, -0.0, 3.0, -3.0, 1.0, 40.0, 41.0, -800.0, 800.0, math.inf, -math.inf, math.nan)
    for args in itertools.product(special, repeat=row.arity[0]):
        tensors = [torch.tensor(a, dtype=torch.float64, requires_grad=True) for a in args]
        expected = TORCH[name](*tensors)
        numbers = [np.float64(a) for a in args]
        with np.errstate(all="ignore"):
            value = row.formula(NumpyMath, *numbers)
            partials = row.derivative(NumpyMath, value, *numbers)
        np.testing.assert_allclose(value, expected.item(), rtol=1e-15, atol=1e-300)
        if all(math.isfinite(a) for a in args):
            for slope, partial in zip(
                torch.autograd.grad(expected, tensors), partials, strict=True
            ):
                digits = 1e-7 if name == "hard_sigmoid" else 1e-15  # torch's 1 / 6 is a float32
                np.testing.assert_allclose(
                    partial, slope, rtol=digits, atol=digits, err_msg=str(args)
                )


@pytest.mark.parametrize("name", ELEMENTWISE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_range_bounds_every_value_and_no_less(name: str, dtype: type) -> None:
    row = OPERATORS[name]
    low, high = row.range
    grid = np.concatenate(
        [
            np.linspace(-12, 12, 40_001),
            np.geomspace(1e-30, 1e30, 601),
            -np.geomspace(1e-30, 1e30, 601),
        ]
    ).astype(dtype)
    count = row.arity[0]
    rng = np.random.default_rng(0)
    args = [np.tile(grid, 2), *(np.append(grid, rng.permutation(grid)) for _ in range(count - 1))]
    if name in POSITIVE:
        args = [np.abs(args[0]) + dtype(1e-30)]
    with np.errstate(all="ignore"):
        found = row.formula(NumpyMath, *args)
    found = found[np.isfinite(found)]
    rounding = 4 * np.finfo(np.float32).eps if dtype == np.float32 else 0
    assert found.min() >= low - rounding
    assert found.max() <= high + rounding
    if name not in ("exp", "softplus", "identity"):
        near = 1e-3 if math.isfinite(low) else 0
        assert not math.isfinite(low) or found.min() <= low + near
        assert not math.isfinite(high) or found.max() >= high - 1e-3
    for bound, extreme in ((low, found.min()), (high, found.max())):
        assert math.isfinite(bound) or abs(extreme) > 50  # an infinite bound is needed


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_commutative_and_associative_say_so_truly(name: str) -> None:
    row = OPERATORS[name]
    for args in points(row, 40):
        value = float(row.formula(NumpyMath, *args))
        swapped = float(row.formula(NumpyMath, *args[::-1]))
        assert not row.commutative or value == pytest.approx(swapped, rel=1e-13, abs=1e-13)
        if row.associative and len(args) > 2:
            nested = row.formula(NumpyMath, args[0], row.formula(NumpyMath, *args[1:]))
            assert value == pytest.approx(nested, rel=1e-13, abs=1e-13)
    if len(arities(row)) == 1 and row.arity[0] > 1 and not row.commutative:
        args = (0.25, 2.0, 3.0)[: row.arity[0]]
        assert row.formula(NumpyMath, *args) != row.formula(NumpyMath, *args[::-1])


@pytest.mark.parametrize(
    "name", [n for n in ELEMENTWISE if takes_numbers(n) and OPERATORS[n].arity[0] > 1]
)
def test_operators_that_say_so_take_numbers_beside_tensors(name: str) -> None:
    row = OPERATORS[name]
    vector = torch.tensor([1.5, -2.0], dtype=torch.float64)
    for count in arities(row):
        for place in range(count):
            args = [0.5] * count
            found = torch_function(name, len(args))(
                *(vector if i == place else a for i, a in enumerate(args))
            )
            columns = [
                vector if i == place else torch.full((2,), 0.5).double() for i in range(count)
            ]
            assert torch.equal(found, torch_function(name, len(columns))(*columns))


def test_the_sigmoid_keeps_its_digits_where_it_is_tiny() -> None:
    for a in (-10.0, -50.0, -300.0, -700.0):
        expected = 1 / (1 + mpmath.exp(-mpmath.mpf(a)))
        found = OPERATORS["sigmoid"].formula(NumpyMath, np.float64(a))
        assert abs(found / expected - 1) < 1e-15


def test_layer_norm_is_torchs() -> None:
    generator = torch.Generator().manual_seed(0)
    value, weight, bias = (
        torch.randn(*shape, generator=generator, dtype=torch.float64)
        for shape in ((5, 7), (7,), (7,))
    )
    norm = torch.nn.LayerNorm(7, dtype=torch.float64)
    with torch.no_grad():
        norm.weight.copy_(weight)
        norm.bias.copy_(bias)
    torch.testing.assert_close(
        torch_function("layer_norm", 3)(value, weight, bias), norm(value), rtol=0, atol=1e-15
    )
