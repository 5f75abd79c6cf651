"""Dealing samples to training and to the held-out splits."""

from __future__ import annotations

import numpy as np

from cellsearch.errors import TaskError
from cellsearch.tasks.base import SPLITS, Array
from cellsearch.tasks.settings import generator

TENTHS = {"training": 7, "validation": 1, "selection": 1, "test": 1}


def deal(groups: Array, seed: int) -> dict[str, Array]:
    """Return the rows of training and of each split, in ascending order.

    `groups` holds each sample's group, numbered from 0 on; a group stays together. In an order
    that the seed draws, each group goes to the part that lacks most among those it fits into, or
    else to training. The largest is for training, and none is left without a group.
    Raises TaskError where there are fewer groups than parts.
    """
    count = len(groups)
    sizes = np.bincount(groups).tolist()
    if len(sizes) < len(TENTHS):
        raise TaskError(
            f"task 'arrays': there are {len(sizes)} groups; at least {len(TENTHS)} are needed, one "
            f"for training and one for each of {', '.join(SPLITS)}"
        )
    order = generator("arrays", "split", seed).permutation(len(sizes)).tolist()
    # First the largest, then the others that are too large to be held out.
    largest = max(order, key=sizes.__getitem__)
    order.sort(key=lambda group: (group != largest, 10 * sizes[group] <= count))

    lacking = {part: tenths * count for part, tenths in TENTHS.items()}  # in tenths of a sample
    empty = list(TENTHS)
    dealt: dict[str, list[int]] = {part: [] for part in TENTHS}
    for place, group in enumerate(order):
        size = 10 * sizes[group]
        if len(order) - place == len(empty):  # just enough are left for the parts that have none
            fitting = empty
        else:
            fitting = [part for part in TENTHS if lacking[part] >= size] or ["training"]
        part = max(fitting, key=lacking.__getitem__)  # the first of equals
        dealt[part].append(group)
        lacking[part] -= size
        if part in empty:
            empty.remove(part)
    return {part: np.flatnonzero(np.isin(groups, mine)) for part, mine in dealt.items()}
