r"""The operators' LaTeX templates, filled with arguments and with the parentheses these need.

A template such as ``{0} \odot {1}`` says nothing of precedence; it is read off from what stands
beside each place. The same templates give text for the terminal, their commands replaced by
characters.
"""

from __future__ import annotations

import re
import string
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from cellsearch.operators import OPERATORS

ANY, SUM, PRODUCT, TIGHT, ATOM = range(5)
"""How tightly a formula binds: not at all, as a sum, a product, as ``W x``, or as a name."""

_FIRST = 0xE000  # characters for private use stand for the places of a template
_WEIGHT = "\uf8ff"
_PLACE = re.compile("[\ue000-\uf8fe]")
_EDGE = r"[(\[{|,]|\\left|\\right|\\[,;! ]|[)\]}]"  # what parts a place from all around it
_TIMES = {r"\odot": "⊙", r"\cdot": "·", r"\times": "\N{MULTIPLICATION SIGN}"}
_PRODUCTS = "|".join(map(re.escape, [*_TIMES, *_TIMES.values()]))
_BEFORE = (
    (rf"(^|{_EDGE})$", ANY),
    (r"\+$", SUM),
    (r"-$", PRODUCT),
    (rf"({_PRODUCTS})$", PRODUCT),
)
_AFTER = ((rf"^($|{_EDGE})", ANY), (r"^[+-]", SUM), (rf"^({_PRODUCTS}|/)", PRODUCT))


@dataclass(frozen=True, slots=True)
class Formula:
    """A piece of a formula and how tightly it binds."""

    text: str
    binding: int = ATOM

    def within(self, least: int, latex: bool) -> str:
        """Return the text, in parentheses if it binds less tightly than a place asks for."""
        return self.text if self.binding >= least else parenthesise(self.text, latex)


def parenthesise(text: str, latex: bool) -> str:
    """Return the text in parentheses."""
    return rf"\left({text}\right)" if latex else f"({text})"


def fill(op: str, args: Sequence[Formula], weight: str, latex: bool) -> Formula:
    """Return an operator's template with its arguments; `weight` names a learned tensor."""
    template = _template(op, len(args), latex)
    if _PLACE.fullmatch(template):
        return args[0]
    pieces, end = [], 0
    for place in _PLACE.finditer(template):
        before, after = template[: place.start()].rstrip(), template[place.end() :].lstrip()
        arg = args[ord(place[0]) - _FIRST]
        text = arg.within(_least(before, after), latex)
        if text.startswith("-") and before.endswith("+"):
            text = parenthesise(text, latex)
        pieces += [template[end : place.start()], text]
        end = place.end()
    text = "".join((*pieces, template[end:])).replace(_WEIGHT, weight)
    return Formula(text, _binding(template))


@cache
def _template(op: str, count: int, latex: bool) -> str:
    """Return the template with one character for each place, in LaTeX or for the terminal."""
    row = OPERATORS[op]
    marks = [chr(_FIRST + slot) for slot in range(count)]
    source = row.latex or rf"\mathrm{{{{{op.replace('_', chr(92) + '_')}}}}}\left({{all}}\right)"
    parts = list(string.Formatter().parse(source))
    if all(field is None for _, field, _, _ in parts):  # what joins the arguments
        found = source.join(marks)
    else:
        places = {"all": r",\, ".join(marks), "w": _WEIGHT}
        places |= {str(slot): mark for slot, mark in enumerate(marks)}
        pieces = [(text, "" if field is None else places[field]) for text, field, _, _ in parts]
        found = "".join(text + place for text, place in pieces)
    if row.kind == "layer_norm":
        found = found.replace(r"\left(", rf"_{{{_WEIGHT}}}\left(", 1)
    return found if latex else _plain(found)


def _plain(latex: str) -> str:
    r"""Return a template for the terminal: ``\frac{a}{b}`` is ``a / b``, ``\odot`` is ``⊙``."""
    text = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", r"\1 / \2", latex)
    text = re.sub(r"\\sqrt\{([^{}]*)\}", r"√(\1)", text)
    text = re.sub(r"\\mathrm\{([^{}]*)\}", lambda match: match[1].replace(r"\,", "_"), text)
    text = re.sub(r"\\(left|right|,(?= ))", "", text)
    hat = "\N{COMBINING CIRCUMFLEX ACCENT}"
    text = text.replace(r"\hat\sigma", rf"\sigma{hat}")
    text = text.replace(r"\,", " ").replace(r"\_", "_").replace("^2", "²")
    text = re.sub(r"\\[A-Za-z]+", lambda match: _character(match[0]), text)
    return re.sub(r"[{}\\]", "", text)


def _character(command: str) -> str:
    if command in _TIMES:
        return _TIMES[command]
    try:
        return unicodedata.lookup(f"GREEK SMALL LETTER {command[1:]}")
    except KeyError:
        return command[1:]  # as in \tanh


def _least(before: str, after: str) -> int:
    """Return how tightly what fills a place must bind, given what stands beside it."""
    left = next((level for pattern, level in _BEFORE if re.search(pattern, before)), ATOM)
    right = next((level for pattern, level in _AFTER if re.search(pattern, after)), ATOM)
    return max(left, right)


def _binding(template: str) -> int:
    """Return how tightly a filled template binds: by the signs outside of its brackets."""
    depth, binding = 0, ATOM
    for sign in re.findall(r"\\[A-Za-z]+|.", template):
        if sign in ("(", "[", "{", r"\left"):
            depth += 1
        elif sign in (")", "]", "}", r"\right"):
            depth -= 1
        elif depth == 0 and sign in ("+", "-"):
            binding = min(binding, SUM)
        elif depth == 0 and (sign == "/" or sign in _TIMES or sign in _TIMES.values()):
            binding = min(binding, PRODUCT)
    return binding
