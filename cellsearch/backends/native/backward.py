"""The kernel of the backward pass: all gradients of a sequence in one call."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from cellsearch.backends.native.adjoints import Adjoints
from cellsearch.backends.native.code import POINTER, VOID, Code, Precision
from cellsearch.backends.native.forward import CHUNK, argument, deviation, forward_arrays
from cellsearch.backends.native.frame import Frame, Span
from cellsearch.backends.native.layout import Panels, Scratch
from cellsearch.backends.native.passes import BackwardPass
from cellsearch.backends.native.plan import NormaliseCall, Pass, Plan, ProductCall, Step
from cellsearch.backends.native.routines import Routines
from cellsearch.backends.native.storage import Array, Place, Storage
from cellsearch.lowering.program import Stage
from cellsearch.shapes import HIDDEN, INPUT, SCALAR


def backward_pointers(plan: Plan, tensors: int) -> list[str]:
    """Return the names of the addresses that the backward kernel is given, in order.

    The gradients to be written, from "d x" on, may be null where nobody wants them.
    """
    states = range(len(plan.updates))
    return [
        *("forward", "backward", "x", "d output"),
        *(f"d last {state}" for state in states),
        *(f"tensor {tensor}" for tensor in range(tensors)),
        "d x",
        *(f"d state {state}" for state in states),
        *(f"d constant {slot}" for slot in range(len(plan.constants))),
        *(f"d tensor {tensor}" for tensor in range(tensors)),
    ]


def backward_arrays(plan: Plan, storage: Storage) -> list[Array | Panels | Scratch]:
    """Return what stands in the workspace of the backward pass."""
    adjoints = Adjoints(plan, storage)
    found: list[Array | Panels | Scratch] = []
    for index, value in enumerate(plan.values):
        if value.kind != "number" and (value.kind != "apply" or index in storage.crossing):
            found.append(adjoints.place(index).array)
        if value.kind == "constant":
            found.append(adjoints.partial(index).array)
    found += [adjoints.state(state).array for state in range(len(plan.updates))]
    for number, call in enumerate(plan.calls):
        if isinstance(call, NormaliseCall):
            continue
        if call.bias:
            found.append(_bias(number, call).array)
        for k in range(len(call.args)):
            found += [_panels(plan, number, k), _matrix(plan, number, k)]
            found.append(Scratch(plan.values[call.args[k]].width))
    return list(dict.fromkeys(found))


def _product(plan: Plan, number: int) -> ProductCall:
    call = plan.calls[number]
    if not isinstance(call, ProductCall):
        raise TypeError(f"call {number} is no product")
    return call


def _panels(plan: Plan, number: int, k: int) -> Panels:
    """Return the packed matrices that bring a product's gradient back to an argument."""
    call = _product(plan, number)
    width = plan.values[call.args[k]].width
    return Panels(f"back {number} {k}", (HIDDEN, call.blocks), (width, 1), padded=True)


def _matrix(plan: Plan, number: int, k: int) -> Panels:
    """Return where the gradients of a product's matrices stand, padded."""
    call = _product(plan, number)
    width = plan.values[call.args[k]].width
    return Panels(f"d weights {number} {k}", (HIDDEN, call.blocks), (width, 1), padded=True)


def _bias(number: int, call: ProductCall) -> Place:
    return Place(Array(f"d bias {number}", "one", HIDDEN, call.blocks))


def write_backward(
    module: ir.Module, precision: Precision, plan: Plan, storage: Storage, tensors: int
) -> None:
    """Write the function "backward" into a module."""
    kind = ir.FunctionType(VOID, [POINTER, POINTER])
    code = Code(ir.Function(module, kind, "backward"), precision)
    workspaces: list[tuple[str, list[Array | Panels | Scratch]]] = [
        ("forward", [*forward_arrays(plan, storage)]),
        ("backward", backward_arrays(plan, storage)),
    ]
    frame = Frame(code, workspaces, backward_pointers(plan, tensors))
    _Backward(plan, storage, frame).write()
    code.builder.ret_void()


class _Backward:
    def __init__(self, plan: Plan, storage: Storage, frame: Frame) -> None:
        self.plan = plan
        self.storage = storage
        self.frame = frame
        self.code = frame.code
        self.routines = Routines(frame)
        self.adjoints = Adjoints(plan, storage)
        self.passes = BackwardPass(plan, storage, self.adjoints, frame)

    def write(self) -> None:
        """Write everything, in the order in which it happens."""
        frame, plan, adjoints = self.frame, self.plan, self.adjoints
        self._clear_constants()
        self._pack()
        output = adjoints.place(plan.output)
        self._in("rows", "d output", output)
        adjoints.written.add(output)
        for state in range(len(plan.updates)):
            self._in("batch", f"d last {state}", adjoints.state(state))
        self._stage("after")
        with frame.steps(backwards=True) as span:
            for step in reversed(plan.steps["loop"]):
                self._step(step, span)
            self._carry(span)
        self._stage("before")
        for number, call in enumerate(plan.calls):
            if isinstance(call, ProductCall):
                self._learn(number, call)
        self._results()

    # ---- beginning and end -----------------------------------------------------------------------

    def _in(self, rows: str, name: str, place: Place) -> None:
        self.routines.copy_in(self.frame.size[rows], HIDDEN, self.frame.address[name], place)

    def _clear_constants(self) -> None:
        for index, value in enumerate(self.plan.values):
            if value.kind == "constant":
                self.passes.clear(self.adjoints.place(index))

    def _pack(self) -> None:
        """Pack the matrices for the way back; what lies between the blocks must be zero."""
        frame, code, b = self.frame, self.code, self.code.builder
        for number, call in enumerate(self.plan.calls):
            if not isinstance(call, ProductCall):
                continue
            for k, tensors in enumerate(call.weights):
                value = self.plan.values[call.args[k]]
                wanted = ("d x",) if value.kind == "x" and not self.plan.reads_x else ()
                size = frame.size[value.width]
                panels = frame.base(_panels(self.plan, number, k))
                depth = b.mul(frame.padded[HIDDEN], code.index(call.blocks))
                with frame.given(*wanted):
                    self.routines.call("clear_panels", depth, size, panels)
                    for block, tensor in enumerate(tensors):
                        source = frame.address[f"tensor {tensor}"]
                        row = b.mul(frame.padded[HIDDEN], code.index(block))
                        there = code.at(panels, b.mul(row, code.index(2 * code.precision.lanes)))
                        sizes = (frame.size[HIDDEN], size)
                        self.routines.call("pack", source, size, 1, *sizes, there, 0, depth)

    def _results(self) -> None:
        frame, adjoints = self.frame, self.adjoints
        done = set()
        for index, value in enumerate(self.plan.values):
            place = adjoints.place(index) if value.kind in ("x", "constant") else None
            if place is None or place in done:
                continue
            done.add(place)
            if value.kind == "x":
                with frame.given("d x"):
                    self._out("rows", place, frame.address["d x"])
                continue
            name = f"d constant {value.source}"
            with frame.given(name):
                if value.width == SCALAR:
                    self.routines.call("sum_lanes", frame.block(place), frame.address[name])
                else:
                    size = frame.size[value.width]
                    offset = self.code.builder.mul(size, self.code.index(place.block))
                    there = self.code.at(frame.address[name], offset)
                    self._out(None, place, there)
        if not any(value.kind == "x" for value in self.plan.values):
            size, there = frame.size[INPUT], frame.address["d x"]
            with frame.given("d x"):
                self.routines.call("copy", frame.size["rows"], 0, there, size, there, size, size)
        for state in range(len(self.plan.updates)):
            with frame.given(f"d state {state}"):
                self._out("batch", adjoints.state(state), frame.address[f"d state {state}"])

    def _out(self, rows: str | None, place: Place, target: Any) -> None:
        count = 1 if rows is None else self.frame.size[rows]
        source, stride = self.frame.block(place), self.frame.stride(place.array)
        self.routines.copy_out(count, place.array.width, source, stride, target)

    # ---- one step --------------------------------------------------------------------------------

    def _stage(self, stage: Stage) -> None:
        if self.plan.steps[stage]:
            with self.frame.chunks(CHUNK) as span:
                for step in reversed(self.plan.steps[stage]):
                    self._step(step, span)

    def _step(self, step: Step, span: Span) -> None:
        if isinstance(step, Pass):
            self.passes.write(step, span)
            return
        call = self.plan.calls[step]
        if isinstance(call, NormaliseCall):
            self._normalise(step, call, span)
        else:
            self._product(step, call, span)

    def _product(self, number: int, call: ProductCall, span: Span) -> None:
        """Add to the gradients of a product's arguments; those of its matrices come at the end."""
        frame, code, b = self.frame, self.code, self.code.builder
        slab = self.adjoints.slab(number)
        source, stride = frame.rows(slab, span), frame.stride(slab.array)
        depth = b.mul(frame.padded[HIDDEN], code.index(call.blocks))
        for k, index in enumerate(call.args):
            value = self.plan.values[index]
            place = self.adjoints.place(index)
            there, there_stride = frame.rows(place, span), frame.stride(place.array)
            addend = (there, there_stride) if place in self.adjoints.written else (None, 0)
            wanted = ("d x",) if value.kind == "x" and not self.plan.reads_x else ()
            with frame.given(*wanted):
                self.routines.call(
                    "multiply", span.count, frame.padded[value.width], depth, source, stride,
                    frame.base(_panels(self.plan, number, k)), *addend, there, there_stride,
                )  # fmt: skip
                if value.kind == "column":
                    self._clear_padding(span, value.width, there, there_stride)
            self.adjoints.written.add(place)

    def _clear_padding(self, span: Span, width: str, rows: Any, stride: Any) -> None:
        """Set what follows the last feature to zero: infinity times 0 has left NaN there."""
        size = self.frame.size[width]
        padding = self.code.builder.sub(self.frame.padded[width], size)
        there = self.code.at(rows, size)
        self.routines.call("copy", span.count, 0, there, stride, there, stride, padding)

    def _normalise(self, number: int, call: NormaliseCall, span: Span) -> None:
        frame, adjoints = self.frame, self.adjoints
        normal = self.plan.column(number)
        place = adjoints.place(call.args[0])
        rows = [self.storage.places[normal], deviation(self.plan, number)]
        rows += [adjoints.place(normal), place]
        pairs = [x for p in rows for x in (frame.rows(p, span), frame.stride(p.array))]
        size = frame.size[self.plan.values[normal].width]
        more = int(place in adjoints.written)
        self.routines.call("normalise_back", span.count, size, *pairs, more)
        adjoints.written.add(place)

    def _carry(self, span: Span) -> None:
        """Make the gradients of the states at t-1 those of the states at the step before."""
        frame = self.frame
        previous = {v.source: i for i, v in enumerate(self.plan.values) if v.kind == "previous"}
        for state in range(len(self.plan.updates)):
            target = self.adjoints.state(state)
            there, stride = frame.block(target), frame.stride(target.array)
            source = self.adjoints.place(previous[state]) if state in previous else None
            if source in self.adjoints.written and source is not None:
                here = frame.rows(source, span)
                self.routines.call("copy", span.count, stride, here, stride, there, stride, stride)
            else:
                self.routines.call("copy", span.count, 0, there, stride, there, stride, stride)

    # ---- gradients of what is learned ------------------------------------------------------------

    def _learn(self, number: int, call: ProductCall) -> None:
        """Sum the gradients of a product's matrices and biases over all rows, in one product."""
        frame, code, b = self.frame, self.code, self.code.builder
        slab = self.adjoints.slab(number)
        source, stride = frame.block(slab), frame.stride(slab.array)
        columns = b.mul(frame.padded[HIDDEN], code.index(call.blocks))
        everything = Span(code.index(0), code.index(0), frame.size["rows"])
        for k, tensors in enumerate(call.weights):
            arg, arg_source, arg_stride = argument(
                self.plan, self.storage, frame, call.args[k], everything
            )
            width = self.plan.values[call.args[k]].width
            matrix, padded = frame.base(_matrix(self.plan, number, k)), frame.padded[width]
            with frame.given(*(f"d tensor {tensor}" for tensor in tensors)):
                self.routines.call(
                    "outer", columns, arg, frame.size["rows"], source, stride,
                    arg_source, arg_stride, matrix, padded, frame.base(Scratch(width)),
                )  # fmt: skip
            for block, tensor in enumerate(tensors):
                row = b.mul(frame.padded[HIDDEN], code.index(block))
                here = code.at(matrix, b.mul(row, padded))
                name = f"d tensor {tensor}"
                with frame.given(name):
                    target = frame.address[name]
                    self.routines.copy_out(frame.size[HIDDEN], width, here, padded, target)
        if call.bias:
            self._learn_bias(number, call, source, stride, columns)

    def _learn_bias(
        self, number: int, call: ProductCall, source: Any, stride: Any, columns: Any
    ) -> None:
        place = _bias(number, call)
        names = [f"d tensor {tensor}" for tensor in call.bias]
        there = self.frame.base(place.array)
        with self.frame.given(*names):
            self.routines.call(
                "column_sums", self.frame.size["rows"], columns, source, stride, there
            )
        for block, name in enumerate(names):
            with self.frame.given(name):
                here = Place(place.array, block)
                self._out(None, here, self.frame.address[name])
