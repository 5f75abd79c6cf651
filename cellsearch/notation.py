"""The text form of a cell: from text to a graph.

The text is a subset of Python's expressions, parsed with `ast` and never evaluated:

    r = sigmoid(linear(x, h_prev))
    h = r * h_prev + (1 - r) * tanh(linear(x, h_prev))

A state begins at zero, or where a statement such as `c_prev = -1` says: a number, ahead of what
reads it.
"""

from __future__ import annotations

import ast
import keyword
import math
import re

from cellsearch import limits
from cellsearch.errors import CellError, nearest, quoted
from cellsearch.graph import Attributes, Graph, Node, without_defaults
from cellsearch.operators import INITIALISATIONS, OPERATORS, PARAMETER_ATTRIBUTES

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}\Z")
_LARGEST = (2 - 2**-23) * 2.0**127  # number in float32
_INFIX: dict[type[ast.operator], str] = {
    ast.Add: "add",
    ast.Sub: "sub",
    ast.Mult: "mul",
    ast.Div: "div",
}


def check_name(name: str) -> str | None:
    """Return why a statement cannot have this name, or None if it can."""
    if not _NAME.match(name) or keyword.iskeyword(name):
        return "a name begins with a letter and has at most 64 letters, digits and underscores"
    if name == "x" or name.endswith("_prev"):
        return "x and names that end in _prev are inputs of the cell and cannot be assigned"
    if name in OPERATORS or name == "parameter":
        return "it is the name of an operator"
    return None


def check_state(name: str) -> str | None:
    """Return why a state cannot have this name, or None if it can."""
    state = name.removesuffix("_prev")
    if state != name and check_name(state) is None:
        return f"it is the value of {state} at t-1; write {state!r}"
    return "it is the output's" if name == "output" else check_name(name)


def parse(text: str) -> Graph:
    """Return the graph that a text says.

    Raises CellError with the line, what was found there and what was expected. That the text keeps
    within the `limits` on its size, nesting and number of parts is checked before it is parsed.
    """
    limits.check_size(text, "cell")
    lines = [line.partition("#")[0] for line in text.split("\n")]
    limits.check_code(lines)
    try:
        module = ast.parse("\n".join(lines))
    except SyntaxError as error:
        raise CellError(
            f"cell, line {error.lineno}: {error.msg}; expected statements such as "
            "`h = tanh(linear(x, h_prev))`"
        ) from None
    except (RecursionError, MemoryError, ValueError):
        raise CellError("cell: an expression is nested too deeply or a number too long") from None
    return _Reader().read(module)


class _Reader:
    """Builds the graph statement by statement."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.edges = 0
        self.names: dict[str, int] = {}
        self.leaves: dict[str, int] = {}  # "x" and the *_prev that were read, in that order
        self.starts: dict[str, float] = {}  # of the *_prev, where it was said
        self.owners: set[str] = set()  # names under which learned tensors are kept
        self.assigned: set[str] = set()  # anywhere in the text
        self.appearance: list[str] = []
        self.statement = ""
        self.count = 0  # owners of learned tensors in this statement

    def read(self, module: ast.Module) -> Graph:
        self.assigned = {
            target.id
            for statement in module.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name)
        }
        for statement in module.body:
            self._statement(statement)
        previous = [name.removesuffix("_prev") for name in self.leaves if name != "x"]
        for name in [*previous, *(name.removesuffix("_prev") for name in self.starts)]:
            if name not in self.names:
                done = "read" if name in previous else "given a start"
                raise CellError(
                    f"cell: {name}_prev is {done} but {name} is never assigned; "
                    f"add a statement `{name} = ...`{nearest(name, self.names)}"
                )
        if "h" not in self.names:
            raise CellError("cell: h is never assigned; every cell carries h, say `h = ...`")
        states = ["h", *(name for name in self.appearance if name in previous and name != "h")]
        updates = tuple((name, self.names[name]) for name in dict.fromkeys(states))
        return Graph(tuple(self.nodes), updates, self.names.get("output"))

    def _statement(self, statement: ast.stmt) -> None:
        where = f"cell, line {statement.lineno}"
        if not (
            isinstance(statement, ast.Assign)
            and len(statement.targets) == 1
            and isinstance(statement.targets[0], ast.Name)
        ):
            raise CellError(f"{where}: expected a statement of the form `name = expression`")
        name = statement.targets[0].id
        if name.endswith("_prev"):
            self._start(name, statement.value, where)
            return
        reason = check_name(name)
        if reason is not None:
            raise CellError(f"{where}: {quoted(name)} cannot be assigned: {reason}")
        if name in self.names:
            raise CellError(f"{where}: {name!r} is assigned twice; choose another name")
        if name in self.owners:
            raise CellError(
                f"{where}: {name!r} already names learned tensors of an earlier statement; "
                "choose another name"
            )
        self.statement, self.count = name, 0
        index = self._expression(statement.value, 0)
        self.appearance.append(name)
        node = self.nodes[index]
        if node.name == "" and node.op not in ("x", "state", "number"):
            self.nodes[index] = Node(node.op, node.args, node.attributes, name, node.tensors)
        self.names[name] = index

    def _start(self, leaf: str, tree: ast.expr, where: str) -> None:
        """Take in where a state begins, such as `m_prev = -1`."""
        self._check_state(leaf, where)
        if leaf in self.starts:
            raise CellError(f"{where}: {quoted(leaf)} is given a start twice; keep one of them")
        if leaf in self.leaves:
            raise CellError(
                f"{where}: {quoted(leaf)} was read before; say where a state begins ahead of that"
            )
        value = _plain_number(tree)
        if value is None:
            state = leaf.removesuffix("_prev")
            raise CellError(
                f"{where}: {quoted(leaf)} cannot be assigned but for a number, where {state} "
                f"begins; what it becomes is assigned as `{state} = ...`"
            )
        start = _finite(_as_float(value[1], where) * value[0], where)
        if abs(start) > _LARGEST:
            raise CellError(
                f"{where}: {quoted(leaf)} is {start:g}; expected a number that float32 can hold"
            )
        self.starts[leaf] = start

    def _check_state(self, leaf: str, where: str) -> None:
        state = leaf.removesuffix("_prev")
        if leaf == "output_prev":
            raise CellError(f"{where}: the output is not carried; carry a state instead")
        if check_name(state) is not None:
            raise CellError(f"{where}: {quoted(leaf)}: {quoted(state)} cannot be a state's name")

    def _add(self, node: Node) -> int:
        self.edges += len(node.args)
        if len(self.nodes) >= limits.MAX_NODES:
            raise CellError(f"cell: more than {limits.MAX_NODES} nodes")
        if self.edges > limits.MAX_EDGES:
            raise CellError(f"cell: more than {limits.MAX_EDGES} arguments in all")
        self.nodes.append(node)
        return len(self.nodes) - 1

    def _expression(self, tree: ast.expr, depth: int) -> int:
        where = f"cell, line {tree.lineno}"
        if depth > limits.MAX_DEPTH:
            raise CellError(f"{where}: {limits.TOO_DEEP}")
        if isinstance(tree, ast.Name):
            return self._name(tree.id, where)
        if isinstance(tree, ast.Constant):
            return self._number(tree.value, where)
        if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
            if isinstance(tree.operand, ast.Constant):
                return self._number(tree.operand.value, where, sign=-1.0)
            return self._add(Node("neg", (self._expression(tree.operand, depth + 1),)))
        if isinstance(tree, ast.BinOp) and type(tree.op) in _INFIX:
            left = self._expression(tree.left, depth + 1)
            return self._add(
                Node(_INFIX[type(tree.op)], (left, self._expression(tree.right, depth + 1)))
            )
        if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name):
            return self._call(tree, tree.func.id, where, depth)
        power = isinstance(tree, ast.BinOp) and isinstance(tree.op, ast.Pow)
        found = "unexpected '**', for a square say square(...); " if power else ""
        raise CellError(f"{where}: {found}expected {limits.EXPECTED}")

    def _name(self, name: str, where: str) -> int:
        if name in self.names:
            return self.names[name]
        if name == "x" or name.endswith("_prev"):
            if name not in self.leaves:
                state = name.removesuffix("_prev")
                if name != "x":
                    self._check_state(name, where)
                start = self.starts.get(name, 0.0)
                attributes = (("start", start),) if start else ()
                self.appearance.append(state)
                self.leaves[name] = self._add(
                    Node("x") if name == "x" else Node("state", (), attributes, state)
                )
            return self.leaves[name]
        later = name in self.assigned and name != self.statement
        hint = "" if later else nearest(name, [*self.names, "x", "h_prev"])
        raise CellError(
            f"{where}: {quoted(name)} is used before it is assigned{hint}; for its value at t-1 "
            f"write {quoted(name + '_prev')}{', or move its line up' if later else ''}"
        )

    def _number(self, value: object, where: str, sign: float = 1.0) -> int:
        value = _as_float(value, where)
        return self._add(Node("number", attributes=(("value", _finite(sign * value, where)),)))

    def _call(self, tree: ast.Call, op: str, where: str, depth: int) -> int:
        row = OPERATORS.get(op)
        if row is None and op != "parameter":
            raise CellError(
                f"{where}: unknown operator {quoted(op)}{nearest(op, [*OPERATORS, 'parameter'])}"
            )
        low, high = (0, 0) if row is None else row.arity
        count = len(tree.args)
        if not low <= count <= (limits.MAX_ARGUMENTS if high is None else high):
            least = f"at least {low}" if count < low else f"at most {limits.MAX_ARGUMENTS}"
            expected = f"{low}" if low == high else least
            plural = "" if expected in ("1", "at least 1") else "s"
            raise CellError(f"{where}: {op} takes {expected} argument{plural}, found {count}")
        attributes = _attributes(tree, op, where)
        # The owner is named before its arguments: the outermost linear of `i` is `i`.
        owner = "" if row is not None and not row.owns_tensors else self._owner(where)
        args = tuple(self._expression(argument, depth + 1) for argument in tree.args)
        return self._add(
            Node(op, args, attributes, "", _tensors(op, owner, len(args), dict(attributes)))
        )

    def _owner(self, where: str) -> str:
        self.count += 1
        owner = owner_name(self.statement, self.count)
        if owner in self.owners or (self.count > 1 and owner in self.names):
            raise CellError(
                f"{where}: the learned tensors of this statement would be named {owner!r}, "
                "which is taken; rename one of the statements"
            )
        self.owners.add(owner)
        return owner


def owner_name(statement: str, count: int) -> str:
    """Return what the learned tensors of the statement's first, second, ... owner are named by."""
    return statement if count == 1 else f"{statement}_{count}"


def _tensors(
    op: str, owner: str, count: int, attributes: dict[str, bool | float | str]
) -> tuple[str, ...]:
    """Return the names of the learned tensors of a node."""
    if op == "linear":
        matrices = tuple(f"{owner}.weight_{slot}" for slot in range(count))
        return (*matrices, f"{owner}.bias") if attributes.get("bias", True) else matrices
    if op == "scale":
        return (f"{owner}.weight",)
    if op == "layer_norm":
        return (f"{owner}.weight", f"{owner}.bias")
    return (f"{owner}.value",) if op == "parameter" else ()


def _attributes(tree: ast.Call, op: str, where: str) -> Attributes:
    """Return the attributes that differ from the operator's defaults, checked, sorted by name."""
    defaults = PARAMETER_ATTRIBUTES if op == "parameter" else OPERATORS[op].attributes
    found: dict[str, bool | float | str] = {}
    for argument in tree.keywords:
        name = argument.arg
        if name is None or name not in defaults:
            expected = ", ".join(defaults) or "none"
            raise CellError(
                f"{where}: {op} has no argument {quoted(name)}{nearest(name or '', defaults)}; "
                f"expected: {expected}"
            )
        if name in found:
            raise CellError(f"{where}: {op} has two arguments {name!r}")
        found[name] = _attribute(argument.value, defaults[name], f"{where}: {op}: {name}")
    return without_defaults(found, defaults)


def _plain_number(tree: ast.expr) -> tuple[float, object] | None:
    """Return the sign and the constant of an expression that is no more than that."""
    sign = 1.0
    if isinstance(tree, ast.UnaryOp) and isinstance(tree.op, ast.USub):
        tree, sign = tree.operand, -1.0
    return (sign, tree.value) if isinstance(tree, ast.Constant) else None


def _attribute(tree: ast.expr, default: bool | float | str, where: str) -> bool | float | str:
    sign, value = _plain_number(tree) or (1.0, None)
    if isinstance(default, bool):
        if isinstance(value, bool) and sign > 0:
            return value
        raise CellError(f"{where}: expected True or False")
    if isinstance(default, str):
        if isinstance(value, str) and value in INITIALISATIONS:
            return value
        raise CellError(f"{where}: expected one of {', '.join(INITIALISATIONS)}")
    return _finite(sign * _as_float(value, where), where)


def _as_float(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise CellError(f"{where}: expected a number, found {str(value)[:40]!r}")
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _finite(value: float, where: str) -> float:
    if not math.isfinite(value):
        raise CellError(f"{where}: expected a finite number")
    return value + 0.0  # no negative zero
