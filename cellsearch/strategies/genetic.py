"""Genetic search: children of the best cells so far, by mutation and by crossover.

Selection is DEAP's (Fortin, De Rainville, Gardner, Parizeau and Gagné, 2012, "DEAP: Evolutionary
Algorithms Made Easy", https://jmlr.org/papers/v13/fortin12a.html), on plain classes of our own, and
for any number of objectives that of NSGA-II (Deb, Pratap, Agarwal and Meyarivan, 2002, "A fast and
elitist multiobjective genetic algorithm: NSGA-II", https://doi.org/10.1109/4235.996017).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType

from deap import base, tools

from cellsearch.cell import Cell
from cellsearch.errors import ExperimentError, nearest
from cellsearch.known import zoo
from cellsearch.seeds import derive
from cellsearch.space import Space
from cellsearch.strategies import edit_path, subtree
from cellsearch.strategies.base import FAILED, Evaluation, Proposal, Strategy, joint_rank
from cellsearch.strategies.moves import mutate
from cellsearch.strategies.settings import check_count

TRIES = 20
"""Children that are tried before a cell is drawn instead."""
CROSSOVERS = 5
"""Crossovers that are tried among them; parents that are alike have few children."""
DRAWS = 200
"""Draws that may all be known before the space counts as used up."""

OBJECTIVES = ("score", "parameters", "operations")
"""What may be made small."""

Cross = Callable[[Cell, Cell, Space, random.Random], Cell | None]

RECOMBINATIONS: Mapping[str, Cross] = MappingProxyType(
    {"edit_path": edit_path.cross, "subtree": subtree.cross}
)
"""How a child of two parents is made."""


class Standing(base.Fitness):  # type: ignore[misc]  # deap has no types
    """What a cell reached in each objective, the lower the better."""

    def __init__(self, values: Sequence[float]) -> None:
        self.weights = (-1.0,) * len(values)
        super().__init__(values)


@dataclass(slots=True, eq=False)
class Individual:
    """A cell that was proposed, and what is known of it."""

    cell: Cell
    ordinal: int
    results: list[Evaluation] = field(default_factory=list)
    asked: int = 1  # evaluations that were asked for
    stage: int = FAILED  # first part of the rank: 0 if finished, more if stopped, the earlier
    score: float = 0.0
    fitness: Standing | None = None
    preference: tuple[float, ...] = ()  # the higher the better, among possible parents

    def take_in(self, evaluation: Evaluation) -> None:
        """Add a result."""
        self.results.append(evaluation)
        self.stage, self.score = joint_rank(self.results)

    def is_better_than(self, other: Individual) -> bool:
        """Say whether it came further, or as far and is nowhere worse and somewhere better."""
        if self.stage != other.stage or self.fitness is None:
            return self.stage < other.stage
        return bool(self.fitness.dominates(other.fitness))


class Genetic(Strategy):
    """Begins with the space's seeds and some draws, breeds from the best cells told so far.

    The first generation is the space's seeds and then draws; nothing else is proposed until all
    its results are there. From then on children are proposed whenever they are asked for. Their
    parents are chosen by tournament among the best cells so far. No cell is proposed twice but for
    a further evaluation; a space that is used up ends the search.

    Args:
        space: where the cells come from.
        seed: of all that is random.
        population: how many cells are the first generation, and how many may become parents.
        tournament: how many compete to become one parent; more means more greed.
        crossover: the share of children that have two parents; 0 is mutation alone.
        recombination: how these are made: "edit_path", half way from one parent to the other, or
            "subtree", a value of one in place of a value of the other.
        immigrants: the share of proposals that are drawn anew from the space.
        mutations: the most moves between a child and its one parent.
        replicates: how many evaluations each possible parent is given, as the score of one may be
            luck; 1 asks for no more than the first. Where a further one is refused, no more are
            asked for.
        objectives: what is to be small: "score", and beside it maybe "parameters" or "operations"
            of the training. With several, cells are preferred that none is better than in all.
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int,
        population: int = 5,
        tournament: int = 3,
        crossover: float = 0.3,
        recombination: str = "edit_path",
        immigrants: float = 0.05,
        mutations: int = 3,
        replicates: int = 2,
        objectives: Sequence[str] = ("score",),
    ) -> None:
        least = {"population": 2, "tournament": 1, "mutations": 1, "replicates": 1}
        counts = (population, tournament, mutations, replicates)
        for (key, low), value in zip(least.items(), counts, strict=True):
            check_count("genetic", key, value, low)
        for key, share in (("crossover", crossover), ("immigrants", immigrants)):
            if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
                raise ExperimentError(
                    f"strategy 'genetic': {key} is {share!r}; expected a share, 0 to 1"
                )
        _check_word("recombination", recombination, RECOMBINATIONS)
        _check_objectives(objectives)
        self._space = space
        self._rng = random.Random(derive("genetic", seed))
        self._population, self._tournament = population, tournament
        self._crossover, self._immigrants = crossover, immigrants
        self._recombine = RECOMBINATIONS[recombination]
        self._mutations, self._replicates = mutations, replicates
        self._objectives = tuple(objectives)
        self._seeds = [zoo[name] for name in space.seeds][:population]
        self._individuals: dict[str, Individual] = {}  # by the cell's id, in the order of asking
        self._pool: list[Individual] = []
        self._most_operations = 0
        self._asked = self._told = 0

    def ask(self) -> Proposal | None:
        """Return a child, a draw, or a further evaluation of a possible parent.

        None while the first generation is out, and where nothing new is found.
        """
        if self._asked >= self._population > self._told:
            return None
        proposal = self._next()
        if proposal is not None:
            self._individuals.setdefault(proposal.cell.id, Individual(proposal.cell, self._asked))
            self._asked += 1
        return proposal

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Take in one result, and choose anew who may become a parent."""
        individual = self._individuals[proposal.cell.id]
        self._told += 1
        if evaluation.status == "duplicate" and individual.results:
            return  # it says nothing new
        if proposal.replicate and evaluation.outcome == "rejected":
            self._replicates = 1
            return
        self._most_operations = max(self._most_operations, evaluation.operations)
        again = bool(individual.results)
        individual.take_in(evaluation)
        individual.fitness = Standing(self._values(individual))
        rivals = [*(other for other in self._pool if other is not individual), individual]
        if again:  # it may have fallen behind some that it, or another, was better than before
            rivals += self._contenders(rivals)
        self._choose_pool(rivals)

    def _contenders(self, rivals: Sequence[Individual]) -> list[Individual]:
        """Return all others that some rival is not better than: none else can be among the best."""
        known = set(rivals)
        return [
            one
            for one in self._individuals.values()
            if one.results and one not in known
            if not all(rival.is_better_than(one) for rival in rivals)
        ]

    def _values(self, individual: Individual) -> list[float]:
        """Return what an individual reached in each objective."""
        results = individual.results
        found = {
            "score": individual.score,
            "parameters": sum(results[0].parameters.values()),
            # A duplicate cost nothing, which says nothing of its cell: as the most that was seen.
            "operations": max(result.operations for result in results) or self._most_operations,
        }
        return [float(found[name]) for name in self._objectives]

    def _choose_pool(self, individuals: Sequence[Individual]) -> None:
        """Keep the best: what finished before what was stopped, each by NSGA-II."""
        self._pool = []
        for stage in sorted({individual.stage for individual in individuals} - {FAILED}):
            group = [individual for individual in individuals if individual.stage == stage]
            chosen = tools.selNSGA2(group, min(len(group), self._population - len(self._pool)))
            for rank, front in enumerate(tools.sortNondominated(chosen, len(chosen))):
                for individual in front:
                    crowding = individual.fitness.crowding_dist
                    individual.preference = (-stage, -rank, crowding)
            self._pool += chosen

    def _next(self) -> Proposal | None:
        if self._asked < len(self._seeds):
            return Proposal(cell=self._seeds[self._asked], note="a seed of the space")
        if self._asked < self._population or not self._pool:
            drawn = self._draw("drawn")
            if drawn is not None or not self._pool:
                return drawn
        doubted = self._doubted()
        if doubted is not None:
            return self._ask_again(doubted)
        if self._rng.random() < self._immigrants and (drawn := self._draw("drawn anew")):
            return drawn
        return (
            self._breed()
            or self._draw("drawn anew, as no new child was found")
            or self._breed_from_anyone()
        )

    def _doubted(self) -> Individual | None:
        """Return the best possible parent that may have been lucky; None if there is none."""
        if "score" not in self._objectives:
            return None
        few = [one for one in self._pool if one.stage == 0 and one.asked < self._replicates]
        return min(few, key=lambda one: (one.score, one.ordinal), default=None)

    def _ask_again(self, doubted: Individual) -> Proposal:
        doubted.asked += 1
        return Proposal(
            cell=doubted.cell,
            replicate=doubted.asked - 1,
            parents=(doubted.ordinal,),
            note="as it may have been lucky",
        )

    def _breed(self) -> Proposal | None:
        two = len(self._pool) > 1 and self._rng.random() < self._crossover
        for turn in range(TRIES):
            child = self._cross() if two and turn < CROSSOVERS else self._mutate(*self._select(1))
            if child is not None and child.cell.id not in self._individuals:
                return child
        return None

    def _breed_from_anyone(self) -> Proposal | None:
        """Return a mutation of any cell so far: the last resort where little is left to find."""
        known = list(self._individuals.values())
        for _ in range(DRAWS):
            child = self._mutate(self._rng.choice(known))
            if child is not None and child.cell.id not in self._individuals:
                return child
        return None

    def _mutate(self, parent: Individual) -> Proposal | None:
        found = mutate(parent.cell, self._space, self._rng, self._rng.randint(1, self._mutations))
        if found is None:
            return None
        return Proposal(cell=found[0], parents=(parent.ordinal,), note=f"mutation: {found[1]}")

    def _cross(self) -> Proposal | None:
        first, second = self._select(2)
        if first is second:
            return None
        child = self._recombine(first.cell, second.cell, self._space, self._rng)
        if child is None:
            return None
        parents = (first.ordinal, second.ordinal)
        return Proposal(cell=child, parents=parents, note="crossover")

    def _select(self, count: int) -> list[Individual]:
        with _lent_to_deap(self._rng):
            chosen: list[Individual] = tools.selTournament(
                self._pool, count, self._tournament, fit_attr="preference"
            )
        return chosen

    def _draw(self, note: str) -> Proposal | None:
        for _ in range(DRAWS):
            cell = self._space.draw(self._rng)
            if cell.id not in self._individuals:
                return Proposal(cell=cell, note=note)
        return None


def _check_word(key: str, word: object, known: Sequence[str] | Mapping[str, object]) -> None:
    if not isinstance(word, str) or word not in known:
        hint = nearest(word, known) if isinstance(word, str) else ""
        raise ExperimentError(
            f"strategy 'genetic': {key} is {word!r}; expected one of {', '.join(known)}{hint}"
        )


def _check_objectives(objectives: object) -> None:
    if not isinstance(objectives, list | tuple) or not objectives:
        raise ExperimentError(
            f"strategy 'genetic': objectives is {objectives!r}; expected a list of some of"
            f" {', '.join(OBJECTIVES)}"
        )
    for name in objectives:
        _check_word("one of objectives", name, OBJECTIVES)
    if len(set(objectives)) < len(objectives):
        raise ExperimentError(
            f"strategy 'genetic': objectives is {objectives!r}; expected each once"
        )


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
