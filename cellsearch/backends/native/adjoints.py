"""Where the gradients of values stand in memory during the backward pass."""

from __future__ import annotations

from cellsearch.backends.native.plan import Plan, ProductCall
from cellsearch.backends.native.storage import Array, Place, Rows, Storage
from cellsearch.shapes import HIDDEN


class Adjoints:
    """The places of gradients; `written` are those that hold something already.

    The code of the backward pass is written in the order in which it runs, so what has been
    written is known while writing.
    """

    def __init__(self, plan: Plan, storage: Storage) -> None:
        self.plan = plan
        self.storage = storage
        self.written: set[Place] = set()

    def place(self, index: int) -> Place:
        """Return the place of a value's gradient."""
        value = self.plan.values[index]
        if value.kind == "constant":
            width, blocks = self.plan.constant_widths[value.source]
            return Place(Array(f"d constant {value.source}", "one", width, blocks), value.block)
        if value.kind == "x":
            return Place(Array("d x", "all", value.width))
        if value.kind == "column":
            slab = self.slab(value.source)
            return Place(slab.array, slab.block + value.block)
        far = value.stage != "loop" or self.storage.read_after(index)
        rows: Rows = "all" if far else "step"
        return Place(Array(f"d value {index}", rows, value.width))

    def partial(self, index: int) -> Place:
        """Return where the gradient of a constant is summed over the rows of one pass."""
        place = self.place(index)
        array = place.array
        return Place(
            Array(f"{array.name} of a pass", "one", array.width, array.blocks), place.block
        )

    def slab(self, call: int) -> Place:
        """Return the place of the gradient of a product's first column."""
        product = self.plan.calls[call]
        if not isinstance(product, ProductCall):
            raise TypeError(f"call {call} is no product")
        if product.home is not None:
            home, first = product.home
            return Place(self.slab(home).array, first)
        return Place(Array(f"d slab {call}", "all", HIDDEN, product.blocks))

    def state(self, state: int) -> Place:
        """Return where the gradient of a carried state stands between steps."""
        return Place(Array(f"d state {state}", "batch", HIDDEN))
