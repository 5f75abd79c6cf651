"""Moves in a space of gated updates: edits of their gates, of what is seen and of activations.

Edits of a graph would mostly leave such a space, and those that stay mostly make cells smaller;
these keep to it. See `cellsearch.space.gated_update`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal, get_args

from cellsearch.cell import Cell
from cellsearch.space import Space
from cellsearch.space.gated_update import (
    Factor,
    GatedUpdate,
    Reset,
    Seen,
    functions,
    read,
    write,
)
from cellsearch.strategies.part_moves import mutate_parts

Place = Literal["keep", "take", "reset_by"]
"""Where a gate may be."""
PLACES: tuple[Place, ...] = get_args(Place)

Move = Callable[[GatedUpdate, Space, random.Random], tuple[GatedUpdate, str] | None]


def mutate(
    cell: Cell,
    space: Space,
    rng: random.Random,
    count: int,
    names: Sequence[str] | None = None,
) -> tuple[Cell, str] | None:
    """Return a gated update that is up to `count` moves away, inside the space, and what was done.

    None if there is none within a bounded number of tries, or if the cell is no gated update.
    `names` says which moves are chosen from, all if None.
    """
    moves = [_settling(MOVES[name]) for name in (MOVES if names is None else names)]
    update = read(space, cell.normal)
    if isinstance(update, str):
        return None
    return mutate_parts(cell, update, write, moves, space, rng, count)


def _activate(
    update: GatedUpdate, space: Space, rng: random.Random
) -> tuple[GatedUpdate, str] | None:
    """Give the candidate or the sum another activation, or none."""
    names = functions(space)
    if rng.random() < 0.5:
        new = rng.choice([name for name in names if name != update.inner] or names)
        return replace(update, inner=new), f"{new} for {update.inner} of the candidate"
    new = rng.choice([name for name in names if name != update.outer] or names)
    return replace(update, outer=new), f"{new} for {update.outer} of h"


def _look(update: GatedUpdate, space: Space, rng: random.Random) -> tuple[GatedUpdate, str] | None:
    """Let a gate or the candidate see other leaves."""
    gate = rng.randrange(len(update.gates) + 1)
    if gate == len(update.gates):
        new = _other(update.sees, rng)
        return replace(update, sees=new), f"the candidate sees {new}"
    new = _other(update.gates[gate], rng)
    gates = (*update.gates[:gate], new, *update.gates[gate + 1 :])
    return replace(update, gates=gates), f"a gate sees {new}"


def _insert_gate(
    update: GatedUpdate, space: Space, rng: random.Random
) -> tuple[GatedUpdate, str] | None:
    """Put a gate where there is none: a new one, or one that is there."""
    free = [place for place in PLACES if getattr(update, place) is None]
    place = rng.choice(free) if free else None
    if place is None:
        return None
    new = rng.randrange(len(update.gates) + 1)
    seen: Seen = rng.choice(get_args(Seen))
    gates = (*update.gates, seen) if new == len(update.gates) else update.gates
    update = _with(replace(update, gates=gates), place, (new, rng.random() < 0.5))
    if place == "reset_by":
        kinds = [kind for kind in get_args(Reset) if kind != "none"]
        update = replace(update, reset=rng.choice(kinds))
    return update, f"a gate at {place}"


def _remove_gate(
    update: GatedUpdate, space: Space, rng: random.Random
) -> tuple[GatedUpdate, str] | None:
    """Take a gate from one of its places."""
    used = _used(update)
    if not used:
        return None
    place = rng.choice(used)
    return _with(update, place, None), f"no gate at {place}"


def _share(update: GatedUpdate, space: Space, rng: random.Random) -> tuple[GatedUpdate, str] | None:
    """Put at one place the gate of another, or 1 less it."""
    used = _used(update)
    if len(update.gates) < 2 or len(used) < 2:
        return None
    kept, gone = rng.sample(used, 2)
    gate, less = _factor(update, kept)
    return _with(update, gone, (gate, less != (rng.random() < 0.5))), f"one gate at {kept}, {gone}"


def _split(update: GatedUpdate, space: Space, rng: random.Random) -> tuple[GatedUpdate, str] | None:
    """Give a place a gate of its own that sees what its gate sees, where others have that too."""
    used = _used(update)
    shared = [
        place
        for place in used
        if [_factor(update, other)[0] for other in used].count(_factor(update, place)[0]) > 1
    ]
    if not shared:
        return None
    place = rng.choice(shared)
    gates = (*update.gates, update.gates[_factor(update, place)[0]])
    update = _with(replace(update, gates=gates), place, (len(gates) - 1, False))
    return update, f"a gate of its own at {place}"


def _complement(
    update: GatedUpdate, space: Space, rng: random.Random
) -> tuple[GatedUpdate, str] | None:
    """Put 1 less a gate in its place, or the reverse."""
    used = _used(update)
    if not used:
        return None
    place = rng.choice(used)
    gate, less = _factor(update, place)
    return _with(update, place, (gate, not less)), f"1 less the gate at {place}"


def _reset(update: GatedUpdate, space: Space, rng: random.Random) -> tuple[GatedUpdate, str] | None:
    """Let the gate within the candidate multiply something else there."""
    if update.reset == "none":
        return None
    kinds = [kind for kind in get_args(Reset) if kind not in ("none", update.reset)]
    new = rng.choice(kinds)
    return replace(update, reset=new), f"reset {new}"


def _carry(update: GatedUpdate, space: Space, rng: random.Random) -> tuple[GatedUpdate, str] | None:
    """Carry h on, or no more."""
    return replace(update, carried=not update.carried), (
        "h is carried no more" if update.carried else "h is carried"
    )


def _other(seen: Seen, rng: random.Random) -> Seen:
    others: list[Seen] = [other for other in get_args(Seen) if other != seen]
    return rng.choice(others)


def _used(update: GatedUpdate) -> list[Place]:
    return [place for place in PLACES if getattr(update, place) is not None]


def _factor(update: GatedUpdate, place: Place) -> tuple[int, bool]:
    gate, less = getattr(update, place)
    return gate, less


def _with(update: GatedUpdate, place: Place, factor: Factor) -> GatedUpdate:
    if place == "keep":
        return replace(update, keep=factor, carried=update.carried or factor is not None)
    return replace(update, take=factor) if place == "take" else replace(update, reset_by=factor)


def _settling(move: Move) -> Move:
    """Return the move, whose result is said as the family says it."""

    def settling(
        update: GatedUpdate, space: Space, rng: random.Random
    ) -> tuple[GatedUpdate, str] | None:
        found = move(update, space, rng)
        return None if found is None else (_settled(found[0]), found[1])

    return settling


def _settled(update: GatedUpdate) -> GatedUpdate:
    """Return the update as the family says it: without what has no effect, gates in order."""
    if not update.carried:
        update = replace(update, keep=None)
    if update.reset_by is None or update.reset == "none":
        update = replace(update, reset="none", reset_by=None)
    if update.reset in ("after", "input"):
        update = replace(update, sees="xh")
    if update.reset == "before" and update.sees == "x":
        update = replace(update, sees="xh")
    if not update.carried and update.take is None:
        update = replace(update, outer="identity")
    used = _used(update)
    factors = [_factor(update, place) for place in used]
    gates = tuple(dict.fromkeys(gate for gate, _ in factors))
    for place, (gate, less) in zip(used, factors, strict=True):
        always = all(other_less for other, other_less in factors if other == gate)
        update = _with(update, place, (gates.index(gate), less and not always))
    return replace(update, gates=tuple(update.gates[gate] for gate in gates))


MOVES: Mapping[str, Move] = MappingProxyType(
    {
        "replace_operator": _activate,
        "rewire": _look,
        "insert_gate": _insert_gate,
        "remove_gate": _remove_gate,
        "share": _share,
        "split": _split,
        "complement": _complement,
        "reset": _reset,
        "carry": _carry,
    }
)
"""Every move by its name; one is as likely as another."""
