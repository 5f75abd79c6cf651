"""Training of one model on one task, step by step, so that it can be watched and stopped."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from cellsearch.network import Network
from cellsearch.tasks.base import Array, Examples, Split, Task

_STEPS_AT_ONCE = 16  # of training data; how the stream is cut does not change it
_EVALUATED_AT_ONCE = 512


@contextmanager
def one_thread() -> Iterator[None]:
    """Keep torch to one thread: workers are as many as cores, and threads change last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What held-out examples say: the loss, and the metric in the task's own unit."""

    loss: float
    metric: float


class Diverged(Exception):  # noqa: N818 - an outcome, not an error
    """The loss or its gradient is not finite."""


class Training:
    """One model in training with Adam on the stream of one seed.

    Adam: Kingma and Ba, 2015, https://arxiv.org/abs/1412.6980.
    """

    def __init__(
        self,
        model: Network,
        task: Task,
        learning_rate: float,
        batch_size: int,
        gradient_clip: float,
        data_seed: int,
    ) -> None:
        self.model = model
        self.task = task
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.gradient_clip = gradient_clip
        self.data_seed = data_seed
        self.steps = 0
        self.sequence_steps = 0  # steps of single sequences so far
        self.parameters = list(model.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, lr=learning_rate, fused=True)
        self._block = _Block(0, [])

    def step(self) -> None:
        """Take one training step. Raises Diverged if the loss or the gradient is not finite."""
        batch = self._next_batch()
        self.optimizer.zero_grad(set_to_none=True)
        predictions = self.model(batch.inputs, batch.lengths)
        loss = batch.loss(predictions)
        loss.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.gradient_clip)
        if not (math.isfinite(loss.item()) and math.isfinite(norm.item())):
            raise Diverged(f"{self.task.name}: not finite at step {self.steps + 1}")
        self.optimizer.step()
        self.steps += 1
        self.sequence_steps += batch.inputs.shape[0] * batch.inputs.shape[1]

    def held_out(self, split: Split, seed: int) -> HeldOut:
        """Evaluate on held-out examples. Raises Diverged if the loss is not finite."""
        return evaluate_held_out(self.model, self.task, split, seed)

    def saliency(self, split: Split, seed: int) -> dict[str, float]:
        """Return |weight * gradient|, summed, of every learned tensor of the first layer.

        The gradient is that of the loss on the first held-out examples: to first order, what the
        loss would change by if the tensor were zero (Mozer and Smolensky, 1988, "Skeletonization",
        https://proceedings.neurips.cc/paper/1988).
        """
        batch = _Batch(
            held_out_examples(self.task, split, seed), slice(0, _EVALUATED_AT_ONCE), self.task
        )
        self.model.zero_grad()
        loss = batch.loss(self.model(batch.inputs, batch.lengths))
        loss.backward()  # type: ignore[no-untyped-call]
        named = dict(self.model.layer.named_parameters())
        found = {
            name.removeprefix("l0."): float((tensor.detach() * tensor.grad).abs().sum())
            for name, tensor in named.items()
            if name.startswith("l0.") and tensor.grad is not None
        }
        self.model.zero_grad()
        return found

    def _next_batch(self) -> _Batch:
        position = self.steps - self._block.start
        if position >= len(self._block.batches):
            count = self.batch_size
            drawn = self.task.training(self.data_seed, self.steps * count, _STEPS_AT_ONCE * count)
            batches = [
                _Batch(drawn, slice(k * count, (k + 1) * count), self.task)
                for k in range(_STEPS_AT_ONCE)
            ]
            self._block, position = _Block(self.steps, batches), 0
        return self._block.batches[position]


class _Batch:
    """Some examples as tensors."""

    def __init__(self, examples: Examples, part: slice, task: Task) -> None:
        self.task = task
        self.inputs = torch.from_numpy(examples.inputs[part])
        self.targets = torch.from_numpy(examples.targets[part])
        lengths, mask = examples.lengths, examples.mask
        self.lengths = None if lengths is None else torch.from_numpy(lengths[part])
        all_count = task.readout == "last" or (lengths is None and mask is None)
        self.counted = None if all_count else torch.from_numpy(examples.counted()[part])
        self.weight = float(len(self.inputs))  # what the mean loss is a mean over
        if self.counted is not None:
            self.weight = float(self.counted.sum())

    def loss(self, predictions: Tensor) -> Tensor:
        """Return the mean loss over what counts: samples, or steps of samples."""
        task, targets = self.task, self.targets
        if task.readout != "last":
            if self.counted is not None:
                predictions, targets = predictions[self.counted], targets[self.counted]
            else:
                predictions, targets = predictions.flatten(0, 1), targets.flatten(0, 1)
        if task.objective == "classification":
            return torch.nn.functional.cross_entropy(predictions, targets)
        return torch.nn.functional.mse_loss(predictions, targets)


@dataclass(frozen=True, slots=True)
class _Block:
    """Batches that were drawn together, the first of them for step `start`."""

    start: int
    batches: list[_Batch]


def evaluate_held_out(model: Network, task: Task, split: Split, seed: int) -> HeldOut:
    """Return what a split's examples say of a model. Raises Diverged if the loss is not finite."""
    examples = held_out_examples(task, split, seed)
    total = weight = 0.0
    predictions = []
    with torch.no_grad():
        for start in range(0, len(examples), _EVALUATED_AT_ONCE):
            batch = _Batch(examples, slice(start, start + _EVALUATED_AT_ONCE), task)
            found = model(batch.inputs, batch.lengths)
            predictions.append(found)
            total += float(batch.loss(found)) * batch.weight
            weight += batch.weight
    loss = total / weight
    if not math.isfinite(loss):
        raise Diverged(f"{task.name}: the loss on held-out examples is not finite")
    array: Array = torch.cat(predictions).numpy()
    return HeldOut(loss, task.metric(loss, array, examples))


@lru_cache(maxsize=16)
def held_out_examples(task: Task, split: Split, seed: int) -> Examples:
    """Return a task's held-out examples; drawn once, though every candidate is judged by them."""
    return task.held_out(split, seed)
