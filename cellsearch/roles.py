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

from cellsearch.gating import Product, Products, Selection
from cellsearch.graph import Graph
from cellsearch.intervals import Interval
from cellsearch.recurrence import mixes_features, seen_by_partials

RoleName = Literal["gate", "weight", "candidate", "memory", "state", "input", ""]
Verb = Literal["keeps", "lets in", "lets out", "multiplies"]

OUTPUT = "output"
"""What stands for a cell's output where its states are listed."""


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
    """Follows what is carried from the states at t-1 and what the updates are made of."""

    def __init__(self, graph: Graph, ranges: Sequence[Interval]) -> None:
        self.graph, self.nodes = graph, graph.nodes
        self.updates = dict(graph.states)
        self.read = {node.name for node in self.nodes if node.op == "state"}
        self.carried = self._carried()
        self.memories = {name for name, update in graph.states if name in self.carried[update]}
        self.held = self._held()
        carrying = [i for i, states in enumerate(self.carried) if states & self.memories]
        self.products = Products(graph, ranges, set(carrying))
        self.paths: dict[str, set[int]] = {}  # of each state: what its update is the sum of
        self.arms: dict[str, list[int]] = {}  # those that do not carry the state
        for name, root in self._targets():
            self.paths[name], self.arms[name] = self._followed(name, root)

    def _targets(self) -> list[tuple[str, int]]:
        """Return the updates; one that no step reads is an output, as is what is given out."""
        states = [(name, update) for name, update in self.graph.states if name in self.read]
        output = self.updates["h"] if self.graph.output is None else self.graph.output
        given_out = self.graph.output is not None or "h" not in self.read
        return [*states, (OUTPUT, output)] if given_out else states

    def _carried(self) -> list[frozenset[str]]:
        """Return for each node the states at t-1 that it is elementwise affine in, on some path."""
        found: list[frozenset[str]] = []
        for node in self.nodes:
            states = frozenset({node.name}) if node.op == "state" else frozenset()
            for slot, sees in enumerate(seen_by_partials(node)):
                if slot not in sees:
                    through = (found[node.args[other]] for other in sees)
                    states |= found[node.args[slot]].difference(*through)
            found.append(states)
        return found

    def _held(self) -> list[frozenset[str] | None]:
        """Return for each node the states it is computed from elementwise; None if not only those.

        A state's update counts as the state.
        """
        names = {update: name for name, update in self.graph.states}
        found: list[frozenset[str] | None] = []
        for index, node in enumerate(self.nodes):
            args = [found[arg] for arg in node.args]
            states: frozenset[str] | None = frozenset()
            if node.op == "state":
                states = frozenset({node.name})
            elif index in names:
                states = frozenset({names[index]})
            elif node.op == "x" or mixes_features(node) or None in args:
                states = None
            else:
                states = frozenset().union(*(arg for arg in args if arg is not None))
            found.append(states)
        return found

    def _followed(self, state: str, root: int) -> tuple[set[int], list[int]]:
        """Return the path of an update and its arms.

        The path leads from the update to the state at t-1 through sums, through whatever carries
        the state, and through an activation around all that; what else is added on the way are the
        arms.
        """
        path: set[int] = set()
        arms: list[int] = []
        waiting = [(root, True)]  # what to look at, and whether all above it are sums
        while waiting:
            index, in_sum = waiting.pop()
            node = self.nodes[index]
            is_own = node.op == "state" and node.name == state
            if index in path or is_own or not self.products.varies[index]:
                continue
            path.add(index)
            further = self._further(index, state, in_sum, index == root)
            if further:
                waiting += [(arg, in_sum and is_sum) for arg, is_sum in reversed(further)]
            else:
                arms.append(index)
        return path, arms

    def _further(
        self, index: int, state: str, in_sum: bool, is_root: bool
    ) -> list[tuple[int, bool]]:
        """Return the arguments on which a path goes on, and whether they are terms of a sum."""
        node, sees = self.nodes[index], seen_by_partials(self.nodes[index])
        if state in self.carried[index]:
            if not any(sees):
                return [(arg, True) for arg in node.args]
            return [(arg, False) for arg in self._carried_on(index, state)]
        if not in_sum or mixes_features(node) or (node.name and not is_root):
            return []
        if node.op in ("add", "sub", "neg", "mean"):
            return [(arg, True) for arg in node.args]
        if node.op == "blend":
            return [(arg, False) for arg in node.args[1:]]
        if len(node.args) == 1 and state in self.carried[node.args[0]]:
            return [(node.args[0], True)]
        if node.op == "div" and self.nodes[node.args[0]].op == "mul":
            return [(node.args[0], False)]
        return []

    def _carried_on(self, index: int, state: str) -> list[int]:
        """Return the arguments through which a node carries a state, and what it adds to them."""
        node, sees = self.nodes[index], seen_by_partials(self.nodes[index])
        carrying = [state in self.carried[arg] for arg in node.args]
        through = [
            slot
            for slot, seen in enumerate(sees)
            if carrying[slot] and slot not in seen and not any(carrying[other] for other in seen)
        ]
        factors = {other for slot in through for other in sees[slot]}
        return [arg for slot, arg in enumerate(node.args) if slot not in factors]

    def roles(self) -> tuple[Role, ...]:
        """Return the role of each node."""
        products = self.products
        contents: dict[int, tuple[int, ...]] = {}  # of each product, what its other factors select
        gates = [each for each in products.blends if products.is_share(each.selector)]
        weights = [
            each
            for each in products.blends
            if products.is_signed_share(each.selector) and each not in gates
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
            and each not in self.products.carrying
            and not self.held[each]
        )
        return fresh[:-1] if len(fresh) == len(contents) else fresh

    def _among_gates(
        self, product: Product, certain: set[int]
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return which factors of a product, all of them between 0 and 1, select which others."""
        shares = product.shares
        if not any(product.at in arms for arms in self.arms.values()):
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
        found: dict[int, list[Effect]] = {}
        for each in self.products.spelled_out(selections):
            effects = found.setdefault(each.selector, [])
            if (effect := self._effect(each)) not in effects:
                effects.append(effect)
        return {selector: tuple(effects) for selector, effects in found.items()}

    def _effect(self, selection: Selection) -> Effect:
        value, complement = selection.value, selection.complement
        held = self.held[value]
        for state, path in self.paths.items():
            if selection.at not in path:
                continue
            if state in self.carried[value] or (held and state in held):
                return Effect("keeps", value, complement)
            if state == OUTPUT or (held and held <= self.memories):
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
        for state, arms in self.arms.items():
            for arm in arms if state != OUTPUT else ():
                selected = contents.get(arm, ())
                index = selected[0] if len(selected) == 1 else arm
                held = self.held[index]
                if not held or not (state in held or held <= self.memories):
                    candidates[index] = (*candidates.get(index, ()), state)
        names = {update: name for name, update in self.graph.states}
        found = []
        for index, node in enumerate(self.nodes):
            effects = gates.get(index, ())
            if node.op == "x":
                role = Role("input", effects)
            elif node.op == "state" or index in names:
                state = node.name if node.op == "state" else names[index]
                role = Role("memory" if state in self.memories else "state", effects, (state,))
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
