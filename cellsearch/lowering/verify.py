"""The verifier: what must hold of every loop program."""

from __future__ import annotations

from cellsearch.lowering.program import LoopProgram, Product, Stage

_VISIBLE: dict[Stage, tuple[Stage, ...]] = {
    "number": (),
    "constant": ("number", "constant"),
    "before": ("number", "constant", "before"),
    "loop": ("number", "constant", "before", "loop"),
    "after": ("number", "constant", "before", "loop", "after"),
}


def verify(program: LoopProgram) -> None:
    """Raise ValueError unless every register is written once, before it is read, in its stage."""
    written = {register for register, _ in program.numbers}
    if program.x is not None:
        written.add(program.x)
    written |= {state.previous for state in program.states if state.previous is not None}
    code = {
        "constant": program.constants,
        "before": program.before,
        "loop": program.loop,
        "after": program.after,
    }
    for stage, instructions in code.items():
        for instruction in instructions:
            for register in instruction.reads:
                _require(
                    register in written, f"{instruction} reads {register} before it is written"
                )
                seen = program.stages[register] in _VISIBLE[stage]  # type: ignore[index]
                _require(seen, f"{instruction} of stage {stage} reads {register} of a later stage")
            for register in instruction.outs:
                _require(register not in written, f"{instruction} writes {register} again")
                _require(program.stages[register] == stage, f"{instruction} is in the wrong stage")
                written.add(register)
            if isinstance(instruction, Product):
                blocks = {len(block) for block in instruction.weights}
                blocks |= {len(instruction.bias)} - {0}
                _require(len(blocks) == 1, f"{instruction} has blocks of different numbers")
                both = bool(instruction.bias) and instruction.addend is not None
                _require(not both, f"{instruction} has a bias beside its addend")
    for register in (program.output, *(state.update for state in program.states)):
        _require(register in written, f"result {register} is never written")
    for state in program.states:
        late = program.stages[state.update] == "after"
        _require(not late, f"state {state.name} is updated after the loop")


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise ValueError(f"loop program: {message}")
