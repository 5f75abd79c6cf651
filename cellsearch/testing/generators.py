"""The global generators of random numbers that are loaded: their states, and seeding them."""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def seed_generators(seed: int) -> None:
    """Seed the generators of random, numpy and torch."""
    random.seed(seed)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


def generators() -> dict[str, str]:
    """Return the state of each generator, as what can be compared."""
    found = {"random": repr(random.getstate())}
    if "numpy" in sys.modules:
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        found["numpy"] = repr((kind, keys.tolist(), rest))
    if "torch" in sys.modules:
        found["torch"] = repr(sys.modules["torch"].get_rng_state().tolist())
    return found


@contextmanager
def generators_kept() -> Iterator[None]:
    """Put all generators back afterwards."""
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    outside = random.getstate()
    numpys = numpy.random.get_state() if numpy else None
    torchs = torch.get_rng_state() if torch else None
    try:
        yield
    finally:
        random.setstate(outside)
        if numpy:
            numpy.random.set_state(numpys)
        if torch:
            torch.set_rng_state(torchs)
