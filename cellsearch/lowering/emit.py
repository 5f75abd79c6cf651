"""Third pass: write the instructions of every stage."""

from __future__ import annotations

from collections.abc import Sequence

from cellsearch.graph import Graph, Node
from cellsearch.lowering.merge import Group, Grouping
from cellsearch.lowering.program import Apply, Instruction, Join, Load, Product, Split, Stage


class Emitter:
    """Writes the instructions; every node keeps its index as register, slabs come after them."""

    def __init__(self, normal: Graph, grouping: Grouping, tensors: dict[str, int]) -> None:
        self.normal = normal
        self.grouping = grouping
        self.tensors = tensors
        self.stages: list[Stage] = list(grouping.stages)
        self.code: dict[Stage, list[Instruction]] = {
            "constant": [],
            "before": [],
            "loop": [],
            "after": [],
        }
        self.done: set[int] = set()  # nodes that were written along with others
        self.addends: dict[int, int] = {}  # linear of the loop -> register of its outer part

    def emit(self) -> None:
        """Write all instructions: what precedes the loop, the loop, what follows it."""
        early = ("constant", "before")
        for index, node in enumerate(self.normal.nodes):
            group = self.grouping.outer.get(index)
            if group is not None and index not in self.done | self.addends.keys():
                self._emit_outer(group)
            if self.stages[index] in early:
                self._emit_node(index, node)
        for stage in ("loop", "after"):
            for index, node in enumerate(self.normal.nodes):
                if self.stages[index] == stage:
                    self._emit_node(index, node)

    def _emit_node(self, index: int, node: Node) -> None:
        stage = self.stages[index]
        if index in self.done or node.op in ("x", "state"):
            return
        if node.op == "parameter":
            self.code["constant"].append(Load(index, self.tensors[node.tensors[0]]))
        elif node.op == "linear" and stage == "loop":
            self._emit_inner(self.grouping.inner[index])
        elif node.op == "linear":
            group = Group((index,), node.args, self.grouping.has_bias(index))
            self._distribute(self._product(group, stage), group.members, stage)
        elif node.op == "scale":
            args: tuple[int, ...] = (node.args[0], self._load(node.tensors[0]))
            self.code[stage].append(Apply(index, "mul", args))
        elif node.op == "layer_norm":
            args = (node.args[0], *(self._load(name) for name in node.tensors))
            self.code[stage].append(Apply(index, "layer_norm", args))
        else:
            self.code[stage].append(Apply(index, node.op, node.args))

    def _emit_outer(self, group: Group) -> None:
        """A product over what is known before the loop, cut up by where its blocks go."""
        stage = self._early_stage(group.args)
        slab = self._product(group, stage)
        runs = _runs(group.members, [self.grouping.destination(i) for i in group.members])
        for piece, members in zip(self._split(slab, runs, stage), runs, strict=True):
            if self.stages[members[0]] == "loop":
                self.addends.update(dict.fromkeys(members, piece))
            else:
                self._distribute(piece, members, stage)

    def _emit_inner(self, group: Group) -> None:
        """A product of the loop; what is known before the loop comes in as its addend."""
        outer = any(index in self.addends for index in group.members)
        addend = self._addend(group) if outer else None
        slab = self._product(
            Group(group.members, group.args, group.bias and not outer), "loop", addend
        )
        self._distribute(slab, group.members, "loop")

    def _addend(self, group: Group) -> int:
        """Bring the outer parts and lone biases of a group side by side, in the group's order."""
        parts: list[int] = []
        for index in group.members:
            if index not in self.addends:
                parts.append(self._load(self.normal.nodes[index].tensors[-1]))
            elif self.addends[index] not in parts:
                parts.append(self.addends[index])
        if len(parts) == 1:
            return parts[0]
        stage = self._early_stage(parts)
        joined = self._register(stage)
        self.code[stage].append(Join(joined, tuple(parts)))
        return joined

    def _product(self, group: Group, stage: Stage, addend: int | None = None) -> int:
        nodes = [self.normal.nodes[index] for index in group.members]
        slots = [[s for s, arg in enumerate(n.args) if arg in group.args] for n in nodes]
        weights = tuple(
            tuple(self.tensors[n.tensors[own[k]]] for n, own in zip(nodes, slots, strict=True))
            for k in range(len(group.args))
        )
        bias = tuple(self.tensors[n.tensors[-1]] for n in nodes) if group.bias else ()
        slab = self._register(stage)
        self.code[stage].append(Product(slab, group.args, weights, bias, addend))
        return slab

    def _distribute(self, slab: int, members: Sequence[int], stage: Stage) -> None:
        """Cut a slab into the values of its linears, after activations that several share."""
        runs = _runs(members, [self.grouping.activation_name(index) for index in members])
        for piece, run in zip(self._split(slab, runs, stage), runs, strict=True):
            name = self.grouping.activation_name(run[0])
            targets, source = tuple(run), piece
            if name and len(run) > 1:
                targets = tuple(self.grouping.activation[index] for index in run)
                source = self._register(stage)
                self.code[stage].append(Apply(source, name, (piece,)))
            self.code[stage].append(Split(targets, source, (1,) * len(targets)))
            self.done.update(run, targets)

    def _split(self, slab: int, runs: Sequence[Sequence[int]], stage: Stage) -> list[int]:
        if len(runs) == 1:
            return [slab]
        pieces = [self._register(stage) for _ in runs]
        self.code[stage].append(Split(tuple(pieces), slab, tuple(len(run) for run in runs)))
        return pieces

    def _early_stage(self, registers: Sequence[int]) -> Stage:
        return "before" if any(self.stages[r] == "before" for r in registers) else "constant"

    def _register(self, stage: Stage) -> int:
        self.stages.append(stage)
        return len(self.stages) - 1

    def _load(self, name: str) -> int:
        register = self._register("constant")
        self.code["constant"].append(Load(register, self.tensors[name]))
        return register


def _runs(items: Sequence[int], keys: Sequence[object]) -> list[list[int]]:
    """Cut items into runs of neighbours with equal keys."""
    runs: list[list[int]] = []
    for position, item in enumerate(items):
        if position and keys[position] == keys[position - 1]:
            runs[-1].append(item)
        else:
            runs.append([item])
    return runs
