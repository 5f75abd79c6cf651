"""The range of every value of a cell, whatever its inputs and weights are.

Ranges are sound: at every step of a sequence, for all inputs and all learned tensors, a value that
is a number is within its range, up to the rounding of floating-point arithmetic, as long as the
states began where the cell says (at zero, unless it says otherwise) and nothing was divided by zero
on the way. What cancels out in sums and products is seen (`polynomials`); apart from that, values
are bounded one by one, so that of c / n, say, where both grow alike, nothing is known.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from cellsearch.analysis.enclosure import Enclosure, EnclosureMath, enclosed
from cellsearch.analysis.intervals import ANYTHING, Interval
from cellsearch.analysis.polynomials import Polynomial, bounds, polynomial_of, polynomials
from cellsearch.graph import Graph, Node
from cellsearch.operators import INFINITY, OPERATORS, Formula, Operator

__all__ = ["ANYTHING", "Interval", "operator_range", "ranges"]

PLAIN_ROUNDS = 3
"""How often the states' ranges are carried on as they are before they are widened."""
MOST_ROUNDS = 24
"""After so many rounds, an end that still moves is taken to have no bound; after as many again, in
cells of dozens of states, all have none."""
NARROWING_ROUNDS = 4
"""How often ranges that hold are carried on once more, to take back what was too much."""
SIZES = (1.0, 2.0, 4.0, 16.0, 256.0)
"""Bounds that are tried for a growing range, before it is taken to have none."""
SLACK = 1 + 1e-9
"""By how much larger each is also tried, so that no error of rounding stands in the way."""


def ranges(graph: Graph) -> tuple[Interval, ...]:
    """Return the range of each node's value, for any graph of a cell.

    The ranges of the states are the smallest found that hold at the start and, if they hold at one
    step, hold at the next.
    """
    written_out = polynomials(graph)
    starts = {node.name: _start(node) for node in graph.nodes if node.op == "state"}
    updates = {name: update for name, update in graph.states if name in starts}
    states, values = starts, _values(graph, starts, written_out)
    rounds = 0
    while any(states[name].hull(values[updates[name]]) != states[name] for name in states):
        rounds += 1
        if rounds > 2 * MOST_ROUNDS:
            states = dict.fromkeys(states, ANYTHING)
        states = {name: _widened(states[name], values[updates[name]], rounds) for name in states}
        values = _values(graph, states, written_out)
    for _ in range(NARROWING_ROUNDS if rounds > PLAIN_ROUNDS else 0):
        states = {name: starts[name].hull(values[updates[name]]) for name in states}
        values = _values(graph, states, written_out)
    return tuple(values)


def operator_range(row: Operator, *args: Interval) -> Interval:
    """Return the range of an operator's value, given those of its arguments.

    The table's formula is run on the ranges, and what it gives is cut to the row's `range`. An
    operator of one argument whose derivative keeps its sign has its least and greatest value at the
    ends; a polynomial is looked at as `polynomials` says. What owns learned tensors may have any
    value.
    """
    if row.value is None:
        return ANYTHING
    operands = [Enclosure(arg.low, arg.high) for arg in args]
    value = _interval(row.value(EnclosureMath, *operands)).meet(Interval(*row.range))
    polynomial = _own_polynomial(row.value, len(args))
    if polynomial is not None:
        return value.meet(bounds(polynomial, args))
    if len(args) == 1 and row.derivative is not None:
        given = Enclosure(value.low, value.high)
        slope = _interval(row.derivative(EnclosureMath, given, *operands)[0])
        if slope.is_bounded and (slope.low >= 0 or slope.high <= 0):
            ends = (Enclosure(end, end) for end in (args[0].low, args[0].high))
            first, last = (_interval(row.value(EnclosureMath, end)) for end in ends)
            value = value.meet(first.hull(last))
    return value


def _interval(value: Enclosure | float) -> Interval:
    found = enclosed(value)
    return Interval(found.low, found.high)


@lru_cache(maxsize=4096)
def _own_polynomial(formula: Formula, count: int) -> Polynomial | None:
    """Return a formula as a polynomial of its arguments, if one of them stands in it twice."""
    found = polynomial_of(formula, [Polynomial.of(slot) for slot in range(count)])
    return found if found is not None and found.repeats else None


def _start(node: Node) -> Interval:
    start = float(node.attribute("start", 0.0))
    return Interval(start, start)


def _values(
    graph: Graph, states: Mapping[str, Interval], written_out: Sequence[Polynomial]
) -> list[Interval]:
    """Return the range of each node's value at a step, given those of the states before it."""
    found: list[Interval] = []
    for index, node in enumerate(graph.nodes):
        if node.op == "state":
            value = states[node.name]
        elif node.op == "number":
            number = float(node.attribute("value", 0.0))
            value = Interval(number, number)
        elif node.op in OPERATORS:
            value = operator_range(OPERATORS[node.op], *(found[arg] for arg in node.args))
        else:
            value = ANYTHING
        if written_out[index].variables != (index,):
            value = value.meet(bounds(written_out[index], found))
        found.append(Interval(value.low + 0.0, value.high + 0.0))  # never minus zero
    return found


def _widened(state: Interval, update: Interval, rounds: int) -> Interval:
    """Return a range that holds a state's and its update's, larger than that in later rounds."""
    grown = state.hull(update)
    if rounds <= PLAIN_ROUNDS:
        return grown
    sizes = _RUNGS if rounds <= MOST_ROUNDS else ()
    low, high = grown.low, grown.high
    if low < state.low:
        low = -_rung(-low, sizes)
    if high > state.high:
        high = _rung(high, sizes)
    return Interval(low, high)


_RUNGS = (0.0, *(size * slack for size in SIZES for slack in (1.0, SLACK)))


def _rung(end: float, sizes: Sequence[float]) -> float:
    return next((size for size in sizes if size >= end), INFINITY)
