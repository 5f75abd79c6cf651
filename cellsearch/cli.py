"""The command line: ``cellsearch COMMAND ...``."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

from cellsearch import __version__
from cellsearch.errors import CellSearchError

COMMANDS = {
    "search": "search for a cell, as an experiment file says; or go on with a search",
    "inspect": "show a run, or one cell: table, text, equations, drawing",
    "compare": "train cells side by side from several seeds",
    "train": "train a cell for use",
    "export": "write a cell as one Python file, or its weights",
    "list": "list cells, spaces, tasks, strategies, operators or experiments",
}

_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Tells a mistake on the command line in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see {self.prog} --help\n")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    0 done, 2 bad input (one clear line), 130 interrupted, 74 disk, 75 try again later.
    """
    try:
        options = _parser().parse_args(arguments)
        importlib.import_module(f"cellsearch.commands.{options.command}").run(options)
    except CellSearchError as error:
        print(f"cellsearch: {' '.join(str(error).split())}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of our output, such as head, has seen enough
        sys.stderr.close()
        return 0
    except KeyboardInterrupt as error:
        print(f"\ncellsearch: {str(error) or 'interrupted'}", file=sys.stderr)
        return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="cellsearch", description="Search for recurrent cells.")
    parser.add_argument("--version", action="version", version=f"cellsearch {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, text in COMMANDS.items():
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        importlib.import_module(f"cellsearch.commands.{name}").add_arguments(command)
    return parser


if __name__ == "__main__":
    sys.exit(main())
