"""Pruning: from the space's full cell, connections are dropped until a small cell is left.

Which go is decided by their saliency, to first order what the loss would change by without them
(Mozer and Smolensky, 1988, "Skeletonization", https://proceedings.neurips.cc/paper/1988); that a
cell can be found so was shown by Zhang, Huang and Wang, 2018, "You Only Search Once: Single Shot
Neural Architecture Search via Direct Sparse Optimization", https://arxiv.org/abs/1811.01567.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil, isfinite, nan
from typing import NoReturn

from cellsearch.errors import CellError, ExperimentError
from cellsearch.known import zoo
from cellsearch.seeds import derive
from cellsearch.space import Space
from cellsearch.space.connections import Connections
from cellsearch.space.full import full_cell
from cellsearch.strategies.base import Evaluation, Proposal, Strategy
from cellsearch.strategies.remains import Remain, Remains, disturbed, without_least
from cellsearch.strategies.settings import check_count

BARREN = 20
"""Searches in a row that end in no new cell before the strategy is finished."""
LEAST = 2
"""Operators of the smallest cell that a pruning can end in."""
MOST_SLOTS = 32
"""A full cell of more is not even counted."""
WIDE = "gru"
"""The known cell whose width every super-network has."""


@dataclass(slots=True, eq=False)
class _Pruning:
    """What is left of a full cell in one line of prunings, and what is known of it."""

    search: _Search
    left: Connections
    replicate: int
    saliency: Mapping[str, float]  # until it is trained, that of what it was pruned from
    parent: int | None = None  # ordinal of that
    ordinal: int = -1
    score: float | None = None  # None where it failed


@dataclass(slots=True, eq=False)
class _Search:
    """One way from the full cell to cells: the prunings of its present round, and the ended."""

    number: int
    prunings: list[_Pruning] = field(default_factory=list)
    round: int = 0
    told: int = 0
    measured: bool = False  # whether any super-network could be trained
    ended: list[_Pruning] = field(default_factory=list)


class Prune(Strategy):
    """Trains super-networks, drops what they need least, and proposes the cells that are left.

    A search begins with the full cell, trained from as many seeds as there are competitors. In each
    round, competitors that fall behind are given up; of the others the connections of least
    saliency are dropped, with what dies with them, and where there is room for more competitors,
    from disturbed saliencies. Once the best are pruned to the target they end in cells of the
    space, each smaller than the one before. These are trained as all cells are: no score of a
    super-network ranks a cell. Then come as many variations of the best cells of all searches: from
    what was left after the last round, the way to a cell is gone again with disturbed saliencies.
    The next search begins, from other seeds. With the defaults, most searches end after the first
    super-networks.

    Args:
        space: where the cells come from: of shape "graph", and not of scans.
        seed: of all that is random.
        slots: how many values the full cell computes before its states' updates, each of all that
            comes earlier, and most of its cost. A GRU needs 5 of them, an LSTM 6.
        competitors: how many prunings compete in a round; with 1, searches compete by their cells.
        drop: the share of connections that goes in a round.
        tolerance: how far a score may be behind the best of its round, where some compete.
        target: the most operators a cell may have in the end, at least 2; 0 for what the space
            allows.
        cells: how many cells a search ends in, at most.
        variations: how many variations of good cells follow, for each of those.
        replicates: how many trainings the best cell is given, as the score of one may be luck.
        searches: how many go on at the same time, so that no worker waits for the end of a round.
        saliency: "measured", or "random" for a control that drops connections by chance.
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int,
        slots: int = 5,
        competitors: int = 1,
        drop: float = 0.7,
        tolerance: float = 0.1,
        target: int = 0,
        cells: int = 4,
        variations: int = 1,
        replicates: int = 2,
        searches: int = 2,
        saliency: str = "measured",
    ) -> None:
        counts = {
            "slots": (slots, 1),
            "competitors": (competitors, 1),
            "target": (target, 0),
            "cells": (cells, 1),
            "variations": (variations, 0),
            "replicates": (replicates, 1),
            "searches": (searches, 1),
        }
        for key, (value, low) in counts.items():
            check_count("prune", key, value, low)
        if slots > MOST_SLOTS:
            _refuse(f"slots is {slots}; expected at most {MOST_SLOTS}, and few fit into a cell")
        shares = {"drop": (drop, 0.01), "tolerance": (tolerance, 0.0)}
        for key, (share, least) in shares.items():
            good = isinstance(share, int | float) and not isinstance(share, bool)
            if not good or not least <= share <= 0.99:
                _refuse(f"{key} is {share!r}; expected a number from {least:g} to 0.99")
        if saliency not in ("measured", "random"):
            _refuse(f"saliency is {saliency!r}; expected 'measured' or 'random'")
        if space.shape != "graph" or "scan" in space.rules:
            what = f"shape {space.shape!r}" if space.shape != "graph" else "the rule 'scan'"
            _refuse(
                f"space {space.name!r} has {what}, which no pruning of a full cell keeps to; "
                "expected a space of any graphs, such as 'gated'; or use strategy 'grow'"
            )
        most = min(target or space.nodes, space.nodes)
        if most < LEAST:
            what = f"target is {target}" if target else f"space {space.name!r} has nodes = {most}"
            _refuse(f"{what}; expected {LEAST} or more, as a linear goes through an activation")
        self._space = space
        self._rng = random.Random(derive("prune", seed))
        self._full = _affordable(space, slots)
        self._slots, self._competitors, self._drop = slots, competitors, drop
        self._tolerance, self._searches = tolerance, searches
        self._cells, self._variations, self._replicates = cells, variations, replicates
        self._measured = saliency == "measured"
        self._remains = Remains(space, most)
        self._waiting: deque[tuple[Proposal, _Pruning | Remain]] = deque()
        self._out: deque[_Pruning | Remain] = deque()
        self._begun = self._running = self._asked = self._barren = 0
        self._due = 0  # variations

    def ask(self) -> Proposal | None:
        """Return a super-network, a cell that a search ended in, or more of the best of those.

        None while all searches wait for the end of a round, and once many ended in nothing new.
        """
        if not self._waiting and not self._ask_again():
            self._vary()
        if not self._waiting and self._running < self._searches and self._barren < BARREN:
            self._begin()
        if not self._waiting:
            return None
        proposal, asked = self._waiting.popleft()
        if asked.ordinal < 0:
            asked.ordinal = self._asked
        self._out.append(asked)
        self._asked += 1
        return proposal

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Take in one result; at the end of a round, prune.

        Raises ExperimentError if the full cell is refused, as when it is over a limit.
        """
        asked = self._out.popleft()
        if isinstance(asked, Remain):
            self._take_in(asked, proposal, evaluation)
        else:
            self._measure(asked, evaluation)

    def _take_in(self, remain: Remain, proposal: Proposal, evaluation: Evaluation) -> None:
        if proposal.replicate and evaluation.outcome == "rejected":
            self._replicates = 1
        elif evaluation.status != "duplicate" or not remain.results:  # or it says nothing new
            remain.take_in(evaluation)

    def _measure(self, pruning: _Pruning, evaluation: Evaluation) -> None:
        search = pruning.search
        if evaluation.outcome == "rejected" and pruning.ordinal == 0:  # it is the largest
            _refuse(
                f"a super-network of {len(pruning.left)} connections, from {self._slots} slots,"
                f" was rejected: {evaluation.message}; lower strategy.slots or raise that limit"
            )
        gates = pruning.left.gates
        measured = [evaluation.measured.get(f"{gate}.weight", nan) for gate in gates]
        if evaluation.outcome == "ok" and all(map(isfinite, measured)):
            if not self._measured:
                measured = [self._rng.random() for _ in gates]
            pruning.score = evaluation.score
            search.measured = True
            pruning.saliency = dict(zip(gates, measured, strict=True))
        search.told += 1
        if search.told == len(search.prunings):
            self._end_round(search)

    def _ask_again(self) -> bool:
        """Propose the best cell once more, unless it was evaluated often enough; say whether."""
        best = next(iter(self._remains.best()), None)
        if best is None or best.rank[0] > 0 or best.asked > len(best.results):
            return False
        if best.asked >= self._replicates:
            return False
        self._propose_cell(best, "as it may have been lucky")
        return True

    def _vary(self) -> None:
        """Propose a variation of one of the best cells if one is due and there is a new one."""
        if self._due and self._remains.best():
            self._due -= 1
            found = self._remains.variation(self._rng)
            if found is not None:
                self._propose_cell(found, "from disturbed saliencies of a good cell")

    def _propose_cell(self, remain: Remain, note: str) -> None:
        came_from = remain.ordinal if remain.asked else remain.parent
        proposal = Proposal(
            cell=remain.cell,
            replicate=remain.asked,
            parents=() if came_from is None else (came_from,),
            note=note,
        )
        remain.asked += 1
        self._waiting.append((proposal, remain))

    def _begin(self) -> None:
        first, chance = self._begun * self._competitors, self._chance(self._full)
        search = _Search(self._begun)
        search.prunings = [
            _Pruning(search, self._full, first + place, chance)
            for place in range(self._competitors)
        ]
        self._propose(search)
        self._begun += 1
        self._running += 1

    def _chance(self, left: Connections) -> dict[str, float]:
        """Return saliencies that leave it to chance which connections go."""
        return {gate: self._rng.random() for gate in left.gates}

    def _propose(self, search: _Search) -> None:
        for pruning in search.prunings:
            left, every = len(pruning.left), len(self._full)
            proposal = Proposal(
                cell=pruning.left.super_network,
                replicate=pruning.replicate,
                measure=("saliency",),
                parents=() if pruning.parent is None else (pruning.parent,),
                note=f"search {search.number}, round {search.round}: {left} of {every} connections",
                width_of=zoo[WIDE],
            )
            self._waiting.append((proposal, pruning))

    def _end_round(self, search: _Search) -> None:
        """Prune those that are not given up; those that reach the target have ended."""
        parents = self._not_given_up(search.prunings)
        children: list[_Pruning] = []
        for place, former in enumerate(search.prunings):
            parent = parents[place % len(parents)]
            saliency = dict(parent.saliency)
            if place >= len(parents):
                saliency = disturbed(saliency, self._rng)
            left = self._pruned(parent.left, saliency)
            child = _Pruning(search, left, former.replicate, saliency, parent.ordinal)
            stuck = len(left) == len(parent.left)
            chosen = left.chosen(saliency)
            ended = stuck or (chosen is not None and self._is_end(left, chosen))
            (search.ended if ended else children).append(child)
        if children:
            search.round, search.prunings, search.told = search.round + 1, children, 0
            self._propose(search)
        else:
            self._finish(search)

    def _not_given_up(self, prunings: list[_Pruning]) -> list[_Pruning]:
        """Return the prunings within the tolerance of the best, best first; if all failed, all."""
        scored = [one for one in prunings if one.score is not None]
        scored.sort(key=lambda one: one.score or 0.0)
        most = (scored[0].score or 0.0) + self._tolerance if scored else 0.0
        return [one for one in scored if (one.score or 0.0) <= most] or prunings

    def _pruned(self, left: Connections, saliency: Mapping[str, float]) -> Connections:
        """Return what is left when the share to be dropped is gone, or nothing more can go."""
        most = min(len(left) - 1, int(len(left) * (1 - self._drop)))
        while len(left) > most:
            less = without_least(left, saliency)
            if less is None:
                break
            left = less
        return left

    def _finish(self, search: _Search) -> None:
        """Propose the cells that the prunings end in."""
        cells: list[Remain] = []
        for place, pruning in enumerate(search.ended):
            share = ceil((self._cells - len(cells)) / (len(search.ended) - place))
            cells += self._remains.on_the_way(
                pruning.left, pruning.saliency, share, parent=pruning.parent
            )
        note = f"what search {search.number} left"
        if not search.measured:
            note += ", by chance, as no super-network could be trained"
        for cell in cells:
            self._propose_cell(cell, note)
        self._due += self._variations * len(cells)
        self._running -= 1
        self._barren = 0 if cells else self._barren + 1

    def _is_end(self, left: Connections, chosen: Connections) -> bool:
        """Return whether choosing leads to the target, and takes no more than a round does."""
        return len(chosen) >= len(left) * (1 - self._drop) and self._remains.fits(chosen)


def _affordable(space: Space, slots: int) -> Connections:
    """Return the full cell; raises ExperimentError if it is larger than a cell may be."""
    full = full_cell(space, slots)
    if full.without(()) is None:
        _refuse(f"space {space.name!r} has no activation, such as tanh, for a linear to go through")
    try:
        full.super_network  # noqa: B018 - written out, it is checked
    except CellError as error:
        _refuse(
            f"the full cell of space {space.name!r} with {slots} slots has {len(full)} connections,"
            f" each with a gate, and is too large ({error}); lower strategy.slots"
        )
    return full


def _refuse(problem: str) -> NoReturn:
    raise ExperimentError(f"strategy 'prune': {problem}")
