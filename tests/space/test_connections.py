"""Specification of connections: what a full cell holds, and what is left of it."""

from __future__ import annotations

import random

import pytest
from gates_left import alive, gates

from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.shapes import learned_tensors
from cellsearch.space import Space, load_space
from cellsearch.space.connections import Connection, Connections
from cellsearch.space.full import full_cell

MINIMAL, GATED, NLP = map(load_space, ("minimal", "gated", "nas_bench_nlp"))


def connection(connections: Connections, target: str, op: str, *sources: str) -> str:
    """Return the gate of the connection that is described."""
    (gate,) = (
        one.gate
        for one in connections.kept
        if (one.target, one.op, one.sources) == (target, op, sources)
    )
    return gate


def keep(connections: Connections, *wanted: tuple[str, ...]) -> Connections:
    """Return what is left when nothing but the wanted connections stays."""
    kept = {connection(connections, *one) for one in wanted}
    left = connections.without(set(connections.gates) - kept)
    assert left is not None and set(left.gates) == kept
    return left


GRU = (  # with the reset before the product, which is the second of the GRUs in the zoo
    ("linear1", "", "x"),
    ("linear1", "", "h_prev"),
    ("sum1", "", "linear1"),
    ("slot1", "sigmoid", "sum1"),  # r
    ("linear2", "", "x"),
    ("linear2", "", "h_prev"),
    ("sum2", "", "linear2"),
    ("slot2", "sigmoid", "sum2"),  # z
    ("plain3", "mul", "h_prev", "slot1"),
    ("slot3", "", "plain3"),  # r * h_prev
    ("linear4", "", "x"),
    ("linear4", "", "slot3"),
    ("sum4", "", "linear4"),
    ("slot4", "tanh", "sum4"),  # n
    ("plain5", "", "slot2"),
    ("slot5", "complement", "plain5"),  # 1 - z
    ("h", "mul", "h_prev", "slot2"),
    ("h", "mul", "slot4", "slot5"),
)
LSTM = (
    *((f"linear{slot}", "", value) for slot in (1, 2, 3, 4) for value in ("x", "h_prev")),
    *((f"sum{slot}", "", f"linear{slot}") for slot in (1, 2, 3, 4)),
    ("slot1", "sigmoid", "sum1"),  # i
    ("slot2", "sigmoid", "sum2"),  # f
    ("slot3", "tanh", "sum3"),  # g
    ("slot4", "sigmoid", "sum4"),  # o
    ("plain5", "mul", "slot1", "slot3"),
    ("plain5", "mul", "c_prev", "slot2"),
    ("slot5", "", "plain5"),
    ("plain6", "", "slot5"),
    ("sum6", "", "plain6"),
    ("slot6", "tanh", "sum6"),
    ("c", "", "slot5"),
    ("h", "mul", "slot4", "slot6"),
)


@pytest.mark.parametrize(
    ("slots", "wanted", "name"), [(5, GRU, "gru_reset_before"), (6, LSTM, "lstm")]
)
def test_known_gated_cells_are_parts_of_the_full_cell(
    slots: int, wanted: tuple[tuple[str, ...], ...], name: str
) -> None:
    assert keep(full_cell(GATED, slots), *wanted).cell == zoo[name]


@pytest.mark.parametrize("space", ["minimal", "gated", "jozefowicz", "nas_bench_nlp"])
def test_every_connection_is_found_again_by_its_gate(space: str) -> None:
    full = full_cell(load_space(space), 3)
    again = Cell.parse(str(full.super_network))
    assert gates(again) == sorted(f"{gate}.weight" for gate in full.gates)
    assert len(set(full.gates)) == len(full)
    assert full.without([]) == full


def test_all_that_comes_earlier_flows_into_a_slot() -> None:
    full = full_cell(MINIMAL, 2)
    into = {target: [] for target in full.junctions}  # type: dict[str, list[str]]
    for one in full.kept:
        into[one.target].append(one.expression())
    assert into["linear2"] == ["x", "h_prev", "slot1"]
    assert into["plain2"] == ["h_prev", "slot1", "h_prev * slot1"]
    assert into["sum2"] == ["linear2", "plain2"]
    assert into["slot2"] == ["plain2", "sigmoid(sum2)", "tanh(sum2)", "relu(sum2)"]
    assert into["h"] == [
        *("h_prev", "slot1", "slot2", "h_prev * slot1", "h_prev * slot2", "slot1 * slot2"),
    ]


def test_what_linears_and_updates_may_see_is_kept_to() -> None:
    full = full_cell(NLP, 3)
    into: dict[str, list[str]] = {}
    for one in full.kept:
        into.setdefault(one.target, []).append(one.gate)
    previous = {f"{state}_prev" for state in NLP.states}
    updates = [one for one in full.kept if one.target in NLP.states]
    assert updates and not [one for one in updates if previous & set(one.sources)]
    rng = random.Random(0)
    for _ in range(20):
        chosen = full.chosen({gate: rng.random() for gate in full.gates})
        assert chosen is not None
        for linear in chosen.linears:
            assert sum(one.target == linear for one in chosen.kept) in (0, 2, 3)
    one_left = full.without(into["linear3"][1:])
    assert one_left is not None and "linear3" not in {one.target for one in one_left.kept}


def test_statements_are_not_called_as_states_are() -> None:
    space = Space(name="own", states=("h", "slot1", "v_gate2"), operators=("linear", "add", "tanh"))
    full = full_cell(space, 2)
    assert full.super_network.states == ("h", "slot1", "v_gate2")
    left = full.without(full.gates[:1])
    assert left is not None and len(left.super_network.normal.nodes) > 20


@pytest.mark.parametrize("seed", range(40))
def test_what_dies_with_a_connection_is_what_reachability_says(seed: int) -> None:
    rng = random.Random(seed)
    left: Connections | None = full_cell((MINIMAL, GATED, NLP)[seed % 3], 3)
    while left is not None:
        gone = set(rng.sample(left.gates, rng.randint(1, max(1, len(left) // 3))))
        expected = alive(left, gone)
        left = left.without(gone)
        assert (left and set(left.gates)) == expected
        if left is not None:
            assert gates(left.super_network) == sorted(f"{gate}.weight" for gate in left.gates)


def test_one_operator_of_a_slot_and_two_terms_of_a_sum_are_chosen() -> None:
    full = full_cell(MINIMAL, 1)
    best = [connection(full, "slot1", "tanh", "sum1"), connection(full, "h", "", "slot1")]
    best.append(connection(full, "h", "mul", "h_prev", "slot1"))
    chosen = full.chosen({gate: float(gate in best) for gate in full.gates})
    assert chosen is not None
    into = {one.gate: one.target for one in full.kept}
    for target in ("slot1", "h"):
        assert {gate for gate in chosen.gates if into[gate] == target} == {
            gate for gate in best if into[gate] == target
        }
    assert len(chosen) == len(full) - 3 - 1


def test_gates_hold_a_sum_to_the_size_of_its_parts() -> None:
    full = keep(
        full_cell(MINIMAL, 1),
        *(("linear1", "", "x"), ("linear1", "", "h_prev"), ("sum1", "", "linear1")),
        *(("slot1", "tanh", "sum1"), ("h", "", "slot1"), ("h", "", "h_prev")),
    )
    starts = {one.name: one.start for one in learned_tensors(full.super_network.normal)}
    into = {one.gate: one.target for one in full.kept}
    found = {
        into[name.partition(".")[0]]: start for name, start in starts.items() if "gate" in name
    }
    assert found == {"linear1": 0.7071, "sum1": 1.0, "slot1": 1.0, "h": 0.5}


def test_a_connection_is_written_as_it_is_read() -> None:
    written = [
        Connection("g", "h", op, sources).expression()
        for op, sources in (
            *(("", ("a",)), ("mul", ("a", "b")), ("complement", ("a",))),
            *(("tanh", ("a",)), ("update", ("a", "b", "c"))),
        )
    ]
    assert written == ["a", "a * b", "1 - a", "tanh(a)", "blend(sigmoid(a), b, c)"]
