"""canonical_order tells graphs apart exactly when they differ, whatever order they come in."""

from __future__ import annotations

from collections import Counter
from itertools import product
from random import Random

import networkx as nx
import pytest
from hard_graphs import symmetric_graph, twisted
from hypothesis import given
from hypothesis import strategies as st
from random_cells import seeded

from cellsearch import canonical
from cellsearch.canonical import Edge, canonical_order
from cellsearch.cell import Cell
from cellsearch.errors import CellError

CLASSES = {1: 1, 2: 2, 3: 6, 4: 31, 5: 302, 6: 5984}
"""Directed acyclic graphs without labels, https://oeis.org/A003087."""


def form(colours: list[str], edges: list[Edge]) -> tuple[object, ...]:
    """The graph as it reads in canonical order."""
    rank = {node: position for position, node in enumerate(canonical_order(colours, edges))}
    assert sorted(rank) == list(range(len(colours)))
    return (
        tuple(colours[node] for node in rank),
        tuple(sorted((rank[source], rank[target], label) for source, target, label in edges)),
    )


def shuffled(colours: list[str], edges: list[Edge], rng: Random) -> tuple[list[str], list[Edge]]:
    place = list(range(len(colours)))
    rng.shuffle(place)
    moved = [""] * len(colours)
    for node, colour in enumerate(colours):
        moved[place[node]] = colour
    renamed = [(place[source], place[target], label) for source, target, label in edges]
    rng.shuffle(renamed)
    return moved, renamed


def isomorphic(first: tuple[list[str], list[Edge]], second: tuple[list[str], list[Edge]]) -> bool:
    """networkx's opinion; parallel edges become one edge that lists their labels."""

    def built(colours: list[str], edges: list[Edge]) -> nx.DiGraph:
        graph = nx.DiGraph()
        for node, colour in enumerate(colours):
            graph.add_node(node, colour=colour)
        labels: dict[tuple[int, int], list[int]] = {}
        for source, target, label in edges:
            labels.setdefault((source, target), []).append(label)
        for (source, target), found in labels.items():
            graph.add_edge(source, target, labels=sorted(found))
        return graph

    return bool(
        nx.is_isomorphic(
            built(*first),
            built(*second),
            node_match=lambda a, b: a["colour"] == b["colour"],
            edge_match=lambda a, b: a["labels"] == b["labels"],
        )
    )


@st.composite
def graphs(draw: st.DrawFn) -> tuple[list[str], list[Edge]]:
    """Small graphs with few colours and labels, loops, cycles and parallel edges: many ties."""
    size = draw(st.integers(1, 7))
    colours = draw(st.lists(st.sampled_from("ab"), min_size=size, max_size=size))
    node = st.integers(0, size - 1)
    edge = st.tuples(node, node, st.sampled_from((-1, 0, 1)))
    return colours, draw(st.lists(edge, max_size=10))


@pytest.mark.parametrize("size", CLASSES)
def test_bare_directed_acyclic_graphs_fall_into_the_known_number_of_classes(size: int) -> None:
    pairs = [(source, target) for target in range(size) for source in range(target)]
    forms = {
        form([""] * size, [(*pair, 0) for pair, here in zip(pairs, chosen, strict=True) if here])
        for chosen in product((False, True), repeat=len(pairs))
    }
    assert len(forms) == CLASSES[size]


def test_no_nodes_have_an_empty_order() -> None:
    assert canonical_order([], []) == []


@given(graphs(), st.randoms(use_true_random=False))
def test_the_order_of_nodes_and_edges_does_not_matter(
    graph: tuple[list[str], list[Edge]], rng: Random
) -> None:
    assert form(*graph) == form(*shuffled(*graph, rng))


@given(graphs(), graphs())
def test_graphs_have_one_form_exactly_when_networkx_finds_them_isomorphic(
    first: tuple[list[str], list[Edge]], second: tuple[list[str], list[Edge]]
) -> None:
    assert (form(*first) == form(*second)) == isomorphic(first, second)


@given(graphs(), st.randoms(use_true_random=False))
def test_a_single_edit_has_one_form_exactly_when_networkx_finds_it_isomorphic(
    graph: tuple[list[str], list[Edge]], rng: Random
) -> None:
    colours, edges = shuffled(*graph, rng)
    if edges and rng.random() < 0.7:
        source, target, label = edges.pop()
        edges.append(rng.choice([(target, source, label), (source, target, label + 1)]))
    else:
        colours[0] = "a" if colours[0] == "b" else "b"
    assert (form(*graph) == form(colours, edges)) == isomorphic(graph, (colours, edges))


@pytest.mark.parametrize(
    ("first", "second"),
    [  # pairs that colour refinement alone, as in Weisfeiler and Leman 1968, cannot tell apart
        ([(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)], [(i, (i + 1) % 6) for i in range(6)]),
        (
            [(i, (i + 1) % 4) for i in range(4)] + [(4 + i, 4 + (i + 1) % 4) for i in range(4)],
            [(i, (i + 1) % 8) for i in range(8)],
        ),
    ],
)
def test_regular_graphs_that_refinement_cannot_split_are_told_apart(
    first: list[tuple[int, int]], second: list[tuple[int, int]]
) -> None:
    size = 1 + max(max(pair) for pair in first)
    forms = [form([""] * size, [(*pair, 0) for pair in pairs]) for pairs in (first, second)]
    assert forms[0] != forms[1]
    rng = seeded(5)
    for pairs, expected in zip((first, second), forms, strict=True):
        for _ in range(20):
            assert form(*shuffled([""] * size, [(*p, 0) for p in pairs], rng)) == expected


@pytest.mark.parametrize("lengths", [(3, 3, 4), (3, 4, 5), (2, 2, 3, 3, 3), (1, 1, 2, 2), (6, 3)])
def test_rings_side_by_side_have_one_form_although_not_all_tied_nodes_are_alike(
    lengths: tuple[int, ...],
) -> None:
    size, edges = 0, []
    for length in lengths:
        edges += [(size + i, size + (i + 1) % length, 0) for i in range(length)]
        size += length
    rng = seeded(9)
    colours = [""] * size
    assert len({form(*shuffled(colours, edges, rng)) for _ in range(40)}) == 1


@pytest.mark.parametrize(
    "permutations",
    [("13024", "40213"), ("1230654", "3456012"), ("12345670", "76543210", "50317264")],
)
def test_unions_of_permutations_have_one_form(permutations: tuple[str, ...]) -> None:
    size = len(permutations[0])
    edges = [(i, int(j), 0) for permutation in permutations for i, j in enumerate(permutation)]
    rng = seeded(4)
    assert len({form(*shuffled([""] * size, edges, rng)) for _ in range(40)}) == 1


def test_a_symmetry_does_not_hide_what_a_singled_out_node_tells_apart() -> None:
    """Strongly regular graphs of 16 nodes, the least that refinement cannot split in two rounds."""
    nodes = [(i, j) for i in range(4) for j in range(4)]
    ring = {(0, 1), (1, 0), (0, 3), (3, 0), (1, 1), (3, 3)}
    rook, shrikhande = (
        [
            (a, b, 0)
            for a, (i, j) in enumerate(nodes)
            for b, (k, m) in enumerate(nodes)
            if a != b and joined(i, j, k, m)
        ]
        for joined in (
            lambda i, j, k, m: i == k or j == m,
            lambda i, j, k, m: ((k - i) % 4, (m - j) % 4) in ring,
        )
    )
    rng = seeded(3)
    forms = [
        {form(*shuffled([""] * 16, edges, rng)) for _ in range(5)} for edges in (rook, shrikhande)
    ]
    assert len(forms[0]) == len(forms[1]) == 1
    assert forms[0] != forms[1]


@pytest.fixture
def orders_tried(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Counts how many complete orders the search looks at."""
    tried: Counter[str] = Counter()
    leaf = canonical._Search._leaf

    def counted(search: canonical._Search, ranks: list[int], path: tuple[int, ...]) -> int:
        tried["orders"] += 1
        return leaf(search, ranks, path)

    monkeypatch.setattr(canonical._Search, "_leaf", counted)
    return tried


PARTS = (
    "linear(x)",
    "scale(linear(x))",
    "sigmoid(linear(x, h_prev)) * tanh(linear(x, h_prev))",
    "tanh(linear(x) * linear(x) + linear(x) * linear(x))",
)


@pytest.mark.parametrize("count", [2, 12, 60])
@pytest.mark.parametrize("part", PARTS)
def test_equal_parts_cost_one_order(orders_tried: Counter[str], part: str, count: int) -> None:
    assert Cell.parse(f"h = mean({', '.join([part] * count)})").id
    assert orders_tried["orders"] == 1


def test_equal_states_in_a_ring_cost_two_orders(orders_tried: Counter[str]) -> None:
    size = 40
    ring = "".join(f"s{i} = tanh(linear(s{(i + 1) % size}_prev))\n" for i in range(size))
    assert Cell.parse(ring + f"h = mean({', '.join(f's{i}_prev' for i in range(size))})\n").id
    assert orders_tried["orders"] <= 2


def test_symmetric_graphs_have_one_form_whatever_order_they_come_in(full: bool) -> None:
    rng = seeded(6)
    ordered = 0
    for seed in range(400 if full else 40):
        neighbours = symmetric_graph(seeded(seed))
        if len(neighbours) > (150 if full else 70):
            continue
        colours = [""] * len(neighbours)
        edges = [(node, other, 0) for node, others in enumerate(neighbours) for other in others]
        forms = set()
        try:
            for _ in range(4):
                forms.add(form(*shuffled(colours, edges, rng)))
        except CellError:
            continue  # too symmetric
        assert len(forms) == 1
        ordered += 1
    assert ordered > 15


@pytest.mark.parametrize("size", [4, 6])
def test_a_twist_that_refinement_cannot_see_is_told_apart(size: int) -> None:
    base = [[(node + 1) % size, (node + size // 2) % size] for node in range(size)]
    rng = seeded(size)
    forms = []
    for twist in (False, True):
        neighbours = twisted(base, twist)
        colours = [""] * len(neighbours)
        edges = [(node, other, 0) for node, others in enumerate(neighbours) for other in others]
        found = {form(*shuffled(colours, edges, rng)) for _ in range(4)}
        assert len(found) == 1
        forms += found
    assert forms[0] != forms[1]


def test_what_would_take_too_long_is_refused_in_one_line() -> None:
    lengths = [*range(3, 11)] * 3
    starts = [sum(lengths[:number]) for number in range(len(lengths))]
    rings = "".join(
        f"s{start + i} = linear(s{start + (i + 1) % length}_prev)\n"
        for start, length in zip(starts, lengths, strict=True)
        for i in range(length)
    )
    with pytest.raises(
        CellError, match="cell: too many of its parts are connected alike"
    ) as caught:
        Cell.parse(rings + f"h = mean({', '.join(f's{i}' for i in range(sum(lengths)))})")
    assert "\n" not in str(caught.value)
