"""Search spaces: which cells are allowed, and how cells of them are drawn."""

from __future__ import annotations

from cellsearch.space.space import Space, load_space, read_space

__all__ = ["Space", "load_space", "read_space"]
