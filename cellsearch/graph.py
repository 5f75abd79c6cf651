"""The plain data of a cell: nodes in topological order."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cellsearch.errors import CellError

Attributes = tuple[tuple[str, bool | float | str], ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One value of a cell.

    `op` is "x", "state" (a carried state at t-1), "number", "parameter" or an operator's name;
    `args` are the indices of earlier nodes; `attributes` are those that differ from the operator's
    defaults, sorted by name (of a state "start", its value before the first step, if not zero);
    `name` is the state's name for a state, else the name of the statement
    that the node is the value of, or "". `tensors` are the names of the learned tensors it owns: a
    matrix for each argument and then the bias, if any.
    """

    op: str
    args: tuple[int, ...] = ()
    attributes: Attributes = ()
    name: str = ""
    tensors: tuple[str, ...] = ()

    def attribute(self, name: str, default: bool | float | str) -> bool | float | str:
        """Return an attribute, or the default where the node does not say it."""
        return dict(self.attributes).get(name, default)

    def is_number(self, value: float) -> bool:
        """Return whether it is this number, written out."""
        return self.op == "number" and self.attribute("value", 0.0) == value


@dataclass(frozen=True, slots=True)
class Graph:
    """Nodes in topological order, the update of each carried state (h first), and the output.

    `output` is None where the cell's output is its new h.
    """

    nodes: tuple[Node, ...]
    states: tuple[tuple[str, int], ...]
    output: int | None = None

    @property
    def results(self) -> tuple[int, ...]:
        """The nodes that leave a step: the updates, then the output if it is not h."""
        updates = tuple(node for _, node in self.states)
        return updates if self.output is None else (*updates, self.output)

    def reached(self, roots: Iterable[int]) -> set[int]:
        """Return the nodes that the roots depend on within one step, the roots included."""
        found = set(roots)
        for index in reversed(range(len(self.nodes))):  # arguments stand before their users
            if index in found:
                found.update(self.nodes[index].args)
        return found


def without_defaults(
    found: Mapping[str, bool | float | str],
    defaults: Mapping[str, bool | float | str],
) -> Attributes:
    """Return the attributes of a node that differ from the operator's defaults, sorted by name."""
    return tuple(item for item in sorted(found.items()) if item[1] != defaults[item[0]])


def topological_order(args: Sequence[Sequence[int]], rank: Sequence[int]) -> list[int]:
    """Return nodes, given by their arguments, such that arguments stand before their users.

    Where that leaves a choice, the lower rank comes first. Nodes of a cycle, and those that depend
    on one, are left out.
    """
    users: list[list[int]] = [[] for _ in args]
    missing = [len(set(found)) for found in args]
    for index, found in enumerate(args):
        for arg in dict.fromkeys(found):
            users[arg].append(index)
    ready = [(rank[index], index) for index, count in enumerate(missing) if count == 0]
    heapq.heapify(ready)
    order = []
    while ready:
        _, index = heapq.heappop(ready)
        order.append(index)
        for user in users[index]:
            missing[user] -= 1
            if missing[user] == 0:
                heapq.heappush(ready, (rank[user], user))
    return order


def order_of_computation(
    args: Sequence[Sequence[int]], where: str, name: Callable[[int], str]
) -> list[int]:
    """Return nodes, given by their arguments, in topological order, else as they stand.

    Raises CellError that begins with `where` and names the nodes of a cycle, each in front of one
    that it needs, if there is a cycle.
    """
    order = topological_order(args, range(len(args)))
    if len(order) == len(args):
        return order
    placed = set(order)
    path = [next(index for index in range(len(args)) if index not in placed)]
    while path[-1] not in path[:-1]:
        path.append(next(arg for arg in args[path[-1]] if arg not in placed))
    cycle = path[path.index(path[-1]) :]
    shown = [name(index) for index in (cycle[:4] if len(cycle) > 5 else cycle)]
    more = " <- ..." if len(shown) < len(cycle) else ""
    raise CellError(
        f"{where}: a cycle within one step ({' <- '.join(shown)}{more}); a loop must go through a "
        "state at t-1"
    )
