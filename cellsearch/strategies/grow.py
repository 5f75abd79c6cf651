"""Growing: cells grow from their output, growth by growth, as decision trees do.

What a growth gains is seen by training the grown cell. As in decision trees the growth of best
gain comes first, and growth stops where the gain is within the noise (Breiman, Friedman, Olshen
and Stone, 1984, "Classification and Regression Trees", https://doi.org/10.1201/9781315139470). No
neural network generates or ranks.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean

from cellsearch.cell import Cell
from cellsearch.errors import ExperimentError
from cellsearch.seeds import derive
from cellsearch.space import Space
from cellsearch.strategies.base import FAILED, Evaluation, Proposal, Strategy, joint_rank
from cellsearch.strategies.gated_update_sprout import GatedUpdateSprout
from cellsearch.strategies.highway_sprout import HighwaySprout
from cellsearch.strategies.settings import check_count
from cellsearch.strategies.sprout import AT_ONCE, Sprout, begin

TRIES = 60
"""Growths that are drawn before a branch is given up as one that nothing new grows from."""
LAST_TRIES = 5000
"""Growths of any branch that are drawn before growing ends."""
ORDERS = ("gain", "random")
"""Which branches grow on: the best, or any."""

AnySprout = Sprout | GatedUpdateSprout | HighwaySprout


@dataclass(slots=True, eq=False)
class Branch:
    """A partial cell, the cell it is closed to for scoring, and what is known of that."""

    sprout: AnySprout
    cell: Cell | None = None  # None: it cannot be closed yet, as may be at the beginning
    parent: Branch | None = None
    ordinal: int = -1
    results: list[Evaluation] = field(default_factory=list)
    rank: tuple[int, float] = (FAILED, 0.0)  # that all of them together give it
    asked: int = 1  # evaluations that were asked for
    idle: int = 0  # growths in a row that gained nothing
    barren: bool = False  # nothing new grows from it

    def take_in(self, evaluation: Evaluation) -> None:
        """Add a result."""
        self.results.append(evaluation)
        self.rank = joint_rank(self.results)

    @property
    def living(self) -> bool:
        """Whether it may grow on."""
        return not self.barren and self.rank[0] < FAILED

    def gain(self) -> float:
        """Return the parent's score less its own; infinite where one came further than the other.

        What grew before there was anything to score gains infinitely.
        """
        if self.parent is None or self.parent.rank[0] > self.rank[0]:
            return math.inf
        if self.parent.rank[0] < self.rank[0]:
            return -math.inf
        return self.parent.rank[1] - self.rank[1]


class Grow(Strategy):
    """Lets cells grow from their output, and the best of them grow on.

    A cell begins as one open place, where h is. A growth puts an operator there, with new open
    places, a state, or a value that is there already; what is open is closed, for scoring, by a
    linear of x and h_prev. All growths of a cell are far more than can be trained, so some are
    drawn at random: the `beam` best cells so far take turns. A cell grows no more once `width`
    growths in a row have gained no more than the noise, and the next best takes its place; once
    that has come to all, the best grow on. The noise is measured by training leaders anew: somewhat
    too large, as what leads was often lucky.

    Args:
        space: where the cells come from.
        seed: of all that is random.
        beam: how many cells grow at a time.
        width: how many growths in a row may gain nothing before a cell grows no more.
        order: "gain", or "random" for a control in which any cells grow on, not the best.
        stop: whether cells stop growing at all.
        margin: how many standard deviations of the difference of two trainings count as noise.
        replicates: how many leaders are trained anew, to measure the noise; with 0, any
            gain counts.
        sharing: whether a growth may put a value that is there already.
    """

    def __init__(
        self,
        space: Space,
        *,
        seed: int,
        beam: int = 4,
        width: int = 8,
        order: str = "gain",
        stop: bool = True,
        margin: float = 1.0,
        replicates: int = 4,
        sharing: bool = True,
    ) -> None:
        counts = {"beam": (beam, 1), "width": (width, 1), "replicates": (replicates, 0)}
        for key, (value, low) in counts.items():
            check_count("grow", key, value, low)
        if order not in ORDERS:
            raise ExperimentError(
                f"strategy 'grow': order is {order!r}; expected one of {', '.join(ORDERS)}"
            )
        for key, said in (("stop", stop), ("sharing", sharing)):
            if not isinstance(said, bool):
                raise ExperimentError(f"strategy 'grow': {key} is {said!r}; expected true or false")
        good = isinstance(margin, int | float) and not isinstance(margin, bool)
        if not good or not 0 <= margin < math.inf:
            raise ExperimentError(
                f"strategy 'grow': margin is {margin!r}; expected a finite number, 0 or more"
            )
        self._space, self._rng = space, random.Random(derive("grow", seed))
        self._beam, self._width, self._order = beam, width, order
        self._stop, self._margin, self._replicates = stop, margin, replicates
        self._sharing = sharing
        sprout = _first(space)
        self._root = Branch(sprout, sprout.closed(space))
        self._branches: dict[str, Branch] = {}  # by the cell's id, in the order of asking
        self._members: list[Branch] = [self._root]
        self._doubted: list[Branch] = []
        self._squares: list[float] = []  # estimates of the variance between trainings
        self._turn = self._asked = self._news = 0
        self._spent = -1  # how many branches there were when nothing new grew from any of them

    def ask(self) -> Proposal | None:
        """Return a growth of a cell of the beam, or a leader once more.

        None where, of many growths of all cells that are known by now, none is new.
        """
        if not self._asked and self._root.cell is not None:
            return self._propose(self._root, self._root.cell, "open")
        if self._doubted:
            return self._ask_again(self._doubted.pop(0))
        while self._members:
            for _ in range(len(self._members)):
                member = self._members[self._turn % len(self._members)]
                self._turn += 1
                proposal = self._grow(member)
                if proposal is not None:
                    return proposal
            self._members = self._best([self._root, *self._branches.values()])
        return self._grow_anyone()

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        """Take in one result; after as many as the beam is wide, choose who grows on."""
        branch = self._branches[proposal.cell.id]
        if proposal.replicate:
            self._take_again(branch, evaluation)
            return
        branch.take_in(evaluation)
        if branch.parent is not None:
            gained = branch.gain() > self._noise()
            branch.parent.idle = 0 if gained else branch.parent.idle + 1
        self._news += 1
        if self._news >= self._beam:
            self._news = 0
            self._choose()

    def _choose(self) -> None:
        living = [branch for branch in self._branches.values() if branch.living]
        growing = [branch for branch in living if branch.idle < self._width or not self._stop]
        self._members = self._best(growing or living or [self._root])
        leader = min(living, key=lambda branch: branch.rank, default=None)
        doubtful = leader is not None and leader.asked == 1 and leader not in self._doubted
        if leader is not None and doubtful and self._replicates > 0:
            self._replicates -= 1
            self._doubted.append(leader)

    def _best(self, branches: Sequence[Branch]) -> list[Branch]:
        """Return those that grow on, of those that can; the first of all can from the beginning."""
        able = [one for one in branches if one.living or (one is self._root and not one.barren)]
        if self._order == "random":
            self._rng.shuffle(able)
            return able[: self._beam]
        return heapq.nsmallest(self._beam, able, key=lambda branch: branch.rank)

    def _grow(self, member: Branch) -> Proposal | None:
        """Return a growth of a cell that is new; if there seems to be none, the cell is barren."""
        for _ in range(0 if member.barren else TRIES):
            proposal = self._try_growth(member)
            if proposal is not None:
                return proposal
        member.barren = True
        return None

    def _grow_anyone(self) -> Proposal | None:
        """Return a growth of any cell, the barren too: the last resort where little is left.

        Where none is new, several come at once, as in some spaces each alone leads outside. What
        was tried in vain is not tried again before there is another cell.
        """
        if self._spent == len(self._branches):
            return None
        anyone = [self._root, *(one for one in self._branches.values() if one is not self._root)]
        for at_once in (1, AT_ONCE):
            for _ in range(LAST_TRIES):
                proposal = self._try_growth(self._rng.choice(anyone), at_once)
                if proposal is not None:
                    return proposal
        self._spent = len(self._branches)
        return None

    def _try_growth(self, member: Branch, at_once: int = 1) -> Proposal | None:
        """Return a random growth of a cell, or so many at once; None if it is nothing new."""
        sprout, notes = member.sprout, []
        for _ in range(at_once):
            found = sprout.grown(self._space, self._rng, self._sharing)
            if found is None:
                continue
            sprout, note = found
            notes.append(note)
            cell = sprout.closed(self._space)
            if cell is not None and cell.id not in self._branches:
                return self._propose(Branch(sprout, cell, member), cell, ", then ".join(notes))
        return None

    def _propose(self, branch: Branch, cell: Cell, note: str) -> Proposal:
        branch.ordinal = self._asked
        self._asked += 1
        self._branches[cell.id] = branch
        known = branch.parent is not None and branch.parent.ordinal >= 0
        parents = (branch.parent.ordinal,) if branch.parent is not None and known else ()
        return Proposal(cell=cell, parents=parents, note=note)

    def _ask_again(self, branch: Branch) -> Proposal:
        branch.asked += 1
        self._asked += 1
        cell = branch.cell
        if cell is None:
            raise RuntimeError("a leader has no cell")
        note = "as it leads, and may have been lucky"
        return Proposal(cell=cell, replicate=branch.asked - 1, parents=(branch.ordinal,), note=note)

    def _take_again(self, branch: Branch, evaluation: Evaluation) -> None:
        """Take in a further evaluation; where there are none to be had, ask for no more."""
        if evaluation.outcome == "rejected":
            self._replicates = 0
            return
        first = branch.results[0].rank_key
        branch.take_in(evaluation)
        if not first[0] and not evaluation.rank_key[0]:
            self._squares.append((first[1] - evaluation.rank_key[1]) ** 2 / 2)

    def _noise(self) -> float:
        """Return what the scores of two trainings of one cell differ by, times the margin."""
        return self._margin * math.sqrt(2 * fmean(self._squares)) if self._squares else 0.0


def _first(space: Space) -> AnySprout:
    """Return one open place. Raises ExperimentError if nothing inside the space grows from it."""
    if space.shape == "highway":
        return HighwaySprout()
    if space.shape == "gated_update":
        return GatedUpdateSprout()
    sprout = begin(space)
    if sprout is None:
        raise ExperimentError(
            f"strategy 'grow': nothing that grows in space {space.name!r} is inside it, whichever"
            " linear open places are closed by; use strategy 'genetic' or 'random' there"
        )
    return sprout
