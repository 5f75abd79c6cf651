"""The same play in another process, under another order of hashes or another clock."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import nullcontext
from typing import Any

from cellsearch.space import Space, read_space
from cellsearch.strategies import load_strategy
from cellsearch.testing.clock import jumping_clock
from cellsearch.testing.plays import Said, fail, play


def play_elsewhere(
    name: str,
    space: Space,
    seed: int,
    settings: Mapping[str, Any],
    length: int,
    hash_seed: str,
    jumps: bool,
) -> dict[str, Any]:
    """Play in another process; return digests of what was proposed, and what was loaded for it.

    `jumps` says whether the clock jumps there.
    """
    order = {"name": name, "space": space.to_dict(), "seed": seed, "settings": dict(settings)}
    order["jumps"] = jumps
    paths = os.pathsep.join(path or os.getcwd() for path in sys.path)
    done = subprocess.run(
        [sys.executable, "-c", "from cellsearch.testing.elsewhere import serve; serve()"],
        input=json.dumps({**order, "length": length}),
        env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing"])[-1]
        fail(None, "it to play in a process of its own", last)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def serve() -> None:
    """Be the other process: read an order, write what was proposed."""
    order = json.load(sys.stdin)
    name = order["space"].pop("name")
    space = read_space(order["space"], name=name, where=name)
    with jumping_clock() if order["jumps"] else nullcontext():
        strategy = load_strategy(order["name"], space, order["seed"], order["settings"])
        digests = [digest(one) for one in play(strategy, order["length"]).said]
    loaded = sorted({"torch", "ray"} & set(sys.modules))
    print(json.dumps({"loaded": loaded, "digests": digests}))


def digest(one: Said) -> str:
    return hashlib.sha256(json.dumps(one).encode()).hexdigest()[:16]
