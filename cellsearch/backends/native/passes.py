"""Fused elementwise passes: all values of a pass, or all their gradients, in one run over rows."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cellsearch.backends.native.adjoints import Adjoints
from cellsearch.backends.native.dependence import RESULT, read_by_derivative
from cellsearch.backends.native.frame import Frame, Span
from cellsearch.backends.native.packing import below
from cellsearch.backends.native.plan import Pass, Plan
from cellsearch.backends.native.storage import Array, Place, Storage
from cellsearch.backends.native.vector_math import Vector, VectorMath
from cellsearch.operators import OPERATORS
from cellsearch.shapes import HIDDEN, SCALAR


def state_place(state: int) -> Place:
    """Return where the value of a carried state stands between steps."""
    return Place(Array(f"state {state}", "batch", HIDDEN))


class _Rows:
    """Walks over the rows of a span and, vector by vector, over the features of one width."""

    def __init__(self, frame: Frame, span: Span, width: str) -> None:
        self.frame = frame
        self.code = frame.code
        self.span = span
        self.width = width
        self.starts: dict[Place, Any] = {}
        self.pointers: dict[Place, Any] = {}
        self.position: Any = None

    def prepare(self, places: Iterable[Place]) -> None:
        """Find the first row of each place, before the loop over rows."""
        for place in dict.fromkeys(places):
            self.starts[place] = self.frame.rows(place, self.span)

    def enter_row(self, row: Any) -> None:
        """Find the row of each place, before the loop over features."""
        code = self.code
        for place, start in self.starts.items():
            if place.array.rows == "one":
                self.pointers[place] = start
            else:
                offset = code.builder.mul(row, self.frame.stride(place.array))
                self.pointers[place] = code.at(start, offset)

    def load(self, place: Place) -> Any:
        """Load the vector at the present position."""
        pointer = self.pointers[place]
        if place.array.width == SCALAR:
            return self.code.spread(self.code.load(pointer, self.code.index(0)))
        return self.code.load_vector(pointer, self.position)

    def store(self, value: Any, place: Place) -> None:
        """Store a vector at the present position."""
        self.code.store(value, self.pointers[place], self.position)


class ForwardPass:
    """Writes the values of a pass."""

    def __init__(self, plan: Plan, storage: Storage, frame: Frame) -> None:
        self.plan = plan
        self.storage = storage
        self.frame = frame

    def write(self, step: Pass, span: Span) -> None:
        """Write the pass over the rows of a span."""
        plan, places, code = self.plan, self.storage.places, self.frame.code
        rows = _Rows(self.frame, span, step.width)
        inside = set(step.values)
        read = [a for v in step.values for a in plan.values[v].args if a not in inside]
        outside = [a for a in dict.fromkeys(read) if plan.values[a].kind != "number"]
        stored = [(v, places[v]) for v in step.values if v in places]
        stored += [(v, state_place(s)) for s, v in enumerate(plan.updates) if v in inside]
        rows.prepare([*(places[a] for a in outside), *(place for _, place in stored)])
        math = VectorMath(code)
        with code.loop(0, span.count, name="row") as row:
            rows.enter_row(row)
            with code.loop(0, self.frame.padded[step.width], code.precision.lanes) as position:
                rows.position = position
                known: dict[int, Any] = {a: Vector(code, rows.load(places[a])) for a in outside}
                known.update((a, self._number(a)) for a in read if a not in known)
                for v in step.values:
                    value = plan.values[v]
                    args = [known[a] for a in value.args]
                    known[v] = OPERATORS[value.op].formula(math, *args)
                for v, place in stored:
                    rows.store(_vector(code, known[v]), place)

    def _number(self, index: int) -> Vector:
        code = self.frame.code
        return Vector(code, code.number(self.plan.values[index].number))


class BackwardPass:
    """Writes the gradients of a pass: of what it reads, from those of what it computes."""

    def __init__(self, plan: Plan, storage: Storage, adjoints: Adjoints, frame: Frame) -> None:
        self.plan = plan
        self.storage = storage
        self.adjoints = adjoints
        self.frame = frame
        self.math = VectorMath(frame.code)

    def write(self, step: Pass, span: Span) -> None:
        """Write the pass over the rows of a span."""
        code, adjoints = self.frame.code, self.adjoints
        reading = self._places_read(step)
        arriving = {v: self._arriving(v) for v in step.values}
        leaving = self._leaving(step)
        sums = [adjoints.partial(a) for a in leaving if self.plan.values[a].kind == "constant"]
        for place in sums:
            self.clear(place)
        rows = _Rows(self.frame, span, step.width)
        rows.prepare(
            [
                *reading.values(),
                *(place for found in arriving.values() for place in found),
                *leaving.values(),
            ]
        )
        with code.loop(0, span.count, name="row") as row:
            rows.enter_row(row)
            with code.loop(0, self.frame.padded[step.width], code.precision.lanes) as position:
                rows.position = position
                known: dict[int, Any] = {}
                gradients = {
                    v: _total([Vector(code, rows.load(place)) for place in found])
                    for v, found in arriving.items()
                }
                for v in reversed(step.values):
                    self._pull(v, gradients, known, rows, reading)
                for a, place in leaving.items():
                    self._add(gradients[a], a, place, rows)
        for a in leaving:
            adjoints.written.add(adjoints.place(a))
            if self.plan.values[a].kind == "constant":
                self._gather(adjoints.partial(a), adjoints.place(a))

    # ---- what is read and written ----------------------------------------------------------------

    def _places_read(self, step: Pass) -> dict[int, Place]:
        """Return the places of all values that the derivatives read from memory."""
        values, found = self.plan.values, {}
        todo = [index for v in step.values for index in self._derivative_reads(v)]
        while todo:
            index = todo.pop()
            value = values[index]
            if value.kind == "apply" and index not in self.storage.needed:
                todo += value.args
            elif value.kind != "number":
                found[index] = self.storage.places[index]
        return found

    def _derivative_reads(self, v: int) -> list[int]:
        value = self.plan.values[v]
        reads = read_by_derivative(value.op, len(value.args))
        pairs = zip(value.args, reads, strict=True)
        names = {n for arg, names in pairs for n in names if self.plan.values[arg].kind != "number"}
        return [v if n == RESULT else value.args[n] for n in sorted(names)]

    def _arriving(self, v: int) -> list[Place]:
        """Return where the gradient of a value arrives from outside of its pass."""
        adjoints = self.adjoints
        found = [adjoints.place(v)] if adjoints.place(v) in adjoints.written else []
        return found + [adjoints.state(s) for s, u in enumerate(self.plan.updates) if u == v]

    def _leaving(self, step: Pass) -> dict[int, Place]:
        """Return where the gradients of what the pass reads go."""
        values, inside = self.plan.values, set(step.values)
        read = [a for v in step.values for a in values[v].args if a not in inside]
        outside = [a for a in dict.fromkeys(read) if values[a].kind != "number"]
        return {
            a: self.adjoints.partial(a) if values[a].kind == "constant" else self.adjoints.place(a)
            for a in outside
        }

    # ---- one vector ------------------------------------------------------------------------------

    def _pull(
        self,
        v: int,
        gradients: dict[int, Vector | None],
        known: dict[int, Any],
        rows: _Rows,
        reading: dict[int, Place],
    ) -> None:
        """Add the gradient of a value, times its partial derivatives, to those of its arguments."""
        value, gradient = self.plan.values[v], gradients[v]
        if gradient is None:
            raise ValueError(f"native plan: value {v} leads to no result")
        needed = {
            index: self._value(index, known, rows, reading) for index in self._derivative_reads(v)
        }
        derivative = OPERATORS[value.op].derivative
        if derivative is None:
            raise TypeError(f"operator {value.op} has no derivative")
        unread = Vector(rows.code, rows.code.number(0.0))
        args = [needed.get(arg, unread) for arg in value.args]
        partials = derivative(self.math, needed.get(v, unread), *args)
        for arg, partial in zip(value.args, partials, strict=True):
            if self.plan.values[arg].kind == "number":
                continue
            share = gradient * partial
            before = gradients.get(arg)
            gradients[arg] = share if before is None else before + share

    def _value(
        self, index: int, known: dict[int, Any], rows: _Rows, reading: dict[int, Place]
    ) -> Any:
        """Return a value of the forward pass, loaded or computed again."""
        if index not in known:
            value = self.plan.values[index]
            if value.kind == "number":
                known[index] = Vector(rows.code, rows.code.number(value.number))
            elif index in reading:
                known[index] = Vector(rows.code, rows.load(reading[index]))
            else:
                args = [self._value(a, known, rows, reading) for a in value.args]
                known[index] = OPERATORS[value.op].formula(self.math, *args)
        return known[index]

    def _add(self, gradient: Any, index: int, place: Place, rows: _Rows) -> None:
        """Store a gradient, or add it to what has arrived there before."""
        code, value = rows.code, self.plan.values[index]
        if value.kind == "constant":
            total = code.load_vector(rows.pointers[place], self._lane_position(place, rows))
            if value.width == SCALAR:
                gradient = self._real_features(gradient, rows)
            total = (Vector(code, total) + gradient).value
            code.store(total, rows.pointers[place], self._lane_position(place, rows))
            return
        if value.kind == "column":
            gradient = self._real_features(gradient, rows)  # products read whole vectors
        if place in self.adjoints.written:
            gradient = Vector(code, rows.load(place)) + gradient
        rows.store(_vector(code, gradient), place)

    def _lane_position(self, place: Place, rows: _Rows) -> Any:
        return rows.code.index(0) if place.array.width == SCALAR else rows.position

    def _real_features(self, gradient: Vector, rows: _Rows) -> Vector:
        """Return a gradient with zeros in the lanes beyond the last feature."""
        code, b = rows.code, rows.code.builder
        inside = below(code, b.sub(self.frame.size[rows.width], rows.position))
        return Vector(code, b.select(inside, _vector(code, gradient), code.number(0.0)))

    # ---- gradients of constants: sums over rows --------------------------------------------------

    def clear(self, place: Place) -> None:
        """Set the gradient of a constant to zero."""
        code, start = self.frame.code, self.frame.block(place)
        with code.loop(0, self.frame.padded[place.array.width], code.precision.lanes) as position:
            code.store(code.number(0.0), start, position)

    def _gather(self, partial: Place, total: Place) -> None:
        """Add the sum over the rows of this pass to the sum over all."""
        code = self.frame.code
        source, target = self.frame.block(partial), self.frame.block(total)
        with code.loop(0, self.frame.padded[total.array.width], code.precision.lanes) as position:
            here, there = (code.load_vector(p, position) for p in (source, target))
            code.store(code.builder.fadd(here, there), target, position)


def _vector(code: Any, value: Vector | float) -> Any:
    return value.value if isinstance(value, Vector) else code.number(value)


def _total(vectors: list[Vector]) -> Vector | None:
    total = None
    for vector in vectors:
        total = vector if total is None else total + vector
    return total
