"""Strategies that each break one promise, and one that keeps all; see tests/test_testing.py."""

from __future__ import annotations

import random
import time
from datetime import datetime
from time import monotonic
from typing import Any, ClassVar

from cellsearch.cell import Cell
from cellsearch.errors import ExperimentError
from cellsearch.known import zoo
from cellsearch.seeds import derive
from cellsearch.space import Space
from cellsearch.strategies import Evaluation, Proposal, Strategy


class Honest(Strategy):
    """Draws, and now and then asks for one more replicate of the best cell told."""

    def __init__(self, space: Space, *, seed: int, patience: int = 5) -> None:
        if isinstance(patience, bool) or not isinstance(patience, int) or patience < 1:
            raise ExperimentError(f"patience is {patience!r}; expected a whole number, 1 or more")
        self.space, self.patience = space, patience
        self.rng = random.Random(derive("honest", seed))
        self.cells: list[Cell] = []
        self.told: list[tuple[tuple[int, float], int]] = []

    def ask(self) -> Proposal | None:
        if self.told and len(self.cells) % self.patience == 0:
            return self.propose(self.child())
        return self.propose(Proposal(cell=self.draw(), note="drawn"))

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        self.told.append((evaluation.rank_key, len(self.told)))

    def draw(self) -> Cell:
        return self.space.draw(self.rng)

    def child(self) -> Proposal:
        best = min(self.told)[1]
        cell = self.cells[best]
        replicate = sum(one.id == cell.id for one in self.cells)
        return Proposal(cell=cell, replicate=replicate, parents=(best,), note="once more")

    def propose(self, proposal: Proposal) -> Proposal:
        self.cells.append(proposal.cell)
        return proposal


class GlobalRandom(Honest):
    def draw(self) -> Cell:
        return self.space.draw(random.Random(random.getrandbits(32)))


class ReseedsGlobal(Honest):
    def draw(self) -> Cell:
        random.seed(len(self.cells))
        return super().draw()


class Clock(Honest):
    def draw(self) -> Cell:
        if int(time.monotonic() / 1e6) % 2:
            self.rng.random()
        return super().draw()


class ClockInNanoseconds(Honest):
    def draw(self) -> Cell:
        if time.perf_counter_ns() // 10**15 % 2:
            self.rng.random()
        return super().draw()


class ImportedClock(Honest):
    def draw(self) -> Cell:
        if int(monotonic() / 1e6) % 2:
            self.rng.random()
        return super().draw()


class Calendar(Honest):
    def draw(self) -> Cell:
        if datetime.now().year % 2:
            self.rng.random()
        return super().draw()


class ImportsLater(Honest):
    def draw(self) -> Cell:
        import torch

        del torch
        return super().draw()


class Seconds(Honest):
    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        super().tell(proposal, evaluation)
        if evaluation.seconds > 50:
            self.rng.random()


class HashOrder(Honest):
    def draw(self) -> Cell:
        drawn = {str(cell): cell for cell in (super(HashOrder, self).draw() for _ in range(3))}
        return drawn[next(iter(set(drawn)))]


class Outside(Honest):
    def draw(self) -> Cell:
        return zoo["scrn"] if len(self.cells) == 7 else super().draw()


class WrongParents(Honest):
    def child(self) -> Proposal:
        return Proposal(cell=self.draw(), parents=(len(self.cells),))


class UnseenReplicate(Honest):
    def child(self) -> Proposal:
        return Proposal(cell=self.draw(), replicate=1)


class UnknownMeasure(Honest):
    def child(self) -> Proposal:
        return Proposal(cell=self.draw(), measure=("saliencey",))


class ForgetsTheEnd(Honest):
    ended = False

    def ask(self) -> Proposal | None:
        if len(self.cells) == len(self.told) == 12 and not self.ended:
            self.ended = True
            return None
        return super().ask() if len(self.cells) < 12 or self.ended else None


class SharesResults(Honest):
    """Draws otherwise when others of its class were told results before."""

    told_in_all: ClassVar[list[str]] = []

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        super().tell(proposal, evaluation)
        self.told_in_all.append(evaluation.status)
        if len(self.told_in_all) > len(self.told):
            self.rng.random()


class PeeksBeside(Honest):
    """Takes what the newest of its class was told last for its own."""

    last: ClassVar[dict[str, Any]] = {}

    def __init__(self, space: Space, *, seed: int) -> None:
        super().__init__(space, seed=seed)
        self.last.clear()

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        if self.last.get("teller", self) is not self:
            self.rng.random()
        self.last["teller"] = self
        super().tell(proposal, evaluation)


class Mutates(Honest):
    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        super().tell(proposal, evaluation)
        evaluation.losses["made up"] = 0.0  # type: ignore[index]


class RenamesLater(Honest):
    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        super().tell(proposal, evaluation)
        object.__setattr__(proposal, "note", "told")


class OneCellForever(Honest):
    def ask(self) -> Proposal | None:
        return super().ask() if not self.cells else Proposal(cell=self.cells[0])


class OneCellRenamed(Honest):
    """Gives its cell other names each time, which makes no other cell of it."""

    def ask(self) -> Proposal | None:
        name = f"n{len(self.cells)}"
        text = f"{name} = tanh(linear(x, h_prev))\nh = {name}"
        return self.propose(Proposal(cell=Cell.parse(text)))


class GivesUp(Honest):
    def ask(self) -> Proposal | None:
        failed = sum(stage >= 1_000_000 for (stage, _), _ in self.told)
        return None if failed > 5 and failed == len(self.told) else super().ask()


class Leaves(Honest):
    def ask(self) -> Proposal | None:
        if len(self.cells) == 3:
            raise SystemExit(1)
        return super().ask()


class NeedsSuccess(Honest):
    def child(self) -> Proposal:
        if min(self.told)[0][0] >= 1_000_000:
            raise IndexError("nobody is left to be a parent")
        return super().child()


class Tuned(Honest):
    """Is another one where a result was not made here, but read from what was stored."""

    def tell(self, proposal: Proposal, evaluation: Evaluation) -> None:
        super().tell(proposal, evaluation)
        losses = evaluation.rung_losses.get("made up")
        if losses is not None and losses is not evaluation.rung_scores:
            self.rng.random()


class TakesAnySetting(Honest):
    def __init__(self, space: Space, *, seed: int, patience: int = 5) -> None:
        super().__init__(space, seed=seed)
        self.patience = patience


class Deaf(Honest):
    """Has no use for its seed."""

    def __init__(self, space: Space, *, seed: int) -> None:
        super().__init__(space, seed=0)


class NoneAtOnce(Honest):
    def ask(self) -> Proposal | None:
        return None


class NeedsResults(Honest):
    def ask(self) -> Proposal | None:
        if len(self.cells) - len(self.told) > 8:
            raise KeyError("no result yet")
        return super().ask()
