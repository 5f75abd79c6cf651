"""Gated updates: h is a candidate, a part of it, or a sum of it and of what is kept of h_prev.

The family of the GRU, with every gate optional, of its own or shared, and seeing what it likes:

    h = f(k * h_prev + i * g(candidate))

k, i and a third gate r, in the candidate, are gates or missing, as is the carried term; f and g are
activations or missing. The candidate is a linear of x, h_prev or both, or, where there is an r,
linear(r * h_prev), linear(x, r * h_prev), linear(x) + r * linear(h_prev) or r * linear(x) +
linear(h_prev). A gate sees x, h_prev or both; several places may share one, and then some of them,
not all, may have 1 - it instead.

The two ways of resetting: Cho, van Merriënboer, Gulcehre, Bahdanau, Bougares, Schwenk and Bengio,
2014, https://arxiv.org/abs/1406.1078, and their programs. Ablations of gates in the same manner:
Dey and Salem, 2017, "Gate-Variants of Gated Recurrent Unit (GRU) Neural Networks",
https://arxiv.org/abs/1701.05923; Zhou, Wu, Zhang and Zhou, 2016, "Minimal gated unit for recurrent
neural networks", https://arxiv.org/abs/1603.09420.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

from cellsearch.cell import Cell
from cellsearch.graph import Graph
from cellsearch.normal import identity
from cellsearch.operators import OPERATORS
from cellsearch.space.rules import ACTIVATIONS

if TYPE_CHECKING:
    import networkx as nx

    from cellsearch.space import Space

Seen = Literal["x", "h", "xh"]
"""What a linear sees."""
Factor = tuple[int, bool] | None
"""A gate, by its number, and whether it is 1 less it that multiplies; None: nothing does."""
Reset = Literal["none", "before", "after", "input"]
"""What r multiplies: nothing, h_prev, its product with a matrix, or that of x."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatedUpdate:
    """One cell of the family; `gates` are what each sees, `carried` says whether h_prev is a term.

    `keep`, `take` and `reset_by` are k, i and r, None where there is no such gate; `inner` and
    `outer` are g and f, "identity" where there is none.
    """

    gates: tuple[Seen, ...] = ()
    carried: bool = False
    keep: Factor = None
    take: Factor = None
    reset: Reset = "none"
    reset_by: Factor = None
    sees: Seen = "xh"
    inner: str = "identity"
    outer: str = "identity"


@lru_cache(maxsize=8)
def gated_updates(space: Space) -> tuple[GatedUpdate, ...]:
    """Return the family as far as the operators of a space reach; few of them are outside it.

    Gates are sigmoids; f and g are of the activations that do not stay between 0 and 1.
    """
    known = functions(space)
    found = []
    for carried, (reset, sees) in product((False, True), _candidates()):
        for keep, take, by in product((False, True), repeat=3):
            if (keep and not carried) or by != (reset != "none"):
                continue
            for gates, factors in _gatings(keep + take + by):
                given = iter(factors)
                parts = [next(given) if there else None for there in (keep, take, by)]
                found += [
                    GatedUpdate(
                        gates=gates,
                        carried=carried,
                        keep=parts[0],
                        take=parts[1],
                        reset=reset,
                        reset_by=parts[2],
                        sees=sees,
                        inner=inner,
                        outer=outer,
                    )
                    for inner, outer in product(known, known)
                    # of a bare candidate, one activation is enough: it stands within
                    if carried or take or outer == "identity"
                ]
    return tuple(found)


def choose_size(space: Space, rng: random.Random) -> int:
    """Return a number that says nothing: cells of all sizes are drawn alike."""
    del space, rng
    return 0


def grow(space: Space, size: int, rng: random.Random) -> nx.MultiDiGraph:
    """Return the graph of one of the family's cells, all of them equally likely."""
    del size
    return write(rng.choice(gated_updates(space)))


def functions(space: Space) -> tuple[str, ...]:
    """Return what f and g may be: identity, and activations that do not stay between 0 and 1."""
    names = (name for name in space.operators if name in ACTIVATIONS)
    return "identity", *(name for name in names if OPERATORS[name].range != (0, 1))


def _candidates() -> Iterator[tuple[Reset, Seen]]:
    yield from (("none", sees) for sees in get_args(Seen))
    yield from (("before", "h"), ("before", "xh"), ("after", "xh"), ("input", "xh"))


def _gatings(places: int) -> Iterator[tuple[tuple[Seen, ...], tuple[Factor, ...]]]:
    """Yield the gates of so many places, and for each place which it is, or 1 less which."""
    for owners in _shared(places):
        count = max(owners, default=-1) + 1
        for less in product((False, True), repeat=places):
            if any(
                all(less[place] for place in range(places) if owners[place] == gate)
                for gate in range(count)
            ):
                continue  # 1 - z everywhere is z with its weights' signs turned
            for gates in product(get_args(Seen), repeat=count):
                yield gates, tuple(zip(owners, less, strict=True))


def _shared(places: int) -> Iterator[tuple[int, ...]]:
    """Yield every way to let places share gates: for each place its gate, numbered as they come."""
    if places == 0:
        yield ()
        return
    for owners in _shared(places - 1):
        for gate in range(max(owners, default=-1) + 2):
            yield (*owners, gate)


def write(update: GatedUpdate) -> nx.MultiDiGraph:
    """Return the graph of a cell of the family."""
    import networkx as nx  # takes a while, and reading a space does without

    graph = nx.MultiDiGraph(states={"h": 0}, output=None)

    def add(op: str, *args: int, name: str = "", **attributes: float) -> int:
        node = len(graph)
        graph.add_node(node, op=op, name=name, attributes=attributes)
        graph.add_edges_from((arg, node, slot) for slot, arg in enumerate(args))
        return node

    h, x = add("state", name="h"), add("x")
    leaves: dict[Seen, tuple[int, ...]] = {"x": (x,), "h": (h,), "xh": (x, h)}
    gates = [add("sigmoid", add("linear", *leaves[seen])) for seen in update.gates]

    def times(factor: Factor, value: int) -> int:
        if factor is None:
            return value
        gate, less = factor
        if less:
            return add("mul", add("sub", add("number", value=1.0), gates[gate]), value)
        return add("mul", gates[gate], value)

    if update.reset in ("after", "input"):
        parts = [add("linear", x), add("linear", h)]
        changed = 1 if update.reset == "after" else 0
        parts[changed] = times(update.reset_by, parts[changed])
        value = add("add", *parts)
    else:
        seen = {"x": x, "h": times(update.reset_by, h)}
        value = add("linear", *(seen[leaf] for leaf in update.sees))
    if update.inner != "identity":
        value = add(update.inner, value)
    value = times(update.take, value)
    if update.carried:
        value = add("add", times(update.keep, h), value)
    if update.outer != "identity":
        value = add(update.outer, value)
    graph.graph["states"]["h"] = value
    return graph


def read(space: Space, graph: Graph) -> GatedUpdate | str:
    """Return the member of the family that a normal form is, else in one sentence that it is none.

    There are few enough of them to look a cell up.
    """
    found = _by_identity(space).get(identity(graph))
    if found is None:
        return "it is no gated update: a candidate, or a sum of one and of what is kept of h_prev."
    return found


@lru_cache(maxsize=8)
def _by_identity(space: Space) -> dict[str, GatedUpdate]:
    """Return all of the family by their ids."""
    return {Cell.from_graph(write(update)).id: update for update in gated_updates(space)}
