"""The verifier refuses every loop program that could not run, or would run wrongly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from random_cells import random_cell, seeded

from cellsearch.cell import Cell
from cellsearch.lowering import LoopProgram, lower
from cellsearch.lowering.program import Apply, Join, Load, Product, Split
from cellsearch.lowering.verify import verify

TEXT = """\
p = parameter(init=1)
i = sigmoid(linear(x, h_prev))
f = sigmoid(linear(x, h_prev))
g = tanh(linear(h_prev))
c = f * c_prev + i * g * p
h = tanh(c)
output = tanh(linear(h))
"""


@pytest.fixture
def program() -> LoopProgram:
    return lower(Cell.parse(TEXT).normal)


def test_what_lowering_makes_holds(program: LoopProgram) -> None:
    verify(program)
    for seed in range(100):
        verify(lower(Cell.parse(random_cell(seeded(seed))).normal))


def _without_first(stage: str) -> Callable[[LoopProgram], LoopProgram]:
    return lambda p: replace(p, **{stage: getattr(p, stage)[1:]})


def _twice(stage: str) -> Callable[[LoopProgram], LoopProgram]:
    return lambda p: replace(p, **{stage: getattr(p, stage) + getattr(p, stage)[:1]})


def _reversed(stage: str) -> Callable[[LoopProgram], LoopProgram]:
    return lambda p: replace(p, **{stage: getattr(p, stage)[::-1]})


def _moved(source: str, target: str) -> Callable[[LoopProgram], LoopProgram]:
    def change(program: LoopProgram) -> LoopProgram:
        first, *rest = getattr(program, source)
        changes = {source: tuple(rest), target: (*getattr(program, target), first)}
        return replace(program, **changes)

    return change


def _in_loop(kind: type, **changes: object) -> Callable[[LoopProgram], LoopProgram]:
    """Change the first instruction of a kind, wherever it stands."""

    def change(program: LoopProgram) -> LoopProgram:
        for stage in ("constants", "before", "loop", "after"):
            code = list(getattr(program, stage))
            for place, instruction in enumerate(code):
                if isinstance(instruction, kind):
                    made = {
                        name: value(instruction) if callable(value) else value
                        for name, value in changes.items()
                    }
                    code[place] = replace(instruction, **made)  # type: ignore[type-var]
                    return replace(program, **{stage: tuple(code)})
        raise AssertionError(f"the program has no {kind.__name__}")

    return change


MUTATIONS: dict[str, Callable[[LoopProgram], LoopProgram]] = {
    **{f"without the first of {s}": _without_first(s) for s in ("constants", "before", "loop")},
    "without the end of the loop": lambda p: replace(p, loop=p.loop[:-1]),
    "without what follows the loop": lambda p: replace(p, after=()),
    **{f"{s} twice": _twice(s) for s in ("constants", "before", "loop", "after")},
    **{f"{s} reversed": _reversed(s) for s in ("loop", "after")},
    "the loop's first before it": _moved("loop", "before"),
    "what precedes the loop in it": _moved("before", "loop"),
    "a constant in the loop": _moved("constants", "loop"),
    "without x": lambda p: replace(p, x=None),
    "without the past of a state": lambda p: replace(
        p, states=(replace(p.states[0], previous=None), *p.states[1:])
    ),
    "an update that nothing writes": lambda p: replace(
        p, states=(replace(p.states[0], update=len(p.stages)), *p.states[1:])
    ),
    "an update from after the loop": lambda p: replace(
        p, states=(replace(p.states[0], update=p.output), *p.states[1:])
    ),
    "an output that nothing writes": lambda p: replace(p, output=len(p.stages)),
    "a register without a stage": lambda p: replace(p, stages=p.stages[:-1]),
    "all registers in the last stage": lambda p: replace(p, stages=("after",) * len(p.stages)),
    "reading what is not there": _in_loop(Apply, args=(10_000,)),
    "a product short of a matrix": _in_loop(Product, weights=lambda i: (i.weights[0][1:],)),
    "a product short of an argument": _in_loop(Product, args=()),
    "a bias too many": _in_loop(Product, bias=lambda i: (*i.bias, 0)),
    "a bias beside an addend": lambda p: replace(
        p,
        loop=tuple(
            replace(i, bias=i.weights[0]) if isinstance(i, Product) and i.addend is not None else i
            for i in p.loop
        ),
    ),
    "a tensor that is not there": _in_loop(Load, tensor=99),
    "a matrix that is not there": _in_loop(Product, weights=lambda i: ((99,) * i.blocks,)),
    "a split into too many": _in_loop(Split, outs=lambda i: (*i.outs, 10_000)),
    "a split into too much": _in_loop(Split, blocks=lambda i: (9, *i.blocks[1:])),
    "a join of nothing": _in_loop(Join, parts=()),
    "an operator that is not there": _in_loop(Apply, op="tahn"),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_a_corrupted_program_is_refused(program: LoopProgram, mutation: str) -> None:
    broken = MUTATIONS[mutation](program)
    assert broken != program
    with pytest.raises(ValueError, match="loop program: "):
        verify(broken)
