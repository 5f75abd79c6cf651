"""Random cell texts over all operators, drawn without any code of the package under test.

Arguments are kept where values and derivatives are of moderate size: logarithms and roots get
positive numbers, nothing is divided by almost nothing, carried states stay bounded.
"""

from __future__ import annotations

from random import Random

PLAIN = ("identity", "neg", "sigmoid", "tanh", "sin", "silu", "gelu", "softplus", "square")
KINKED = ("relu", "leaky_relu", "abs", "hard_sigmoid")
POSITIVE_ONLY = ("log", "sqrt", "reciprocal")
STATES = ("c", "n", "memory", "s_1")
NAMES = ("i", "f", "o", "gate", "u", "v_2", "w", "z", "alpha", "B")

NUMBERS = ("0.5", "-0.25", "1", "2", "0.125", "-1.5", "3e-1")


def seeded(seed: int | str) -> Random:
    """Return a generator that draws the same in every run."""
    return Random(seed)


def random_cell(rng: Random, *, smooth: bool = False, equal_sizes: bool = False) -> str:
    """Return the text of a random cell.

    `smooth` keeps the arguments of operators with a kink away from it, so that finite differences
    tell the derivative; `equal_sizes` lets x enter elementwise operators.
    """
    return _Writer(rng, smooth, equal_sizes).text()


class _Writer:
    def __init__(self, rng: Random, smooth: bool, equal_sizes: bool) -> None:
        self.rng = rng
        self.smooth = smooth
        self.equal_sizes = equal_sizes
        self.states = ["h", *rng.sample(STATES, rng.choice((0, 0, 1, 1, 2, 3)))]
        self.vectors: list[str] = []  # names assigned so far
        self.unused: list[str] = []
        self.scalars: list[str] = []

    def text(self) -> str:
        rng = self.rng
        lines = []
        if rng.random() < 0.3:
            lines.append(f"p = parameter(init={self._number()}, scalar=True)")
            self.scalars.append("p")
        if rng.random() < 0.2:
            lines.append(f"two = {rng.choice(('2', '-0.5', '1e-3', '2 * 0.25'))}")
            self.scalars.append("two")
        for name in rng.sample(NAMES, rng.randint(1, 6)):
            lines.append(f"{name} = {self._vector(rng.randint(1, 3))}")
            self._define(name)
        for state in rng.sample(self.states, len(self.states)):
            update = self._update(state)
            lines.append(f"{state} = {update}")
            if update not in NUMBERS:
                self._define(state)
        if rng.random() < 0.3:
            lines.append(f"output = {self._vector(2)}")
        return "\n".join(lines) + "\n"

    def _define(self, name: str) -> None:
        self.vectors.append(name)
        self.unused.append(name)

    def _update(self, state: str) -> str:
        """A new state that is bounded, whatever the old ones are."""
        rng = self.rng
        chance = rng.random()
        if chance < (0.02 if state == "h" else 0.06):
            return self._number()
        if chance < 0.08:
            return f"parameter(init={self._number()})"
        if chance < 0.16:
            return f"{rng.choice(self.states)}_prev"  # a time skip, or a state that never changes
        if chance < 0.5:
            gate, new = f"sigmoid({self._vector(1)})", self._bounded(2)
            return rng.choice(
                (f"blend({gate}, {state}_prev, {new})", f"{gate} * {state}_prev + {new}")
            )
        return self._bounded(3)

    def _bounded(self, depth: int) -> str:
        op = self.rng.choice(("tanh", "sigmoid", "sin", "hard_sigmoid", "layer_norm"))
        if op == "hard_sigmoid":
            return self._kinked(op, depth)
        return f"{op}({self._vector(depth)})"

    def _small(self, depth: int) -> str:
        return f"{self.rng.choice(('tanh', 'sin', 'sigmoid'))}({self._vector(depth)})"

    def _positive(self, depth: int) -> str:
        small = self._small(depth)
        forms = (f"1.5 + {small}", f"exp({small})", f"softplus({small}) + 0.25")
        return self.rng.choice(forms)

    def _number(self) -> str:
        return self.rng.choice(NUMBERS)

    def _scalar(self) -> str:
        if self.scalars and self.rng.random() < 0.5:
            return self.rng.choice(self.scalars)
        return self._number()

    def _leaf(self) -> str:
        rng = self.rng
        if self.unused and rng.random() < 0.6:
            return self.unused.pop(rng.randrange(len(self.unused)))
        choices = [*self.vectors, *(f"{state}_prev" for state in self.states)]
        if self.equal_sizes:
            choices.append("x")
        if rng.random() < 0.1:
            return f"parameter(init={self._number()})"
        return rng.choice(choices)

    def _vector(self, depth: int) -> str:
        """An expression as wide as the states."""
        rng = self.rng
        if depth == 0:
            return self._leaf()
        kind = rng.choice(("linear", "linear", "unary", "unary", "binary", "binary", "other"))
        if kind == "linear":
            return self._linear(depth)
        if kind == "unary":
            return self._unary(depth - 1)
        if kind == "binary":
            return self._several(depth - 1)
        return self._other(depth - 1)

    def _linear(self, depth: int) -> str:
        rng = self.rng
        count = rng.choice((1, 2, 2, 3))
        args = ["x" if rng.random() < 0.4 else self._vector(depth - 1) for _ in range(count)]
        extras = (
            *(["bias=False"] if rng.random() < 0.25 else []),
            *([f"bias_init={self._number()}"] if rng.random() < 0.15 else []),
            *([f'init="{rng.choice(("orthogonal", "identity"))}"'] if rng.random() < 0.1 else []),
        )
        return f"linear({', '.join((*args, *extras))})"

    def _unary(self, depth: int) -> str:
        rng = self.rng
        op = rng.choice((*PLAIN, *KINKED, *POSITIVE_ONLY, "exp"))
        if op in POSITIVE_ONLY:
            return f"{op}({self._positive(depth)})"
        if op == "exp":
            return f"exp({self._small(depth)})"
        if op == "square":
            return f"square({self._small(depth)})"
        if op == "neg":
            return rng.choice((f"neg({self._vector(depth)})", f"-({self._vector(depth)})"))
        return self._kinked(op, depth) if op in KINKED else f"{op}({self._vector(depth)})"

    def _kinked(self, op: str, depth: int) -> str:
        if not self.smooth:
            return f"{op}({self._vector(depth)})"
        if op == "hard_sigmoid":  # kinks at -3 and 3
            return f"{op}({self._small(depth)} * {self.rng.choice(('0.5', '2', '2.5'))})"
        return f"{op}({self._small(depth)} {self.rng.choice('+-')} 1.5)"

    def _several(self, depth: int) -> str:
        """An operator of two or more arguments, one of which may be a number."""
        rng = self.rng
        op = rng.choice(("add", "mul", "mean", "sub", "div", "maximum", "minimum", "blend"))
        if op in ("maximum", "minimum") and self.smooth:
            return f"{op}({self._small(depth)}, {self._small(depth)} {rng.choice('+-')} 2.5)"
        if op == "div":
            above = self._scalar() if rng.random() < 0.2 else self._vector(depth)
            below = self._positive(depth)
            return rng.choice((f"div({above}, {below})", f"({above}) / ({below})"))
        if op == "mul":
            args = [self._small(depth) for _ in range(rng.choice((2, 2, 3)))]
        else:
            count = {"sub": 2, "maximum": 2, "minimum": 2, "blend": 3}.get(op, rng.choice((2, 3)))
            args = [self._vector(depth) for _ in range(count)]
        if op == "blend":
            args[0] = f"sigmoid({args[0]})" if rng.random() < 0.5 else f"tanh({args[0]})"
        if rng.random() < 0.25:
            args[rng.randrange(len(args))] = self._scalar()
        sign = {"add": " + ", "mul": " * ", "sub": " - "}.get(op)
        if sign and rng.random() < 0.7:
            return f"({sign.join(f'({arg})' for arg in args)})"
        return f"{op}({', '.join(args)})"

    def _other(self, depth: int) -> str:
        rng = self.rng
        op = rng.choice(("layer_norm", "scale", "leaf"))
        if op == "leaf":
            return self._leaf()
        arg = self._vector(depth)
        if op == "layer_norm":
            return f"layer_norm({arg})"
        extras = rng.choice(("", f", init={self._number()}", ", scalar=True"))
        return f"scale({arg}{extras})"
