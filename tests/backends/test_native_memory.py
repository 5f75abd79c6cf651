"""What the native backend keeps: nothing of kernels that nobody uses, and little besides results.

Measured in processes of their own, by what the system says that they hold.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from native import SMALL, TWO, in_a_process

from cellsearch.backends.native import compile_kernel
from cellsearch.backends.native.layout import Shape
from cellsearch.cell import Cell
from cellsearch.known import zoo

measured = pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")

RESIDENT = """
import gc, mmap
from pathlib import Path
from native import *

def resident():
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE
"""

MANY = """
import cellsearch.backends.native.kernel as kernels
kernels.KEPT_KERNELS = 4
count, full = int(sys.argv[1]), sys.argv[2] == "full"

def run(seeds):
    for seed in seeds:
        if full:
            run_natively(*drawn(seed))
        else:  # these take no time, and a megabyte each
            cell = Cell.parse(f"h = tanh(linear(x, h_prev) * {seed + 0.5})")
            run_natively(cell, trial(cell, seeded(0)))

run(range(30))
before = resident()
run(range(30, 30 + count))
print((resident() - before) / count)
kernels.clear_kernels()
print((resident() - before) / count)
"""

LARGE = """
layer, _ = pair(TWO, 8, 64)
x = torch.zeros(500, 64, 8, dtype=torch.float64)
learned(layer, x[:50])
before = resident()
with torch.no_grad():
    first = layer(x)[0]
print(resident() - before)
before = resident()
output = layer(x)[0]
assert resident() - before > 60e6  # or this measures nothing
output.sum().backward()
print(resident() - before)
"""


@measured
def test_compiling_many_cells_leaves_no_memory_behind(full: bool) -> None:
    given = ("400", "full") if full else ("40", "small")
    growth = in_a_process(RESIDENT + MANY, *given)
    assert all(float(line) < 100_000 for line in growth.split()), growth


@measured
def test_large_workspaces_do_not_stay() -> None:
    """Inference keeps its output, and so does a graph that has been gone back."""
    held = in_a_process(RESIDENT + LARGE)
    output = 500 * 64 * 64 * 8
    assert all(float(line) < output + 12e6 for line in held.split()), held


@pytest.mark.parametrize(
    "cell", [zoo["lstm"], zoo["gru"], SMALL, TWO], ids=["lstm", "gru", "small", "two"]
)
def test_inference_needs_less_memory_than_training(cell: Cell) -> None:
    kernel = compile_kernel(cell, torch.float32)
    shape = Shape(
        input_size=8, hidden_size=64, batch=4, batch_sizes=(4,) * 2000, reverse=False, keep=True,
        direct=False,
    )  # fmt: skip
    training, inference = (
        kernel.layout(shape._replace(keep=keep)).elements[0] for keep in (True, False)
    )
    assert inference < 0.85 * training
