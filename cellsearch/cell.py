"""`Cell`: the immutable computation graph of a recurrent cell."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import networkx as nx

from cellsearch import limits, multigraph, notation, printing, shapes
from cellsearch import normal as normal_form
from cellsearch import recipe as recipe_form
from cellsearch.analysis import recurrence
from cellsearch.errors import CellError, shown
from cellsearch.graph import Graph, Node


@dataclass(frozen=True, eq=False, repr=False)
class Cell:
    """A recurrent cell without weights: what one step computes from x_t and the states at t-1.

    Made by `Cell.parse`, `Cell.read`, `Cell.from_graph` or `Cell.from_recipe`. Cells are equal when
    their ids are: when they are the same graph up to names, order of statements, dead code and the
    like. A cell keeps the text it was made from; what runs and what is counted is its normal form.
    """

    text: str
    structure: Graph

    @classmethod
    def parse(cls, text: str) -> Cell:
        """Read a cell from its text form: at most 64 KiB, 512 nodes, 60 levels of nesting.

        Raises CellError that names the line, what was found there and what was expected.
        """
        if not isinstance(text, str):
            raise CellError(
                f"cell: expected a text, found {shown(text)}; a file is read with Cell.read(path)"
            )
        structure = notation.parse(text)
        cell = cls(text.strip("\n") + "\n", structure)
        shapes.widths(cell.normal)  # the normal form, too, has limits that may be exceeded
        return cell

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Cell:
        """Read a cell from a text file, or from a recipe if the file's name ends in .json.

        Raises CellError if the file cannot be read, is too long or holds no valid cell.
        """
        try:
            with Path(path).open("rb") as file:
                data = file.read(limits.MAX_TEXT + 1)
            recipe = Path(path).suffix.lower() == ".json"
            limits.check_size(data, "recipe" if recipe else "cell")
            if recipe:
                return cls.from_recipe(data)
            # Windows editors put a mark in front of the text and two characters behind each line.
            return cls.parse(data.decode("utf-8-sig").replace("\r\n", "\n"))
        except OSError as error:
            raise CellError(f"{path}: {error.strerror}; expected a cell file") from None
        except UnicodeDecodeError:
            raise CellError(f"{path}: not UTF-8 text; expected a cell file") from None
        except CellError as error:
            settings = Path(path).suffix == ".toml"
            hint = "; a .toml file holds a space or an experiment, not a cell" if settings else ""
            raise CellError(f"{path}: {error}{hint}") from None

    @classmethod
    def from_graph(cls, graph: nx.MultiDiGraph) -> Cell:
        """Build a cell from a graph as `graph` returns it; any node keys will do.

        Names are kept where they are valid and free. A graph has at most 512 nodes, 512 states and
        4096 edges. Raises CellError that names the node if there is a cycle, an unknown operator
        or key, or arguments that do not fit.
        """
        return cls.parse(printing.format_graph(multigraph.read(graph)))

    @classmethod
    def from_recipe(cls, recipe: Mapping[str, object] | str | bytes) -> Cell:
        """Build a cell from a recipe of NAS-Bench-NLP, as JSON text or as decoded from it.

        Nodes become statements, under their names where these are valid and free; state 0 is called
        h, state 1 h1. A recipe has at most 64 KiB and 512 nodes. Raises CellError that names the
        node if the recipe makes no sense.
        """
        return cls.parse(printing.format_graph(recipe_form.read(recipe)))

    def to_recipe(self) -> recipe_form.Recipe:
        """Return the cell as a recipe of NAS-Bench-NLP, to be written as JSON.

        `from_recipe` makes an equal cell of it. Raises CellError that names the statement if a
        recipe cannot say it.
        """
        return recipe_form.write(self.structure, self.normal)

    @property
    def graph(self) -> nx.MultiDiGraph:
        """A copy of the graph: nodes with op, name and attributes; edge keys are argument slots.

        Nodes are 0, 1, ... in topological order; `graph.graph["states"]` maps each carried state, h
        first, to the node that updates it, `graph.graph["output"]` is the output's node or None.
        """
        return multigraph.write(self.structure)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """The nodes as they were written, in topological order."""
        return self.structure.nodes

    @cached_property
    def normal(self) -> Graph:
        """The normal form: what runs, what is counted, what seeds are drawn for."""
        return normal_form.normalise(self.structure)

    @cached_property
    def id(self) -> str:
        """The identity: equal exactly for cells with equal normal forms."""
        return normal_form.identity(self.normal)

    @cached_property
    def states(self) -> tuple[str, ...]:
        """The carried states, h first, then as they appear; states that nothing reads are gone."""
        live = {name for name, _ in self.normal.states}
        return tuple(name for name, _ in self.structure.states if name in live)

    @cached_property
    def kind(self) -> recurrence.Kind:
        """How a step depends on the one before: "scan", "diagonal" or "dense"; see `recurrence`."""
        return recurrence.kind(self.normal)

    @property
    def has_output(self) -> bool:
        """Whether the output differs from the new h."""
        return self.normal.output is not None

    def parameters(self, input_size: int, hidden_size: int) -> int:
        """Return the number of learned numbers of one layer in one direction.

        Raises CellError if x enters elementwise operators and the sizes differ, or if a size is no
        whole number of at least 1.
        """
        shapes.widths(self.normal, input_size, hidden_size)
        tensors = shapes.learned_tensors(self.normal)
        return sum(math.prod(tensor.sizes(input_size, hidden_size)) for tensor in tensors)

    def operations(self, input_size: int, hidden_size: int) -> int:
        """Return the multiply-adds and elementwise operations of one step of one sequence.

        Raises CellError as `parameters` does.
        """
        return shapes.operations(self.normal, input_size, hidden_size)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"<Cell {self.id}: {len(self.normal.nodes)} nodes, states {', '.join(self.states)}>"

    def _repr_svg_(self) -> str | None:
        from cellsearch.inspection.notebook import cell_svg  # notebooks only: it needs Graphviz

        return cell_svg(self)

    def _repr_latex_(self) -> str:
        from cellsearch.inspection.notebook import cell_latex

        return cell_latex(self)

    def __eq__(self, other: object) -> bool:
        return self.id == other.id if isinstance(other, Cell) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.id)
