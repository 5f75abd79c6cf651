"""The lstm and the gru, written by hand in torch operations, under torch.compile."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from typing import Any

import torch
from interpreter import STEPS, ByHand, copy_weights
from subjects import LAYERS, SMALL, Options, forget_kernels, make_layer, skipped, stated
from timing import Forward, error, first, inputs, interleaved, once, table, training
from torch import nn

from cellsearch.known import zoo


def time_torch_compile(options: Options) -> dict[str, Any]:
    """Time a hand-written lstm and gru under torch.compile: the step, and the whole sequence."""
    compiler = os.environ.get("CXX") or ("clang++" if sys.platform == "darwin" else "g++")
    if shutil.which(compiler) is None:
        return skipped(f"torch.compile needs a C++ compiler, and there is no {compiler}")
    report: dict[str, Any] = {"claims": []}
    with tempfile.TemporaryDirectory() as cache:  # so that nothing is compiled already
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache
        try:
            torch.compile(torch.tanh)(torch.ones(2))  # what is loaded but once is not counted
            report |= {name: _by_hand(name, options) for name in LAYERS}
        except Exception as problem:  # no headers, and whatever else a compiler may lack
            reason = str(problem).strip().partition("\n")[0][:200]
            return skipped(f"torch.compile does not work here: {reason}")
    for name in LAYERS:
        ratio = report[name]["torch.compile of the sequence"]["times ours"]
        text = f"{name}, {options.backend} against torch.compile of the sequence:"
        report["claims"].append(stated(f"torch-compile {name}", text, ratio))
    return report


def _by_hand(name: str, options: Options) -> dict[str, Any]:
    """Time one of them; the first call is timed too, with all that it compiles."""
    x, weight = inputs(SMALL)
    theirs = LAYERS[name](SMALL[2], SMALL[3])
    ours, eager = (make_layer(zoo[name], backend) for backend in (options.backend, "eager"))
    for layer in (ours, eager):
        copy_weights(name, layer, theirs)
    weights, states = list(theirs.parameters()), len(zoo[name].states)
    plain = ByHand(STEPS[name], weights, states, SMALL[3])
    step = ByHand(torch.compile(STEPS[name]), weights, states, SMALL[3])
    forwards: dict[str, tuple[Forward, list[nn.Parameter]]] = {
        "ours": (first(ours), list(ours.parameters())),
        "eager backend": (first(eager), list(eager.parameters())),
        "torch.nn": (first(theirs), weights),
        "step by hand": (plain, weights),
        "torch.compile of the step": (step, weights),
        "torch.compile of the sequence": (torch.compile(plain.__call__), weights),
    }
    calls = {key: training(run, own, x, weight) for key, (run, own) in forwards.items()}
    torch.compiler.reset()
    forget_kernels()
    compiling = {key: once(call) for key, call in calls.items()}
    # Not by `results`: with the gradient of x, torch.compile would begin again.
    outputs = [run(x).detach() for run, _ in forwards.values()]
    difference = error(outputs, [outputs[0]] * len(outputs))
    timing = interleaved(calls, options.rounds, options.least)
    rows = {
        key: {
            "first call s": compiling[key],
            "then ms": 1e3 * timing.seconds(key),
            "times ours": timing.ratio(key, "ours"),
        }
        for key in calls
    }
    table(
        f"{name} at {SMALL}, forward and backward (outputs agree within {difference:.0e})",
        ("", *rows["ours"]),
        [(options.backend if key == "ours" else key, *row.values()) for key, row in rows.items()],
    )
    return {**rows, "difference": difference}
