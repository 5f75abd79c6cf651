"""The shell: scanning packed rows, learned tensors by name, shapes and their errors."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from cellsearch.shell import CellShell, Description, RecurrentShell, scan

Result = tuple[Tensor, tuple[Tensor, ...]]
SUM = Description(
    states=("h", "c"),
    tensors=(("w.value", ("hidden",), 2.0), ("w.extra", ("hidden", "input"), 0.0)),
)


def running_sum(
    tensors: list[Tensor], rows: Tensor, sizes: list[int], state: tuple[Tensor, ...], reverse: bool
) -> Result:
    """h adds up the inputs, weighted; c counts the steps."""

    def step(
        state: tuple[Tensor, ...], rows: list[Tensor]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        h = state[0] + tensors[0] * rows[0]
        return (h, state[1] + 1), (h,)

    (output,), last = scan(step, [rows], sizes, state, reverse)
    return output, last


@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=5),
    st.booleans(),
    st.integers(0, 1000),
)
def test_scanning_packed_rows_is_scanning_each_sequence_by_itself(
    lengths: list[int], reverse: bool, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    lengths = sorted(lengths, reverse=True)
    sequences = [torch.randn(n, 2, generator=generator) for n in lengths]
    state = tuple(torch.randn(len(lengths), 2, generator=generator) for _ in range(2))
    packed = pack_sequence(sequences)

    def step(
        state: tuple[Tensor, ...], rows: list[Tensor]
    ) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        a, b = state
        return (torch.sin(a + rows[0]) + b, a * rows[1]), (a * b, a)

    streams = [packed.data, packed.data.cos()]
    kept, last = scan(step, streams, packed.batch_sizes.tolist(), state, reverse)
    starts = [0, *packed.batch_sizes.cumsum(0).tolist()]
    for index, sequence in enumerate(sequences):
        own = tuple(part[index : index + 1] for part in state)
        expected: dict[int, tuple[Tensor, ...]] = {}
        for t in sorted(range(len(sequence)), reverse=reverse):
            row = sequence[t : t + 1]
            own, expected[t] = step(own, [row, row.cos()])
        for t, values in expected.items():
            for found, value in zip(kept, values, strict=True):
                assert torch.equal(found[starts[t] + index], value[0])
        for found, value in zip(last, own, strict=True):
            assert torch.equal(found[index], value[0])


def test_learned_tensors_stand_under_the_layers_and_their_names_and_begin_as_said() -> None:
    description = Description(
        states=("h",),
        tensors=(
            ("i.weight_0", ("hidden", "input"), "uniform"),
            ("i.weight_1", ("hidden", "hidden"), "orthogonal"),
            ("i.bias", ("hidden",), -1.0),
            ("f.weight_0", ("hidden", "hidden"), "identity"),
            ("p.value", (), 3.0),
        ),
    )
    layer = RecurrentShell(description, running_sum, 5, 400, num_layers=2, bidirectional=True)
    state = layer.state_dict()
    assert list(state)[:5] == [
        "l0.i.weight_0", "l0.i.weight_1", "l0.i.bias", "l0.f.weight_0", "l0.p.value",
    ]  # fmt: skip
    assert {key.partition(".")[0] for key in state} == {"l0", "l0_reverse", "l1", "l1_reverse"}
    assert state["l0.i.weight_0"].shape == (400, 5)
    assert state["l1_reverse.i.weight_0"].shape == (400, 800)
    bound = 1 / math.sqrt(400)
    drawn = state["l1.i.weight_0"]
    assert bound * 0.99 < drawn.abs().max() <= bound
    assert abs(drawn.std() - bound / math.sqrt(3)) < 0.01 * bound
    turn = state["l0_reverse.i.weight_1"]
    assert torch.allclose(turn @ turn.T, torch.eye(400), atol=1e-4)
    assert torch.equal(state["l0.f.weight_0"], torch.eye(400))
    assert torch.equal(state["l1.i.bias"], torch.full((400,), -1.0))
    assert state["l1.p.value"].shape == ()
    assert state["l1.p.value"] == 3


def test_parameters_are_drawn_from_the_generator_that_is_given_and_from_nothing_else() -> None:
    tensors = (("i.weight_0", ("hidden", "input"), "uniform"), ("i.weight_1", ("hidden",) * 2,
               "orthogonal"))  # fmt: skip
    layer = RecurrentShell(Description(("h",), tensors), running_sum, 3, 4, num_layers=2)
    before = torch.random.get_rng_state()
    layer.reset_parameters(torch.Generator().manual_seed(1))
    first = copy.deepcopy(layer.state_dict())
    layer.reset_parameters(torch.Generator().manual_seed(2))
    second = copy.deepcopy(layer.state_dict())
    layer.reset_parameters(torch.Generator().manual_seed(1))
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, value in layer.state_dict().items():
        assert torch.equal(value, first[name])
        assert not torch.equal(value, second[name])
    assert not torch.equal(first["l0.i.weight_1"], first["l1.i.weight_1"])


def test_making_a_layer_draws_from_torchs_global_generator() -> None:
    description = Description(("h",), (("i.weight_0", ("hidden", "input"), "uniform"),))
    drawn = []
    for _ in range(2):
        torch.manual_seed(5)
        drawn.append(RecurrentShell(description, running_sum, 2, 3).state_dict()["l0.i.weight_0"])
    assert torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize(("layers", "bidirectional"), [(1, False), (2, False), (1, True)])
@pytest.mark.parametrize("shape", [(5, 2), (5, 3, 2)])
def test_shapes_are_those_of_torchs_gru(
    layers: int, bidirectional: bool, shape: tuple[int, ...]
) -> None:
    ours = RecurrentShell(SUM, running_sum, 2, 2, num_layers=layers, bidirectional=bidirectional)
    theirs = nn.GRU(2, 2, num_layers=layers, bidirectional=bidirectional)
    output, (h, c) = ours(torch.randn(shape))
    expected, last = theirs(torch.randn(shape))
    assert output.shape == expected.shape
    assert h.shape == c.shape == last.shape


def test_batch_first_changes_the_input_and_the_output_but_not_the_state() -> None:
    first = RecurrentShell(SUM, running_sum, 2, 2, batch_first=True)
    output, (h, _) = first(torch.ones(3, 5, 2))
    assert output.shape == (3, 5, 2)
    assert h.shape == (1, 3, 2)
    assert torch.equal(output[:, -1], h[0])
    assert torch.equal(output[0, :, 0], torch.arange(2.0, 12.0, 2.0))


def test_the_second_direction_begins_at_the_end() -> None:
    layer = RecurrentShell(SUM, running_sum, 2, 2, bidirectional=True)
    inputs = torch.arange(8.0).reshape(4, 1, 2)
    output, (h, c) = layer(inputs)
    assert torch.equal(output[:, :, :2], 2 * inputs.cumsum(0))
    assert torch.equal(output[:, :, 2:], 2 * inputs.flip(0).cumsum(0).flip(0))
    assert torch.equal(h[0], output[-1, :, :2])
    assert torch.equal(h[1], output[0, :, 2:])
    assert torch.equal(c, torch.full((2, 1, 2), 4.0))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2,), "expected 2-D or 3-D input, found 1-D"),
        ((1, 2, 3, 2), "expected 2-D or 3-D input, found 4-D"),
        ((4, 3, 5), "expected input_size 2, found 5"),
        ((4, 5), "expected input_size 2, found 5"),
        ((0, 3, 2), "expected at least one step"),
    ],
)
def test_a_wrong_input_is_refused(shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        RecurrentShell(SUM, running_sum, 2, 2)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (((1, 3, 2),), "expected the states h, c, found 1"),
        (((1, 3, 2),) * 3, "expected the states h, c, found 3"),
        (((1, 3, 2), (1, 2, 2)), r"state c of shape \(1, 3, 2\), found \(1, 2, 2\)"),
        (((3, 2), (3, 2)), r"state h of shape \(1, 3, 2\), found \(3, 2\)"),
        (((2, 3, 2), (2, 3, 2)), r"state h of shape \(1, 3, 2\), found \(2, 3, 2\)"),
    ],
)
def test_a_wrong_state_is_refused(shapes: tuple[tuple[int, ...], ...], message: str) -> None:
    states = tuple(torch.zeros(shape) for shape in shapes)
    with pytest.raises(RuntimeError, match=message):
        RecurrentShell(SUM, running_sum, 2, 2)(torch.zeros(4, 3, 2), states)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"input_size": 0}, "input_size is 0; expected at least 1"),
        ({"hidden_size": -1}, "hidden_size is -1; expected at least 1"),
        ({"num_layers": 0}, "num_layers is 0; expected at least 1"),
        ({"dropout": 1.5}, "dropout is 1.5; expected a probability, 0..1"),
        ({"dropout": math.nan}, "dropout is nan"),
    ],
)
def test_wrong_settings_are_refused(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RecurrentShell(SUM, running_sum, **({"input_size": 2, "hidden_size": 2} | arguments))  # type: ignore[arg-type]


def test_a_cell_that_uses_x_elementwise_needs_equal_sizes() -> None:
    description = SUM._replace(equal_sizes=True)
    assert RecurrentShell(description, running_sum, 2, 2, num_layers=3)
    with pytest.raises(ValueError, match="input_size 3 must equal hidden_size 2"):
        RecurrentShell(description, running_sum, 3, 2)
    assert RecurrentShell(description, running_sum, 2, 2, bidirectional=True)
    with pytest.raises(ValueError, match="layer 2 is given both directions of layer 1, 4 wide"):
        RecurrentShell(description, running_sum, 2, 2, num_layers=2, bidirectional=True)


def test_one_step_takes_a_batch_or_a_single_vector() -> None:
    step = CellShell(SUM, running_sum, 2, 2)
    h, c = step(torch.ones(3, 2))
    assert h.shape == c.shape == (3, 2)
    h, c = step(torch.ones(2), (h[0], c[0]))
    assert torch.equal(h, torch.full((2,), 4.0))
    assert torch.equal(c, torch.full((2,), 2.0))
    with_output = CellShell(SUM._replace(has_output=True), running_sum, 2, 2)
    output, (h, _) = with_output(torch.ones(2))
    assert torch.equal(output, h)


@pytest.mark.parametrize(
    ("shape", "state", "message"),
    [
        ((2, 3, 2), None, "expected 1-D or 2-D input, found 3-D"),
        ((3, 5), None, "expected input_size 2, found 5"),
        ((3, 2), ((3, 2),), "expected the states h, c, found 1"),
        ((3, 2), ((3, 2), (2, 2)), r"state c of shape \(3, 2\), found \(2, 2\)"),
    ],
)
def test_a_wrong_step_is_refused(
    shape: tuple[int, ...], state: tuple[tuple[int, ...], ...] | None, message: str
) -> None:
    states = None if state is None else tuple(torch.zeros(s) for s in state)
    with pytest.raises(RuntimeError, match=message):
        CellShell(SUM, running_sum, 2, 2)(torch.zeros(shape), states)


def test_a_shell_describes_itself_as_torchs_layers_do() -> None:
    plain = RecurrentShell(SUM, running_sum, 2, 3)
    assert plain.extra_repr() == "2, 3"
    full = RecurrentShell(
        SUM, running_sum, 2, 3, num_layers=2, batch_first=True, dropout=0.5, bidirectional=True
    )
    assert full.extra_repr() == (
        "2, 3, num_layers=2, dropout=0.5, batch_first=True, bidirectional=True"
    )
