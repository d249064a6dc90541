"""`make help`: what a newcomer starts with, how long each target takes, and the console's commands."""

import re
import subprocess

import pytest
import typer

from services.console.__main__ import app
from tests.support.command_blocks import ROOT, argv, environment

# Without colours, which are for a terminal alone.
ROW = re.compile(r"^  (?P<name>[a-z0-9 -]{15}) (?P<time>.{13}) (?P<text>.+)$", re.MULTILINE)
MAKEFILE = (ROOT / "Makefile").read_text()
TARGETS = set(re.findall(r"^([a-z0-9-]+):.*## ", MAKEFILE, re.MULTILINE))


@pytest.fixture(scope="module")
def groups() -> dict[str, dict[str, str]]:
    """The groups by their titles, each with the times of its names."""
    done = subprocess.run(argv("make help"), cwd=ROOT, env=environment(), capture_output=True, text=True, check=True)
    parts = [part.partition("\n") for part in done.stdout.split("\n\n")[1:]]
    return {title: {row["name"].strip(): row["time"].strip() for row in ROW.finditer(rows)} for title, _, rows in parts}


def test_it_begins_with_what_a_newcomer_starts_with_and_how_long_it_takes(groups: dict[str, dict[str, str]]) -> None:
    title, names = next(iter(groups.items()))
    assert title == "Start here"
    assert list(names) == ["demo", "run", "tour", "test"]
    assert all(names.values())


def test_each_target_is_listed_once_and_each_time_is_of_a_target(groups: dict[str, dict[str, str]]) -> None:
    listed = [name for title, names in groups.items() if not title.startswith("The operator's") for name in names]
    assert sorted(listed) == sorted(TARGETS)
    timed = set(re.findall(r"([a-z0-9-]+)=", MAKEFILE[MAKEFILE.index("TIMES :=") : MAKEFILE.index("help: ##")]))
    assert timed - TARGETS == set()
    assert {name for name in TARGETS if name.startswith("test")} <= timed


def test_the_commands_of_the_console_are_listed(groups: dict[str, dict[str, str]]) -> None:
    command = typer.main.get_command(app)
    assert set(next(reversed(groups.values()))) == set(getattr(command, "commands", ()))
