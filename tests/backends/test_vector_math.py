"""The native backend's elementary functions, against numpy in a wider type, and all formulas."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from llvmlite import ir

from cellsearch.backends.native.code import DOUBLE, INDEX, POINTER, SINGLE, VOID, Code, Precision
from cellsearch.backends.native.engine import Engine
from cellsearch.backends.native.vector_math import Vector, VectorMath
from cellsearch.numpy_math import NumpyMath
from cellsearch.operators import OPERATORS

Array = npt.NDArray[Any]
Formula = Callable[..., Any]  # of m and the arguments

DTYPES: dict[str, Any] = {"f32": np.float32, "f64": np.float64}
WIDER: dict[str, Any] = {"f32": np.float64, "f64": np.longdouble}
LONG_IS_LONGER = np.finfo(np.longdouble).eps < np.finfo(np.float64).eps  # not on every platform
ULPS = {"f32": 3, "f64": 3 if LONG_IS_LONGER else 4}
FUNCTIONS = ("exp", "log", "log1p", "tanh", "sin", "cos", "sqrt", "erf")
COMPOSED = ("sigmoid", "softplus", "silu")
ELEMENTWISE = sorted(name for name, row in OPERATORS.items() if row.kind == "elementwise")
PRECISIONS = pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=lambda p: p.name)


def written(formulas: dict[str, tuple[Formula, int]], precision: Precision) -> ir.Module:
    """Return a module with one function per formula and number of arguments.

    Each takes a count, so many pointers to arguments, and a pointer to the results.
    """
    module = ir.Module()
    for name, (formula, arguments) in formulas.items():
        kind = ir.FunctionType(VOID, [INDEX] + [POINTER] * (arguments + 1))
        function = ir.Function(module, kind, f"apply_{name}")
        code = Code(function, precision)
        count, *sources, target = function.args
        with code.loop(0, count, precision.lanes) as i:
            args = [Vector(code, code.load_vector(source, i)) for source in sources]
            m = VectorMath(code)
            code.store(m.vector(formula(m, *args)).value, target, i)
        code.builder.ret_void()
    return module


def applied(engine: Engine, name: str, *arrays: Array) -> Array:
    """Return what a compiled formula makes of arrays of any length."""
    whole = [np.concatenate([a, np.ones(-len(a) % 8, a.dtype)]) for a in arrays]
    result = np.empty_like(whole[0])
    function = engine.function(f"apply_{name}", len(arrays) + 2)
    function(len(result), *(a.ctypes.data for a in whole), result.ctypes.data)
    return result[: len(arrays[0])]


def applies(formula: Formula, arrays: tuple[Array, ...]) -> Array:
    """Compile one formula and apply it."""
    precision = SINGLE if arrays[0].dtype == np.float32 else DOUBLE
    engine = Engine(written({"formula": (formula, len(arrays))}, precision))
    return applied(engine, "formula", *arrays)


@cache
def functions(precision: Precision) -> Engine:
    """Return all functions of one argument, and the operators made of them, compiled."""
    formulas = {
        name: (lambda m, a, name=name: getattr(m, name)(a), 1) for name in (*FUNCTIONS, "abs")
    }
    formulas |= {name: (OPERATORS[name].formula, 1) for name in COMPOSED}
    return Engine(written(formulas, precision))


def exact(name: str, x: Array, precision: Precision) -> Array:
    """Return a function's values in a wider type; those of erf are right to a unit in the last."""
    wide: Array = x.astype(WIDER[precision.name])
    with np.errstate(all="ignore"):
        if name == "erf":
            values: Any = [math.erf(a) for a in x]
        elif name == "sigmoid":
            values = 1 / (1 + np.exp(-wide))
        elif name == "softplus":
            values = np.where(wide > 0, wide, 0) + np.log1p(np.exp(-np.abs(wide)))
        elif name == "silu":
            values = wide / (1 + np.exp(-wide))
        else:
            values = getattr(np, name)(wide)
    return np.asarray(values, wide.dtype)


def samples(precision: Precision) -> Array:
    """Numbers of all magnitudes and both signs, most of them of the usual size."""
    rng = np.random.default_rng(1)
    tiny, huge = np.log([1e-44, 3e38] if precision is SINGLE else [1e-322, 1e308])
    sizes = (1e-6, 0.01, 0.1, 0.3, 1, 2, 4, 10, 30, 100, 300, 1e7)
    parts = [rng.uniform(-size, size, 4000) for size in sizes]
    parts.append(np.exp(rng.uniform(tiny, huge, 12000)) * rng.choice([-1, 1], 12000))
    return np.concatenate(parts).astype(DTYPES[precision.name])


# Where a function goes over to another formula, to infinity, to 1 or to 0.
BORDERS = {
    "f32": [1, 4, 10, 87.33654, 88.72283, 89, 100, 103.97208, 104],
    "f64": [1, 6, 20, 708.3964185322641, 709.782712893384, 710, 745.1332191019412, 746, 1e6],
}


def neighbours(precision: Precision) -> Array:
    """Numbers close around all borders, and their negatives."""
    dtype = DTYPES[precision.name]
    points = [*BORDERS[precision.name], math.sqrt(2), math.sqrt(2) - 1, 1 - math.sqrt(0.5)]
    points += [n * math.log(2) / 4 for n in (1, 2, 3)] + [n * math.pi / 4 for n in (1, 2, 4, 127)]
    near = np.outer(points, 1 + np.arange(-40, 41) * np.finfo(dtype).eps).ravel()
    return np.concatenate([near, -near]).astype(dtype)


def assert_close(got: Array, want: Array, inputs: Array, ulps: float) -> None:
    """Compare with exact values: finite ones by distance, all others by identity."""
    with np.errstate(all="ignore"):
        rounded = want.astype(got.dtype)
        distance = np.abs(got.astype(want.dtype) - want) / np.spacing(np.abs(rounded))
    # A result between the largest number and infinity may round either way.
    other = ~np.isfinite(rounded) | ~np.isfinite(got)
    edge = np.isfinite(rounded) != np.isfinite(got)
    largest = np.finfo(got.dtype).max
    assert np.all(np.abs(want[edge]) > largest * (1 - 4 * np.finfo(got.dtype).eps)), inputs[edge]
    same = np.isnan(got) & np.isnan(rounded) | (got == rounded)
    assert np.all(same[other & ~edge]), inputs[other & ~edge & ~same]
    worst = int(np.argmax(np.where(other, 0, distance)))
    assert not np.any(distance[~other] > ulps), (inputs[worst], got[worst], want[worst])


@PRECISIONS
@pytest.mark.parametrize("name", [*FUNCTIONS, *COMPOSED])
def test_functions_are_right_to_the_last_places(name: str, precision: Precision) -> None:
    dtype = DTYPES[precision.name]
    x = np.concatenate([samples(precision), neighbours(precision)])
    if name == "silu":  # its factor, the sigmoid, is denormal farther out
        x = x[x > np.log(np.finfo(dtype).tiny)]
    got = applied(functions(precision), name, x)
    assert_close(got, exact(name, x, precision), x, ULPS[precision.name])


@PRECISIONS
@pytest.mark.parametrize("name", [*FUNCTIONS, "abs", "sigmoid"])
def test_special_values_are_those_of_numpy(name: str, precision: Precision) -> None:
    dtype = DTYPES[precision.name]
    info = np.finfo(dtype)
    least = info.smallest_subnormal
    positive = [0.0, least, 3 * least, info.tiny, info.eps, 1.0, 100.0, 720.0, info.max, math.inf]
    values = np.array([*positive, *(-a for a in positive), math.nan, -math.nan], dtype)
    x = np.repeat(values, precision.lanes)  # each in a vector of its own: others may take a detour
    got, want = applied(functions(precision), name, x), exact(name, x, precision)
    assert_close(got, want, x, ULPS[precision.name])
    zeros = want == 0
    np.testing.assert_array_equal(np.signbit(got[zeros]), np.signbit(want[zeros]))


def test_results_that_are_denormal_are_not_lost() -> None:
    exp = applied(functions(SINGLE), "exp", np.array([-100, -103.9, -104], np.float32))
    np.testing.assert_array_equal(exp, np.array([3.783506e-44, 1e-45, 0], np.float32))
    exp = applied(functions(DOUBLE), "exp", np.array([-745.0, -746.0]))
    np.testing.assert_array_equal(exp, [5e-324, 0.0])


@PRECISIONS
def test_one_large_argument_does_not_disturb_its_neighbours(precision: Precision) -> None:
    x = np.array([1e9, 0.5, -2.0, math.inf, 3.0, math.nan, -1e30, 0.1], DTYPES[precision.name])
    for name in ("sin", "cos"):
        got = applied(functions(precision), name, x)
        assert_close(got, exact(name, x, precision), x, ULPS[precision.name])


# ---- the operator table --------------------------------------------------------------------------


def arguments(count: int, dtype: Any) -> tuple[Array, ...]:
    """Random arguments, and all combinations of special ones."""
    rng = np.random.default_rng(2)
    special = (0.0, -0.0, 1.0, -1.0, 3.0, -3.0, 0.5, 20.0, -20.0, math.inf, -math.inf, math.nan)
    grid = np.array(list(itertools.product(special, repeat=count))).T
    random = rng.normal(size=(count, 2000)) * 3
    return tuple(np.concatenate([random, grid], axis=1).astype(dtype))


def agree(got: Array, want: Array, args: tuple[Array, ...]) -> None:
    """Compare, up to what cancellation leaves of the errors of terms as large as the arguments."""
    finite = np.isfinite(want)
    np.testing.assert_array_equal(got[~finite], want[~finite])
    got, want, args = got[finite], want[finite], tuple(a[finite] for a in args)
    sizes = np.max([np.where(np.isfinite(a), np.abs(a), 0) for a in args], axis=0)
    allowed = 8 * np.finfo(got.dtype).eps * np.maximum(np.abs(want), np.maximum(sizes, 1) ** 2)
    wrong = ~(np.abs(got.astype(np.float64) - want) <= allowed)
    assert not wrong.any(), [a[wrong][:3] for a in (*args, got, want)]


@PRECISIONS
@pytest.mark.parametrize("name", ELEMENTWISE)
def test_operators_have_the_values_and_derivatives_of_the_table(
    name: str, precision: Precision
) -> None:
    row = OPERATORS[name]
    count = row.arity[0] if row.arity[1] == row.arity[0] else row.arity[0] + 1
    derivative = row.derivative
    assert derivative is not None

    def slope(of: int) -> Formula:
        return lambda m, *a: derivative(m, row.formula(m, *a), *a)[of]

    formulas = {"value": row.formula} | {f"slope{i}": slope(i) for i in range(count)}
    engine = Engine(written({k: (f, count) for k, f in formulas.items()}, precision))
    args = arguments(count, DTYPES[precision.name])
    wide = [a.astype(np.float64) for a in args]
    for key, formula in formulas.items():
        with np.errstate(all="ignore"):
            want = np.broadcast_to(formula(NumpyMath, *wide), args[0].shape)
        agree(applied(engine, key, *args), want, args)


# ---- how vectors compute -------------------------------------------------------------------------


def test_numbers_stand_on_either_side() -> None:
    x = np.linspace(-2, 2, 16)
    formulas: list[Formula] = [
        lambda m, a: 2 - a,
        lambda m, a: a - 2,
        lambda m, a: 3 / (a + 0.5),
        lambda m, a: -1 * a / 4,
        lambda m, a: m.maximum(a, 0.5) + m.minimum(-1, a),
        lambda m, a: m.where(0.5 < a, 1, m.where(a != -2, -a, 7)),  # noqa: SIM300
        lambda m, a: m.where((a > 0) & ~(a > 1) | (a == -2), 1.0, 0.0),
    ]
    for formula in formulas:
        np.testing.assert_allclose(applies(formula, (x,)), formula(NumpyMath, x), rtol=1e-15)


def test_a_comparison_of_numbers_chooses_at_once() -> None:
    x = np.linspace(-2, 2, 8)
    np.testing.assert_array_equal(applies(lambda m, a: m.where(1.0 > 2.0, 0.0, a), (x,)), x)


def test_an_overflowing_number_is_infinite() -> None:
    x = np.linspace(-2, 2, 8, dtype=np.float32)
    np.testing.assert_array_equal(applies(lambda m, a: m.minimum(a * 0, 0) + 1e300, (x,)), np.inf)


@PRECISIONS
def test_maximum_and_minimum_pass_nan_on(precision: Precision) -> None:
    values = (math.nan, -math.inf, -1.0, 0.0, 2.0, math.inf)
    a, b = np.array(list(itertools.product(values, repeat=2)), DTYPES[precision.name]).T.copy()
    for name in ("maximum", "minimum"):
        got = applies(lambda m, a, b, name=name: getattr(m, name)(a, b), (a, b))
        np.testing.assert_array_equal(got, getattr(np, name)(a, b))


def vector() -> Vector:
    function = ir.Function(ir.Module(), ir.FunctionType(VOID, [SINGLE.vector]), "f")
    return Vector(Code(function, SINGLE), function.args[0])


def test_multiplying_by_one_writes_nothing() -> None:
    a = vector()
    assert a * 1.0 is a and 1 * a is a and a / 1 is a
    assert (a * -1.0).value.opname == "fneg"
    assert len(a.code.builder.block.instructions) == 1


def test_only_fused_products_are_allowed_to_differ() -> None:
    a = vector()
    text = str(((a * a + a) / a - a).code.function)
    assert text.count(" contract ") == 3
    assert not any(flag in text for flag in ("fast", "nnan", "ninf", "nsz", "reassoc", "arcp"))


def test_a_function_is_written_once_per_module() -> None:
    twice = lambda m, a: m.tanh(m.tanh(a)) + m.exp(m.erf(a))  # noqa: E731
    text = str(written({"one": (twice, 1), "two": (twice, 1)}, SINGLE))
    assert text.count("define internal") == 3


def test_vectors_and_masks_have_no_single_truth_value() -> None:
    a = vector()
    for condition in (a, a > 0):
        with pytest.raises(TypeError, match=r"m\.where"):
            bool(condition)
    with pytest.raises(TypeError):
        a + "1"
    with pytest.raises(TypeError):
        a < "1"  # noqa: B015
