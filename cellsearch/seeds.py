"""Seeds derived from names and numbers, equal on every machine."""

from __future__ import annotations

import hashlib
import json


def derive(*parts: int | str) -> int:
    """Return a seed in 0..2**63-1 that depends on every part and on their order.

    Built on SHA-256, so that it does not change with the platform, the Python version or
    ``PYTHONHASHSEED``, and so that neighbouring run seeds share nothing.
    """
    digest = hashlib.sha256(json.dumps(parts).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1
