"""Specification of pruning: what a full cell holds, what is left of it, and who competes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import networkx as nx
import pytest

from cellsearch.cell import Cell
from cellsearch.errors import ExperimentError
from cellsearch.known import zoo
from cellsearch.shapes import learned_tensors
from cellsearch.space import Space, load_space
from cellsearch.space.connections import Connection, Connections
from cellsearch.space.full import full_cell
from cellsearch.strategies import Evaluation, Proposal, Prune, load_strategy

MINIMAL, GATED = load_space("minimal"), load_space("gated")
Answer = Callable[[Proposal], Evaluation]


def gates(cell: Cell) -> list[str]:
    """Return the gates of a super-network as its learned tensors show them."""
    names = [tensor.name for tensor in learned_tensors(cell.normal)]
    return sorted(name for name in names if name.startswith("gate"))


def saliency(proposal: Proposal) -> dict[str, float]:
    """Make up saliencies that depend on the proposal alone."""
    rng = random.Random(f"{proposal.cell.id} {proposal.replicate}")
    return {gate: rng.random() for gate in gates(proposal.cell)}


def judge(proposal: Proposal) -> Evaluation:
    if proposal.width_of is None:
        return Evaluation(status="ok", score=0.5)
    score = random.Random(f"{proposal.cell.id} {proposal.replicate} score").random()
    return Evaluation(status="ok", score=score, measured=saliency(proposal))


def diverge(proposal: Proposal) -> Evaluation:
    return Evaluation(status="diverged", message="not finite at step 3")


def play(strategy: Prune, count: int, answer: Answer = judge, lag: int = 8) -> list[Proposal]:
    """Ask for up to `count` proposals, each when all but `lag` results before it are told."""
    asked: list[Proposal] = []
    waiting: list[Proposal] = []
    while len(asked) < count:
        proposal = strategy.ask() if len(waiting) < lag else None
        if proposal is not None:
            asked.append(proposal)
            waiting.append(proposal)
        elif waiting:
            first = waiting.pop(0)
            strategy.tell(first, answer(first))
        else:
            break
    return asked


def prune(space: Space = MINIMAL, seed: int = 0, slots: int = 2, **settings: Any) -> Prune:
    """Return the strategy with a full cell and a target that are small, for several rounds."""
    return Prune(space, seed=seed, slots=slots, **{"target": 3, **settings})


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


def test_statements_are_not_called_as_states_are() -> None:
    space = Space(name="own", states=("h", "slot1", "v_gate2"), operators=("linear", "add", "tanh"))
    full = full_cell(space, 2)
    assert full.super_network.states == ("h", "slot1", "v_gate2")
    left = full.without(full.gates[:1])
    assert left is not None and len(left.super_network.normal.nodes) > 20


def alive(full: Connections, gone: set[str]) -> set[str] | None:
    """Say which gates are left, by reachability in a graph of what depends on what."""
    graph = nx.DiGraph()
    graph.add_edges_from((f"{state}_prev", state) for state in full.states)
    present = {one.gate: one for one in full.kept if one.gate not in gone}
    while True:
        targets = {one.target for one in present.values()}
        unfed = {
            gate
            for gate, one in present.items()
            if any(source != "x" and source.removesuffix("_prev") not in targets
                   for source in one.sources)
        }  # fmt: skip
        if not unfed:
            break
        present = {gate: one for gate, one in present.items() if gate not in unfed}
    for gate, one in present.items():
        graph.add_edge(one.target, gate)
        graph.add_edges_from((gate, source) for source in one.sources)
    reached = nx.descendants(graph, "h") if "h" in graph else set()
    left = {gate for gate in present if gate in reached}
    states = {f"{state}_prev" for state in full.states}
    return left if "x" in reached and states & reached else None


@pytest.mark.parametrize("seed", range(40))
def test_what_dies_with_a_connection_is_what_reachability_says(seed: int) -> None:
    rng = random.Random(seed)
    left: Connections | None = full_cell(GATED if seed % 2 else MINIMAL, 3)
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


def test_the_least_salient_go_and_the_rest_is_what_is_proposed_next() -> None:
    strategy = prune(competitors=1, searches=1, drop=0.3)
    full = strategy.ask()
    assert full is not None and full.width_of is zoo["gru"] and full.measure == ("saliency",)
    values = saliency(full)
    strategy.tell(full, Evaluation(status="ok", score=0.5, measured=values))
    child = strategy.ask()
    assert child is not None and child.parents == (0,)
    expected: set[str] | None = {gate.removesuffix(".weight") for gate in values}
    whole = full_cell(MINIMAL, 2)
    most = int(len(whole) * 0.7)
    gone: set[str] = set()
    for gate in sorted(values, key=values.__getitem__):
        assert expected is not None
        if len(expected) > most and gate.removesuffix(".weight") in expected:
            less = alive(whole, gone | {gate.removesuffix(".weight")})
            if less is not None:
                gone, expected = gone | {gate.removesuffix(".weight")}, less
    assert expected is not None
    assert gates(child.cell) == sorted(f"{gate}.weight" for gate in expected)


@pytest.mark.parametrize("space", [MINIMAL, GATED], ids=lambda space: space.name)
@pytest.mark.parametrize("lag", [1, 16])
def test_searches_end_in_cells_of_the_space_trained_from_several_seeds(
    space: Space, lag: int
) -> None:
    found = play(prune(space, slots=3, target=9, replicates=3), 60, lag=lag)
    cells = [one for one in found if one.width_of is None]
    assert len(cells) >= 12
    for one in cells:
        assert space.contains(one.cell) is None and not one.measure
        assert sum(node.op not in ("x", "state", "number") for node in one.cell.normal.nodes) <= 9
        assert found[one.parents[0]].width_of is not None
    evaluated = [(one.cell.id, one.replicate, one.width_of is None) for one in found]
    assert len(set(evaluated)) == len(evaluated)
    complete = {one.cell.id for one in cells if one.replicate == 2}
    assert all({(i, 0, True), (i, 1, True)} <= set(evaluated) for i in complete) and complete


def test_who_falls_behind_is_given_up() -> None:
    def answer(proposal: Proposal) -> Evaluation:
        score = {0: 0.5, 1: 0.3, 2: 0.35}[proposal.replicate]
        return Evaluation(status="ok", score=score, measured=saliency(proposal))

    def parents(tolerance: float) -> list[tuple[int, ...]]:
        strategy = prune(competitors=3, searches=1, tolerance=tolerance)
        return [proposal.parents for proposal in play(strategy, 6, answer)[3:]]

    assert parents(0.5) == [(1,), (2,), (0,)]  # best first
    assert parents(0.1) == [(1,), (2,), (1,)]
    assert parents(0.0) == [(1,), (1,), (1,)]


def test_competitors_from_one_parent_differ() -> None:
    second = play(prune(slots=4, competitors=3, tolerance=0.0, searches=1), 6)[3:]
    assert len({proposal.cell.id for proposal in second}) == 3


def test_failures_are_given_up_and_if_all_fail_chance_prunes() -> None:
    def first_diverges(proposal: Proposal) -> Evaluation:
        return judge(proposal) if proposal.replicate else diverge(proposal)

    found = play(prune(competitors=2, searches=1, tolerance=0.9), 4, first_diverges)
    assert [proposal.parents for proposal in found[2:]] == [(1,), (1,)]
    for answer in (diverge, lambda proposal: Evaluation(status="ok", score=0.5)):
        found = play(prune(target=9), 60, answer)
        assert sum(one.width_of is None for one in found) >= 8


def test_random_pruning_does_not_look_at_what_was_measured() -> None:
    def other(proposal: Proposal) -> Evaluation:
        found = judge(proposal)
        flat = {name: 1.0 for name in found.measured}
        return Evaluation(status="ok", score=found.score, measured=flat)

    def said(way: str, answer: Answer) -> list[str]:
        return [str(one.cell) for one in play(prune(saliency=way), 20, answer)]

    assert said("random", judge) == said("random", other)
    assert said("measured", judge) != said("measured", other)
    assert said("measured", judge) != said("random", judge)


def test_a_super_network_refused_ends_the_search_with_its_numbers() -> None:
    strategy = prune()
    proposal = strategy.ask()
    assert proposal is not None
    message = "81302 operations a step on task 'adding'; evaluation.max_operations is 5000"
    with pytest.raises(ExperimentError, match=r"27 connections.*2 slots.*81302.*strategy\.slots"):
        strategy.tell(proposal, Evaluation(status="rejected", message=message))


def test_a_full_cell_larger_than_any_cell_is_refused_with_its_numbers() -> None:
    with pytest.raises(ExperimentError, match=r"'gated' with 7 slots has 384 connections.*512"):
        prune(GATED, slots=7)


@pytest.mark.parametrize("space", ["tree", "darts", "scan"])
def test_spaces_of_other_shapes_are_refused(space: str) -> None:
    with pytest.raises(ExperimentError, match=f"space '{space}' has .*'gated'"):
        prune(load_space(space))


SETTINGS: list[tuple[Mapping[str, Any], str]] = [
    ({"slots": 0}, "slots is 0; expected a whole number, 1 or more"),
    ({"slots": 1000}, "slots is 1000; expected at most"),
    ({"competitors": True}, "competitors is True"),
    ({"cells": 2.0}, "cells is 2.0"),
    ({"target": -1}, "target is -1; expected a whole number, 0 or more"),
    ({"drop": 0}, "drop is 0; expected a number from 0.01 to 0.99"),
    ({"tolerance": "x"}, "tolerance is 'x'; expected a number from 0 to 0.99"),
    ({"saliency": "none"}, "saliency is 'none'; expected 'measured' or 'random'"),
]


@pytest.mark.parametrize(("settings", "problem"), SETTINGS)
def test_bad_settings_are_refused(settings: Mapping[str, Any], problem: str) -> None:
    with pytest.raises(ExperimentError, match=problem):
        load_strategy("prune", MINIMAL, 0, settings)


def test_a_space_from_which_nothing_new_comes_ends_the_search() -> None:
    found = play(prune(slots=1, target=2, competitors=1, replicates=1, drop=0.9), 400)
    assert len(found) < 400
    cells = [one.cell.id for one in found if one.width_of is None]
    assert len(set(cells)) == len(cells)


PLAYED = """
import sys
sys.path.insert(0, "tests/strategies")
from test_prune import MINIMAL, play, prune
found = play(prune(MINIMAL, seed=3), 25)
print([(str(p.cell), p.replicate, p.parents, p.note) for p in found])
print([name for name in ("torch", "ray", "deap", "scipy") if name in sys.modules])
"""


def test_nothing_depends_on_hash_seeds_and_nothing_heavy_is_imported() -> None:
    outputs = set()
    for hash_seed in "01":
        done = subprocess.run(
            [sys.executable, "-c", PLAYED],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    (output,) = outputs
    assert output.endswith("\n[]\n")


def test_a_connection_is_written_as_it_is_read() -> None:
    written = [
        Connection("g", "h", op, sources).expression()
        for op, sources in (
            *(("", ("a",)), ("mul", ("a", "b")), ("complement", ("a",))),
            *(("tanh", ("a",)), ("update", ("a", "b", "c"))),
        )
    ]
    assert written == ["a", "a * b", "1 - a", "tanh(a)", "blend(sigmoid(a), b, c)"]
