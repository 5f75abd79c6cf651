"""``python -m cellsearch`` is the command line."""

import sys

from cellsearch.cli import main

if __name__ == "__main__":
    sys.exit(main())
