"""Edits of a known cell in words: "the reset gate dropped", "relu for tanh"."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from cellsearch.analysis.edits import (
    STEP,
    Attach,
    Change,
    Delete,
    Detach,
    EditPath,
    Move,
    Part,
    Redirect,
    Substitute,
    what_stays,
)
from cellsearch.graph import Graph
from cellsearch.inspection.gates import coupled_gate, gated, is_new_gate
from cellsearch.inspection.groups import Edge, Exchange, Group, exchanges, familiar, groups
from cellsearch.inspection.parts import Parts
from cellsearch.operators import OPERATORS, PARAMETER_ATTRIBUTES
from cellsearch.printing import format_number


@dataclass(frozen=True, slots=True)
class Phrase:
    """What can stand behind "with", and how many edits it says.

    In the text, {} stands for the sites, statements of the known cell.
    """

    text: str
    sites: tuple[str, ...]
    edits: int


def tell(
    known: Graph, cell: Graph, path: EditPath, terms: Mapping[str, str]
) -> list[tuple[str, int]]:
    """Return what makes the cell of the known one, the greatest changes first, and its edits."""
    telling = _Telling(known, cell, familiar(known, cell, path), terms)
    return [(telling.text(phrase), phrase.edits) for phrase in telling.phrases()]


class _Telling:
    def __init__(self, known: Graph, cell: Graph, path: EditPath, terms: Mapping[str, str]) -> None:
        self.known, self.cell = known, cell
        self.parts = Parts(known, cell, path, terms)
        self.below = what_stays(known, self.parts.of[0]) | what_stays(cell, self.parts.of[1])
        self.gone = {edit.part for edit in path.edits if isinstance(edit, Delete)}
        self.edits = path.edits

    def text(self, phrase: Phrase) -> str:
        return phrase.text.format(listed([self.parts.called(site) for site in phrase.sites]))

    def phrases(self) -> list[Phrase]:
        swapped, edits = exchanges(self.edits, self.below)
        together, edges = groups(edits, self.parts)
        quiet = [group for group in together if self._goes_without_saying(group)]
        together = [group for group in together if group not in quiet]
        found: list[Phrase] = []
        dropped: list[str] = []
        unsaid = 0
        for group in together:
            names = self._drops(group)
            told = [edge for edge in group.edges if not self._follows(edge)]
            found += map(self._edge, told) if names else self._told(group)
            if names:
                dropped += names
                unsaid += group.edits - len(told)
        found += [self._exchanged(exchange) for exchange in swapped]
        found += self._substitutions()
        found += self._rest(edges)
        found = self._merged(self._rewritten(found) + self._changes())
        if dropped:
            found.insert(0, Phrase(f"{listed(dropped)} dropped", (), unsaid))
        if quiet:
            said = found[0].edits + sum(group.edits for group in quiet)
            found[0] = replace(found[0], edits=said)
        return found

    def _goes_without_saying(self, group: Group) -> bool:
        """Tell whether a group is a value that others begin or cease to see, which they tell."""
        nodes = [self.parts.node(part) for part in (*group.gone, *group.new)]
        own = [node for node in nodes if node.op == "state" and node.name != "h"]
        return not group.edges and not own

    # What goes

    def _drops(self, group: Group) -> list[str]:
        """Return how the statements are called that go, if nothing comes in their stead."""
        only = all(isinstance(edge, Detach) or self._passes(edge) for edge in group.edges)
        return self._dropped(group) if only and not group.new else []

    def _passes(self, edge: Edge) -> bool:
        """Tell whether an edge leads now to what the old value was made from."""
        return isinstance(edge, Redirect) and edge.after in self.below[edge.before]

    def _follows(self, edge: Edge) -> bool:
        """Tell whether an edge changes for nothing but a statement that goes."""
        if not isinstance(edge, Detach):
            return self._passes(edge)
        args = [arg for arg in self.parts.args(edge.value) if self.parts.node(arg).op != "number"]
        return bool(self.parts.name(edge.value)) or all(arg in self.gone for arg in args)

    def _dropped(self, group: Group) -> list[str]:
        """Return how the statements are called of which nothing stays; those with terms, if any."""
        names = []
        for part in sorted(group.gone):
            name = self.parts.name(part)
            state = self.parts.state(name)
            carried = name == "h" or (state is not None and state not in self.gone)
            if name and not carried and self._all_gone(part):
                names.append(name)
        usual = [name for name in names if name in self.parts.terms]
        return [self.parts.called(name) for name in usual or names]

    def _all_gone(self, part: Part) -> bool:
        inner = [a for a in self.parts.args(part) if self.parts.args(a) and not self.parts.name(a)]
        return all(arg in self.gone and self._all_gone(arg) for arg in inner)

    # What goes and comes

    def _told(self, group: Group) -> list[Phrase]:
        names = self._dropped(group)
        found = []
        for part in group.new:
            if self.parts.node(part).op == "state" and self.parts.node(part).name != "h":
                found.append(Phrase(self._carried(self.parts.node(part).name), (), 1))
        for part in group.gone:
            node = self.parts.node(part)
            if node.op == "state" and node.name not in (*names, "h"):
                found.append(Phrase(f"{node.name} no longer carried", (), 1))
        for edge in group.edges:
            phrase = self._of_group(edge, group, names)
            if (phrase.text, phrase.sites) not in [(other.text, other.sites) for other in found]:
                found.append(phrase)
        said = sum(phrase.edits for phrase in found)
        rest = group.edits - said
        found[-1] = Phrase(found[-1].text, found[-1].sites, found[-1].edits + rest)
        return found

    def _carried(self, name: str) -> str:
        """Tell of a state that the known cell has not, and what updates it if that is short."""
        update = self.parts.of[1][dict(self.cell.states)[name]]
        value = self.parts.expression(update, 1)
        return (
            f"a further state, {name}" if "..." in value else f"a further state, {name} = {value}"
        )

    def _of_group(self, edge: Edge, group: Group, names: list[str]) -> Phrase:
        if not isinstance(edge, Redirect):
            return self._edge(edge)
        before, after = edge.before, edge.after
        site = self.parts.site(edge.user, edge.places[0])
        if before in self.below[after] and not group.gone:
            return self._put_on(edge, group, site)
        if self._passes(edge) and not group.new and self._functions(group.gone):
            ops = listed([f"no {self.parts.node(part).op}" for part in reversed(group.gone)])
            name = self.parts.name(before)
            if name:
                return Phrase(f"{ops} in {{}}", (name,), 1)
            return Phrase(f"{ops} on {self.parts.value(after)}", (site,), 1)
        if names:
            return Phrase(f"{self.parts.value(after, 1)} for {listed(names)}", (site,), 1)
        return self._instead(edge)

    def _functions(self, some: Iterable[Part]) -> bool:
        rows = [OPERATORS.get(self.parts.node(part).op) for part in some]
        return all(row is not None and row.arity == (1, 1) and not row.owns_tensors for row in rows)

    def _put_on(self, edge: Redirect, group: Group, site: str) -> Phrase:
        """Say that something new is made from a value before it is seen."""
        value = self.parts.value(edge.before)
        moved = sum(isinstance(e, Redirect) and e.before == edge.before for e in group.edges)
        place = " in {}" if self.parts.uses(edge.before) > moved else ""
        if self._functions(group.new):
            ops = " of ".join(self.parts.node(part).op for part in reversed(group.new))
            return Phrase(f"{article(ops)} on {value}{place}", (site,), 1)
        args = self.parts.args(edge.after, 1)
        if self.parts.node(edge.after).op == "add" and edge.before in args:
            rest = [self.parts.value(arg, 1) for arg in args if arg != edge.before]
            return Phrase(f"{listed(rest)} added in {{}}", (site,), 1)
        decides = gated(self.parts, edge.after, edge.before)
        if decides:
            return Phrase(f"a gate {decides}{place}", (site,), 1)
        return self._instead(edge)

    # Edges

    def _edge(self, edge: Edge) -> Phrase:
        if isinstance(edge, Redirect):
            return self._instead(edge)
        if edge.user == STEP:
            return self._result(edge)
        site, op = self.parts.site(edge.user), self.parts.node(edge.user).op
        if isinstance(edge, Move):
            new, old = (self.parts.expression(edge.user, side, site) for side in (1, 0))
            return Phrase(f"{new} for {old}", (site,), 1)
        if isinstance(edge, Attach):
            value = self.parts.value(edge.value, 1)
            if op == "mul" and is_new_gate(self.parts, edge.value):
                product = self.parts.expression(edge.user, 0, site)
                return Phrase(f"a gate on {product}", (site,), 1)
            words = {"add": f"{value} added in {{}}", "mul": f"a factor {value} in {{}}"}
            return Phrase(words.get(op, f"{{}} seeing {value} too"), (site,), 1)
        value = self.parts.value(edge.value)
        words = {"add": f"no {value} in {{}}", "mul": f"no factor {value} in {{}}"}
        return Phrase(words.get(op, f"{{}} not seeing {value}"), (site,), 1)

    def _result(self, edge: Attach | Detach | Move) -> Phrase:
        """Say what leaves the step besides, in another place or no more."""
        if isinstance(edge, Detach):
            return Phrase("no output of its own", ("output",), 1)
        site = self.parts.site(STEP, edge.places[1] if isinstance(edge, Move) else edge.place)
        return Phrase(f"{site} = {self.parts.expression(edge.value, 1, site)}", (site,), 1)

    def _rest(self, edges: Sequence[Edge]) -> list[Phrase]:
        """Tell edges between nodes that stay; what a statement sees instead in all places, once."""
        places: dict[object, list[Edge]] = {}
        for edge in edges:
            ends: object = edge
            if isinstance(edge, Redirect):
                ends = (self.parts.site(edge.user, edge.places[0]), edge.before, edge.after)
            places.setdefault(ends, []).append(edge)
        found = []
        for same in places.values():
            linear = [edge for edge in same if self.parts.node(edge.user).op == "linear"]
            found.append(replace(self._edge((linear or same)[0]), edits=len(same)))
        return found

    def _instead(self, edge: Redirect) -> Phrase:
        op = self.parts.node(edge.user).op
        site = self.parts.site(edge.user, edge.places[0])
        statement = self._statement(site)
        if op in ("step", "state") and "..." not in statement:
            return Phrase(statement, (site,), 1)
        new, old = self.parts.value(edge.after, 1), self.parts.value(edge.before)
        if op == "linear":
            return Phrase(f"{{}} seeing {new} instead of {old}", (site,), 1)
        return Phrase(f"{new} for {old} in {{}}", (site,), 1)

    def _exchanged(self, exchange: Exchange) -> Phrase:
        sites = tuple(dict.fromkeys(self.parts.site(user) for user in exchange.users))
        seen = {part for user in exchange.users for part in self.parts.args(user)}
        gate = coupled_gate(self.parts, {*seen, *exchange.values})
        if gate is not None:
            return Phrase(f"{self.parts.value(gate)} the other way round", sites, exchange.edits)
        values = listed([self.parts.value(value) for value in exchange.values])
        return Phrase(f"{values} exchanged in {{}}", sites, exchange.edits)

    def _statement(self, name: str) -> str:
        """Return a statement of the known cell as it is in the other one."""
        part = self._target(name)
        if part is None:
            return ""
        return f"{name} = {self.parts.expression(part, 1, name)}"

    def _target(self, name: str) -> Part | None:
        if name == "output":
            index = self.cell.output
            return None if index is None else self.parts.of[1][index]
        state = self.parts.state(name)
        other = None if state is None else state[1]
        if name == "h" or other is not None:
            own = "h" if other is None else self.cell.nodes[other].name
            return self.parts.of[1][dict(self.cell.states)[own]]
        part = self.parts.named(name)
        return None if part is None or part[1] is None else part

    def _rewritten(self, found: list[Phrase]) -> list[Phrase]:
        """Say of statements that change in several ways what they are now, if that is short."""
        sites = dict.fromkeys(site for phrase in found for site in phrase.sites)
        for site in sites:
            here = [phrase for phrase in found if phrase.sites == (site,)]
            edits = sum(phrase.edits for phrase in here)
            text = self._statement(site)
            said = text in [phrase.text for phrase in here]
            if len(here) < 2 or not (said or edits >= 4) or not text or "..." in text:
                continue
            found[found.index(here[0])] = Phrase(text, (site,), edits)
            found = [phrase for phrase in found if phrase not in here]
        return found

    # Nodes that stay

    def _substitutions(self) -> list[Phrase]:
        found = []
        for edit in self.edits:
            if isinstance(edit, Substitute):
                site = self.parts.site(edit.part)
                all_same = sum(node.op == edit.before for node in self.known.nodes)
                same = sum(
                    isinstance(other, Substitute)
                    and (other.before, other.after) == (edit.before, edit.after)
                    for other in self.edits
                )
                place = "" if all_same == same else " in {}"
                found.append(Phrase(f"{edit.after} for {edit.before}{place}", (site,), 1))
        return found

    def _changes(self) -> list[Phrase]:
        return [
            Phrase(self._changed(edit), (self.parts.site(edit.part),), 1)
            for edit in self.edits
            if isinstance(edit, Change)
        ]

    def _changed(self, edit: Change) -> str:
        op = self.parts.node(edit.part).op
        if edit.attribute == "bias":
            return "no bias in {}" if edit.after is False else "a bias in {}"
        usual = PARAMETER_ATTRIBUTES if op == "parameter" else {}
        row = OPERATORS.get(op)
        if row is not None:
            usual = row.attributes
        old, new = (
            _written(usual.get(edit.attribute, 0.0) if value is None else value)
            for value in (edit.before, edit.after)
        )
        words = {
            ("linear", "bias_init"): f"the bias of {{}} beginning at {new}",
            ("linear", "init"): f"{new} matrices in {{}}",
            ("state", "start"): f"{{}} beginning at {new}",
            ("number", "value"): f"{new} for {old} in {{}}",
        }
        if (op, edit.attribute) in words:
            return words[op, edit.attribute]
        if edit.attribute == "init":
            return f"the {op} in {{}} beginning at {new}"
        return f"{edit.attribute}={new} in {{}}"

    def _merged(self, found: list[Phrase]) -> list[Phrase]:
        """Say what is the same at several sites once."""
        sites: dict[str, list[Phrase]] = {}
        for phrase in found:
            sites.setdefault(phrase.text, []).append(phrase)
        return [
            Phrase(
                text,
                tuple(dict.fromkeys(site for phrase in same for site in phrase.sites)),
                sum(phrase.edits for phrase in same),
            )
            for text, same in sites.items()
        ]


def _written(value: bool | float | str) -> str:
    return format_number(value) if isinstance(value, float) else str(value)


def article(noun: str) -> str:
    """Return a noun with its indefinite article."""
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def listed(items: Sequence[str]) -> str:
    """Return items as a list in words: a, b and c."""
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)
