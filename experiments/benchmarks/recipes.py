"""Are the recipes of NAS-Bench-NLP read as they are meant, and how many of them are one cell?

Reads recipes, one a line, plain or gzipped: JSON objects, or records whose "recipe" is one. Each is
run as a cell and by the tests' own interpreter, with equal random weights, in float64; is written
and read again; and each that has the id of an earlier one is run beside it, with weights that
correspond. Prints the figures and writes them to recipes.json beside itself.

    python experiments/benchmarks/recipes.py recipes.jsonl.gz
"""

from __future__ import annotations

import argparse
import gzip
import json
import sys
from pathlib import Path
from typing import Any

from timing import claim, write

from cellsearch.cell import Cell

HELPERS = Path(__file__).resolve().parents[2] / "tests" / "helpers"
EXACT = ("at most", 1.0)
UNIT = "e-12"


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("file", type=Path)
    options = parser.parse_args()
    sys.path.insert(0, str(HELPERS))
    from recipe_cells import difference, difference_of_equals
    from recipes import states_of

    recipes = _read(options.file)
    errors: dict[str, list[float]] = {"reference": [], "native": []}
    first: dict[str, dict[str, Any]] = {}
    again = same = dead = 0
    repeats: list[float] = []
    for seed, recipe in enumerate(recipes):
        cell = Cell.from_recipe(recipe)
        for backend, found in errors.items():
            found.append(difference(recipe, seed, backend))
        back = cell.to_recipe()
        again += Cell.from_recipe(json.dumps(back)) == cell
        same += back == recipe
        dead += len(cell.states) < states_of(recipe)
        if first.setdefault(cell.id, recipe) is not recipe:
            repeats.append(difference_of_equals(first[cell.id], recipe, seed))
    everything = ("at least", float(len(recipes)))
    claims = [
        claim("recipes read:", len(recipes), None),
        *(
            claim(f"greatest difference, {backend} backend:", 1e12 * max(found), EXACT, UNIT)
            for backend, found in errors.items()
        ),
        claim("written and read again with the same id:", again, everything),
        claim("... and the same recipe, word for word:", same, None),
        claim("hold states that nothing reads:", dead, None),
        claim("different cells:", len(first), None),
        claim("repeats of an earlier cell:", len(repeats), None),
        claim("... greatest difference:", 1e12 * max(repeats, default=0.0), EXACT, UNIT),
    ]
    content = {"file": options.file.name, "claims": claims}
    write(Path(__file__).with_suffix(".json"), {"recipes": content})


def _read(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    lines = (gzip.decompress(data) if path.suffix == ".gz" else data).decode().splitlines()
    records = [json.loads(line) for line in lines]
    return [record.get("recipe", record) for record in records]


if __name__ == "__main__":
    main()
