"""Contract tests for people who write a strategy: does it keep what runs rely on?

    from cellsearch.testing import check_strategy

    def test_mine():
        check_strategy("my_package:Mine", space="gated")

No cell is trained: results come from a made-up landscape, a function of the cell alone.
"""

from __future__ import annotations

from cellsearch.testing.strategy import STRATEGY_PROMISES, check_strategy

__all__ = ["STRATEGY_PROMISES", "check_strategy"]
