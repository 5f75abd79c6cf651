"""Moves: small edits of a cell by name, and mutation, which applies some; children stay inside."""

from __future__ import annotations

from cellsearch.strategies.moves.mutation import MOVES, Move, move_names, mutate

__all__ = ["MOVES", "Move", "move_names", "mutate"]
