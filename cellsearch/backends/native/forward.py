"""The kernel of the forward pass: a whole sequence in one call."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from cellsearch.backends.native.code import POINTER, VOID, Code, Precision
from cellsearch.backends.native.frame import Frame, Span
from cellsearch.backends.native.layout import Panels
from cellsearch.backends.native.passes import ForwardPass, state_place
from cellsearch.backends.native.plan import NormaliseCall, Pass, Plan, ProductCall, Step
from cellsearch.backends.native.routines import Routines
from cellsearch.backends.native.storage import Array, Place, Rows, Storage
from cellsearch.lowering.program import Stage
from cellsearch.shapes import HIDDEN, SCALAR

CHUNK = 64  # rows at a time before and after the loop


def forward_pointers(plan: Plan, tensors: int) -> list[str]:
    """Return the names of the addresses that the forward kernel is given, in order."""
    states = range(len(plan.updates))
    return [
        *("forward", "x", "output"),
        *(f"state {state}" for state in states),
        *(f"last {state}" for state in states),
        *(f"constant {slot}" for slot in range(len(plan.constants))),
        *(f"tensor {tensor}" for tensor in range(tensors)),
    ]


def forward_arrays(plan: Plan, storage: Storage) -> list[Array | Panels]:
    """Return what stands in the workspace of the forward pass."""
    found: list[Array | Panels] = [*storage.arrays]
    found += [state_place(state).array for state in range(len(plan.updates))]
    for number, call in enumerate(plan.calls):
        if isinstance(call, NormaliseCall):
            found.append(deviation(plan, number).array)
            continue
        if call.bias:
            found.append(bias(number, call))
        found += [forward_panels(plan, number, k) for k in range(len(call.args))]
    return list(dict.fromkeys(found))


def deviation(plan: Plan, call: int) -> Place:
    """Return where the reciprocal deviations of a normalisation's rows stand."""
    rows: Rows = "kept" if plan.calls[call].stage == "loop" else "all"
    return Place(Array(f"deviation {call}", rows, SCALAR))


def bias(number: int, call: ProductCall) -> Array:
    """Return the array of a product's biases side by side."""
    return Array(f"bias {number}", "one", HIDDEN, call.blocks)


def forward_panels(plan: Plan, number: int, argument: int) -> Panels:
    """Return the packed matrices of one argument of a product."""
    call = plan.calls[number]
    width = plan.values[call.args[argument]].width
    blocks = call.blocks if isinstance(call, ProductCall) else 0
    return Panels(f"panels {number} {argument}", (width, 1), (HIDDEN, blocks), padded=False)


def write_forward(
    module: ir.Module, precision: Precision, plan: Plan, storage: Storage, tensors: int
) -> None:
    """Write the function "forward" into a module."""
    kind = ir.FunctionType(VOID, [POINTER, POINTER])
    code = Code(ir.Function(module, kind, "forward"), precision)
    arrays = forward_arrays(plan, storage)
    frame = Frame(code, [("forward", arrays)], forward_pointers(plan, tensors))
    _Forward(plan, storage, frame).write()
    code.builder.ret_void()


class _Forward:
    def __init__(self, plan: Plan, storage: Storage, frame: Frame) -> None:
        self.plan = plan
        self.storage = storage
        self.frame = frame
        self.code = frame.code
        self.routines = Routines(frame)
        self.passes = ForwardPass(plan, storage, frame)

    def write(self) -> None:
        """Write everything, in the order in which it happens."""
        frame, plan, routines = self.frame, self.plan, self.routines
        self._take_constants()
        direct = self.code.builder.icmp_signed("!=", frame.size["direct"], self.code.index(0))
        with self.code.builder.if_then(self.code.builder.not_(direct)):
            self._pack()
        self._stage("before")
        for state in range(len(plan.updates)):
            source, place = frame.address[f"state {state}"], state_place(state)
            routines.copy_in(frame.size["batch"], HIDDEN, source, place)
        with frame.steps(backwards=False) as span:
            self._keep_previous(span)
            for step in plan.steps["loop"]:
                self._step(step, span)
        self._stage("after")
        output = self.storage.places[plan.output]
        self._out(frame.size["rows"], output, "output")
        for state in range(len(plan.updates)):
            self._out(frame.size["batch"], state_place(state), f"last {state}")

    def _out(self, rows: Any, place: Place, name: str) -> None:
        source, stride = self.frame.block(place), self.frame.stride(place.array)
        self.routines.copy_out(rows, HIDDEN, source, stride, self.frame.address[name])

    def _take_constants(self) -> None:
        """Copy what is learned, or known before any row, into arrays of whole vectors."""
        frame, plan, routines = self.frame, self.plan, self.routines
        for slot, (width, blocks) in enumerate(plan.constant_widths):
            array = Array(f"constant {slot}", "one", width, blocks)
            if all(place.array != array for place in self.storage.places.values()):
                continue
            source = frame.address[f"constant {slot}"]
            size = frame.size.get(width, self.code.index(1))
            for block in range(blocks):
                there = self.code.at(source, self.code.builder.mul(size, self.code.index(block)))
                routines.copy_in(1, width, there, Place(array, block))
        for number, call in enumerate(plan.calls):
            if isinstance(call, ProductCall):
                for block, tensor in enumerate(call.bias):
                    source = frame.address[f"tensor {tensor}"]
                    routines.copy_in(1, HIDDEN, source, Place(bias(number, call), block))
        if plan.reads_x:
            (x,) = [self.storage.places[i] for i, v in enumerate(plan.values) if v.kind == "x"]
            routines.copy_in(frame.size["rows"], x.array.width, frame.address["x"], x)

    def _pack(self) -> None:
        frame, code = self.frame, self.code
        for number, call in enumerate(self.plan.calls):
            if not isinstance(call, ProductCall):
                continue
            for k, tensors in enumerate(call.weights):
                depth = frame.size[self.plan.values[call.args[k]].width]
                panels = frame.base(forward_panels(self.plan, number, k))
                for block, tensor in enumerate(tensors):
                    source = frame.address[f"tensor {tensor}"]
                    column = code.builder.mul(frame.padded[HIDDEN], code.index(block))
                    sizes = (depth, frame.size[HIDDEN])
                    self.routines.call("pack", source, 1, depth, *sizes, panels, column, depth)

    def _stage(self, stage: Stage) -> None:
        """A stage that is done for all steps at once."""
        if self.plan.steps[stage]:
            with self.frame.chunks(CHUNK) as span:
                for step in self.plan.steps[stage]:
                    self._step(step, span)

    def _keep_previous(self, span: Span) -> None:
        """Set the states at t-1 apart: passes write the new ones."""
        frame = self.frame
        for index, value in enumerate(self.plan.values):
            if value.kind == "previous":
                source, target = state_place(value.source), self.storage.places[index]
                stride = frame.stride(source.array)
                here, there = frame.block(source), frame.rows(target, span)
                self.routines.call("copy", span.count, stride, here, stride, there, stride, stride)

    def _step(self, step: Step, span: Span) -> None:
        if isinstance(step, Pass):
            self.passes.write(step, span)
            return
        call = self.plan.calls[step]
        if isinstance(call, NormaliseCall):
            self._normalise(step, call, span)
        else:
            b = self.code.builder
            direct = b.icmp_signed("!=", self.frame.size["direct"], self.code.index(0))
            with b.if_else(direct) as (then, otherwise):
                with then:
                    self._product_direct(step, call, span)
                with otherwise:
                    self._product(step, call, span)

    def _argument(self, index: int, span: Span) -> tuple[Any, Any, Any]:
        return argument(self.plan, self.storage, self.frame, index, span)

    def _product(self, number: int, call: ProductCall, span: Span) -> None:
        frame, code = self.frame, self.code
        slab = self.storage.slab(number)
        stride, there = frame.stride(slab.array), frame.rows(slab, span)
        columns = code.builder.mul(frame.padded[HIDDEN], code.index(call.blocks))
        addend: tuple[Any, Any] = (there, stride) if call.home else (None, 0)
        if call.bias:
            addend = (frame.base(bias(number, call)), 0)
        for k, index in enumerate(call.args):
            size, source, source_stride = self._argument(index, span)
            panels = frame.base(forward_panels(self.plan, number, k))
            sizes = (span.count, columns, size)
            self.routines.call(
                "multiply", *sizes, source, source_stride, panels, *addend, there, stride
            )
            addend = (there, stride)

    def _product_direct(self, number: int, call: ProductCall, span: Span) -> None:
        frame = self.frame
        slab = self.storage.slab(number)
        stride = frame.stride(slab.array)
        for block in range(call.blocks):
            there = frame.rows(Place(slab.array, slab.block + block), span)
            addend: tuple[Any, Any] = (there, stride) if call.home else (None, 0)
            if call.bias:
                addend = (frame.address[f"tensor {call.bias[block]}"], 0)
            for k, index in enumerate(call.args):
                size, source, source_stride = self._argument(index, span)
                weights = frame.address[f"tensor {call.weights[k][block]}"]
                sizes = (span.count, frame.size[HIDDEN], size)
                matrices = (source, source_stride, weights, size)
                self.routines.call("direct", *sizes, *matrices, *addend, there, stride)
                addend = (there, stride)

    def _normalise(self, number: int, call: NormaliseCall, span: Span) -> None:
        frame = self.frame
        size, source, source_stride = self._argument(call.args[0], span)
        normal = self.storage.places[self.plan.column(number)]
        there, stride = frame.rows(normal, span), frame.stride(normal.array)
        place = deviation(self.plan, number)
        self.routines.call(
            "normalise", span.count, size, source, source_stride, there, stride,
            frame.rows(place, span), frame.stride(place.array),
        )  # fmt: skip


def argument(
    plan: Plan, storage: Storage, frame: Frame, index: int, span: Span
) -> tuple[Any, Any, Any]:
    """Return the width of what a call reads, where its rows begin, and their distance."""
    value, b = plan.values[index], frame.code.builder
    size = frame.size[value.width]
    if value.kind == "x" and not plan.reads_x:  # as torch has it
        return size, frame.code.at(frame.address["x"], b.mul(span.first, size)), size
    place = storage.places[index]
    return size, frame.rows(place, span), frame.stride(place.array)
