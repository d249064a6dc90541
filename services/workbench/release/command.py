"""Runs the programs that a release needs, and names what a machine lacks."""

import os
import shutil
import subprocess
from pathlib import Path

PATIENCE_S = 3600.0


class CommandError(Exception):
    """A program failed; the message has its arguments and the end of its output."""


class MissingError(Exception):
    """A program is not here; the message has how to get it."""


def output(program: str | Path, *arguments: str | Path, within: Path) -> str:
    """Return what a program prints. Raises CommandError when it fails, and MissingError when it is not here."""
    found = shutil.which(program)
    if found is None:
        raise MissingError(f"{program} is not on PATH")
    done = subprocess.run(
        [found, *arguments],
        cwd=within,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).splitlines()[-20:]
        raise CommandError(
            f"{Path(program).name} {' '.join(map(str, arguments))}: exit {done.returncode}\n" + "\n".join(last)
        )
    return done.stdout.strip()


def environment() -> dict[str, str]:
    """Return a person's environment: without settings of Eventline, and without those of the `make` that runs this."""
    others = ("APP_", "MAKE", "MFLAGS")
    return {name: value for name, value in os.environ.items() if not name.startswith(others)}
