"""Texts of random cells whose states are carried feature by feature, most of them affinely.

They are drawn without any code of the package under test. What they are is not known in advance:
an affine form whose coefficient sees the state is none, and a state may see another one through a
matrix.
"""

from __future__ import annotations

from random import Random

NUMBERS = ("0.5", "-0.25", "2", "-1.5", "1")


def elementwise_cell(rng: Random, curved: float) -> str:
    """Return the text of a random cell; `curved` is how often a step is not affine on purpose."""
    return _Writer(rng, curved).text()


class _Writer:
    def __init__(self, rng: Random, curved: float) -> None:
        self.rng = rng
        self.curved = curved
        self.states = ["h", *rng.sample(("c", "n", "m"), rng.choice((0, 0, 1, 1, 2)))]
        self.free = ["x"]  # what sees no state
        self.done: list[str] = []  # states that are assigned, and may be seen at t

    def text(self) -> str:
        rng = self.rng
        lines = []
        for name in rng.sample(("f", "i", "g", "u"), rng.randint(1, 3)):
            lines.append(f"{name} = {self._seen_from_x()}")
            self.free.append(name)
        order = rng.sample(self.states, len(self.states))
        for place, state in enumerate(order):
            lines.append(f"{state} = {self._update(state, order[:place])}")
            self.done.append(state)
        if "h" in order[1:] and rng.random() < 0.3:  # h carries nothing, as in an LSTM without U
            lines[-len(order) + order.index("h")] = f"h = {self._gate()} * tanh({order[0]})"
        return "\n".join(lines) + "\n"

    def _seen_from_x(self) -> str:
        inner = self.rng.choice(("linear(x)", "linear(x)", "scale(x)", "layer_norm(linear(x))"))
        forms = ("{}", "tanh({})", "sigmoid({})", "softplus({})", "relu({})", "exp(tanh({}))")
        return self.rng.choice(forms).format(inner)

    def _free(self) -> str:
        rng = self.rng
        return rng.choice((*self.free, *self.free, "parameter(init=0.3)", rng.choice(NUMBERS)))

    def _gate(self, *seen: str) -> str:
        terms = [self._free(), *(f"scale({value})" for value in seen)]
        return f"{self.rng.choice(('sigmoid', 'sigmoid', 'hard_sigmoid'))}({' + '.join(terms)})"

    def _update(self, state: str, before: list[str]) -> str:
        rng = self.rng
        own, new = f"{state}_prev", self._free()
        if before and rng.random() < 0.4:  # it sees another state
            other = rng.choice(before)
            value = rng.choice((other, f"{other}_prev"))
            forms = (value, f"tanh({value})", f"linear({value})", f"scale({value})")
            new = f"({new} + {rng.choice(forms)})"
        elif len(self.states) > 1 and rng.random() < 0.2:  # or, jointly, one that comes later
            new = f"({new} - {rng.choice(self.states)}_prev)"
        if rng.random() < self.curved:
            return self._bent(own, new)
        gate = self._gate()
        if before and rng.random() < 0.25:
            gate = self._gate(f"{rng.choice(before)}_prev")
        return rng.choice(
            (
                f"blend({gate}, {own}, {new})",
                f"{gate} * {own} + {new}",
                f"{own} + {gate} * ({new} - {own})",
                f"({gate} * {own} + {gate} * {new}) / (0.5 + {self._gate()})",
                f"scale({own}) + {new}",
                f"mean({own}, {new}, -{own} * {gate})",
                f"{new} - 0.5 * {own}",
                f"add({own}, {new}, {gate}) / exp({gate})",
                f"identity({own}) * {gate} * {self._gate()} + {gate} * {new}",
            )
        )

    def _bent(self, own: str, new: str) -> str:
        rng = self.rng
        gate = self._gate(own)
        return rng.choice(
            (
                f"blend({gate}, {own}, {new})",
                f"{gate} * {own} + {new}",
                f"tanh(scale({own}) + {new})",
                f"relu({new} + scale({own}))",
                f"abs({own}) + {new}",
                f"maximum({own}, {new})",
                f"0.1 * {own} * {own} + {new}",
                f"{new} * sin({own})",
                f"{new} / (1.5 + tanh({own}))",
                f"leaky_relu({own}) + {new}",
            )
        )
