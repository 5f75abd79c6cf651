"""The life of kernels: copies and files, the cache, threads, processes, platforms without LLVM."""

from __future__ import annotations

import copy
import gc
import io
import os
import pickle
import signal
import threading
import warnings
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from native import SMALL, TWO, bits, drawn, in_a_process, inputs, learned, pair, run_natively, steps
from torch import Tensor

import cellsearch.backends as backends
from cellsearch.backends import make_sequence
from cellsearch.backends.native import clear_kernels, compile_kernel
from cellsearch.backends.native.kernel import KEPT_KERNELS
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.layers import Recurrent, RecurrentCell


def used() -> list[torch.nn.Module]:
    """Layers and a step that have run in both precisions, forward, backward and streaming."""
    layers = [pair(TWO)[0], pair(SMALL, bidirectional=True, num_layers=2)[0]]
    for layer in layers:
        learned(layer, inputs(6, 4, 3))
    step, _ = steps(zoo["lstm"])
    layers.append(step)
    for _ in range(3):
        results(step)
    return layers


def results(module: torch.nn.Module) -> list[bytes]:
    """The bits of all that a module computes."""
    if not isinstance(module, RecurrentCell):
        return [bits(value) for value in learned(module, inputs(6, 4, 3))]
    state = (inputs(4, 5), inputs(4, 5, seed=1))
    with torch.no_grad():
        return [bits(part) for part in module(inputs(4, 3), state)]


# ---- copies and files ----------------------------------------------------------------------------


def test_copies_and_pickles_of_used_modules_compute_the_same_bits() -> None:
    for module in used():
        expected = results(module)
        file = io.BytesIO()
        torch.save(module, file)
        file.seek(0)
        copies = [
            copy.copy(module),
            copy.deepcopy(module),
            pickle.loads(pickle.dumps(module)),  # noqa: S301 - our own
            torch.load(file, weights_only=False),
        ]
        for one in copies:
            assert results(one) == expected
            assert results(one) == expected


def test_a_pickle_holds_no_more_after_use_than_before() -> None:
    for module in used():
        again = type(module)(
            module.cell, 3, 5, backend="native", dtype=torch.float64, **options(module)
        )
        again.load_state_dict(module.state_dict())
        assert abs(len(pickle.dumps(module)) - len(pickle.dumps(again))) < 2000
        assert b"native.kernel" not in pickle.dumps(module)
        assert b"Engine" not in pickle.dumps(module)


def options(module: torch.nn.Module) -> dict[str, object]:
    names = ("num_layers", "bidirectional")
    return {name: getattr(module, name) for name in names if hasattr(module, name)}


def test_a_pickle_computes_the_same_in_another_process(tmp_path: pytest.TempPathFactory) -> None:
    path = tmp_path / "modules"  # type: ignore[operator]
    modules = used()
    path.write_bytes(pickle.dumps((modules, [results(module) for module in modules])))
    in_a_process(
        "import pickle; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "from test_native_kernels import results\n"
        "modules, expected = pickle.loads(Path(sys.argv[1]).read_bytes())\n"
        "assert [results(module) for module in modules] == expected\n",
        str(path),
        os.path.dirname(__file__),
    )


def test_states_go_into_another_layer() -> None:
    first, second = pair(TWO)[0], Recurrent(TWO, 3, 5, backend="native", dtype=torch.float64)
    assert results(first) != results(second)
    second.load_state_dict(first.state_dict())
    assert results(first) == results(second)


# ---- the cache -----------------------------------------------------------------------------------


def test_the_same_cell_has_one_kernel_per_precision() -> None:
    first = compile_kernel(Cell.parse("h = tanh(linear(x, h_prev))"))
    assert compile_kernel(Cell.parse("h = tanh(linear(x, h_prev))  # again")) is first
    assert compile_kernel(SMALL) is not first
    assert compile_kernel(Cell.parse("h = tanh(linear(x, h_prev))"), torch.float64) is not first


def test_a_kernel_is_freed_when_nobody_uses_it() -> None:
    cell = Cell.parse("h = tanh(linear(x, h_prev)) * 0.123")
    layer = Recurrent(cell, 3, 5)
    output = layer(inputs(6, 4, 3, dtype=torch.float32))[0]
    kernel = compile_kernel(cell)
    gone, engine = weakref.ref(kernel), weakref.ref(kernel._engine)
    del kernel
    clear_kernels()
    del layer
    gc.collect()
    assert gone() is not None  # the way back needs it
    output.sum().backward()
    del output
    gc.collect()
    assert gone() is None
    assert engine() is None


def test_a_kernel_outlives_the_cache_while_it_is_needed() -> None:
    layer, _ = pair(TWO)
    expected = results(layer)
    x = inputs(6, 4, 3).requires_grad_()
    output = layer(x)[0]
    weights = torch.linspace(-1, 2, output.numel(), dtype=x.dtype).reshape(output.shape)
    targets = [x, *layer.parameters()]
    del layer
    clear_kernels()
    gc.collect()
    for seed in range(3):  # others may take the place of what was freed
        run_natively(*drawn(seed))
    found = torch.autograd.grad((weights * output).sum(), targets)
    assert [bits(value) for value in (output, *found)] == expected


def test_the_cache_keeps_the_kernels_used_last(monkeypatch: pytest.MonkeyPatch) -> None:
    assert KEPT_KERNELS >= 16
    monkeypatch.setattr("cellsearch.backends.native.kernel.KEPT_KERNELS", 2)
    clear_kernels()
    cells = [Cell.parse(f"h = h_prev + {number}") for number in range(3)]
    first, second = (weakref.ref(compile_kernel(cell)) for cell in cells[:2])
    compile_kernel(cells[0])
    compile_kernel(cells[2])
    gc.collect()
    assert first() is not None
    assert second() is None
    monkeypatch.undo()


# ---- threads and processes -----------------------------------------------------------------------


def test_many_threads_compute_what_one_does() -> None:
    modules = used()
    expected = [results(module) for module in modules]
    large, _ = pair(TWO, 8, 48)  # takes so long that threads do meet inside
    x = inputs(150, 16, 8)
    wanted = [bits(value) for value in learned(large, x)]
    together = threading.Barrier(8)

    def work(number: int) -> bool:
        together.wait(timeout=60)
        order = [(number + i) % len(modules) for i in range(12)]
        if not all(results(modules[i]) == expected[i] for i in order):
            return False
        return all([bits(value) for value in learned(large, x)] == wanted for _ in range(4))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_many_threads_compile_at_once() -> None:
    trials = [drawn(seed) for seed in range(4)]
    expected = [[bits(v) for v in run_natively(*one).values()] for one in trials]
    clear_kernels()
    together = threading.Barrier(8)

    def work(number: int) -> bool:
        together.wait(timeout=60)
        order = [(number + i) % 4 for i in range(4)]
        return all(
            [bits(v) for v in run_natively(*trials[i]).values()] == expected[i] for i in order
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_computes_the_same_and_compiles_more() -> None:
    modules = used()
    expected = [results(module) for module in modules]
    fresh = Cell.parse("h = tanh(linear(x, h_prev) * 0.987)")

    def child() -> bool:
        signal.alarm(120)  # rather than hang
        if [results(module) for module in modules] != expected:
            return False
        layer = Recurrent(fresh, 3, 5, backend="native", dtype=torch.float64)
        layer.load_state_dict(reference.state_dict())
        return results(layer) == known

    reference = Recurrent(fresh, 3, 5, backend="native", dtype=torch.float64)
    known = results(reference)
    clear_kernels()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that threads do not survive a fork
        process = os.fork()
    if process == 0:
        try:
            os._exit(0 if child() else 3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    assert [results(module) for module in modules] == expected


# ---- platforms and types that native code is not for ---------------------------------------------


@pytest.fixture
def no_llvm(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def refuse() -> None:
        raise RuntimeError("no target here")

    monkeypatch.setattr("cellsearch.backends.native.engine.check", refuse)
    backends._native_problem.cache_clear()
    yield
    backends._native_problem.cache_clear()


def said(run: Callable[[], object]) -> list[str]:
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        run()
    return [str(warning.message) for warning in found]


def test_where_nothing_compiles_layers_run_eagerly_with_one_warning(no_llvm: None) -> None:
    x = inputs(6, 4, 3)
    found: list[Tensor] = []

    def run() -> None:
        for _ in range(2):
            layer = Recurrent(TWO, 3, 5, dtype=torch.float64)
            eager = Recurrent(TWO, 3, 5, dtype=torch.float64, backend="eager")
            eager.load_state_dict(layer.state_dict())
            found.extend((layer(x)[0], eager(x)[0]))

    (message,) = said(run)
    assert "no target here" in message
    assert "\n" not in message
    assert bits(found[0]) == bits(found[1])
    assert bits(found[2]) == bits(found[3])
    with pytest.raises(RuntimeError, match=r"native.*no target here.*eager") as error:
        make_sequence(TWO, "native")
    assert "\n" not in str(error.value)


def test_native_without_llvm_is_an_error_and_no_warning(no_llvm: None) -> None:
    with pytest.raises(RuntimeError, match="no target here"):
        Recurrent(TWO, 3, 5, backend="native")


def test_other_types_run_eagerly_with_one_warning_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cellsearch.backends.native.sequence._warned", set())

    def run(*dtypes: torch.dtype) -> None:
        for dtype in dtypes:
            for kind in (Recurrent, RecurrentCell):
                module = kind(TWO, 3, 5, dtype=dtype)
                module(torch.ones(2, 3, dtype=dtype))

    messages = said(lambda: run(torch.bfloat16, torch.float16, torch.bfloat16))
    assert len(messages) == 2
    assert "torch.bfloat16" in messages[0]
    assert "torch.float16" in messages[1]
    assert said(lambda: run(torch.float16, torch.float32, torch.float64)) == []
