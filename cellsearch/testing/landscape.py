"""Results of evaluations that never were: a landscape over cells, for trying strategies."""

from __future__ import annotations

import random
from dataclasses import replace

from cellsearch.seeds import derive
from cellsearch.strategies.base import Evaluation, Proposal

FAILURES = ("diverged", "timeout", "out_of_memory", "crashed", "rejected")


class Landscape:
    """Results without training: a function of the cell and the replicate, of every status.

    The score falls with the number of kinds of operators, rises with the number of nodes, and is
    blurred by the replicate. What was proposed before is a duplicate. `seconds` is what an
    evaluation seems to have taken.
    """

    def __init__(self, salt: int = 0, seconds: float = 1.0) -> None:
        self._salt, self._seconds = salt, seconds
        self._known: dict[tuple[str, int, str], tuple[frozenset[str], Evaluation]] = {}

    def __call__(self, index: int, proposal: Proposal) -> Evaluation:
        """Return the result of a proposal."""
        width = "" if proposal.width_of is None else proposal.width_of.id
        key = (proposal.cell.id, proposal.replicate, width)
        measure = frozenset(proposal.measure)
        if key in self._known and measure <= self._known[key][0]:
            known = self._known[key][1]
            return replace(
                known, status="duplicate", original=known.outcome, operations=0, steps=0, seconds=0
            )
        result = self._evaluate(proposal)
        self._known[key] = (measure, result)
        return result

    def _evaluate(self, proposal: Proposal) -> Evaluation:
        nodes = proposal.cell.normal.nodes
        draw = random.Random(derive("landscape", self._salt, proposal.cell.id, proposal.replicate))
        kinds = len({node.op for node in nodes})
        score = min(1.0, max(0.0, 0.8 - 0.06 * kinds + 0.02 * len(nodes) + draw.gauss(0, 0.03)))
        chance = draw.random()
        steps = 100
        if chance < 0.15:
            return failed(FAILURES[int(chance / 0.15 * len(FAILURES))])
        status = "stopped" if score > 0.75 or chance < 0.3 else "ok"
        rungs = (round(score + 0.1, 6), score) if status == "ok" else (score,)
        names = [node.name for node in proposal.cell.nodes if node.op == "scale"]
        saliency = {f"{name}.weight": draw.random() for name in names}
        return Evaluation(
            status=status,
            score=score,
            rung_scores=rungs,
            rung_losses={"made up": rungs},
            losses={"made up": score},
            metrics={"made up": score},
            parameters={"made up": 1000 + 10 * len(nodes)},
            hidden_size={"made up": 10},
            learning_rates={"made up": 0.01},
            operations=1000 * len(nodes),
            steps=steps if status == "ok" else steps // 3,
            seconds=self._seconds * draw.random(),
            measured=saliency if "saliency" in proposal.measure else {},
        )


def failed(status: str, score: float | None = None) -> Evaluation:
    """Return the result of a candidate that failed so."""
    return Evaluation(status=status, score=score, steps=10, operations=100, message="made up")
