"""Runs one long check on a local system of its own, and prints figures and broken promises."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from services.workbench.local.processes import Program
from services.workbench.local.system import local_programs
from services.workbench.local.trial import Trial, settings_on_free_ports, trial


class Findings(Protocol):
    """The result of a check."""

    def in_words(self) -> str:
        """Return the figures, a line each."""

    def problems(self) -> list[str]:
        """Return the broken promises, a line each."""


def as_is(program: Program) -> Program:
    """Return the program."""
    return program


def verdict(play: Callable[[Trial], Findings], users: int = 1, arranged: Callable[[Program], Program] = as_is) -> int:
    """Play a check and print its findings. Returns the exit code: 1 if a promise was broken."""
    with tempfile.TemporaryDirectory(prefix="eventline-soak-") as folder:
        settings = settings_on_free_ports(users)
        programs = [arranged(program) for program in local_programs(settings, Path(folder))]
        with trial(settings, programs, Path(folder)) as run:
            found = play(run)
    sys.stdout.write(f"{found.in_words()}\n")
    problems = found.problems()
    sys.stderr.write("".join(f"BROKEN: {problem}\n" for problem in problems))
    return 1 if problems else 0
