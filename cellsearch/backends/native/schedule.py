"""When is a value computed? Passes as few as the calls between them allow."""

from __future__ import annotations

from collections.abc import Sequence

from cellsearch.backends.native.plan import STAGES, Call, Pass, Step, Value
from cellsearch.lowering.program import Stage


def schedule(values: Sequence[Value], calls: Sequence[Call]) -> dict[Stage, tuple[Step, ...]]:
    """Return the steps of each stage: level by level, first its calls and then its passes.

    Calls stand at a level above what they read; a value is computed at the latest level at which
    all that need it find it, so that it seldom has to be stored for another pass.
    """
    return {stage: _Levels(stage, values, calls).steps() for stage in STAGES}


class _Levels:
    def __init__(self, stage: Stage, values: Sequence[Value], calls: Sequence[Call]) -> None:
        self.stage = stage
        self.values = values
        self.calls = [c for c, call in enumerate(calls) if call.stage == stage]
        self.args = {c: calls[c].args for c in self.calls}
        self.earliest: dict[int, int] = {}
        self.call_level: dict[int, int] = {}
        for index in range(len(values)):
            self._find_earliest(index)
        for call in self.calls:  # a call whose result is read nowhere has a level, too
            self._find_call(call)
        self.latest: dict[int, int] = {}
        self._find_latest()

    def steps(self) -> tuple[Step, ...]:
        """Return the calls and passes in the order in which they are done."""
        found: list[Step] = []
        levels = [*self.latest.values(), *self.call_level.values(), -1]
        for level in range(max(levels) + 1):
            found += [call for call in self.calls if self.call_level[call] == level]
            here = [index for index in sorted(self.latest) if self.latest[index] == level]
            for width in dict.fromkeys(self.values[index].width for index in here):
                members = tuple(index for index in here if self.values[index].width == width)
                found.append(Pass(self.stage, width, members))
        return tuple(found)

    def _find_earliest(self, index: int) -> int:
        if index not in self.earliest:
            value = self.values[index]
            level = 0
            if value.stage == self.stage and value.kind == "apply":
                level = max((self._find_earliest(arg) for arg in value.args), default=0)
            elif value.stage == self.stage and value.kind in ("column", "normal"):
                level = self._find_call(value.source)
            self.earliest[index] = level
        return self.earliest[index]

    def _find_call(self, call: int) -> int:
        if call not in self.call_level:
            level = 1 + max(self._find_earliest(arg) for arg in self.args[call])
            self.call_level[call] = level
        return self.call_level[call]

    def _find_latest(self) -> None:
        bounds: dict[int, list[int]] = {}
        for call, args in self.args.items():
            for arg in args:
                bounds.setdefault(arg, []).append(self.call_level[call] - 1)
        for index in range(len(self.values) - 1, -1, -1):
            value = self.values[index]
            if value.stage == self.stage and value.kind == "apply":
                level = min(bounds.get(index, [self.earliest[index]]))
                self.latest[index] = level
                for arg in value.args:
                    bounds.setdefault(arg, []).append(level)
