"""What may happen to the weights of a module between two steps; steps and their states."""

from __future__ import annotations

import gc

import torch
from native import inputs
from torch import Tensor, nn
from torch.nn.utils import parametrize

from cellsearch.cell import Cell

SQUARE = Cell.parse("h = tanh(linear(x, h_prev, bias=False))")


def state_of(step: nn.Module, batch: int = 2, seed: int = 0) -> Tensor | tuple[Tensor, ...]:
    dtype = next(step.parameters()).dtype
    parts = tuple(
        inputs(batch, step.hidden_size, seed=seed + i, dtype=dtype)
        for i in range(len(step.cell.states))  # type: ignore[arg-type]
    )
    return parts[0] if len(parts) == 1 else parts


def warmed(*modules: nn.Module) -> None:
    """Let modules take steps until they take the short way, if they ever do."""
    with torch.no_grad():
        for step in modules:
            x = inputs(2, step.input_size, dtype=next(step.parameters()).dtype)
            for _ in range(3):
                step(x, state_of(step))


def flat(value: object) -> list[Tensor]:
    return [value] if isinstance(value, Tensor) else [t for part in value for t in flat(part)]  # type: ignore[attr-defined]


def optimised(step: nn.Module) -> None:
    optimiser = torch.optim.Adam(step.parameters(), lr=0.1)
    step(inputs(2, step.input_size), state_of(step)).sum().backward()
    optimiser.step()


def other_data(step: nn.Module) -> None:
    for parameter in step.parameters():
        parameter.data = parameter.data * 2


def transposed_data(step: nn.Module) -> None:
    for parameter in step.parameters():
        parameter.data = parameter.data.t()


def negative_data(step: nn.Module) -> None:
    step.h.weight_0.data = torch._neg_view(step.h.weight_0.data)


def replaced(step: nn.Module) -> None:
    for name in ("weight_0", "weight_1"):
        new = inputs(5, 5, seed=len(name) + int(name[-1]))
        setattr(step.h, name, nn.Parameter(new))
    gc.collect()


def in_another_order(step: nn.Module) -> None:
    for name in list(step.h._parameters):
        tensor = getattr(step.h, name)
        delattr(step.h, name)
        setattr(step.h, name, tensor)
        break


def swapped(step: nn.Module) -> None:
    step.h.weight_0, step.h.weight_1 = step.h.weight_1, step.h.weight_0


def tied(step: nn.Module) -> None:
    step.h.weight_0 = step.h.weight_1


def shared_with_others(step: nn.Module) -> None:
    step.share_memory()


def single(step: nn.Module) -> None:
    step.float()


def loaded(step: nn.Module) -> None:
    state = {name: -2 * tensor for name, tensor in step.state_dict().items()}
    step.load_state_dict(state)


def assigned(step: nn.Module) -> None:
    state = {name: -2 * tensor for name, tensor in step.state_dict().items()}
    step.load_state_dict(state, assign=True)


class Doubled(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return 2 * weight


def computed(step: nn.Module) -> None:
    parametrize.register_parametrization(step.h, "weight_0", Doubled())


def computed_and_settled(step: nn.Module) -> None:
    for name in ("weight_1", "weight_0", "weight_1"):
        parametrize.register_parametrization(step.h, name, Doubled())
        parametrize.remove_parametrizations(step.h, name)
        warmed(step)


def with_company(step: nn.Module) -> None:
    step.extra = nn.Linear(2, 2)
    step.add_module("nothing", None)


def with_a_new_module(step: nn.Module) -> None:
    group = nn.Module()
    for name in ("weight_1", "weight_0"):
        group.register_parameter(name, nn.Parameter(2 * getattr(step.h, name).detach()))
    step._modules["h"] = group


CHANGES = [
    optimised, other_data, transposed_data, negative_data, replaced, in_another_order, swapped,
    tied, shared_with_others, single, loaded, assigned, computed, computed_and_settled,
    with_company, with_a_new_module,
]  # fmt: skip
