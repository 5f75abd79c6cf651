"""Edits applied to a cell one by one, on plain dictionaries."""

from __future__ import annotations

from collections import Counter

from edit_distances import edges, kind

from cellsearch.analysis.edits import (
    STEP,
    Attach,
    Change,
    Delete,
    Detach,
    EditPath,
    Insert,
    Move,
    Part,
    Redirect,
    Substitute,
)
from cellsearch.graph import Graph

Seen = Counter[tuple[Part, int]]


class Applied:
    """A cell's nodes and what each sees, while it becomes another."""

    def __init__(self, first: Graph, second: Graph, path: EditPath) -> None:
        partner = dict(path.pairs)
        self.second = second
        self.of_second = {two: (one, two) for one, two in path.pairs} | {-1: STEP}
        of_first = {one: (one, partner.get(one)) for one in range(len(first.nodes))} | {-1: STEP}
        self.nodes: dict[Part, tuple[str, dict[str, object]]] = {
            of_first[one]: (node.op, dict(node.attributes)) for one, node in enumerate(first.nodes)
        }
        self.seen: dict[Part, Seen] = {of_first[one]: Counter() for one in of_first}
        for (source, user), slots in edges(first).items():
            for slot, count in slots.items():
                self.seen[of_first[user]][of_first[source], -1 if slot is None else slot] += count
        for edit in path.edits:
            self._apply(edit)

    def _apply(self, edit: object) -> None:
        if isinstance(edit, Insert):
            assert edit.part[1] is not None and edit.part not in self.nodes
            node = self.second.nodes[edit.part[1]]
            # A state's update may come later than the state.
            assert node.op == "state" or all(value in self.nodes for value in edit.inputs)
            self.of_second[edit.part[1]] = edit.part
            self.nodes[edit.part] = (node.op, dict(node.attributes))
            ordered = kind(node) == "several" and node.op in ("sub", "div", "blend")
            self.seen[edit.part] = Counter(
                (value, place if ordered else -1) for place, value in enumerate(edit.inputs)
            )
        elif isinstance(edit, Delete):
            users = [user for user, seen in self.seen.items() if self._sees(seen, edit.part)]
            # What updated a state may go earlier than the state.
            assert all(self.nodes[user][0] == "state" for user in users)
            del self.nodes[edit.part], self.seen[edit.part]
        elif isinstance(edit, Substitute):
            assert self.nodes[edit.part][0] == edit.before and edit.part[1] is not None
            node = self.second.nodes[edit.part[1]]
            assert node.op == edit.after
            self.nodes[edit.part] = (node.op, dict(node.attributes))
        elif isinstance(edit, Change):
            attributes = self.nodes[edit.part][1]
            assert attributes.pop(edit.attribute, None) == edit.before
            if edit.after is not None:
                attributes[edit.attribute] = edit.after
        elif isinstance(edit, Attach):
            self._attach(edit.user, edit.value, edit.place)
        elif isinstance(edit, Detach):
            self._detach(edit.user, edit.value, edit.place)
        elif isinstance(edit, Redirect):
            self._detach(edit.user, edit.before, edit.places[0])
            self._attach(edit.user, edit.after, edit.places[1])
        else:
            assert isinstance(edit, Move)
            self._detach(edit.user, edit.value, edit.places[0])
            self._attach(edit.user, edit.value, edit.places[1])

    def _attach(self, user: Part, value: Part, place: int) -> None:
        assert value in self.nodes and user in self.seen
        self.seen[user][value, place] += 1

    def _detach(self, user: Part, value: Part, place: int) -> None:
        assert self.seen[user][value, place] > 0
        self.seen[user][value, place] -= 1

    @staticmethod
    def _sees(seen: Seen, part: Part) -> bool:
        return any(value == part and count for (value, _), count in seen.items())

    def check(self) -> None:
        """Assert that the cell has become the other one."""
        assert set(self.nodes) == {part for two, part in self.of_second.items() if two >= 0}
        for two, node in enumerate(self.second.nodes):
            assert self.nodes[self.of_second[two]] == (node.op, dict(node.attributes))
        wanted: dict[Part, Seen] = {part: Counter() for part in self.seen}
        for (source, user), slots in edges(self.second).items():
            for slot, count in slots.items():
                place = -1 if slot is None else slot
                wanted[self.of_second[user]][self.of_second[source], place] += count
        for user, seen in self.seen.items():
            found = +seen
            places = {place for _, place in (*found, *wanted[user])}
            if -1 in places:  # its order said nothing, or says nothing now
                assert _values(found) == _values(wanted[user])
            else:
                assert found == wanted[user]


def _values(seen: Seen) -> Counter[Part]:
    values: Counter[Part] = Counter()
    for (value, _), count in seen.items():
        values[value] += count
    return values
