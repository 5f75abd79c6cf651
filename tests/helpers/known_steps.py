"""One step of each known cell in numpy, float64, as its article or its authors' code has it.

Row vectors: x is (batch, input_size), a state (batch, hidden_size). Nothing here is shared with the
package; weights go by the names of the statements that own them. A step returns the new states by
name, and "output" where the cell's output is not its h.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
States = Mapping[str, Array]
Step = Callable[["Weights", Array, States], dict[str, Array]]


class Weights:
    """Learned tensors by name: matrices (out, in), vectors (hidden,), numbers ()."""

    def __init__(self, tensors: Mapping[str, Array]) -> None:
        self.tensors = tensors

    def affine(self, owner: str, *arguments: Array) -> Array:
        """The sum of the arguments, each times its matrix, and of the bias if there is one."""
        total = self.tensors.get(f"{owner}.bias", np.zeros(()))
        for slot, argument in enumerate(arguments):
            total = total + argument @ self.tensors[f"{owner}.weight_{slot}"].T
        return np.asarray(total)

    def vector(self, owner: str) -> Array:
        return self.tensors[f"{owner}.weight"]

    def value(self, owner: str) -> Array:
        return self.tensors[f"{owner}.value"]


def sigmoid(v: Array) -> Array:
    return 0.5 * (1 + np.tanh(0.5 * v))


def relu(v: Array) -> Array:
    return np.maximum(v, 0)


def identity(v: Array) -> Array:
    return v


def softplus(v: Array) -> Array:
    return np.logaddexp(0, v)


# Simple networks


def rnn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    return {"h": np.tanh(w.affine("h", x, s["h"]))}


def rnn_relu(w: Weights, x: Array, s: States) -> dict[str, Array]:
    return {"h": relu(w.affine("h", x, s["h"]))}


def indrnn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    return {"h": relu(w.affine("h", x) + w.vector("h_2") * s["h"])}


def scrn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    alpha = 0.95
    context = (1 - alpha) * w.affine("s", x) + alpha * s["s"]
    h = sigmoid(w.affine("h", context, x, s["h"]))
    return {"h": h, "s": context, "output": w.affine("output", h, context)}


def fastrnn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    update = np.tanh(w.affine("n", x, s["h"]))
    return {"h": sigmoid(w.value("b")) * s["h"] + sigmoid(w.value("a")) * update}


def fastgrnn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    shared = w.affine("s", x, s["h"])
    z, update = sigmoid(shared + w.value("z")), np.tanh(shared + w.value("n"))
    zeta, nu = sigmoid(w.value("zeta")), sigmoid(w.value("nu"))
    return {"h": z * s["h"] + (zeta * (1 - z) + nu) * update}


# The family of the LSTM


def lstm_memory(
    w: Weights, x: Array, h: Array, c: Array, output: Callable[[Array], Array] = sigmoid
) -> dict[str, Array]:
    i, f = sigmoid(w.affine("i", x, h)), sigmoid(w.affine("f", x, h))
    c = f * c + i * np.tanh(w.affine("g", x, h))
    return {"h": output(w.affine("o", x, h)) * np.tanh(c), "c": c}


def lstm(w: Weights, x: Array, s: States) -> dict[str, Array]:
    return lstm_memory(w, x, s["h"], s["c"])


def lstm_tanh_output(w: Weights, x: Array, s: States) -> dict[str, Array]:
    return lstm_memory(w, x, s["h"], s["c"], output=np.tanh)


def lstm_peephole(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h, c = s["h"], s["c"]
    i = sigmoid(w.affine("i", x, h) + c * w.vector("i_2"))
    f = sigmoid(w.affine("f", x, h) + c * w.vector("f_2"))
    c = f * c + i * np.tanh(w.affine("g", x, h))
    o = sigmoid(w.affine("o", x, h) + c * w.vector("o_2"))
    return {"h": o * np.tanh(c), "c": c}


def lstm_coupled(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h, c = s["h"], s["c"]
    f, o = sigmoid(w.affine("f", x, h)), sigmoid(w.affine("o", x, h))
    c = f * c + (1 - f) * np.tanh(w.affine("g", x, h))
    return {"h": o * np.tanh(c), "c": c}


def janet(w: Weights, x: Array, s: States) -> dict[str, Array]:
    beta, a = 1.0, w.affine("s", x, s["h"])
    new = np.tanh(w.affine("g", x, s["h"]))
    return {"h": sigmoid(a) * s["h"] + (1 - sigmoid(a - beta)) * new}


def mogrifier_lstm(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    for turn in range(5):
        if turn % 2 == 0:
            x = 2 * sigmoid(w.affine(f"x{turn // 2 + 1}", h)) * x
        else:
            h = 2 * sigmoid(w.affine(f"h{turn // 2 + 1}", x)) * h
    return lstm_memory(w, x, h, s["c"])


def slstm(w: Weights, x: Array, s: States) -> dict[str, Array]:
    """As NX-AI/xlstm, where the first step is told by a normaliser of zeros."""
    y, n = s["h"], s["n"]
    i, f = w.affine("i_log", x, y), w.affine("f_log", x, y)
    logarithm = s["m"] - softplus(-f)
    m = i if np.all(n == 0) else np.maximum(i, logarithm)
    i, f = np.exp(i - m), np.exp(logarithm - m)
    c = f * s["c"] + i * np.tanh(w.affine("z", x, y))
    n = f * n + i
    return {"h": sigmoid(w.affine("o", x, y)) * c / n, "c": c, "n": n, "m": m}


# The family of the GRU


def gru(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    r, z = sigmoid(w.affine("r", x, h)), sigmoid(w.affine("z", x, h))
    n = np.tanh(w.affine("n", x) + r * w.affine("n_2", h))
    return {"h": z * h + (1 - z) * n}


def gru_reset_before(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    r, z = sigmoid(w.affine("r", x, h)), sigmoid(w.affine("z", x, h))
    return {"h": z * h + (1 - z) * np.tanh(w.affine("n", x, r * h))}


def mgu(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    f = sigmoid(w.affine("f", x, h))
    return {"h": (1 - f) * h + f * np.tanh(w.affine("n", x, f * h))}


def ugrnn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    g = sigmoid(w.affine("g", x, s["h"]))
    return {"h": g * s["h"] + (1 - g) * np.tanh(w.affine("n", x, s["h"]))}


def ligru(w: Weights, x: Array, s: States) -> dict[str, Array]:
    z = sigmoid(w.affine("z", x, s["h"]))
    return {"h": z * s["h"] + (1 - z) * relu(w.affine("n", x, s["h"]))}


def intersection_rnn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    through_time, through_depth = sigmoid(w.affine("gh", x, h)), sigmoid(w.affine("gy", x, h))
    y = through_depth * x + (1 - through_depth) * relu(w.affine("y", x, h))
    new = through_time * h + (1 - through_time) * np.tanh(w.affine("n", x, h))
    return {"h": new, "output": y}


def mut1(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    z, r = sigmoid(w.affine("z", x)), sigmoid(w.affine("r", x, h))
    n = np.tanh(w.affine("n", r * h) + np.tanh(w.affine("n_2", x)))
    return {"h": n * z + h * (1 - z)}


def mut2(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    z, r = sigmoid(w.affine("z", x, h)), sigmoid(w.affine("r", x, h))
    return {"h": np.tanh(w.affine("n", x, r * h)) * z + h * (1 - z)}


def mut3(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    z, r = sigmoid(w.affine("z", x, np.tanh(h))), sigmoid(w.affine("r", x, h))
    return {"h": np.tanh(w.affine("n", x, r * h)) * z + h * (1 - z)}


def cfn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    theta, eta = sigmoid(w.affine("f", x, s["h"])), sigmoid(w.affine("i", x, s["h"]))
    return {"h": theta * np.tanh(s["h"]) + eta * np.tanh(w.affine("n", x))}


def star(w: Weights, x: Array, s: States) -> dict[str, Array]:
    k, z = sigmoid(w.affine("k", x, s["h"])), np.tanh(w.affine("z", x))
    return {"h": np.tanh((1 - k) * s["h"] + k * z)}


def brc(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    a = 1 + np.tanh(w.affine("a", x) + w.vector("a_2") * h)
    c = sigmoid(w.affine("z", x) + w.vector("z_2") * h)
    return {"h": c * h + (1 - c) * np.tanh(w.affine("n", x) + a * h)}


def nbrc(w: Weights, x: Array, s: States) -> dict[str, Array]:
    h = s["h"]
    a, c = 1 + np.tanh(w.affine("a", x, h)), sigmoid(w.affine("z", x, h))
    return {"h": c * h + (1 - c) * np.tanh(w.affine("n", x) + a * h)}


def rhn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    state, inputs = s["h"], (x,)
    for depth in (1, 2, 3):
        h = np.tanh(w.affine(f"n{depth}", *inputs, state))
        t = sigmoid(w.affine(f"t{depth}", *inputs, state))
        state, inputs = (h - state) * t + state, ()
    return {"h": state}


# Those that run as scans, and the SRU that does not


def mingru(w: Weights, x: Array, s: States) -> dict[str, Array]:
    z = sigmoid(w.affine("z", x))
    return {"h": (1 - z) * s["h"] + z * w.affine("n", x)}


def minlstm(w: Weights, x: Array, s: States) -> dict[str, Array]:
    f, i = sigmoid(w.affine("f", x)), sigmoid(w.affine("i", x))
    return {"h": f / (f + i) * s["h"] + i / (f + i) * w.affine("n", x)}


def qrnn(w: Weights, x: Array, s: States) -> dict[str, Array]:
    f, o = sigmoid(w.affine("f", x)), sigmoid(w.affine("o", x))
    c = f * s["c"] + (1 - f) * np.tanh(w.affine("z", x))
    return {"h": o * c, "c": c}


def sru(w: Weights, x: Array, s: States) -> dict[str, Array]:
    u, old = w.affine("n", x), s["c"]
    f = sigmoid(w.affine("f", x) + old * w.vector("f_2"))
    r = sigmoid(w.affine("r", x) + old * w.vector("r_2"))
    c = u + (old - u) * f
    return {"h": x + (c - x) * r, "c": c}


def sru_v1(w: Weights, x: Array, s: States) -> dict[str, Array]:
    u = w.affine("n", x)
    f, r = sigmoid(w.affine("f", x)), sigmoid(w.affine("r", x))
    c = u + (s["c"] - u) * f
    return {"h": x + (np.tanh(c) - x) * r, "c": c}


def rglru(w: Weights, x: Array, s: States) -> dict[str, Array]:
    """As google-deepmind/recurrentgemma, where position 0 of a sequence resets."""
    reset = s["started"] == 0
    r, i = sigmoid(w.affine("r", x)), sigmoid(w.affine("i", x))
    log_a = -8 * r * softplus(w.value("a"))
    carried = np.where(reset, 0, np.exp(log_a))
    multiplier = np.where(reset, 1, np.sqrt(1 - np.exp(2 * log_a)))
    return {"h": carried * s["h"] + multiplier * (i * x), "started": np.ones_like(s["h"])}


# Cells that searches found


def nascell(w: Weights, x: Array, s: States) -> dict[str, Array]:
    m, c = s["h"], s["c"]
    total = [w.affine(f"l{k}", x, m) if k != 3 else np.zeros(()) for k in range(8)]
    first = [sigmoid(total[0]), relu(total[1]), sigmoid(total[2])]
    first += [relu(w.affine("l3", x) * w.affine("l3_2", m)), np.tanh(total[4])]
    first += [sigmoid(total[5]), np.tanh(total[6]), sigmoid(total[7])]
    left = np.tanh(np.tanh(first[0] * first[1]) + c)
    c = left * np.tanh(first[2] + first[3])
    right = np.tanh(np.tanh(first[4] * first[5]) + sigmoid(first[6] + first[7]))
    return {"h": np.tanh(c * right), "c": c}


def nas_bench_nlp_best(w: Weights, x: Array, s: States) -> dict[str, Array]:
    g = sigmoid(w.affine("g", x, s["h"]))
    second = sigmoid(w.affine("k", x, g))
    m = s["k"] * s["h"] + (1 - s["k"]) * np.tanh(w.affine("n", g, second))
    return {"h": g * m + (1 - g) * second, "k": second}


Arc = Sequence[tuple[str, int]]  # for each node its activation and the node that it reads
ACTIVATIONS = {"tanh": np.tanh, "relu": relu, "sigmoid": sigmoid, "identity": identity}


def highway(arc: Arc, averaged: Sequence[int]) -> Step:
    """The node rule that ENAS, DARTS and NAO share; node 0 reads x and h."""

    def step(w: Weights, x: Array, s: States) -> dict[str, Array]:
        h = s["h"]
        gate, new = sigmoid(w.affine("s0", x, h)), np.tanh(w.affine("s0_2", x, h))
        nodes = [h + gate * (new - h)]
        for number, (activation, source) in enumerate(arc, start=1):
            old = nodes[source]
            new = ACTIVATIONS[activation](w.affine(f"s{number}_2", old))
            nodes.append(old + sigmoid(w.affine(f"s{number}", old)) * (new - old))
        return {"h": np.mean([nodes[k] for k in averaged], axis=0)}

    return step


def decoded(numbers: str, names: Sequence[str]) -> Arc:
    """Read pairs of node and activation, as NAO writes them."""
    found = [int(number) for number in numbers.split()]
    return [(names[op], node) for node, op in zip(found[::2], found[1::2], strict=True)]


DARTS_V1 = [("relu", 0), ("relu", 1), ("tanh", 2), ("relu", 3), ("relu", 4), ("identity", 1)]
DARTS_V1 += [("relu", 5), ("relu", 1)]
DARTS_V2 = [("sigmoid", 0), ("relu", 1), ("relu", 1), ("identity", 1), ("tanh", 2)]
DARTS_V2 += [("sigmoid", 5), ("tanh", 3), ("relu", 5)]
ENAS = [("tanh", 0), ("tanh", 1), ("relu", 1), ("tanh", 3), ("tanh", 3), ("relu", 3), ("relu", 4)]
ENAS += [("relu", 7), ("relu", 8), ("relu", 8), ("relu", 8)]
NAO = decoded(
    "0 1 0 1 1 1 3 0 4 1 4 1 5 1 1 1 7 1 1 1 1 2", ["tanh", "relu", "identity", "sigmoid"]
)

STEPS: dict[str, Step] = {
    **{step.__name__: step for step in (rnn, rnn_relu, indrnn, scrn, fastrnn, fastgrnn)},
    **{step.__name__: step for step in (lstm, lstm_tanh_output, lstm_peephole, lstm_coupled)},
    **{step.__name__: step for step in (janet, mogrifier_lstm, slstm, gru, gru_reset_before)},
    **{step.__name__: step for step in (mgu, ugrnn, ligru, intersection_rnn, mut1, mut2, mut3)},
    **{step.__name__: step for step in (cfn, star, brc, nbrc, rhn, mingru, minlstm, qrnn, sru)},
    **{step.__name__: step for step in (sru_v1, rglru, nascell, nas_bench_nlp_best)},
    "irnn": rnn_relu,  # but for its beginning
    "darts_v1": highway(DARTS_V1, range(1, 9)),
    "darts_v2": highway(DARTS_V2, range(1, 9)),
    "enas": highway(ENAS, [2, 5, 6, 9, 10, 11]),  # the loose ends
    "nao": highway(NAO, range(1, 12)),
}
