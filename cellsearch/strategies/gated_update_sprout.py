"""A gated update that is still growing: gates, activations and the carried state come one by one.

See `cellsearch.space.gated_update`: most growths of a graph would leave such a space.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal, get_args

from cellsearch.cell import Cell
from cellsearch.space import Space
from cellsearch.space.gated_update import Factor, GatedUpdate, Reset, functions, write

Place = Literal["keep", "take"]
"""Where a gate may be."""

BARE = GatedUpdate()
"""What grows: a linear of x and h_prev."""

Growths = Iterator[tuple[GatedUpdate, str]]


@dataclass(frozen=True, slots=True)
class GatedUpdateSprout:
    """A gated update; open is what is missing in its formula, and each linear of x and h_prev.

    Closed without more, it begins as linear(x, h_prev).
    """

    update: GatedUpdate = BARE

    def closed(self, space: Space) -> Cell | None:
        """Return the cell, or None if it is outside the space."""
        cell = Cell.from_graph(write(self.update))
        return cell if space.contains(cell) is None else None

    def grown(
        self, space: Space, rng: random.Random, sharing: bool
    ) -> tuple[GatedUpdateSprout, str] | None:
        """Return the sprout after a random growth, and what has grown; None if it is full grown.

        `sharing` says whether a new gate may be one that is there, or 1 - it.
        """
        kinds = [list(kind) for kind in self._growths(space, sharing)]
        found = [kind for kind in kinds if kind]
        if not found:
            return None
        update, note = rng.choice(rng.choice(found))
        return GatedUpdateSprout(update), note

    def _growths(self, space: Space, sharing: bool) -> Iterator[Growths]:
        """Yield the growths of each kind."""
        yield self._activated(space)
        yield self._carried()
        yield self._gated(sharing)
        yield self._reset(sharing)
        yield self._settled()

    def _activated(self, space: Space) -> Growths:
        for name in functions(space)[1:]:
            if self.update.inner == "identity":
                yield replace(self.update, inner=name), f"{name} of the candidate"
            if self.update.outer == "identity" and (self.update.carried or self.update.take):
                yield replace(self.update, outer=name), f"{name} of the update"

    def _carried(self) -> Growths:
        """Carry h, as it is or behind a gate; a gate may let the rest pass of what it keeps."""
        if self.update.carried:
            return
        carried = replace(self.update, carried=True)
        yield carried, "h_prev is carried"
        new = len(carried.gates)
        gated = replace(carried, gates=(*carried.gates, "xh"), keep=(new, False))
        yield gated, "h_prev is carried behind a gate"
        if carried.take is None:
            yield replace(gated, take=(new, True)), "a gate between h_prev and the candidate"

    def _gated(self, sharing: bool) -> Growths:
        places: list[Place] = ["take"] if self.update.take is None else []
        if self.update.carried and self.update.keep is None:
            places.append("keep")
        for place in places:
            for update, factor, said in self._factors(sharing):
                yield _with(update, place, factor), f"{place}: {said}"

    def _reset(self, sharing: bool) -> Growths:
        if self.update.reset != "none":
            return
        for reset in get_args(Reset)[1:]:
            if self.update.sees == "xh" or (reset, self.update.sees) == ("before", "h"):
                for update, factor, said in self._factors(sharing):
                    yield replace(update, reset=reset, reset_by=factor), f"reset {reset}: {said}"

    def _settled(self) -> Growths:
        """Let a linear see x or h_prev alone."""
        for sees in ("x", "h"):
            allowed = {"none": ("x", "h"), "before": ("h",)}.get(self.update.reset, ())
            if self.update.sees == "xh" and sees in allowed:
                yield replace(self.update, sees=sees), f"the candidate sees {sees} alone"
            for gate, seen in enumerate(self.update.gates):
                if seen == "xh":
                    gates = (*self.update.gates[:gate], sees, *self.update.gates[gate + 1 :])
                    yield replace(self.update, gates=gates), f"gate {gate} sees {sees} alone"

    def _factors(self, sharing: bool) -> Iterator[tuple[GatedUpdate, Factor, str]]:
        """Yield what may multiply something: a new gate, one that is there, or 1 - it."""
        new = len(self.update.gates)
        yield replace(self.update, gates=(*self.update.gates, "xh")), (new, False), "a new gate"
        for gate in range(new if sharing else 0):
            yield self.update, (gate, False), f"gate {gate}"
            yield self.update, (gate, True), f"1 - gate {gate}"


def _with(update: GatedUpdate, place: Place, factor: Factor) -> GatedUpdate:
    if place == "keep":
        return replace(update, keep=factor)
    return replace(update, take=factor)
