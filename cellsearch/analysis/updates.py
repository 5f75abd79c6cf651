"""What the updates of a cell's states are made of: what they carry on and what is new in them."""

from __future__ import annotations

from cellsearch.analysis.recurrence import mixes_features, seen_by_partials
from cellsearch.graph import Graph

OUTPUT = "output"
"""What a cell gives out, where its states are listed."""


class Updates:
    """Follows the states at t-1 to the updates, and the updates back to what they are made of.

    For each node, `varies` says whether it depends on more than numbers, `carried` which states at
    t-1 it is elementwise affine in, on some path, and `held` from which states it is computed
    elementwise, a state's update counting as the state; None if not only from those. `memories`
    are the states whose updates carry them. The path of an update leads from it to the state at t-1
    through sums, through whatever carries the state, and through an activation around all that;
    what else is added on the way are its arms. An update of h that no step reads is an output.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph, self.nodes = graph, graph.nodes
        self.varies: list[bool] = []
        for node in graph.nodes:
            own = bool(node.tensors) or node.op in ("x", "state")
            self.varies.append(own or any(self.varies[arg] for arg in node.args))
        self.carried = self._carried()
        self.held = self._held()
        self.memories = {name for name, update in graph.states if name in self.carried[update]}
        self.paths: dict[str, set[int]] = {}
        self.arms: dict[str, list[int]] = {}
        for name, root in self._targets():
            self.paths[name], self.arms[name] = self._followed(name, root)

    def _targets(self) -> list[tuple[str, int]]:
        read = {node.name for node in self.nodes if node.op == "state"}
        states = [(name, update) for name, update in self.graph.states if name in read]
        if self.graph.output is not None:
            return [*states, (OUTPUT, self.graph.output)]
        return states if "h" in read else [*states, (OUTPUT, self.graph.states[0][1])]

    def _carried(self) -> list[frozenset[str]]:
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
        """Return the path of an update, and its arms."""
        path: set[int] = set()
        arms: list[int] = []
        waiting = [(root, True)]  # what to look at, and whether all above it are sums
        while waiting:
            index, in_sum = waiting.pop()
            node = self.nodes[index]
            is_own = node.op == "state" and node.name == state
            if index in path or is_own or not self.varies[index]:
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

    def carries_memory(self, index: int) -> bool:
        """Return whether a node carries the value of a memory at t-1."""
        return bool(self.carried[index] & self.memories)
