"""The roles of a cell's values: gates, candidates, memories.

- A *memory* is a state whose update sees the state at t-1 through operators that are elementwise
  and affine in it, such as c of an LSTM; any other carried value is a plain *state*.
- A *candidate* is new content of a state: a term of its update, or an arm of a blend, that does not
  carry the state itself, without the gates that multiply it.
- A *gate* is between 0 and 1 and multiplies another value, which it keeps, lets in or lets out; its
  complement, 1 minus the gate, may do the same for a third.
- A *weight* is between -1 and 1, multiplies another value and is none of these.

The values are those of the cell as it was written; ranges hold for any input and any weights.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from cellsearch.analysis.gating import Product, Products, Selection
from cellsearch.analysis.intervals import Interval
from cellsearch.analysis.updates import OUTPUT, Updates
from cellsearch.graph import Graph

RoleName = Literal["gate", "weight", "candidate", "memory", "state", "input", ""]
Verb = Literal["keeps", "lets in", "lets out", "multiplies"]


@dataclass(frozen=True, slots=True)
class Effect:
    """What a gate or a weight does to another value, given as a node.

    `complement` says that 1 minus the gate does it; `into` names what the value is let into.
    """

    verb: Verb
    value: int
    complement: bool = False
    into: str = ""


@dataclass(frozen=True, slots=True)
class Role:
    """What a value is for; `states` names the states that it is of, or a candidate for.

    A state may have effects, too, if its value is a gate.
    """

    name: RoleName = ""
    effects: tuple[Effect, ...] = ()
    states: tuple[str, ...] = ()


def roles(graph: Graph, ranges: Sequence[Interval]) -> tuple[Role, ...]:
    """Return the role of each node of a graph, given the range of each."""
    return _Reader(graph, ranges).roles()


class _Reader:
    """Decides, product by product, which factors are gates."""

    def __init__(self, graph: Graph, ranges: Sequence[Interval]) -> None:
        self.graph, self.nodes = graph, graph.nodes
        self.updates = Updates(graph)
        self.products = Products(graph, ranges, self.updates)

    def roles(self) -> tuple[Role, ...]:
        """Return the role of each node."""
        products = self.products
        contents: dict[int, tuple[int, ...]] = {}  # of each product, what its other factors select
        gates = [each for each in products.blends if products.is_share(each.selector)]
        weights = [
            each
            for each in products.blends
            if products.is_signed_share(each.selector) and not products.is_share(each.selector)
        ]
        undecided = []
        for product in products.all:
            if product.contents:
                fresh = self._fresh(product.contents)
                contents[product.at] = tuple(each for each in product.contents if each not in fresh)
                gates += _pairs(product.at, product.shares, contents[product.at])
                weights += _pairs(product.at, fresh, contents[product.at])
            elif len(product.shares) > 1:
                undecided.append(product)
            else:
                contents[product.at] = product.shares
        certain = {each.selector for each in products.spelled_out(gates)}
        for product in undecided:
            selectors, contents[product.at] = self._among_gates(product, certain)
            gates += _pairs(product.at, selectors, contents[product.at])
        return self._named(self._effects(gates), self._effects(weights), contents)

    def _fresh(self, contents: tuple[int, ...]) -> tuple[int, ...]:
        """Return those of several factors that weigh the others: in -1..1, and of no state's value.

        If all are like that, the last one is weighed.
        """
        fresh = tuple(
            each
            for each in contents
            if self.products.is_signed_share(each)
            and not self.updates.carries_memory(each)
            and not self.updates.held[each]
        )
        return fresh[:-1] if len(fresh) == len(contents) else fresh

    def _among_gates(
        self, product: Product, certain: set[int]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return which factors of a product, all of them between 0 and 1, select which others."""
        shares = product.shares
        if not any(product.at in arms for arms in self.updates.arms.values()):
            return shares, shares  # each the others
        known = [
            any(
                each.selector in certain
                for each in self.products.spelled_out([Selection(product.at, share, share)])
            )
            for share in shares
        ]
        if all(known) or not any(known):
            known = [True] * (len(shares) - 1) + [False]
        pairs = list(zip(shares, known, strict=True))
        return tuple(s for s, gate in pairs if gate), tuple(s for s, gate in pairs if not gate)

    def _effects(self, selections: list[Selection]) -> dict[int, tuple[Effect, ...]]:
        found: dict[int, dict[Effect, None]] = {}  # in order, each once
        for each in self.products.spelled_out(selections):
            found.setdefault(each.selector, {})[self._effect(each)] = None
        return {selector: tuple(effects) for selector, effects in found.items()}

    def _effect(self, selection: Selection) -> Effect:
        value, complement = selection.value, selection.complement
        held = self.updates.held[value]
        for state, path in self.updates.paths.items():
            if selection.at not in path:
                continue
            if state in self.updates.carried[value] or (held and state in held):
                return Effect("keeps", value, complement)
            if state == OUTPUT or (held and held <= self.updates.memories):
                return Effect("lets out", value, complement)
            return Effect("lets in", value, complement, state)
        into = self._goes_into(selection.at)
        if into and not self.products.is_share(value):
            return Effect("lets in", value, complement, into)
        return Effect("multiplies", value, complement)

    def _goes_into(self, index: int) -> str:
        """Return the nearest name that all use of a value goes through, "" if there is none."""
        while not self.nodes[index].name:
            users = set(self.products.users[index])
            if len(users) != 1 or -1 in users:
                return ""
            (index,) = users
        return self.nodes[index].name

    def _named(
        self,
        gates: dict[int, tuple[Effect, ...]],
        weights: dict[int, tuple[Effect, ...]],
        contents: dict[int, tuple[int, ...]],
    ) -> tuple[Role, ...]:
        candidates: dict[int, tuple[str, ...]] = {}
        for state, arms in self.updates.arms.items():
            for arm in arms if state != OUTPUT else ():
                selected = contents.get(arm, ())
                index = selected[0] if len(selected) == 1 else arm
                held = self.updates.held[index]
                if not held or not (state in held or held <= self.updates.memories):
                    candidates[index] = (*candidates.get(index, ()), state)
        names = {update: name for name, update in self.graph.states}
        found = []
        for index, node in enumerate(self.nodes):
            effects = gates.get(index, ())
            if node.op == "x":
                role = Role("input", effects)
            elif node.op == "state" or index in names:
                state = node.name if node.op == "state" else names[index]
                role = Role(
                    "memory" if state in self.updates.memories else "state", effects, (state,)
                )
            elif effects:
                role = Role("gate", effects)
            elif index in candidates:
                role = Role("candidate", weights.get(index, ()), candidates[index])
            else:
                role = Role("weight" if index in weights else "", weights.get(index, ()))
            found.append(role)
        return tuple(found)


def _pairs(at: int, selectors: Iterable[int], values: Sequence[int]) -> list[Selection]:
    """Return that each of some factors selects each of others; none itself if there are others."""
    return [
        Selection(at, selector, value)
        for selector in selectors
        for value in values
        if selector != value or len(values) == 1
    ]
