"""Running cells natively: random ones in sizes of all kinds, guarded memory, other processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from random_cells import random_cell, seeded
from sequences import Results, Trial, trial
from torch import Tensor, nn

from cellsearch.backends import make_sequence
from cellsearch.cell import Cell
from cellsearch.layers import Recurrent, RecurrentCell

ROOT = Path(__file__).resolve().parents[2]
GUARD = 123.0
EDGE = 512  # elements before and after what is guarded

SMALL = Cell.parse("g = sigmoid(linear(x, h_prev))\nh = blend(g, h_prev, tanh(linear(x)))")
TWO = Cell.parse(
    "c = sigmoid(linear(x, h_prev)) * c_prev + tanh(linear(x, h_prev, bias=False))\n"
    "h = tanh(layer_norm(c)) * parameter(init=1)"
)
CONSTANTS = Cell.parse(
    "p = exp(parameter(scalar=True))\n"
    "h = tanh(linear(x, parameter(init=1)) * p + scale(h_prev) / p)"
)


def drawn(seed: int) -> tuple[Cell, Trial]:
    """Return a random cell and seven steps for it, in float64; sizes and batch are drawn, too."""
    rng = seeded(f"native {seed}")
    equal = seed % 3 == 0
    cell = Cell.parse(random_cell(rng, equal_sizes=equal))
    hidden = rng.choice((1, 3, 5, 8, 9, 16))
    size = hidden if equal else rng.choice((1, 2, 4, 9))
    return cell, trial(cell, rng, input_size=size, hidden_size=hidden, steps=7, batch=5)


def same_bits(found: Results, expected: Results) -> bool:
    """Whether two results agree in every bit; NaN equals NaN."""
    return found.keys() == expected.keys() and all(
        bits(found[name]) == bits(expected[name]) for name in expected
    )


def bits(value: Tensor) -> bytes:
    return value.detach().contiguous().numpy().tobytes()


def as_tuple(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else state


def pair(
    cell: Cell, input_size: int = 3, hidden_size: int = 5, kind: type[nn.Module] = Recurrent,
    dtype: torch.dtype = torch.float64, **options: Any,
) -> tuple[nn.Module, nn.Module]:  # fmt: skip
    """Return the same layer, or step, natively and eagerly."""
    native, eager = (
        kind(cell, input_size, hidden_size, backend=backend, dtype=dtype, **options)
        for backend in ("native", "eager")
    )
    for name, tensor in native.named_parameters():
        generator = torch.Generator().manual_seed(len(name))
        with torch.no_grad():
            tensor.normal_(0, 0.7, generator=generator)
    eager.load_state_dict(native.state_dict())
    return native, eager


def steps(
    cell: Cell, input_size: int = 3, hidden_size: int = 5, dtype: torch.dtype = torch.float64
) -> tuple[nn.Module, nn.Module]:
    """Return the same single step natively and eagerly."""
    return pair(cell, input_size, hidden_size, RecurrentCell, dtype)


def inputs(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Return normal numbers, always the same."""
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def learned(layer: nn.Module, x: Tensor, **options: Any) -> list[Tensor]:
    """Return the output of a layer and all gradients of a weighted sum of it."""
    x = x.detach().requires_grad_()
    output = layer(x)[0]
    weights = torch.linspace(-1, 2, output.numel(), dtype=output.dtype).reshape(output.shape)
    loss = (weights * output).sum()
    return [output, *torch.autograd.grad(loss, [x, *layer.parameters()], **options)]


def assert_close(found: list[Tensor], expected: list[Tensor], tolerance: float = 1e-11) -> None:
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        scale = max(1.0, float(other.detach().abs().max())) if other.numel() else 1.0
        torch.testing.assert_close(one, other, rtol=0, atol=tolerance * scale)


@contextmanager
def guarded() -> Iterator[Callable[[], bool]]:
    """Give all memory that a kernel asks for NaN inside and guards around.

    What it yields tells whether every guard still stands.
    """
    memories: list[tuple[Tensor, int]] = []

    def allocate(shape: tuple[int, ...], dtype: torch.dtype, fill: float = torch.nan) -> Tensor:
        count = torch.Size(shape).numel()
        memory = torch.full((EDGE + count + EDGE,), GUARD, dtype=dtype)
        memories.append((memory, count))
        inside = memory[EDGE : EDGE + count]
        return inside.fill_(fill).view(shape)

    def new_empty(self: Tensor, *size: Any) -> Tensor:
        return allocate(size if not size or isinstance(size[0], int) else size[0], self.dtype)

    def empty_like(like: Tensor, **_: Any) -> Tensor:
        return allocate(tuple(like.shape), like.dtype)

    def scratch(size: int) -> Tensor:
        return allocate((size,), torch.uint8, fill=255)  # NaN, however many bytes a number has

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Tensor, "new_empty", new_empty)
        patch.setattr(torch, "empty_like", empty_like)
        patch.setattr("cellsearch.backends.native.streaming._LIKE", empty_like)
        for module in ("sequence", "streaming"):
            patch.setattr(f"cellsearch.backends.native.{module}.scratch", scratch)
        yield lambda: all(
            bool((memory[:EDGE] == GUARD).all() and (memory[EDGE + count :] == GUARD).all())
            for memory, count in memories
        )


def run_natively(cell: Cell, given: Trial) -> Results:
    """Run a trial in the native backend."""
    return given.run(make_sequence(cell, "native"))


def in_a_process(code: str, *args: str) -> str:
    """Return what a new process prints; it must end well, and warnings are errors."""
    beginning = (
        f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests' / 'helpers')!r}]\n"
        "import torch; torch.set_num_threads(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", beginning + code, *args],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout
