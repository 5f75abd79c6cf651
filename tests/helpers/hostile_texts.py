"""Cell texts that are sent to break the reader.

Most are wrong; some are valid cells of the greatest size, or so symmetric that they are hard to put
in order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random

from hard_graphs import symmetric_graph
from random_cells import random_cell


def words(text: str) -> list[str]:
    return text.split()


NAMES = (
    *words("__class__ __import__ __builtins__ __dict__ h.__class__ self None True lambda print"),
    *words("exec os x h h_prev output output_prev x_prev _ __ h__prev 1h tanh tanh_prev eval"),
    *words("i_2 nan inf h_new_0 h_prev_0 h_prev_00 h_prev_99999999999999999999 parameter é 🙂"),
    *("\u0445", "\uff48", "h\u200b", "\u202eh", "\ud800", "\udcff", "\U000e0001", "h_new_\u0663"),
    *("\x00", "\x1f", "\r", "\x0c", "\\", " ", ""),
)
NUMBERS = (
    *words("0 -0 1e999 -1e999 1e-999 1e309 nan NaN Infinity -Infinity inf 1j 0777 1_000 1__0 1."),
    *words(".5 1.5.2 1e 0b101 0o17 1e+5 0x1e+5 1if 0xfor 1e5_0 True None \u0661"),
    *("0x" + "f" * 300, "9" * 4301, "9" * 60_000),
)
TOKENS = (
    *words("h x h_prev c c_prev a = = = + - * / ( ) , tanh sigmoid linear add mul mean blend"),
    *words("scale parameter layer_norm 1 2.5 . ** // ' \" init= bias=False # not if else lambda"),
    *words(': [ ] { } ; @ \\ == := import in and """'),
    *("\n", "\n", " ", "\t"),
)
STATEMENTS = (
    *(
        "import os",
        "h = __import__('os').system('true')",
        "h = (lambda: x)()",
        "h = [x for x in x]",
    ),
    *(
        "h = x if x else x",
        "h: int = x",
        "h += x",
        "h = x; c = x",
        "def h(): pass",
        "class h: pass",
    ),
    *("h = f'{x}'", "h = x[0]", "h = {x}", "h = x.real", "h = (y := x)", "h, c = x, x", "del h"),
    *(
        "h = *x",
        "h = x @ x",
        "h = ~x",
        "h = x == x",
        "h = not x",
        "global h",
        "assert h",
        "h = ...",
    ),
    *("h = b'x'", "h = 'x'", "h = yield", "h = await x", "  h = x", "\th = x\n        c = x", "@h"),
    *("h = tanh(x", "h = tanh x)", "h = \\\nx", "h = x\\", "h = tanh(*x)", "h = tanh(**x)", "h ="),
    *("= x", "h", "h = tanh(x, x)", "h = tanh()", "h = linear(x, bias=1)", "h = parameter(x)"),
    *("h = linear(x, init='zeros')", "h = linear(x, init=uniform)", "h = scale(x, init=True)"),
    *("h_prev = 1\nh_prev = 2\nh = h_prev", "h = x\nh = x", "h = h_prev_prev", "h_prev = x"),
    *('"""h = x', "h = '(' + '('", 'h = """ (((( """', "try:\n h = x\nexcept: pass", "'''"),
    *("h = x #\x00", "if x:\n h = x"),
)
NESTED = (  # what comes before, in the middle and after, as often as one likes
    *(("(", "x", ")"), ("tanh(", "x", ")"), ("-", "x", ""), ("- ", "1", ""), ("not ", "x", "")),
    *(("", "x", "+x"), ("", "x", "*x"), ("", "x", "-(x)"), ("x-(", "x", ")"), ("", "x", "()")),
    *(("", "x", ".a"), ("x if x else ", "x", ""), ("", "x", " in x"), ("x and ", "x", "")),
    *(("", "x", "**x"), ("x**", "x", ""), ("", "'a'", "'a'"), ("await ", "x", ""), ("(", "x", "")),
    *(("tanh(", "x", ""), ("", "x", ")"), ("'(' ", "x", ""), ('"""', "(", ""), ("0x1e+", "1", "")),
    *(("linear(x,", "x", ")"), ("add(x,", "x", ")"), ("blend(x,x,", "x", ")"), ("(x)(", "x", ")")),
)
REPEATED = (  # the same, side by side
    *(("", "a", " = x\nh = x"), ("h = ", "a", ""), ("h = x #", "é", ""), ("", " ", "h = x")),
    *(
        ("h = x", " ", ""),
        ("", "\n", "h = x"),
        ("", "#", ""),
        ("h = '", "a", "'"),
        ("", "\x00", ""),
    ),
    *(("h = linear(", "x, ", "x)"), ("h = ", "x, ", "x"), ("h = tanh(x, ", "a=1, ", ")")),
    *(("", "h = x\n", ""), ("h = ", "a=", "x"), ("h = ", "'a' ", ""), ("", "h = x\r", "")),
)
Family = Callable[[Random], str]


def texts() -> Sequence[Family]:
    """The families of texts."""
    return (
        *(noise, _tokens, _broken, _broken, _statements, _cyclic, _large, _deep, _long, _numbers),
        *(_odd_names, _doubling, _equal_parts, _symmetric, _widest),
    )


def _character(rng: Random) -> str:
    return chr(rng.randrange(rng.choice((128, 256, 0x11000))))


def noise(rng: Random) -> str:
    return "".join(_character(rng) for _ in range(int(10 ** rng.uniform(0, 4))))


def _tokens(rng: Random) -> str:
    glue, count = rng.choice(("", " ")), int(10 ** rng.uniform(0, 3))
    return "h = " * rng.randrange(2) + glue.join(rng.choices(TOKENS, k=count))


def _broken(rng: Random) -> str:
    return edited(random_cell(rng, equal_sizes=rng.random() < 0.5), rng, TOKENS)


def edited(text: str, rng: Random, tokens: Sequence[str]) -> str:
    """Cut, double, turn round or replace some parts of a text."""
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        start = rng.randrange(len(text) + 1)
        end = min(len(text), start + rng.choice((0, 1, 1, 3, 10)))
        part = text[start:end]
        new = (part * 2, part[::-1], rng.choice(tokens), _character(rng), rng.choice(NAMES), "")
        text = text[:start] + rng.choice(new) + text[end:]
    return text


def _statements(rng: Random) -> str:
    lines = [rng.choice(STATEMENTS) for _ in range(rng.choice((1, 1, 2, 5)))]
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(("", "h = tanh(x)", "c = x")))
    return "\n".join(lines)


def _cyclic(rng: Random) -> str:
    size = rng.choice((1, 2, 3, 10, 160))
    end, odd = rng.choice(("", "_prev", "_prev")), rng.randrange(size)
    lines = [
        f"s{i} = tanh(linear(s{(i + 1) % size}{'' if i == odd else end}))" for i in range(size)
    ]
    rng.shuffle(lines)
    return "\n".join([*lines, f"h = s{odd}{rng.choice(('', '_prev'))}"])


def _large(rng: Random) -> str:
    size = rng.choice((400, 511, 513, 1000, 3000, 20_000, 1_000_000))
    forms = ("a{} = tanh(x)\n", "a{} = linear(x, h_prev)\n", "a{} = x\n", "a{0} = a{0}_prev\n")
    form = rng.choice(forms)
    if size == 1_000_000:
        return form.format(0) * size + "h = x"
    chain = rng.random() < 0.3
    lines = (f"a{i} = tanh(a{i - 1})\n" if chain and i else form.format(i) for i in range(size))
    return "".join(lines) + f"h = a{size - 1}"


def _deep(rng: Random) -> str:
    before, middle, after = rng.choice(NESTED)
    size = int(10 ** rng.uniform(1, 4.7))
    return f"h = {before * size}{middle}{after * size}"


def _long(rng: Random) -> str:
    before, middle, after = rng.choice(REPEATED)
    return before + middle * int(10 ** rng.uniform(2, 6.5)) + after


def _numbers(rng: Random) -> str:
    forms = (
        *("h = {0} * x", "h = {0}", "h = -{0}", "h_prev = {0}\nh = tanh(h_prev)", "h = x / {0}"),
        *("h = scale(x, init={0})", "h = linear(x, bias_init=-{0})", "h = parameter(init={0})"),
        *("h = {0}*({0}-{0})", "h = linear(x, bias={0})", "h = linear(x, init={0})"),
    )
    return rng.choice(forms).format(rng.choice(NUMBERS))


def _odd_names(rng: Random) -> str:
    many = "".join(f"{'ab' * 29}{i:05d} = tanh(x)\n" for i in range(400))
    forms = (
        *("{0} = x\nh = {0}", "h = {0}(x)", "h = {0}", "{0} = x\nh = {1}", "h = tanh({0}=x)"),
        *("h = x + {0}", "h = linear(x, {0}={1})", "h = {0}_prev", "{0}_prev = 1\nh = {0}_prev"),
        *("{2}h = {3}{0}", "{2}{0} = x\nh = {3}_prev"),
    )
    return rng.choice(forms).format(rng.choice(NAMES), rng.choice(NAMES), many, "ba" * 29)


def _doubling(rng: Random) -> str:
    """Each value takes the one before it twice: flattened, sums and products blow up."""
    size = rng.randint(5, 500)
    forms = (
        "{0} + {0}",
        "{0} * {0}",
        "mean({0}, {0})",
        "linear({0}, {0})",
        "{0} + {1}",
        "{0} - {0}",
    )
    form = rng.choice(forms)
    lines = ["a0 = x", "a1 = h_prev"]
    lines += [f"a{i} = {form.format(f'a{i - 1}', f'a{i - 2}')}" for i in range(2, size)]
    return "\n".join([*lines, f"h = a{size - 1}"])


def _equal_parts(rng: Random) -> str:
    parts = (
        *("linear(x)", "linear(x) * linear(x)", "sigmoid(linear(x, h_prev)) * tanh(linear(x))"),
        *("tanh(linear(x) * linear(x) + linear(x) * linear(x))", "scale(linear(x))", "parameter()"),
        *("blend(parameter(), linear(x), linear(x))", "linear(linear(x) * linear(x))"),
    )
    op, count = rng.choice(("mean", "add", "mul", "linear")), rng.choice((2, 10, 40, 60, 160, 250))
    return f"h = {op}({', '.join([rng.choice(parts)] * count)})"


def _symmetric(rng: Random) -> str:
    """States that read each other at t-1 along the edges of a symmetric graph."""
    form = rng.choice(("linear({})", "tanh(linear({}))", "mean({}, x)"))
    reads = [[f"s{other}_prev" for other in others] for others in symmetric_graph(rng)]
    lines = [f"s{i} = {form.format(', '.join(read) or 'x')}" for i, read in enumerate(reads)]
    ends = ", ".join(f"s{node}" for node in range(min(256, len(lines))))
    return "\n".join([*lines, f"h = linear({ends})"])


def _widest(rng: Random) -> str:
    """Cells of about the greatest size, with as many arguments as there may be."""
    names = ["x", "h_prev"]
    lines = []
    size = rng.choice((15, 60, 200, 480))
    most = {"blend": 3, "sub": 2, "maximum": 2, "tanh": 1, "layer_norm": 1}
    for number in range(size):
        op = rng.choice(("add", "mul", "mean", "linear", *most))
        count = most.get(op) or rng.choice((2, 5, max(2, 4000 // size), 256))
        recent = names[-rng.choice((3, 20, 500)) :]
        lines.append(f"v{number} = {op}({', '.join(rng.choices(recent, k=count))})")
        names.append(f"v{number}")
    return "\n".join([*lines, f"h = v{size - 1}"])
