"""Runs a program that kills itself with SIGKILL before or after a call of one of its functions.

`python -m tests.support.killed before|after NUMBER MODULE:FUNCTION PROGRAM ARGUMENTS...`; the first call is number 1.
"""

import importlib
import os
import runpy
import signal
import sys
from collections.abc import Callable
from itertools import count
from typing import Any

KILLED = -signal.SIGKILL  # the exit code, as `subprocess` returns it


def through(when: str, number: int, function: str) -> tuple[str, ...]:
    """Return the arguments between `python -m` and the program."""
    return "tests.support.killed", when, str(number), function


def killing(function: Callable[..., Any], when: str, number: int) -> Callable[..., Any]:
    """Return the function with the end of the process before or after its n-th call."""
    calls = count(1)

    def call(*arguments: Any, **named: Any) -> Any:
        is_last = next(calls) == number
        if is_last and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = function(*arguments, **named)
        if is_last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return call


def main(when: str, number: str, function: str, program: str, *arguments: str) -> None:
    """Run the program."""
    module, _, path = function.partition(":")
    owner: Any = importlib.import_module(module)
    *classes, name = path.split(".")
    for each in classes:
        owner = getattr(owner, each)
    setattr(owner, name, killing(getattr(owner, name), when, int(number)))
    run(program, *arguments)


def run(program: str, *arguments: str) -> None:
    """Run a module as `python -m` does."""
    sys.argv = [program, *arguments]
    runpy.run_module(program, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
