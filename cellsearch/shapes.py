"""Sizes of a cell: widths of its values, shapes of its learned tensors, operations a step."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral

from cellsearch.errors import CellError, shown
from cellsearch.graph import Graph, Node
from cellsearch.operators import OPERATORS

SCALAR, INPUT, HIDDEN = "scalar", "input", "hidden"


@dataclass(frozen=True, slots=True)
class LearnedTensor:
    """One learned tensor: its name, its shape in words, and how it begins.

    `shape` holds "hidden" and "input"; () is one number. `start` is "uniform" (between plus and
    minus 1 / sqrt(hidden_size), as in torch.nn.LSTM), "orthogonal", "identity", or a number that
    fills it.
    """

    name: str
    shape: tuple[str, ...]
    start: str | float

    def sizes(self, input_size: int, hidden_size: int) -> tuple[int, ...]:
        """Return the shape in numbers."""
        return tuple(hidden_size if axis == HIDDEN else input_size for axis in self.shape)


def widths(graph: Graph, input_size: int | None = None, hidden_size: int = 0) -> tuple[str, ...]:
    """Return the width of every node's value: "scalar", "input" or "hidden".

    Given sizes, raises CellError if x meets values of another width outside of `linear`, or if a
    size is no whole number of at least 1.
    """
    found: list[str] = []
    if (input_size, hidden_size) != (None, 0):
        for name, size in (("input_size", input_size), ("hidden_size", hidden_size)):
            if isinstance(size, bool) or not isinstance(size, Integral) or size < 1:
                raise CellError(
                    f"cell: {name} is {shown(size)}; expected a whole number of at least 1"
                )
    equal = input_size is None or input_size == hidden_size
    for node in graph.nodes:
        found.append(
            _width(node, [found[arg] for arg in node.args], equal, input_size, hidden_size)
        )
    for index in graph.results:
        if found[index] == INPUT and not equal:
            raise CellError(_misfit("the new state or the output", input_size, hidden_size))
    return tuple(found)


def _width(
    node: Node, args: list[str], equal: bool, input_size: int | None, hidden_size: int
) -> str:
    if node.op == "x":
        return INPUT
    if node.op == "number" or (node.op == "parameter" and node.attribute("scalar", False)):
        return SCALAR
    if node.op in ("state", "parameter"):
        return HIDDEN
    if OPERATORS[node.op].kind in ("linear", "layer_norm") and SCALAR in args:
        raise CellError(f"cell: {node.op} expects vectors, found a single number as argument")
    if node.op == "linear":
        return HIDDEN
    kinds = set(args) - {SCALAR}
    if len(kinds) > 1 and not equal:
        raise CellError(_misfit(f"`{node.op}`", input_size, hidden_size))
    return HIDDEN if HIDDEN in kinds else INPUT if INPUT in kinds else SCALAR


def _misfit(where: str, input_size: int | None, hidden_size: int) -> str:
    return (
        f"cell: x has input_size {input_size} but enters {where} elementwise, beside values of "
        f"hidden_size {hidden_size}; make the sizes equal or write linear(x, bias=False) for x"
    )


def needs_equal_sizes(normal: Graph) -> bool:
    """Tell whether x meets values as wide as the hidden state outside of `linear`."""
    try:
        widths(normal, 1, 2)
    except CellError:
        return True
    return False


def learned_tensors(normal: Graph) -> tuple[LearnedTensor, ...]:
    """Return the learned tensors of a normal form, in the order in which they are drawn."""
    width = widths(normal)
    found: list[LearnedTensor] = []
    for index, node in enumerate(normal.nodes):
        axis = () if width[index] == SCALAR else (width[index],)
        if node.op == "linear":
            init = str(node.attribute("init", "uniform"))
            for arg, name in zip(node.args, node.tensors, strict=False):
                start = init if width[arg] == HIDDEN else "uniform"
                found.append(LearnedTensor(name, (HIDDEN, width[arg]), start))
            if len(node.tensors) > len(node.args):
                start_at = float(node.attribute("bias_init", 0.0))
                found.append(LearnedTensor(node.tensors[-1], (HIDDEN,), start_at))
        elif node.op == "layer_norm":
            found.append(LearnedTensor(node.tensors[0], axis, 1.0))
            found.append(LearnedTensor(node.tensors[1], axis, 0.0))
        elif node.op == "parameter":
            found.append(LearnedTensor(node.tensors[0], axis, float(node.attribute("init", 0.0))))
        elif node.op == "scale":
            shape = () if node.attribute("scalar", False) else axis
            found.append(LearnedTensor(node.tensors[0], shape, float(node.attribute("init", 1.0))))
    return tuple(found)


def products(normal: Graph) -> int:
    """Return how many weight matrices are multiplied in a step."""
    return sum(len(node.args) for node in normal.nodes if node.op == "linear")


def operations(normal: Graph, input_size: int, hidden_size: int) -> int:
    """Return the multiply-adds and elementwise operations of one step of one sequence.

    Raises CellError if the cell does not fit the sizes; see `widths`.
    """
    size = {SCALAR: 1, INPUT: input_size, HIDDEN: hidden_size}
    width = widths(normal, input_size, hidden_size)
    total = 0
    for index, node in enumerate(normal.nodes):
        row = OPERATORS.get(node.op)
        if row is None:
            continue
        if row.kind == "linear":
            total += sum(hidden_size * size[width[arg]] for arg in node.args)
        else:
            pairs = len(node.args) - 1 if row.associative or node.op == "mean" else 1
            total += row.cost * pairs * size[width[index]]
    return total
