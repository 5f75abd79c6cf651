"""Loop programs: what stands in which stage, and how few products the loop needs."""

from __future__ import annotations

from pathlib import Path

import networkx as nx
import pytest
from random_cells import random_cell, seeded

import cellsearch.cell
from cellsearch.cell import Cell
from cellsearch.graph import Graph
from cellsearch.lowering import LoopProgram, lower
from cellsearch.lowering.program import Apply, Instruction, Join, Load, Product, Split
from cellsearch.lowering.stages import assign_stages, fold_numbers
from cellsearch.operators import OPERATORS

ZOO = Path(cellsearch.cell.__file__).parent / "zoo"


def lowered(text: str) -> LoopProgram:
    return lower(Cell.parse(text).normal)


def products(code: tuple[Instruction, ...]) -> list[Product]:
    return [instruction for instruction in code if isinstance(instruction, Product)]


def applied(code: tuple[Instruction, ...]) -> list[str]:
    return [instruction.op for instruction in code if isinstance(instruction, Apply)]


def dependencies(normal: Graph) -> nx.DiGraph:
    graph = nx.DiGraph()
    graph.add_nodes_from(range(len(normal.nodes)))
    graph.add_edges_from((arg, i) for i, node in enumerate(normal.nodes) for arg in node.args)
    return graph


def expected_stages(normal: Graph) -> list[str]:
    """The stage of each node, from what it depends on and what depends on it."""
    graph = dependencies(normal)
    updates = {update for _, update in normal.states}
    stages = []
    for index, node in enumerate(normal.nodes):
        known = {normal.nodes[i].op for i in nx.ancestors(graph, index) | {index}}
        if "state" in known:
            carried = node.op == "state" or updates & (nx.descendants(graph, index) | {index})
            stages.append("loop" if carried else "after")
        elif "x" in known:
            stages.append("before")
        else:
            learned = known & {"parameter", "linear", "scale", "layer_norm"}
            stages.append("constant" if learned else "number")
    return stages


def test_stages_follow_from_what_a_node_depends_on() -> None:
    for seed in range(150):
        normal = Cell.parse(random_cell(seeded(seed), equal_sizes=True)).normal
        assert list(assign_stages(normal)) == expected_stages(normal), seed


def test_numbers_are_computed_while_lowering() -> None:
    normal = Cell.parse("h = h_prev * (exp(2) / blend(0.5, 3, -1) - mean(1, 2, 3))").normal
    folded = fold_numbers(normal, assign_stages(normal))
    update = next(i for i, node in enumerate(normal.nodes) if node.op == "sub")
    assert folded[update] == pytest.approx(7.38905609893065 / 1 - 2, rel=1e-15)
    assert lower(normal).constants == ()


def test_numbers_without_a_value_are_as_in_torch() -> None:
    program = lowered("h = h_prev * log(0) + (1 / 0) * sqrt(-1)")
    values = [value for _, value in program.numbers]
    assert any(value == float("-inf") for value in values)
    assert any(value == float("inf") for value in values)
    assert any(value != value for value in values)


@pytest.mark.parametrize(
    ("name", "before", "loop"),
    [
        ("rnn", 1, 1),
        ("lstm", 1, 1),
        ("gru", 1, 1),
        ("gru_reset_before", 1, 2),
        ("mgu", 1, 2),
        ("ugrnn", 1, 1),
        ("mingru", 1, 0),
    ],
)
def test_linears_that_read_the_same_are_one_product(name: str, before: int, loop: int) -> None:
    program = lower(Cell.read(ZOO / f"{name}.cell").normal)
    assert len(products(program.before)) == before
    assert len(products(program.loop)) == loop
    assert products(program.after) == []


def test_the_loop_of_an_lstm_is_one_product_and_few_passes() -> None:
    program = lower(Cell.read(ZOO / "lstm.cell").normal)
    (outer,), (inner,) = products(program.before), products(program.loop)
    assert (outer.blocks, inner.blocks) == (4, 4)
    assert len(outer.bias) == 4  # what x gives brings the bias along
    assert inner.bias == ()
    assert inner.addend == outer.out
    assert sorted(applied(program.loop)) == ["add", "mul", "mul", "mul", "sigmoid", "tanh", "tanh"]
    assert program.constants == program.after == ()


def test_a_gate_of_x_alone_has_its_activation_before_the_loop() -> None:
    program = lower(Cell.read(ZOO / "mingru.cell").normal)
    assert "sigmoid" in applied(program.before)
    assert not {"sigmoid", "linear"} & set(applied(program.loop))
    assert products(program.loop) == []


def test_the_output_is_computed_after_the_loop() -> None:
    program = lowered("h = tanh(linear(x, h_prev))\noutput = layer_norm(linear(h, x))")
    assert len(products(program.loop)) == 1
    assert len(products(program.after)) == 1
    assert applied(program.after) == ["layer_norm"]
    assert program.saved == (program.states[0].update,)


def test_parts_of_equal_linears_lie_side_by_side_and_share_their_activation() -> None:
    gates = "".join(f"g{i} = sigmoid(linear(x, h_prev))\n" for i in range(5))
    program = lowered(gates + f"h = mean({', '.join(f'g{i}' for i in range(5))}, h_prev)")
    assert applied(program.loop).count("sigmoid") == 1
    (inner,) = products(program.loop)
    assert inner.blocks == 5


def test_every_value_is_computed_once_and_every_tensor_is_used_once() -> None:
    for seed in range(150):
        normal = Cell.parse(random_cell(seeded(seed), equal_sizes=True)).normal
        program = lower(normal)
        code = [*program.constants, *program.before, *program.loop, *program.after]
        written = [register for instruction in code for register in instruction.outs]
        assert len(written) == len(set(written))
        used: list[int] = []
        for instruction in code:
            if isinstance(instruction, Load):
                used.append(instruction.tensor)
            if isinstance(instruction, Product):
                used += [tensor for blocks in instruction.weights for tensor in blocks]
                used += instruction.bias
        assert sorted(used) == list(range(len(program.tensors))), seed
        assert not any(isinstance(i, Split) and len(i.outs) == 1 for i in code)
        assert not any(isinstance(i, Load | Join) for i in program.loop)
        # Elementwise operators, one each; those on equal blocks of a product may be shared.
        counts = {name: 0 for name in OPERATORS}
        for node in normal.nodes:
            if node.op in OPERATORS and not OPERATORS[node.op].owns_tensors:
                counts[node.op] += 1
        for name in OPERATORS:
            if name not in ("mul", "linear", "scale", "layer_norm"):
                assert sum(i.op == name for i in code if isinstance(i, Apply)) <= counts[name]


def test_no_loop_product_reads_what_is_known_before_the_loop() -> None:
    for seed in range(150):
        program = lower(Cell.parse(random_cell(seeded(seed), equal_sizes=True)).normal)
        for product in products(program.loop):
            assert all(program.stages[arg] == "loop" for arg in product.args), seed


def test_states_stand_in_the_order_of_the_normal_form() -> None:
    normal = Cell.parse("c = tanh(linear(x))\nn = c_prev\nh = sin(n_prev + c)").normal
    program = lower(normal)
    assert [state.name for state in program.states] == [name for name, _ in normal.states]
    assert program.states[0].previous is None  # nothing reads h_prev
    for state in program.states[1:]:
        assert state.previous is not None
        assert normal.nodes[state.previous].name == state.name
