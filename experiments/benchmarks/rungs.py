"""How well does the first rung of the quickstart rank cells as the end does?

Draws cells at random, trains every one of them to the end, and correlates the scores at the first
rung with those at the end (Spearman). Prints a table and writes rungs.json beside itself.

    python experiments/benchmarks/rungs.py [CELLS] [PROCESSES]
"""

from __future__ import annotations

import json
import multiprocessing
import random
import sys
from pathlib import Path
from typing import Any

from cellsearch.evaluation import evaluate
from cellsearch.experiment import load_experiment
from cellsearch.run.setup import prepare
from cellsearch.seeds import derive
from cellsearch.space import load_space
from cellsearch.statistics import rank_correlation

SEED = 0


def main(cells: int, processes: int) -> None:
    """Measure and report."""
    experiment = load_experiment("quickstart")
    setup = prepare(experiment)
    space = load_space(experiment.space.source)
    rng = random.Random(derive("rungs", SEED))
    jobs = [
        {**setup.job("search", index, str(space.draw(rng))), "kind": "search", "seed": SEED}
        for index in range(cells)
    ]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        results = [answer["evaluation"] for answer in pool.imap(evaluate, jobs)]
    finished = [result for result in results if result["status"] == "ok"]
    report: dict[str, Any] = {
        "cells": cells,
        "finished": len(finished),
        "rungs": list(experiment.fidelity.rungs),
        "seed": SEED,
    }
    first = [result["rung_scores"][0] for result in finished]
    last = [result["score"] for result in finished]
    report["rank correlation"] = rank_correlation(first, last)
    order = sorted(range(len(finished)), key=lambda i: last[i])
    kept = sorted(range(len(finished)), key=lambda i: first[i])
    share = max(1, round(experiment.fidelity.keep * len(finished)))
    report["kept at the first rung"] = share
    report["of the best 5, kept"] = len(set(order[:5]) & set(kept[:share]))
    report["scores"] = [[a, b] for a, b in zip(first, last, strict=True)]
    Path(__file__).with_suffix(".json").write_text(json.dumps(report, indent=1) + "\n")
    for key, value in report.items():
        if key != "scores":
            print(f"{key:24} {value}")


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:]]
    main(*(numbers + [60, 2][len(numbers) :]))
