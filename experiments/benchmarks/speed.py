"""How fast are compiled cells? Against torch's own layers, interpretation and torch.compile.

Prints tables and claims, each with its threshold, and writes speed.json beside itself. One process,
one thread, float32; times are medians of contenders that take turns, ratios are medians of the
rounds' ratios, and more than 1 means that the backend is faster than the other one.

    python experiments/benchmarks/speed.py [--only lstm,gru] [--rounds 15] [--quick]

Sections: lstm, gru (against torch.nn), cells (the zoo and random cells, against interpretation node
by node and the eager backend, in a third of the rounds), compile (what making kernels costs; with
--compile-many 5000, also in memory), stream (one step at a time) and, only if asked by name,
torch-compile. Each section is written with the machine and the options it was measured with, beside
those that the file holds already.
"""

from __future__ import annotations

import argparse
import random
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict
from functools import partial
from operator import itemgetter
from pathlib import Path
from typing import Any

import torch
from interpreter import NodeByNode, compare, copy_weights
from subjects import (
    CELLS,
    LAYERS,
    SEED,
    SIZES,
    SMALL,
    TOLERANCE,
    Options,
    make_layer,
    skipped,
    stated,
)
from timing import (
    Forward,
    error,
    first,
    inputs,
    interleaved,
    once,
    results,
    spread,
    table,
    training,
    watch_memory,
    write,
)
from torch import Tensor, nn
from torch_compile import time_torch_compile

from cellsearch.backends import BACKENDS
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.layers import Recurrent, RecurrentCell
from cellsearch.seeds import derive
from cellsearch.shapes import needs_equal_sizes
from cellsearch.space import load_space

# lstm, gru


def against_torch(name: str, options: Options) -> dict[str, Any]:
    """Time the zoo's cell against torch's layer: training, with gradients of x, forward only."""
    tables: dict[str, list[dict[str, Any]]] = {
        "forward and backward": [],
        "forward and backward, with the gradient of the input": [],
        "forward only": [],
    }
    differences = []
    for size in SIZES:
        x, weight = inputs(size)
        theirs = LAYERS[name](size[2], size[3])
        ours = Recurrent(zoo[name], size[2], size[3], backend=options.backend)
        copy_weights(name, ours, theirs)
        found = results(first(ours), [], x, weight)  # the gradient of x depends on all there is
        differences.append(error(found, results(first(theirs), [], x, weight)))
        for kind, rows in tables.items():
            rows.append(_layer_times(kind, size, ours, theirs, options))
    agree, other = max(differences) <= TOLERANCE, f"torch.nn.{type(theirs).__name__}"
    print(
        f"\n{name} {'computes' if agree else 'DOES NOT COMPUTE'} what {other} does: "
        f"outputs and gradients of the input differ by at most {max(differences):.1e}, relatively"
    )
    report: dict[str, Any] = {"agrees": agree, "difference": max(differences), "claims": []}
    for kind, rows in tables.items():
        title = f"{name}, {options.backend} against {other}: {kind}"
        keys = ("ours ms", "torch ms", "torch / ours")
        shown = [(*row["size"], *(row[key] for key in keys)) for row in rows]
        table(title, ("batch", "steps", "input", "hidden", *keys), shown)
        report[kind] = rows
        ratios = [row["torch / ours"] for row in rows]
        key = f"{name} {kind}"
        means = [
            stated(key, f"{title}: geometric mean", statistics.geometric_mean(ratios)),
            stated(f"{key}, least", f"{title}: least", min(ratios)),
        ]
        if name == "gru":
            text = f"{title}: mean of the first four"
            means.append(stated(f"{key}, first four", text, statistics.fmean(ratios[:4])))
        report["claims"] += means
    return report


def _layer_times(
    kind: str, size: tuple[int, ...], ours: nn.Module, theirs: nn.Module, options: Options
) -> dict[str, Any]:
    x, weight = inputs(size)
    x.requires_grad_("input" in kind)

    def call(layer: nn.Module) -> Callable[[], object]:
        if kind == "forward only":
            return lambda: layer(x)
        return training(first(layer), list(layer.parameters()), x, weight)

    with torch.set_grad_enabled(kind != "forward only"):
        calls = {"ours": call(ours), "torch": call(theirs)}
        timing = interleaved(calls, options.rounds, options.least)
    return {"size": size, **timing.row("torch")}


# cells


def drawn(count: int, key: str) -> Iterator[Cell]:
    """Yield cells of the space `gated`, drawn at random, each once."""
    space, rng = load_space("gated"), random.Random(derive("speed", SEED, key))
    seen: set[str] = set()
    while len(seen) < count:
        cell = space.draw(rng)
        if cell.id not in seen:
            seen.add(cell.id)
            yield cell


def time_cells(options: Options) -> dict[str, Any]:
    """Time the cells of the zoo, and random ones, against interpretation and the eager backend.

    Those that need an input as wide as their state are left out.
    """
    fitting = {name: cell for name, cell in zoo.items() if not needs_equal_sizes(cell.normal)}
    found = {name: time_cell(cell, options) for name, cell in fitting.items()}
    keys = ("ours ms", "node by node ms", "eager ms", "node by node / ours", "eager / ours")
    known = {name: row for name, row in found.items() if row}
    table(
        f"The zoo with {options.backend} at {SMALL}, forward and backward",
        ("cell", *keys),
        [(name, *(row[key] for key in keys)) for name, row in known.items()],
    )
    rows: list[dict[str, Any]] = []
    redrawn = 0
    for cell in drawn(10 * options.cells, "cells"):
        if len(rows) == options.cells:
            break
        row = time_cell(cell, options)
        redrawn += row is None
        rows += [row] if row else []
    wrong = [row["id"] for row in (*known.values(), *rows) if row["difference"] > TOLERANCE]
    print(
        f"\n{len(rows)} random cells of gated; {redrawn} more were drawn, but overflow"
        f"\n{len(wrong)} cells differ from their interpretation by more than {TOLERANCE}"
        + "".join(f"\nDIFFERS: {cell_id}" for cell_id in wrong)
    )
    report: dict[str, Any] = {
        "zoo": known,
        "random": rows,
        "redrawn": redrawn,
        "differ": wrong,
        "claims": [],
    }
    for other in ("node by node", "eager"):
        ratio = f"{other} / ours"
        shares = spread([row[ratio] for row in rows])
        title = f"{options.backend} against {other}"
        table(f"Random cells, {title}", list(shares), [list(shares.values())])
        worst = sorted(rows, key=itemgetter(ratio))[:5]
        table("The worst five", ("cell", "ratio"), [(row["id"], row[ratio]) for row in worst])
        every = [*shares.values(), *(row[ratio] for row in known.values())]
        report[other] = {**shares, "worst": [row["id"] for row in worst]}
        report["claims"] += [
            stated(f"cells {other}", f"Any cell, {title}: median", shares["median"]),
            stated(f"cells {other}, least", f"Any cell, {title}: least", min(every)),
        ]
    return report


def time_cell(cell: Cell, options: Options) -> dict[str, Any] | None:
    """Check a cell against its interpretation, then time it; None if its values overflow."""
    ours = make_layer(cell, options.backend)
    difference = compare(ours, SMALL, torch.float32)
    if difference is None:
        return None
    if difference > TOLERANCE:  # chaos that enlarges rounding, or a mistake: doubles tell
        difference = compare(ours, SMALL, torch.float64)
        if difference is None:
            return None
    x, weight = inputs(SMALL)
    eager = make_layer(cell, "eager")
    forwards: dict[str, Forward] = {
        "ours": first(ours),
        "node by node": NodeByNode(ours),
        "eager": first(eager),
    }
    calls = {
        name: training(run, list((eager if name == "eager" else ours).parameters()), x, weight)
        for name, run in forwards.items()
    }
    timing = interleaved(calls, max(3, options.rounds // 3), options.least)
    times = timing.row("node by node", "eager")
    return {"id": cell.id, "cell": str(cell), "difference": difference, **times}


# compile


def time_compile(options: Options) -> dict[str, Any]:
    """Time making a cell's kernels, from nothing and from the cache; watch the memory of many."""
    try:
        from cellsearch.backends.native import clear_kernels, compile_kernel
    except ImportError as problem:
        return skipped(f"there is no native backend whose compiler could be timed: {problem}")
    cells = [*zoo.values(), *drawn(options.compiled, "compile")]
    clear_kernels()
    begin = 1e3 * once(partial(compile_kernel, cells[0], torch.float32))
    cold, cached = [], []
    for cell in cells:
        clear_kernels()
        cold.append(1e3 * once(partial(compile_kernel, cell, torch.float32)))
        cached.append(1e3 * once(partial(compile_kernel, cell, torch.float32)))
    kinds = {"cold": spread(cold), "cached": spread(cached)}
    report: dict[str, Any] = {"first in the process": begin, **kinds}
    title = (
        f"ms to make the kernels of {len(cells)} cells (the very first in the process {begin:.0f})"
    )
    table(title, ("", *kinds["cold"]), [(kind, *found.values()) for kind, found in kinds.items()])
    report["claims"] = [
        stated("compile median", "To compile a cell: median", kinds["cold"]["median"], " ms"),
        stated("compile 90 %", "To compile a cell: 90 %", kinds["cold"]["90 %"], " ms"),
        stated("compile max", "To compile a cell: the slowest", max(cold), " ms"),
        stated("compile cached", "From the cache: median", statistics.median(cached), " ms"),
    ]
    if options.compile_many:
        count = options.compile_many
        many = drawn(count, "memory")
        calls = (partial(compile_kernel, cell, torch.float32) for cell in many)
        found = watch_memory(calls, 500 if count >= 2000 else max(1, count // 8))
        table(f"Memory while {count} cells are compiled", ("cells", "resident MiB"), found)
        half = [point for point in found if point[0] >= count / 2]
        slope = 1024 * statistics.linear_regression(*zip(*half, strict=True)).slope
        text = "Memory per compiled cell, over the last half:"
        report["resident MiB"] = found
        report["claims"].append(stated("compile memory", text, slope, " KiB"))
    return report


# stream


def time_stream(options: Options) -> dict[str, Any]:
    """Time one step of one sequence, without gradients, against torch's cells."""
    report: dict[str, Any] = {"claims": []}
    x, h, c = torch.randn(3, 1, 64)
    for name, make in CELLS.items():
        theirs, ours = make(64, 64), RecurrentCell(zoo[name], 64, 64, backend=options.backend)
        copy_weights(name, ours, theirs)
        state = (h, c) if name == "lstm" else h
        stream = ours.streaming()
        with torch.no_grad():
            difference = error(_parts(ours(x, state)), _parts(theirs(x, state)))
            calls = {
                "ours": partial(ours, x, state),
                "torch": partial(theirs, x, state),
                "streaming": partial(stream, x, state),
            }
            timing = interleaved(calls, options.rounds, options.least)
        row, quick = timing.row("torch"), timing.ratio("torch", "streaming")
        other = f"torch.nn.{type(theirs).__name__}"
        title = f"One step of {name}, batch 1, 64 wide, {options.backend} against {other}"
        times = [1e6 * timing.seconds(way) for way in calls]
        table(
            f"{title} (outputs differ by at most {difference:.0e})",
            ("module µs", "torch µs", "streaming() µs", "torch / module", "torch / streaming()"),
            [(*times, row["torch / ours"], quick)],
        )
        report[name] = {
            **row,
            "streaming ms": 1e3 * timing.seconds("streaming"),
            "torch / streaming": quick,
            "difference": difference,
        }
        report["claims"] += [
            stated(f"stream {name}", f"{title}: streaming()", quick),
            stated(f"stream {name}, module", f"{title}: the module", row["torch / ours"]),
        ]
    return report


def _parts(state: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [state] if isinstance(state, Tensor) else list(state)


SECTIONS: dict[str, Callable[[Options], dict[str, Any]]] = {
    "lstm": lambda options: against_torch("lstm", options),
    "gru": lambda options: against_torch("gru", options),
    "cells": time_cells,
    "compile": time_compile,
    "stream": time_stream,
    "torch-compile": time_torch_compile,
}


def positive(text: str) -> int:
    """Return a whole number above zero."""
    if (number := int(text)) < 1:
        raise ValueError
    return number


def main() -> None:
    """Measure what was asked for, and report."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    default = ",".join(name for name in SECTIONS if name != "torch-compile")
    parser.add_argument("--only", default=default, help=f"of {', '.join(SECTIONS)}")
    parser.add_argument("--backend", default="native", choices=BACKENDS, help="what is measured")
    parser.add_argument("--rounds", type=positive, help="turns of each contender (15)")
    parser.add_argument("--cells", type=positive, help="random cells that are timed (200)")
    parser.add_argument("--compile-many", type=int, default=0, help="cells, to watch the memory")
    parser.add_argument("--quick", action="store_true", help="a small check; writes only to --out")
    parser.add_argument("--out", type=Path, help="speed.json beside this script")
    asked = parser.parse_args()
    names = asked.only.split(",")
    if unknown := set(names) - set(SECTIONS):
        parser.error(f"--only: unknown {', '.join(unknown)}; known: {', '.join(SECTIONS)}")
    options = Options(
        backend=asked.backend,
        rounds=asked.rounds or (3 if asked.quick else 15),
        least=0.002 if asked.quick else 0.02,
        cells=asked.cells or (5 if asked.quick else 200),
        compiled=3 if asked.quick else 100,
        compile_many=asked.compile_many,
    )
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    print("One thread, float32; ratios above 1: compiled cells are faster.")
    found = {name: {"options": asdict(options), **SECTIONS[name](options)} for name in names}
    if asked.out or not asked.quick:
        write(asked.out or Path(__file__).with_suffix(".json"), found)


if __name__ == "__main__":
    main()
