"""Programs that the targets are worked with: run to their end; a failure can be pasted into a shell."""

import shlex
import shutil
import subprocess
from collections.abc import Mapping

LIMIT_S = 300.0


class ProgramError(Exception):
    """A program failed or is not there; the message has the command line and what it said."""


def run(*argv: str, environment: Mapping[str, str] | None = None, stdin: str = "", limit_s: float = LIMIT_S) -> str:
    """Return what a program wrote. Raises ProgramError."""
    program = shutil.which(argv[0])
    if program is None:
        raise ProgramError(f"{argv[0]} is not on the PATH: `make doctor` says how to get it")
    command = (program, *argv[1:])
    done = subprocess.run(
        command, env=environment, input=stdin, capture_output=True, text=True, timeout=limit_s, check=False
    )
    if done.returncode != 0:
        raise ProgramError(f"exit code {done.returncode}: {shlex.join(argv)}\n{done.stdout}{done.stderr}")
    return done.stdout
