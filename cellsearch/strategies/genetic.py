"""Genetic search: children of the best cells so far, by mutation and by crossover.

Selection is DEAP's (Fortin, De Rainville, Gardner, Parizeau and Gagné, 2012, "DEAP: Evolutionary
Algorithms Made Easy", https://jmlr.org/papers/v13/fortin12a.html), on plain classes of our own.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from deap import base, tools

from cellsearch.cell import Cell
from cellsearch.errors import ExperimentError
from cellsearch.known import zoo
from cellsearch.seeds import derive
from cellsearch.space import Space
from cellsearch.strategies.base import Evaluation, Proposal, Strategy
from cellsearch.strategies.edit_path import cross
from cellsearch.strategies.moves import mutate

TRIES = 20
"""Children and draws that are tried before a cell is proposed a second time."""
FAILED = 1_000_000
"""First part of the rank of what did not even reach the first rung; see `Evaluation.rank_key`."""


class Standing(base.Fitness):  # type: ignore[misc]  # deap has no types
    """How a cell ranks: both parts of `Evaluation.rank_key`, the lower the better."""

    weights = (-1.0, -1.0)


@dataclass(slots=True, eq=False)
class Individual:
    """A cell that was proposed, and what is known of it."""

    cell: Cell
    ordinal: int
    results: list[Evaluation] = field(default_factory=list)
    asked: int = 1  # evaluations that were asked for
    fitness: Standing = field(default_factory=Standing)

    def rank(self) -> None:
        """Set the fitness: the mean score of all evaluations, or the rank of the worst failure."""
        keys = [result.rank_key for result in self.results]
        worst = max(keys)
        mean = sum(score for _, score in keys) / len(keys)
        self.fitness.values = worst if worst[0] else (0, mean)


class Genetic(Strategy):
    """Begins with the space's seeds, breeds from the best cells told so far, draws a few anew.

    The first generation is the space's seeds and then draws; nothing else is proposed until all
    its results are there. From then on children are proposed whenever they are asked for. Their
    parents are chosen by tournament among the best cells as of the last generation boundary, which
    comes every `population` results.

    Args:
        space: where the cells come from.
        seed: of all that is random.
        population: how many cells may become parents, and how many make a generation.
        tournament: how many compete to become one parent; more means more greed.
        crossover: the share of children that have two parents.
        immigrants: the share of proposals that are drawn anew from the space.
        mutations: the most moves between a child and its one parent.
        replicates: how many evaluations the best cell is given before it counts as the best, as
            the score of one may be luck; 1 asks for no more than the first.
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int,
        population: int = 20,
        tournament: int = 3,
        crossover: float = 0.3,
        immigrants: float = 0.05,
        mutations: int = 3,
        replicates: int = 1,
    ) -> None:
        least = {"population": 2, "tournament": 1, "mutations": 1, "replicates": 1}
        counts = (population, tournament, mutations, replicates)
        for (key, low), value in zip(least.items(), counts, strict=True):
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ExperimentError(
                    f"strategy 'genetic': {key} is {value!r}; expected a whole number,"
                    f" {low} or more"
                )
        for key, share in (("crossover", crossover), ("immigrants", immigrants)):
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ExperimentError(
                    f"strategy 'genetic': {key} is {share!r}; expected a share, 0 to 1"
                )
        self._space = space
        self._rng = random.Random(derive("genetic", seed))
        self._population, self._tournament = population, tournament
        self._crossover, self._immigrants = crossover, immigrants
        self._mutations, self._replicates = mutations, replicates
        self._first = [zoo[name] for name in space.seeds][:population]
        self._individuals: dict[str, Individual] = {}  # by the cell's id, in the order of asking
        self._pool: list[Individual] = []
        self._doubted: Individual | None = None  # leads, and is to be evaluated once more
        self._asked = self._told = 0

    def ask(self) -> Proposal | None:
        """Return a child, a draw, or a further evaluation of the leader.

        None while the first generation is out.
        """
        if self._asked >= self._population > self._told:
            return None
        if self._asked < len(self._first):
            proposal = Proposal(cell=self._first[self._asked], note="a seed of the space")
        elif self._doubted is not None:
            proposal = self._ask_again(self._doubted)
        else:
            proposal = self._breed()
        self._individuals.setdefault(proposal.cell.id, Individual(proposal.cell, self._asked))
        self._asked += 1
        return proposal

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Take in one result; at the end of a generation, choose who may become a parent."""
        individual = self._individuals[proposal.cell.id]
        if evaluation.status != "duplicate" or not individual.results:
            individual.results.append(evaluation)
        self._told += 1
        if self._told % self._population == 0:
            self._choose_pool()

    def _choose_pool(self) -> None:
        known = [individual for individual in self._individuals.values() if individual.results]
        for individual in known:
            individual.rank()
        good = [individual for individual in known if individual.fitness.values[0] < FAILED]
        self._pool = tools.selBest(good, self._population)
        leader = self._pool[0] if self._pool else None
        self._doubted = leader if leader and leader.asked < self._replicates else None

    def _ask_again(self, leader: Individual) -> Proposal:
        self._doubted = None
        leader.asked += 1
        return Proposal(
            cell=leader.cell,
            replicate=leader.asked - 1,
            parents=(leader.ordinal,),
            note=f"{leader.ordinal} leads: evaluated once more",
        )

    def _breed(self) -> Proposal:
        if not self._pool:
            return self._draw("drawn")
        if self._rng.random() < self._immigrants:
            return self._draw("drawn anew")
        two = len(self._pool) > 1 and self._rng.random() < self._crossover
        for _ in range(TRIES):
            child = self._cross() if two else self._mutate()
            if child is not None and child.cell.id not in self._individuals:
                return child
        return self._draw("drawn anew, as no new child was found")

    def _mutate(self) -> Proposal | None:
        (parent,) = self._select(1)
        found = mutate(parent.cell, self._space, self._rng, self._rng.randint(1, self._mutations))
        if found is None:
            return None
        note = f"mutation of {parent.ordinal}: {found[1]}"
        return Proposal(cell=found[0], parents=(parent.ordinal,), note=note)

    def _cross(self) -> Proposal | None:
        first, second = self._select(2)
        child = None if first is second else cross(first.cell, second.cell, self._space, self._rng)
        if child is None:
            return None
        parents = (first.ordinal, second.ordinal)
        return Proposal(cell=child, parents=parents, note="crossover of {} and {}".format(*parents))

    def _select(self, count: int) -> list[Individual]:
        with _lent_to_deap(self._rng):
            chosen: list[Individual] = tools.selTournament(self._pool, count, self._tournament)
        return chosen

    def _draw(self, note: str) -> Proposal:
        for _ in range(TRIES):
            cell = self._space.draw(self._rng)
            if cell.id not in self._individuals:
                break
        return Proposal(cell=cell, note=note)


@contextmanager
def _lent_to_deap(rng: random.Random) -> Iterator[None]:
    """Put a generator in place of the global one, which DEAP uses, and back again afterwards."""
    outside = random.getstate()
    random.setstate(rng.getstate())
    try:
        yield
    finally:
        rng.setstate(random.getstate())
        random.setstate(outside)
