"""The same cell in other words: rewrites of a text that must not change the cell's identity."""

from __future__ import annotations

import ast
from copy import deepcopy
from random import Random

COMMUTATIVE = ("add", "mul", "mean", "maximum", "minimum", "linear")
OWNERS = ("linear", "scale", "layer_norm", "parameter")


def disguise(text: str, rng: Random) -> str:
    """Rename and reorder, swap, nest, merge and outline; add identities and dead code."""
    statements = [
        (statement.targets[0].id, statement.value)  # type: ignore[attr-defined]
        for statement in ast.parse(text).body
    ]
    statements = _merged_by_name(statements, rng)
    rewriter = _Rewriter(rng)
    lines: list[tuple[str, ast.expr]] = []
    for name, value in statements:
        rewritten = rewriter.visit(value)
        lines += [*rewriter.outlined, (name, rewritten)]
        rewriter.outlined = []
    lines = _renamed(_reordered(lines, rng), rng)
    text = "".join(f"{name} = {ast.unparse(value)}\n" for name, value in lines)
    if rng.random() < 0.5:
        text += "unused = tanh(linear(x, h_prev)) * unread_prev\nunread = unused + 1\n"
    return text


class _Rewriter(ast.NodeTransformer):
    def __init__(self, rng: Random) -> None:
        self.rng = rng
        self.outlined: list[tuple[str, ast.expr]] = []
        self.count = 0

    def visit(self, node: ast.AST) -> ast.expr:
        rewritten = super().visit(node)
        if not isinstance(rewritten, ast.expr) or isinstance(rewritten, ast.Constant):
            return rewritten
        if self.rng.random() < 0.08:
            return _call("identity", rewritten)
        if self.rng.random() < 0.1:
            self.count += 1
            name = f"part{self.count}"
            self.outlined.append((name, rewritten))
            return ast.Name(name)
        return rewritten

    def visit_BinOp(self, node: ast.BinOp) -> ast.expr:
        args = [self.visit(node.left), self.visit(node.right)]
        op = {ast.Add: "add", ast.Mult: "mul", ast.Sub: "sub", ast.Div: "div"}[type(node.op)]
        if op in COMMUTATIVE and self.rng.random() < 0.5:
            args.reverse()
        if self.rng.random() < 0.5:
            return _call(op, *args)
        return ast.BinOp(args[0], node.op, args[1])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        if isinstance(node.operand, ast.Constant):
            return node
        return _call("neg", self.visit(node.operand))

    def visit_Call(self, node: ast.Call) -> ast.expr:
        op = node.func.id  # type: ignore[attr-defined]
        args = [self.visit(arg) for arg in node.args]
        if op in COMMUTATIVE:
            self.rng.shuffle(args)
        self.rng.shuffle(node.keywords)
        if op in ("add", "mul") and len(args) > 2 and self.rng.random() < 0.5:
            return _call(op, args[0], _call(op, *args[1:]))
        return ast.Call(ast.Name(op), args, node.keywords)


def _call(op: str, *args: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(op), list(args), [])


def _names(tree: ast.expr) -> set[str]:
    operators = {id(n.func) for n in ast.walk(tree) if isinstance(n, ast.Call)}
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and id(n) not in operators}


def _merged_by_name(
    statements: list[tuple[str, ast.expr]], rng: Random
) -> list[tuple[str, ast.expr]]:
    """Write statements without learned tensors out where they are used; equal parts are merged."""
    free: dict[str, ast.expr] = {}
    result = []

    class Inliner(ast.NodeTransformer):
        def visit_Name(self, node: ast.Name) -> ast.expr:
            inline = node.id in free and rng.random() < 0.4
            return deepcopy(free[node.id]) if inline else node

    for name, value in statements:
        small = len(list(ast.walk(value))) < 25
        inlined = Inliner().visit(deepcopy(value)) if len(free) < 4 else value
        calls = (n.func.id for n in ast.walk(value) if isinstance(n, ast.Call))  # type: ignore[attr-defined]
        if small and not any(op in OWNERS for op in calls):
            free[name] = value
        result.append((name, inlined))
    return result


def _reordered(lines: list[tuple[str, ast.expr]], rng: Random) -> list[tuple[str, ast.expr]]:
    """A random order in which everything still stands before what uses it."""
    waiting, placed, result = list(lines), set(), []
    names = {name for name, _ in lines}
    while waiting:
        ready = [line for line in waiting if _names(line[1]) & names <= placed]
        line = rng.choice(ready)
        waiting.remove(line)
        placed.add(line[0])
        result.append(line)
    return result


def _renamed(lines: list[tuple[str, ast.expr]], rng: Random) -> list[tuple[str, ast.expr]]:
    """New names for everything but h and output; a state keeps its update and its past together."""
    names = sorted(name for name, _ in lines if name not in ("h", "output"))
    fresh = [f"q{number}" for number in range(len(names))]
    rng.shuffle(fresh)
    new = dict(zip(names, fresh, strict=True))
    for _, value in lines:
        for node in ast.walk(value):
            if isinstance(node, ast.Name):
                stem = node.id.removesuffix("_prev")
                if stem in new:
                    node.id = new[stem] + node.id[len(stem) :]
    return [(new.get(name, name), value) for name, value in lines]
