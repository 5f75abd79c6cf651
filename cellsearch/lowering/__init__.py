"""From a cell's normal form to a loop program, in small passes."""

from __future__ import annotations

from cellsearch.graph import Graph
from cellsearch.lowering.clean import drop_renamings
from cellsearch.lowering.emit import Emitter
from cellsearch.lowering.merge import Grouping
from cellsearch.lowering.program import CarriedState, LoopProgram
from cellsearch.lowering.stages import assign_stages, fold_numbers
from cellsearch.lowering.verify import verify
from cellsearch.shapes import learned_tensors

__all__ = ["LoopProgram", "lower"]


def lower(normal: Graph) -> LoopProgram:
    """Return the verified loop program of a normal form."""
    tensors = learned_tensors(normal)
    stages = assign_stages(normal)
    names = {tensor.name: index for index, tensor in enumerate(tensors)}
    emitter = Emitter(normal, Grouping(normal, stages), names)
    emitter.emit()
    leaves = {(node.op, node.name): index for index, node in enumerate(normal.nodes)}
    states = tuple(
        CarriedState(name, leaves.get(("state", name)), update) for name, update in normal.states
    )
    program = LoopProgram(
        tensors=tensors,
        stages=tuple(emitter.stages),
        numbers=tuple(sorted(fold_numbers(normal, stages).items())),
        x=leaves.get(("x", "")),
        states=states,
        output=normal.states[0][1] if normal.output is None else normal.output,
        constants=tuple(emitter.code["constant"]),
        before=tuple(emitter.code["before"]),
        loop=tuple(emitter.code["loop"]),
        after=tuple(emitter.code["after"]),
    )
    verify(program)
    program = drop_renamings(program)
    verify(program)
    return program
