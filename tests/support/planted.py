"""Runs a program with a planted bug: `python -m tests.support.planted BUG PROGRAM ARGUMENTS...`."""

import sys

from tests.support.bugs.table import named
from tests.support.killed import run


def through(bug: str) -> tuple[str, ...]:
    """Return the arguments between `python -m` and the program."""
    return __name__, bug


if __name__ == "__main__":
    named(sys.argv[1]).plant()
    run(*sys.argv[2:])
