"""Checks that each step of the soak starts a program and a command that exist."""

from importlib.util import find_spec
from pathlib import Path

import pytest

from services.workbench.__main__ import app
from services.workbench.soak.steps import Step, steps

COMMANDS = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}


@pytest.mark.parametrize("step", steps(1.0, 100, Path("load.json")), ids=lambda step: step.name)
def test_a_step_starts_a_program_that_exists(step: Step) -> None:
    module, *arguments = step.argv[step.argv.index("-m") + 1 :]
    assert find_spec(module) is not None
    if module == "services.workbench":
        assert arguments[0] in COMMANDS
