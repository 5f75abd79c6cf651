"""Which inputs of a kernel does each of its results depend on?"""

from __future__ import annotations

from cellsearch.backends.native.plan import Plan, ProductCall

Inputs = frozenset[int]


def reach(plan: Plan) -> tuple[Inputs, ...]:
    """Return, for the output and each last state, the inputs that it depends on.

    Inputs are counted as a kernel gets them: rows, states, constants, learned tensors.
    """
    states = len(plan.updates)
    carried: list[Inputs] = [frozenset()] * states
    while True:  # what a state depends on reaches it through others, step by step
        found = _Reach(plan, carried)
        updates = [found.of(update) for update in plan.updates]
        if updates == carried:
            return (found.of(plan.output), *updates)
        carried = updates


class _Reach:
    def __init__(self, plan: Plan, carried: list[Inputs]) -> None:
        self.plan = plan
        self.carried = carried
        self.known: dict[int, Inputs] = {}

    def of(self, index: int) -> Inputs:
        if index not in self.known:
            self.known[index] = self._find(index)
        return self.known[index]

    def _find(self, index: int) -> Inputs:
        value, first = self.plan.values[index], 1 + len(self.carried)
        if value.kind == "x":
            return frozenset({0})
        if value.kind == "previous":
            return self.carried[value.source] | {1 + value.source}
        if value.kind == "constant":
            return frozenset({first + value.source})
        if value.kind in ("number", "apply"):
            return frozenset().union(*map(self.of, value.args))
        call = self.plan.calls[value.source]
        found = frozenset().union(*map(self.of, call.args))
        if not isinstance(call, ProductCall):
            return found
        tensors = [blocks[value.block] for blocks in (*call.weights, call.bias) if blocks]
        if call.home is not None:
            slab, block = call.home
            found |= self.of(self.plan.column(slab, block + value.block))
        learned = first + len(self.plan.constants)
        return found | {learned + tensor for tensor in tensors}
