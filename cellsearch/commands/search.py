"""``cellsearch search``: start a search, go on with one, show a finished one."""

from __future__ import annotations

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "experiment", help="an experiment file, or the name of one that comes along"
    )
    parser.add_argument("--run", type=Path, metavar="DIR", help="folder of the run")
    parser.add_argument("--workers", type=int, metavar="N", help="processes; 0 works without Ray")
    parser.add_argument("--address", metavar="ADDRESS", help="of a Ray cluster")
    parser.add_argument("--seed", type=int, metavar="N", help="seed instead of the file's")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        dest="overrides",
        metavar="KEY=VALUE",
        help="change a key of the file, for instance budget.candidates=500",
    )
    parser.add_argument(
        "--dry-run", action="store_true", help="say what would be done and how long it would take"
    )


def run(options: argparse.Namespace) -> None:
    """Search, and show what was found."""
    if options.dry_run:
        from cellsearch.commands.forecast import show_forecast
        from cellsearch.experiment import load_experiment

        experiment = load_experiment(options.experiment, options.overrides, options.seed)
        show_forecast(experiment, options.workers, options.run)
        return
    from cellsearch.commands.show import show_run
    from cellsearch.run import search
    from cellsearch.run.display import Display

    with Display() as display:
        found = search(
            options.experiment,
            run=options.run,
            workers=options.workers,
            address=options.address,
            seed=options.seed,
            overrides=options.overrides,
            progress=display,
        )
    show_run(found)
