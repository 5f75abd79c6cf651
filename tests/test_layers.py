"""Recurrent and RecurrentCell against torch's own layers, and one cell in two wordings."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from disguises import disguise
from random_cells import random_cell, seeded
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

import cellsearch.cell
from cellsearch.cell import Cell
from cellsearch.known import zoo
from cellsearch.layers import Recurrent, RecurrentCell

ZOO = Path(cellsearch.cell.__file__).parent / "zoo"
INPUT, HIDDEN, BATCH, STEPS = 3, 4, 5, 100
TOLERANCE = 1e-12

BLOCKS = {  # the blocks that torch stacks in its matrices, by our names of input and state part
    "lstm": (("i", "i"), ("f", "f"), ("g", "g"), ("o", "o")),
    "gru": (("r", "r"), ("z", "z"), ("n", "n_2")),
    "rnn": (("h", "h"),),
}
THEIRS: dict[str, Callable[..., nn.Module]] = {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}
THEIR_CELLS: dict[str, Callable[..., nn.Module]] = {
    "lstm": nn.LSTMCell,
    "gru": nn.GRUCell,
    "rnn": nn.RNNCell,
}
NAMES = sorted(BLOCKS)


def known(name: str) -> Cell:
    return Cell.read(ZOO / f"{name}.cell")


def sides(name: str, prefix: str) -> list[tuple[str, str, str, str]]:
    """For each block: our matrix of x, of h, the bias beside x, and that beside h, or ""."""
    found = []
    for outer, inner in BLOCKS[name]:
        if outer == inner:
            found.append((f"{outer}.weight_0", f"{outer}.weight_1", f"{outer}.bias", ""))
        else:  # two linears, with a bias each
            found.append(
                (f"{outer}.weight_0", f"{inner}.weight_0", f"{outer}.bias", f"{inner}.bias")
            )
    return [tuple(prefix + part if part else "" for part in block) for block in found]  # type: ignore[misc]


def expected_tensors(name: str, theirs: nn.Module, kind: str) -> dict[str, Tensor]:
    """Torch's weights, or their gradients, under our names and with our one bias."""

    def of(parameter: str) -> Tensor:
        value = getattr(theirs, parameter)
        return (value.detach() if kind == "weights" else value.grad).clone()

    found = {}
    suffixes = [key.removeprefix("weight_ih") for key, _ in theirs.named_parameters()
                if key.startswith("weight_ih")]  # fmt: skip
    for suffix in suffixes:
        layer = suffix.removeprefix("_")
        blocks = sides(name, f"{layer}." if layer else "")
        count = len(blocks)
        parts = {
            key: of(f"{key}{suffix}").chunk(count)
            for key in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        }
        for index, (x_weight, h_weight, x_bias, h_bias) in enumerate(blocks):
            found[x_weight] = parts["weight_ih"][index]
            found[h_weight] = parts["weight_hh"][index]
            if h_bias:
                found[h_bias] = parts["bias_hh"][index]
                found[x_bias] = parts["bias_ih"][index]
            elif kind == "weights":
                found[x_bias] = parts["bias_ih"][index] + parts["bias_hh"][index]
            else:  # the gradient of a sum is that of either half
                found[x_bias] = parts["bias_ih"][index]
    return found


def as_tuple(state: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (state,) if isinstance(state, Tensor) else state


def close(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].shape == value.shape, name
        difference = (found[name] - value).abs().max()
        assert difference <= TOLERANCE * max(1.0, float(value.abs().max())), name


def run(
    layer: nn.Module, inputs: Tensor, state: tuple[Tensor, ...] | None, lengths: Tensor | None,
    batch_first: bool,
) -> dict[str, Tensor]:  # fmt: skip
    """Outputs, last states, and the gradients of inputs and initial states."""
    layer.zero_grad()
    inputs = inputs.clone().requires_grad_()
    state = None if state is None else tuple(part.clone().requires_grad_() for part in state)
    given: Tensor | PackedSequence = inputs
    if lengths is not None:
        given = pack_padded_sequence(inputs, lengths, batch_first, enforce_sorted=False)
    single = state[0] if state is not None and len(state) == 1 else state
    output, last = layer(given, single)
    if lengths is not None:
        assert isinstance(output, PackedSequence)
        output, found = pad_packed_sequence(output, batch_first)
        assert torch.equal(found, lengths)
    results = {"output": output, **{f"state {i}": s for i, s in enumerate(as_tuple(last))}}
    total = torch.zeros((), dtype=torch.float64)
    for name, value in sorted(results.items()):
        weights = torch.linspace(0.1, 7, value.numel(), dtype=torch.float64).reshape(value.shape)
        total = total + ((weights + len(name)).cos() * value).sum()
    total.backward()
    assert inputs.grad is not None
    results["gradient of the input"] = inputs.grad
    for index, part in enumerate(state or ()):
        assert part.grad is not None
        results[f"gradient of state {index}"] = part.grad
    return {name: value.detach() for name, value in results.items()}


WAYS: dict[str, dict[str, bool]] = {
    "plain": {},
    "two layers": {"two_layers": True},
    "both directions": {"bidirectional": True},
    "two layers, both directions, packed": {
        "two_layers": True, "bidirectional": True, "packed": True, "state": True,
    },
    "packed": {"packed": True},
    "packed, batch first, with a state": {"packed": True, "batch_first": True, "state": True},
    "batch first": {"batch_first": True, "state": True},
    "unbatched": {"unbatched": True},
    "unbatched, both directions, with a state": {
        "unbatched": True, "bidirectional": True, "state": True,
    },
}  # fmt: skip


@pytest.mark.parametrize("backend", ["native", "eager", "reference", "auto"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", NAMES)
def test_known_cells_are_torchs_layers(name: str, way: str, backend: str) -> None:
    asked = WAYS[way]
    torch.manual_seed(NAMES.index(name))
    batch_first = asked.get("batch_first", False)
    layers, directions = 1 + asked.get("two_layers", False), 1 + asked.get("bidirectional", False)
    settings = {"num_layers": layers, "batch_first": batch_first, "bidirectional": directions == 2}
    theirs = THEIRS[name](INPUT, HIDDEN, dtype=torch.float64, **settings)
    ours = Recurrent(
        known(name), INPUT, HIDDEN, backend=backend, dtype=torch.float64,
        num_layers=layers, batch_first=batch_first, bidirectional=directions == 2,
    )  # fmt: skip
    ours.load_state_dict(expected_tensors(name, theirs, "weights"))
    batch = () if asked.get("unbatched") else (BATCH,)
    shape = (*batch, STEPS, INPUT) if batch_first else (STEPS, *batch, INPUT)
    inputs = torch.randn(shape, dtype=torch.float64)
    lengths = torch.tensor([37, 100, 1, 62, 62]) if asked.get("packed") else None
    state = None
    if asked.get("state"):
        count = 2 if name == "lstm" else 1
        state = tuple(
            torch.randn(layers * directions, *batch, HIDDEN, dtype=torch.float64)
            for _ in range(count)
        )
    expected = run(theirs, inputs, state, lengths, batch_first)
    close(run(ours, inputs, state, lengths, batch_first), expected)
    gradients = {key: p.grad for key, p in ours.named_parameters() if p.grad is not None}
    close(gradients, expected_tensors(name, theirs, "gradients"))


@pytest.mark.parametrize("batch", [(), (BATCH,)])
@pytest.mark.parametrize("name", NAMES)
def test_one_step_of_known_cells_is_torchs(name: str, batch: tuple[int, ...]) -> None:
    torch.manual_seed(1)
    theirs = THEIR_CELLS[name](INPUT, HIDDEN, dtype=torch.float64)
    ours = RecurrentCell(known(name), INPUT, HIDDEN, dtype=torch.float64)
    ours.load_state_dict(expected_tensors(name, theirs, "weights"))
    x = torch.randn(*batch, INPUT, dtype=torch.float64)
    count = 2 if name == "lstm" else 1
    state = tuple(torch.randn(*batch, HIDDEN, dtype=torch.float64) for _ in range(count))
    for given in (None, state if count > 1 else state[0]):
        found, expected = as_tuple(ours(x, given)), as_tuple(theirs(x, given))
        assert len(found) == count
        for one, other in zip(found, expected, strict=True):
            assert one.shape == other.shape
            torch.testing.assert_close(one, other, rtol=0, atol=TOLERANCE)


def test_an_elementwise_relu_network_is_torchs() -> None:
    theirs = nn.RNN(INPUT, HIDDEN, nonlinearity="relu", dtype=torch.float64)
    ours = Recurrent(known("rnn_relu"), INPUT, HIDDEN, dtype=torch.float64)
    ours.load_state_dict(expected_tensors("rnn", theirs, "weights"))
    x = torch.randn(STEPS, BATCH, INPUT, dtype=torch.float64)
    torch.testing.assert_close(ours(x)[0], theirs(x)[0], rtol=1e-12, atol=1e-12)


def test_learned_tensors_are_named_after_layer_direction_and_statement() -> None:
    layer = Recurrent(known("lstm"), 3, 4, num_layers=2, bidirectional=True)
    names = set(layer.state_dict())
    assert {"l0.i.weight_0", "l0_reverse.i.weight_1", "l1.o.bias", "l1_reverse.g.bias"} <= names
    assert len(names) == 4 * 4 * 3
    assert layer.state_dict()["l1.i.weight_0"].shape == (4, 8)
    assert set(RecurrentCell(known("gru"), 3, 4).state_dict()) == {
        *(f"{gate}.{part}" for gate in "rz" for part in ("weight_0", "weight_1", "bias")),
        *(f"{part}.{role}" for part in ("n", "n_2") for role in ("weight_0", "bias")),
    }


def test_any_name_of_a_statement_will_do() -> None:
    taken = {name for name in dir(nn.Module()) if not name.startswith("_")}
    taken |= {"cell", "sequence", "description", "input_size", "num_layers", "weight", "l0"}
    x = torch.randn(2, 2)
    for name in sorted(taken):
        cell = Cell.parse(f"{name} = tanh(linear(x, h_prev))\nh = {name} * 0.5")
        for module in (Recurrent(cell, 2, 3), RecurrentCell(cell, 2, 3)):
            module.eval()
            module.train()
            assert module.cell is cell
            twin = copy.deepcopy(module)
            twin.reset_parameters()
            twin.load_state_dict(module.state_dict())
            twin.double().float().zero_grad()
            found, expected = (m(x)[0] for m in (twin, module))
            assert torch.equal(found, expected), name
            assert all(m.training for m in twin.modules())


def test_states_come_in_the_order_of_the_cell_whatever_the_normal_form_says() -> None:
    up, down = "{0} = {0}_prev + 1\n", "{0} = {0}_prev - 1\n"
    for first, second in ((up, down), (down, up)):
        lines = first.format("a") + second.format("b")
        cell = Cell.parse(lines + "h = tanh(a * b * 0.1)")
        change = 1.0 if first == up else -1.0
        assert cell.states == ("h", "a", "b")
        for backend in ("native", "eager", "reference"):
            layer = Recurrent(cell, 2, 2, backend=backend)
            _, state = layer(torch.zeros(5, 1, 2))
            assert [float(part[0, 0, 0]) for part in state[1:]] == [5 * change, -5 * change]
            begin = tuple(torch.full((1, 1, 2), value) for value in (0.0, 10.0, 20.0))
            _, state = layer(torch.zeros(5, 1, 2), begin)
            found = [float(part[0, 0, 0]) for part in state[1:]]
            assert found == [10 + 5 * change, 20 - 5 * change]
            step = RecurrentCell(cell, 2, 2, backend=backend)(torch.zeros(2))
            assert [float(part[0]) for part in step[1:]] == [change, -change]


def test_an_output_of_its_own_leaves_the_state_alone() -> None:
    cell = Cell.parse("h = h_prev + x\noutput = h * 10")
    output, state = Recurrent(cell, 2, 2)(torch.ones(3, 1, 2))
    assert torch.equal(output[:, 0, 0], torch.tensor([10.0, 20.0, 30.0]))
    assert torch.equal(state, torch.full((1, 1, 2), 3.0))
    stacked, state = Recurrent(cell, 2, 2, num_layers=2)(torch.ones(3, 1, 2))
    assert torch.equal(stacked[:, 0, 0], torch.tensor([100.0, 300.0, 600.0]))
    assert torch.equal(state[:, 0, 0], torch.tensor([3.0, 60.0]))
    found, new = RecurrentCell(cell, 2, 2)(torch.ones(2))
    assert torch.equal(found, 10 * new)


def test_a_time_skip_reads_h_two_steps_back() -> None:
    layer = Recurrent(Cell.parse("g = h_prev\nh = x + 0.5 * g_prev"), 1, 1)
    output, _ = layer(torch.tensor([[1.0], [10.0], [100.0], [0.0]]))
    assert output.squeeze().tolist() == [1.0, 10.0, 100.5, 5.0]


def test_dropout_stands_between_layers_in_training_only() -> None:
    torch.manual_seed(0)
    cell, x = known("gru"), torch.randn(50, 8, INPUT)
    layer = Recurrent(cell, INPUT, 64, num_layers=2, dropout=0.4)
    same = Recurrent(cell, INPUT, 64, num_layers=2)
    same.load_state_dict(layer.state_dict())
    layer.eval()
    assert torch.equal(layer(x)[0], same(x)[0])
    layer.train()
    assert not torch.equal(layer(x)[0], same(x)[0])
    assert torch.equal(layer(x)[1][0], same(x)[1][0])  # the first layer sees no dropout
    nothing = Recurrent(cell, INPUT, 64, num_layers=2, dropout=1.0)
    nothing.load_state_dict(layer.state_dict())
    alone = Recurrent(cell, 64, 64)
    alone.load_state_dict(
        {k.replace("l1.", "l0."): v for k, v in layer.state_dict().items() if k.startswith("l1.")}
    )
    assert torch.equal(nothing(x)[0], alone(torch.zeros(50, 8, 64))[0])
    only = Recurrent(cell, INPUT, 64, dropout=0.9)
    assert torch.equal(only(x)[0], only(x)[0])  # and neither does the last one's output


def test_the_share_that_dropout_drops_is_right() -> None:
    torch.manual_seed(0)
    layer = Recurrent(Cell.parse("h = x"), 64, 64, num_layers=2, dropout=0.4)
    output, _ = layer(torch.ones(100, 8, 64))
    dropped = (output == 0).double().mean()
    assert abs(dropped - 0.4) < 0.01
    assert torch.allclose(output[output != 0], torch.tensor(1 / 0.6))


def test_copies_and_saved_states_compute_the_same() -> None:
    for backend in ("native", "eager", "reference"):
        layer = Recurrent(known("lstm"), INPUT, HIDDEN, num_layers=2, backend=backend)
        x = torch.randn(6, BATCH, INPUT)
        twin = copy.deepcopy(layer)
        other = Recurrent(known("lstm"), INPUT, HIDDEN, num_layers=2, backend=backend)
        assert not torch.equal(other(x)[0], layer(x)[0])
        other.load_state_dict(layer.state_dict())
        for same in (twin, other):
            assert torch.equal(same(x)[0], layer(x)[0])
        with torch.no_grad():
            next(twin.parameters()).add_(1)
        assert not torch.equal(twin(x)[0], layer(x)[0])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_layer_has_the_dtype_that_was_asked_for(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cellsearch.backends.native.sequence._warned", set())
    layer = Recurrent(known("gru"), INPUT, HIDDEN, dtype=dtype)
    x = torch.randn(6, BATCH, INPUT, dtype=dtype)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(3):
            output, state = layer(x)
    expected = "native backend computes in float32 and float64; torch.bfloat16 runs in torch"
    assert [expected in str(w.message) for w in said] == [True] * (dtype == torch.bfloat16)
    assert {p.dtype for p in layer.parameters()} == {output.dtype, state.dtype} == {dtype}
    output.sum().backward()
    assert all(p.grad is not None and p.grad.dtype == dtype for p in layer.parameters())


def test_random_cells_can_be_made_and_run_on_the_meta_device() -> None:
    for seed in range(12):
        cell = Cell.parse(random_cell(seeded(seed), equal_sizes=True))
        layer = Recurrent(cell, 3, 3, num_layers=2, device="meta")
        assert all(p.is_meta for p in layer.parameters())
        output, state = layer(torch.empty(4, 2, 3, device="meta"))
        assert output.is_meta
        assert output.shape == (4, 2, 3)
        assert all(part.shape == (2, 2, 3) for part in as_tuple(state))


def test_sizes_that_cannot_be_are_refused() -> None:
    elementwise = Cell.parse("h = tanh(x + h_prev)")
    assert Recurrent(elementwise, 4, 4)
    with pytest.raises(ValueError, match="input_size 3 must equal hidden_size 4"):
        Recurrent(elementwise, 3, 4)
    with pytest.raises(ValueError, match="input_size 3 must equal hidden_size 4"):
        RecurrentCell(elementwise, 3, 4)
    with pytest.raises(ValueError, match="hidden_size is 0"):
        Recurrent(known("gru"), 3, 0)
    with pytest.raises(ValueError, match="expected one of auto"):
        Recurrent(known("gru"), 3, 4, backend="quick")
    with pytest.raises(RuntimeError, match="expected the states h, c, found 1"):
        Recurrent(known("lstm"), 3, 4)(torch.zeros(2, 3), torch.zeros(1, 4))


@pytest.mark.parametrize("module", [Recurrent, RecurrentCell])
def test_a_name_is_no_cell(module: Callable[..., object]) -> None:
    expected = "expected a Cell, found 'gru'; known cells are in cellsearch.zoo"
    with pytest.raises(TypeError, match=expected):
        module("gru", 16, 32)


def test_a_layer_says_what_it_is() -> None:
    cell = known("gru")
    assert cell.id in repr(Recurrent(cell, 3, 4, num_layers=2))
    assert "3, 4, num_layers=2" in repr(Recurrent(cell, 3, 4, num_layers=2))
    assert f"{cell.id}, 3, 4" in repr(RecurrentCell(cell, 3, 4))


# Equal ids, equal numbers


def trained(text: str, seed: int) -> list[float]:
    """Losses of 20 steps of Adam from parameters drawn from a seed."""
    layer = Recurrent(Cell.parse(text), 3, 3)
    layer.reset_parameters(torch.Generator().manual_seed(seed))
    generator = torch.Generator().manual_seed(seed + 1)
    optimiser = torch.optim.Adam(layer.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        x = torch.randn(5, 4, 3, generator=generator)
        output, _ = layer(x)
        loss = (output - x.cumsum(0).tanh()).square().mean()
        losses.append(loss.item())
        if loss.requires_grad:
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
            optimiser.step()
    return losses


def test_two_texts_of_one_id_train_to_the_same_numbers_bit_for_bit(full: bool) -> None:
    learned = 0
    for seed in range(400 if full else 16):
        rng = seeded(seed)
        text = random_cell(rng, equal_sizes=seed % 2 == 0)
        other = disguise(text, rng)
        assert Cell.parse(other).id == Cell.parse(text).id
        if not Cell.parse(text).parameters(3, 3):
            continue
        losses = trained(text, seed)
        assert losses == trained(other, seed), other
        learned += losses[-1] < losses[0]
    assert learned > 8


def test_symmetric_cells_train_to_the_same_numbers_in_any_order() -> None:
    part = "{0} = sigmoid(linear(x, h_prev{1})) * tanh(linear(h_prev, x))\n"
    orders = [range(6), (3, 1, 4, 0, 5, 2)]
    texts = [
        "".join(part.format("abcdef"[i], ", init='orthogonal'" if i % 2 else "") for i in order)
        + f"h = mean({', '.join('abcdef'[i] for i in order)})"
        for order in orders
    ]
    assert Cell.parse(texts[0]) == Cell.parse(texts[1])
    assert trained(texts[0], 7) == trained(texts[1], 7)


@pytest.mark.parametrize("name", ["lstm", "mingru"])
def test_tensors_of_another_dtype_are_refused_in_words(name: str) -> None:
    layer, step = Recurrent(zoo[name], 3, 5), RecurrentCell(zoo[name], 3, 5)
    x, last = torch.randn(4, 2, 3), layer.cell.states[-1]
    wrong = [torch.zeros(1, 2, 5) for _ in layer.cell.states]
    wrong[-1] = wrong[-1].double()
    with pytest.raises(ValueError, match=r"input of type torch.float32, as the weights are, found"):
        layer(x.double())
    with pytest.raises(ValueError, match=r"expected input of type torch.float32"):
        step(x[0].half())
    with pytest.raises(ValueError, match=rf"expected state {last} of type torch.float32"):
        layer(x, tuple(wrong))
    with torch.autocast("cpu", torch.bfloat16):  # makes them equal itself
        assert layer(x.bfloat16())[0].dtype == torch.bfloat16
