"""Where the values of a kernel stand in memory, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from cellsearch.backends.native.dependence import RESULT, read_by_derivative
from cellsearch.backends.native.plan import STAGES, NormaliseCall, Pass, Plan, ProductCall, Value
from cellsearch.operators import OPERATORS
from cellsearch.shapes import HIDDEN

Rows = Literal["all", "kept", "step", "batch", "one"]
"""How many rows an array has: one for each row of the input; the same, but in inference those of
one step; those of one step; one for each sequence, for the whole time; a single one."""

EXPENSIVE = 4  # a value whose operator costs as much is kept for the backward pass, not recomputed


@dataclass(frozen=True, slots=True)
class Array:
    """A matrix in the workspace; its rows hold `blocks` blocks, each padded to whole vectors."""

    name: str
    rows: Rows
    width: str
    blocks: int = 1


@dataclass(frozen=True, slots=True)
class Place:
    """A block of an array."""

    array: Array
    block: int = 0


class Storage:
    """The place of every value that a kernel stores, in the forward pass.

    `needed` are the values that the backward pass reads from memory; what it needs besides, it
    computes from them again.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.pass_of = {
            index: (step.stage, number)
            for stage in STAGES
            for number, step in enumerate(plan.steps[stage])
            if isinstance(step, Pass)
            for index in step.values
        }
        self.users: dict[int, list[int]] = {}
        for index, value in enumerate(plan.values):
            for arg in value.args:
                self.users.setdefault(arg, []).append(index)
        self.called = {arg for call in plan.calls for arg in call.args}
        self.crossing = {i for i, v in enumerate(plan.values) if v.kind == "apply" and self._far(i)}
        self.needed = self._needed()
        self.places: dict[int, Place] = {}
        self._place_leaves()
        self._place_slabs()
        self._place_values()

    @property
    def arrays(self) -> tuple[Array, ...]:
        """All arrays of the forward workspace."""
        return tuple(dict.fromkeys(place.array for place in self.places.values()))

    def slab(self, call: int) -> Place:
        """Return the place of the first column of a product."""
        return self.places[self.plan.column(call)]

    # ---- what is stored --------------------------------------------------------------------------

    def _far(self, index: int) -> bool:
        """Tell whether a value is read outside of the pass that computes it."""
        users = self.users.get(index, [])
        own = self.pass_of[index]
        elsewhere = any(self.pass_of[user] != own for user in users)
        return elsewhere or index in self.called or index == self.plan.output

    def _needed(self) -> set[int]:
        values = self.plan.values
        todo: list[int] = []
        for index, value in enumerate(values):
            if value.kind == "apply":
                reads = read_by_derivative(value.op, len(value.args))
                for arg, names in zip(value.args, reads, strict=True):
                    if values[arg].kind != "number":
                        todo += [index if n == RESULT else value.args[n] for n in names]
        for call in self.plan.calls:
            todo += call.args if isinstance(call, ProductCall) else ()
        todo += [index for index, value in enumerate(values) if value.kind == "normal"]
        found: set[int] = set()
        seen: set[int] = set()
        while todo:
            index = todo.pop()
            if index in seen:
                continue
            seen.add(index)
            value = values[index]
            if value.kind != "apply" or index in self.crossing or self._expensive(value):
                found.add(index)
            else:
                todo += value.args
        return found

    @staticmethod
    def _expensive(value: Value) -> bool:
        return OPERATORS[value.op].cost >= EXPENSIVE

    # ---- where it is stored ----------------------------------------------------------------------

    def _place_leaves(self) -> None:
        plan = self.plan
        for index, value in enumerate(plan.values):
            if value.kind == "constant":
                width, blocks = plan.constant_widths[value.source]
                array = Array(f"constant {value.source}", "one", width, blocks)
                self.places[index] = Place(array, value.block)
            elif value.kind == "x" and plan.reads_x:
                self.places[index] = Place(Array("x", "all", value.width))
            elif value.kind == "previous":
                rows = self._rows([index])
                self.places[index] = Place(Array(f"previous {value.source}", rows, HIDDEN))

    def _place_slabs(self) -> None:
        for number, call in enumerate(self.plan.calls):
            if isinstance(call, NormaliseCall):
                continue
            columns = [self.plan.column(number, block) for block in range(call.blocks)]
            if call.home is not None:
                slab, first = call.home
                for block, column in enumerate(columns):
                    self.places[column] = self.places[self.plan.column(slab, first + block)]
                continue
            array = Array(f"slab {number}", self._rows(columns), HIDDEN, call.blocks)
            for block, column in enumerate(columns):
                self.places[column] = Place(array, block)

    def _rows(self, indices: list[int]) -> Rows:
        """Return the rows of an array that holds these values, or others in their place."""
        values = [self.plan.values[index] for index in indices]
        if values[0].stage != "loop" or any(self.read_after(index) for index in indices):
            return "all"
        if any(i in self.needed for i in indices) or any(self._vacant(i) for i in indices):
            return "kept"
        return "step"

    def read_after(self, index: int) -> bool:
        """Tell whether a value of the loop is read once the loop is over."""
        values, calls = self.plan.values, self.plan.calls
        late = any(values[user].stage == "after" for user in self.users.get(index, []))
        called = any(call.stage == "after" and index in call.args for call in calls)
        return late or called or index == self.plan.output

    def _vacant(self, index: int) -> bool:
        """Tell whether a column's place is free once its pass has read it."""
        users = self.users.get(index, [])
        passes = {self.pass_of[user] for user in users}
        return len(passes) == 1 and index not in self.needed and index not in self.called

    def _place_values(self) -> None:
        """Place what passes compute; where a column is read for the last time, in its place."""
        values = self.plan.values
        vacant: dict[tuple[str, int], list[int]] = {}
        for index, value in enumerate(values):
            if value.kind == "column" and self._vacant(index):
                (where,) = {self.pass_of[user] for user in self.users[index]}
                vacant.setdefault(where, []).append(index)
        for index, value in enumerate(values):
            if value.kind == "normal":
                self.places[index] = Place(
                    Array(f"normal {index}", self._rows([index]), value.width)
                )
            stored = index in self.crossing or index in self.needed
            if value.kind != "apply" or not stored:
                continue
            rows = self._rows([index])
            free = vacant.get(self.pass_of[index], [])
            fits = [i for i in free if value.width == HIDDEN and self._holds(i, rows)]
            if fits:
                free.remove(fits[0])
                self.places[index] = self.places[fits[0]]
            else:
                self.places[index] = Place(Array(f"value {index}", rows, value.width))

    def _holds(self, column: int, rows: Rows) -> bool:
        return rows == "kept" and self.places[column].array.rows in ("kept", "all")
