"""What the benchmarks share: contenders timed in turns, claims, tables, and a JSON file of results.

Contenders take turns, A, B, A, B, ..., so that a machine that slows down for a while slows all of
them down, and ratios are taken within a round before their median is.
"""

from __future__ import annotations

import gc
import json
import math
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cellsearch.run import machine
from cellsearch.seeds import derive

Forward = Callable[[Tensor], Tensor]

WARM_UP = 3  # calls of each contender before anything is timed


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds per call of each contender, one number for each round."""

    rounds: Mapping[str, tuple[float, ...]]

    def seconds(self, name: str) -> float:
        """Return the median of a contender."""
        return statistics.median(self.rounds[name])

    def ratio(self, other: str, ours: str) -> float:
        """Return how many times longer `other` takes: the median of the rounds' ratios."""
        pairs = zip(self.rounds[other], self.rounds[ours], strict=True)
        return statistics.median(theirs / mine for theirs, mine in pairs)

    def row(self, *others: str) -> dict[str, float]:
        """Return milliseconds of "ours" and of others, and the others' ratios to ours."""
        times = {f"{name} ms": 1e3 * self.seconds(name) for name in ("ours", *others)}
        return {**times, **{f"{name} / ours": self.ratio(name, "ours") for name in others}}


def interleaved(
    contenders: Mapping[str, Callable[[], object]], rounds: int, least: float
) -> Timing:
    """Time the contenders in turns; in each round each is called for at least `least` seconds."""
    counts = {name: _repetitions(call, least) for name, call in contenders.items()}
    found: dict[str, list[float]] = {name: [] for name in contenders}
    gc.collect()
    for _ in range(rounds):
        for name, call in contenders.items():
            found[name].append(_timed(call, counts[name]) / counts[name])
    return Timing({name: tuple(seconds) for name, seconds in found.items()})


def _repetitions(call: Callable[[], object], least: float) -> int:
    """Return how many calls last at least `least` seconds, once the contender is warm."""
    _timed(call, WARM_UP)
    count = 1
    while (elapsed := _timed(call, count)) < least:
        count = max(2 * count, math.ceil(1.1 * count * least / max(elapsed, 1e-9)))
    return count


def _timed(call: Callable[[], object], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        call()
    return time.perf_counter() - begin


def once(call: Callable[[], object]) -> float:
    """Return the seconds of a single call."""
    return _timed(call, 1)


def first(layer: nn.Module) -> Forward:
    """Return a layer's output alone."""
    return lambda x: layer(x)[0]


def inputs(size: tuple[int, ...], dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Return an input and the weight of each output in the loss."""
    batch, steps, input_size, hidden = size
    generator = torch.Generator().manual_seed(derive("speed", *size))
    x = torch.randn(steps, batch, input_size, generator=generator)
    return x.to(dtype), torch.randn(steps, batch, hidden, generator=generator).to(dtype)


def training(
    forward: Forward, weights: Sequence[Tensor], x: Tensor, weight: Tensor
) -> Callable[[], None]:
    """Return a call that runs forward and backward, with the gradients of all weights, and of x
    if it asks for one."""
    learned = [*weights, x] if x.requires_grad else weights

    def run() -> None:
        for tensor in learned:
            tensor.grad = None
        (forward(x) * weight).sum().backward()  # type: ignore[no-untyped-call]

    return run


def results(forward: Forward, weights: Sequence[Tensor], x: Tensor, weight: Tensor) -> list[Tensor]:
    """Return the output and the gradients of x and of all weights; zero where there is none."""
    x = x.detach().requires_grad_()
    output = forward(x)
    learned = [x, *weights]
    found = torch.autograd.grad((output * weight).sum(), learned, allow_unused=True)
    pairs = zip(found, learned, strict=True)
    return [output.detach(), *(torch.zeros_like(a) if g is None else g for g, a in pairs)]


def error(found: list[Tensor], expected: list[Tensor]) -> float:
    """Return the greatest difference, as a share of the greatest number of each tensor.

    Infinite where a number is not finite, so that none of them goes unnoticed.
    """
    shares = [
        float((a - b).abs().max() / b.abs().max().clamp(min=1e-3))
        for a, b in zip(found, expected, strict=True)
    ]
    return max(share if math.isfinite(share) else math.inf for share in shares)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return least, 10 %, median, 90 % and greatest of some numbers."""
    ordered = sorted(values)

    def at(share: float) -> float:
        position = share * (len(ordered) - 1)
        low = math.floor(position)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (position - low) * (ordered[high] - ordered[low])

    shares = {"min": 0.0, "10 %": 0.1, "median": 0.5, "90 %": 0.9, "max": 1.0}
    return {name: at(share) for name, share in shares.items()}


def claim(
    text: str, value: float, threshold: tuple[str, float] | None, unit: str = ""
) -> dict[str, Any]:
    """Print a claim with its threshold and whether it holds; return it as plain JSON.

    A threshold is ("at least", 1.5) or ("at most", 100.0).
    """
    said, holds = "", None
    if threshold is not None:
        kind, limit = threshold
        holds = value >= limit if kind == "at least" else value <= limit
        said = f" ({kind} {limit:g}{unit}: {'yes' if holds else 'no'})"
    print(f"{text} {_short(value)}{unit}{said}")
    return {"claim": text, "value": value, "threshold": threshold, "holds": holds}


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print rows under a header: words to the left, numbers to the right."""
    cells = [[_short(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in (list(header), *cells)) for i in range(len(header))]
    numbers = [all(not isinstance(row[i], str) for row in rows) for i in range(len(header))]

    def line(row: Sequence[str]) -> str:
        columns = zip(row, widths, numbers, strict=True)
        return "  ".join(c.rjust(w) if number else c.ljust(w) for c, w, number in columns).rstrip()

    print(f"\n{title}\n{line(header)}\n{'─' * len(line(header))}")
    for row in cells:
        print(line(row))


def _short(cell: object) -> str:
    """Return three digits of a number, and anything else as it is."""
    if not isinstance(cell, float) or not math.isfinite(cell):
        return str(cell)
    digits = 2 if cell == 0 else 2 - math.floor(math.log10(abs(cell)))
    return f"{cell:.{min(max(digits, 0), 6)}f}"


def resident() -> int:
    """Return the bytes that this process holds in memory; where /proc is missing, the most ever."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else 1024 * peak
    return pages * os.sysconf("SC_PAGE_SIZE")


def watch_memory(calls: Iterable[Callable[[], object]], every: int) -> list[tuple[int, float]]:
    """Call one after the other; return the resident MiB before, and after every so many calls."""
    found = [(0, resident() / 2**20)]
    for done, call in enumerate(calls, 1):
        call()
        if done % every == 0:
            found.append((done, resident() / 2**20))
    return found


def this_machine() -> dict[str, Any]:
    """Return processor, cores, system and versions, without the date."""
    return {key: value for key, value in machine.describe().items() if key != "started"}


def write(path: Path, sections: Mapping[str, Any]) -> None:
    """Write sections of results, each with the machine it ran on, beside those already there."""
    before = json.loads(path.read_text()) if path.exists() else {}
    here = this_machine()
    new = {name: {"machine": here, **content} for name, content in sections.items()}
    path.write_text(json.dumps({**before, **new}, indent=1) + "\n")
    print(f"\nwritten to {path}: {', '.join(new)}")
