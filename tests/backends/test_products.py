"""The matrix products of the native backend: right for all sizes, and within their bounds.

What a function must not read holds NaN, which would show in its results; what it must not write
holds a guard value. Each function runs twice and must give the same bits.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llvmlite import ir

from cellsearch.backends.native.code import DOUBLE, INDEX, POINTER, SINGLE, VOID, Code, Precision
from cellsearch.backends.native.engine import Engine
from cellsearch.backends.native.library import declare, library
from cellsearch.backends.native.products import outer_scratch_size, panels_size, round_up

Array = np.ndarray[Any, Any]

GUARD = 12345.0
EDGE = 16  # elements before and after each array
DTYPES = {SINGLE: np.float32, DOUBLE: np.float64}
TOLERANCE = {SINGLE: 2e-6, DOUBLE: 4e-15}  # times the square root of the number of terms

precisions = st.sampled_from([SINGLE, DOUBLE])
sizes = st.sampled_from([1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 13, 16, 17, 24, 31, 32, 40, 63, 65])
depths = st.sampled_from([0, 1, 2, 3, 4, 5, 7, 8, 15, 16, 33, 64, 255, 256, 257, 530])
gaps = st.sampled_from([0, 1, 3, 8])
seeds = st.integers(0, 2**32 - 1)
origins = st.sampled_from(["none", "bias", "rows", "in place"])


class Matrix:
    """A matrix whose rows are some elements apart in memory, with `around` in the gaps."""

    def __init__(self, values: Array, gap: int = 0, around: float = np.nan) -> None:
        rows, columns = values.shape
        self.stride = columns + gap
        # The last row ends where its values do: the guards begin right there.
        length = max(rows * self.stride - gap, 0)
        self.memory = np.full(EDGE + length + EDGE, around, values.dtype)
        spread = np.lib.stride_tricks.as_strided(
            self.memory[EDGE:], values.shape, (self.stride * values.itemsize, values.itemsize)
        )
        spread[...] = values
        self.values = spread

    @property
    def address(self) -> int:
        return int(self.memory.ctypes.data) + EDGE * self.memory.itemsize

    def untouched_around(self) -> bool:
        """Whether all that is not the matrix still holds the guard value."""
        copy = self.memory.copy()
        np.lib.stride_tricks.as_strided(copy[EDGE:], self.values.shape, self.values.strides)[
            ...
        ] = GUARD
        return bool((copy == GUARD).all())


def random(precision: Precision, seed: int, *shape: int) -> Array:
    return np.random.default_rng([seed, *shape]).standard_normal(shape).astype(DTYPES[precision])


def empty(precision: Precision, rows: int, columns: int, gap: int) -> Matrix:
    """Return a matrix for results: NaN where they go, guards around."""
    return Matrix(np.full((rows, columns), np.nan, DTYPES[precision]), gap, GUARD)


def close(precision: Precision, found: Array, wanted: Array, terms: int) -> bool:
    bound = TOLERANCE[precision] * np.sqrt(terms + 1) * (1 + np.abs(wanted))
    return bool((np.abs(found.astype(np.float64) - wanted) <= bound).all())


def same_twice(run: Callable[[], Array]) -> Array:
    """Return what two runs give, which must be the same bits."""
    first, second = run().copy(), run().copy()
    assert first.tobytes() == second.tobytes()
    return first


def packed(precision: Precision, sources: list[Array], order: str, gap: int) -> Matrix:
    """Return the panels of matrices (k, n) side by side, each from whole vectors on."""
    k = sources[0].shape[0]
    width = sum(round_up(b.shape[1], precision.lanes) for b in sources)
    panels = Matrix(np.full((1, panels_size(precision, k, width)), np.nan, DTYPES[precision]))
    column = 0
    for b in sources:
        n = b.shape[1]
        if order == "rows":
            source = Matrix(b, gap)
            strides = (source.stride, 1)
        elif order == "columns":
            source = Matrix(b.T, gap)
            strides = (1, source.stride)
        else:  # every second row of the transposed matrix's double
            source = Matrix(np.repeat(b.T, 2, axis=1), gap)
            strides = (2, source.stride)
        library(precision).routine("pack")(
            source.address, *strides, k, n, panels.address, column, k
        )
        column += round_up(n, precision.lanes)
    return panels


def start(
    precision: Precision, origin: str, c: Matrix, seed: int, gap: int
) -> tuple[Matrix | None, Array]:
    """Return D as memory, or None, and its values; in place they are put into C."""
    m, n = c.values.shape
    if origin == "none":
        return None, np.zeros((m, n), DTYPES[precision])
    d = random(precision, seed + 1, m, n)
    if origin == "in place":
        c.values[...] = d
        return c, d
    if origin == "bias":
        d[:] = d[0]
        row = Matrix(d[:1])
        row.stride = 0
        return row, d
    return Matrix(d, gap), d


def _products_with(
    name: str, precision: Precision, a: Array, b: Array, second: Matrix, options: dict[str, Any]
) -> None:
    """Check C = D + A B for a function that gets B as `second`, for one way to give D."""
    m, k = a.shape
    n = b.shape[1]
    gap, origin, seed = options["gap"], options["origin"], options["seed"]
    wanted: Array = np.zeros(0)
    results: list[Matrix] = []
    source = Matrix(a, gap)
    call = library(precision).routine(name)

    def run() -> Array:
        nonlocal wanted
        c = empty(precision, m, n, gap)
        d, d_values = start(precision, origin, c, seed, gap)
        wanted = d_values + a.astype(np.float64) @ b.astype(np.float64)
        place = (d.address, d.stride) if d else (0, 0)
        strides = [second.stride] if name == "direct" else []
        call(m, n, k, source.address, source.stride, second.address, *strides, *place, c.address,
             c.stride)  # fmt: skip
        results.append(c)
        return c.values

    found = same_twice(run)
    assert close(precision, found, wanted, k)
    assert all(c.untouched_around() for c in results)


@given(
    precision=precisions, m=sizes, n=sizes, more=sizes, k=depths, gap=gaps,
    order=st.sampled_from(["rows", "columns", "any"]), origin=origins, seed=seeds,
)  # fmt: skip
def test_multiply(
    precision: Precision, m: int, n: int, more: int, k: int, gap: int,
    order: str, origin: str, seed: int,
) -> None:  # fmt: skip
    """Of two matrices that were packed side by side, the columns that pad them are zero."""
    a = random(precision, seed, m, k)
    parts = [random(precision, seed, k, n), random(precision, seed, k, more)]
    panels = packed(precision, parts, order, gap)
    b = np.concatenate([pad(precision, part) for part in parts], axis=1)
    options = {"gap": gap, "origin": origin, "seed": seed}
    _products_with("multiply", precision, a, b, panels, options)


def pad(precision: Precision, matrix: Array) -> Array:
    """Return a matrix with zeros to whole vectors of columns."""
    n = matrix.shape[1]
    return np.pad(matrix, ((0, 0), (0, round_up(n, precision.lanes) - n)))


@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=lambda p: p.name)
def test_multiply_many_rows(precision: Precision) -> None:
    """More rows than one block of A holds."""
    a, b = random(precision, 0, 503, 300), random(precision, 1, 300, 48)
    panels = packed(precision, [b], "columns", 0)
    options = {"gap": 1, "origin": "rows", "seed": 2}
    _products_with("multiply", precision, a, b, panels, options)


@given(precision=precisions, m=sizes, n=sizes, k=depths, gap=gaps, origin=origins, seed=seeds)
def test_direct(
    precision: Precision, m: int, n: int, k: int, gap: int, origin: str, seed: int
) -> None:
    a, w = random(precision, seed, m, k), random(precision, seed + 1, n, k)
    options = {"gap": gap, "origin": origin, "seed": seed}
    _products_with("direct", precision, a, w.T, Matrix(w, gap), options)


@given(
    precision=precisions, m=sizes, n=sizes, gap=gaps, seed=seeds,
    rows=st.sampled_from([0, 1, 2, 7, 64, 159, 160, 161, 400, 1030]),
)  # fmt: skip
def test_outer(precision: Precision, m: int, n: int, rows: int, gap: int, seed: int) -> None:
    _check_outer(precision, m, n, rows, gap, seed)


@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=lambda p: p.name)
def test_outer_of_wide_matrices(precision: Precision) -> None:
    """More columns of A than are packed at once."""
    _check_outer(precision, 531, 70, 210, 1, 0)


def _check_outer(precision: Precision, m: int, n: int, rows: int, gap: int, seed: int) -> None:
    a, b = random(precision, seed, rows, m), random(precision, seed + 1, rows, n)
    left, right = Matrix(a, gap), Matrix(b, gap)
    size = outer_scratch_size(precision, n)
    results = []

    def run() -> Array:
        c = empty(precision, m, round_up(n, precision.lanes), gap)
        scratch = empty(precision, 1, size, 0)
        library(precision).routine("outer")(
            m, n, rows, left.address, left.stride, right.address, right.stride,
            c.address, c.stride, scratch.address,
        )  # fmt: skip
        results.extend([c, scratch])
        return c.values

    found = same_twice(run)
    wanted = a.T.astype(np.float64) @ b.astype(np.float64)
    assert close(precision, found[:, :n], wanted, rows)
    assert not found[:, n:].any()
    assert all(matrix.untouched_around() for matrix in results)


@given(
    precision=precisions, vectors=sizes, gap=gaps, seed=seeds,
    rows=st.sampled_from([0, 1, 5, 63, 64, 65, 200, 1000]),
)  # fmt: skip
def test_column_sums(precision: Precision, vectors: int, rows: int, gap: int, seed: int) -> None:
    n = vectors * precision.lanes
    a = random(precision, seed, rows, n)
    source = Matrix(a, gap)
    results = []

    def run() -> Array:
        c = empty(precision, 1, n, 0)
        library(precision).routine("column_sums")(rows, n, source.address, source.stride, c.address)
        results.append(c)
        return c.values

    found = same_twice(run)
    assert close(precision, found[0], a.sum(0, dtype=np.float64), rows)
    assert all(c.untouched_around() for c in results)


@pytest.mark.parametrize("name", ["outer", "column_sums"])
def test_long_sums_in_single_precision_are_accurate(name: str) -> None:
    """Sums of 100000 equal terms, which one running sum gets wrong in the fourth digit."""
    rows, lanes = 100_000, SINGLE.lanes
    a = np.full((rows, lanes), 0.1, np.float32)
    ones = np.ones((rows, 1), np.float32)
    c = np.zeros((lanes, lanes), np.float32)
    scratch = np.zeros(outer_scratch_size(SINGLE, 1), np.float32)
    at = [array.ctypes.data for array in (a, ones, c, scratch)]
    if name == "outer":
        library(SINGLE).routine("outer")(
            lanes, 1, rows, at[0], lanes, at[1], 1, at[2], lanes, at[3]
        )
        found = c[:, 0]
    else:
        library(SINGLE).routine("column_sums")(rows, lanes, at[0], lanes, at[2])
        found = c[0]
    np.testing.assert_allclose(found, rows * np.float64(np.float32(0.1)), rtol=1e-5)


@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=lambda p: p.name)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_reach_what_depends_on_them_and_nothing_else(
    precision: Precision, value: float
) -> None:
    m, n, k = 7, 21, 10
    a, w = random(precision, 0, m, k), random(precision, 1, n, k)
    a[3, 9] = value
    panels = packed(precision, [w.T], "columns", 0)
    source, second = Matrix(a), Matrix(w)
    c = empty(precision, m, round_up(n, precision.lanes), 0)
    call = library(precision).routine
    call("multiply")(
        m, c.stride, k, source.address, k, panels.address, 0, 0, c.address, c.stride
    )  # fmt: skip
    sums = empty(precision, m, n, 0)
    call("direct")(
        m, n, k, source.address, k, second.address, k, 0, 0, sums.address, n
    )  # fmt: skip
    wanted = a @ w.T
    for found in (c.values[:, :n], sums.values):
        assert np.array_equal(np.isfinite(found), np.isfinite(wanted))
        assert np.array_equal(found[3], wanted[3], equal_nan=True)


@pytest.fixture
def at_end() -> Iterator[Callable[[Array], int]]:
    """Copies arrays to where the next byte must not be touched, and returns their addresses."""
    libc = ctypes.CDLL(None)
    maps = []

    def place(array: Array) -> int:
        pages = -(-array.nbytes // mmap.PAGESIZE)
        memory = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
        whole = np.frombuffer(memory, np.uint8)
        end = int(whole.ctypes.data) + pages * mmap.PAGESIZE
        whole[: pages * mmap.PAGESIZE][-array.nbytes :] = array.view(np.uint8).ravel()
        assert libc.mprotect(ctypes.c_void_p(end), mmap.PAGESIZE, 0) == 0
        maps.append(memory)
        return end - array.nbytes

    yield place


@pytest.mark.skipif(sys.platform == "win32", reason="needs mprotect")
@pytest.mark.parametrize("precision", [SINGLE, DOUBLE], ids=lambda p: p.name)
@pytest.mark.parametrize("m, n, k", [(1, 1, 1), (3, 5, 7), (5, 13, 9), (6, 16, 8), (9, 31, 66)])
def test_nothing_is_touched_past_the_end(
    precision: Precision, m: int, n: int, k: int, at_end: Callable[[Array], int]
) -> None:
    """A function that reads or writes past its arrays ends the process here."""
    call = library(precision).routine
    width = round_up(n, precision.lanes)
    a, w = at_end(random(precision, 0, m, k)), at_end(random(precision, 1, n, k))
    c, whole_c = at_end(random(precision, 2, m, n)), at_end(random(precision, 2, m, width))
    panels = at_end(random(precision, 3, panels_size(precision, k, n)))
    call("pack")(w, 1, k, k, n, panels, 0, k)
    call("multiply")(m, width, k, a, k, panels, whole_c, width, whole_c, width)
    call("direct")(m, n, k, a, k, w, k, c, n, c, n)
    call("column_sums")(m, width, whole_c, width, at_end(random(precision, 4, width)))
    left, right = at_end(random(precision, 5, k, m)), at_end(random(precision, 6, k, n))
    call("pack")(right, n, 1, k, n, panels, 0, k)
    scratch = at_end(random(precision, 7, outer_scratch_size(precision, n)))
    call("outer")(m, n, k, left, m, right, n, whole_c, width, scratch)


def test_another_module_calls_them_by_name() -> None:
    module = ir.Module()
    callee = declare(module, SINGLE, "column_sums")
    assert declare(module, SINGLE, "column_sums") is callee
    function = ir.Function(module, ir.FunctionType(VOID, [INDEX, POINTER, POINTER]), "caller")
    code = Code(function, SINGLE)
    rows, a, c = function.args
    width = code.index(8)
    code.builder.call(callee, [rows, width, a, width, c])
    code.builder.ret_void()
    engine = Engine(module)
    values, result = random(SINGLE, 0, 3, 8), np.zeros(8, np.float32)
    engine.function("caller", 3)(3, values.ctypes.data, result.ctypes.data)
    np.testing.assert_allclose(result, values.sum(0), rtol=1e-6)
