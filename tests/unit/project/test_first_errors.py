"""Help and errors that a newcomer meets first: help names the system, an error names the next command."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from k8s.__main__ import app as k8s
from services.console.__main__ import app as console
from services.user.__main__ import app as user
from services.workbench.__main__ import app as workbench


@pytest.mark.parametrize(
    ("app", "named"),
    [(console, "of `make run`, compose or kind"), (workbench, "on this machine"), (k8s, "in a kind cluster")],
    ids=["console", "workbench", "k8s"],
)
def test_help_names_the_system_that_the_commands_are_for(app: typer.Typer, named: str) -> None:
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(app, ["--help"])
    assert named in shown.output


def test_without_a_demo_verify_names_the_command_that_makes_its_log(tmp_path: Path) -> None:
    ended = CliRunner(env={"APP_STATE_DIR": str(tmp_path)}).invoke(workbench, ["verify"])
    assert (ended.exit_code, ended.stderr) == (
        8,
        f"there is no audit log of a demo in {tmp_path / 'demo'}: run `make demo` first\n",
    )


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ([], "name the users by their ids, or write --since 2026-11-22T12:00:00Z"),
        (["a", "--since", "2026-11-22T12:00:00Z"], "name users or give --since, not both"),
        (
            ["--since", "2026-11-22T12:00:00"],
            "--since 2026-11-22T12:00:00 has no time zone: write 2026-11-22T12:00:00Z",
        ),
    ],
    ids=["nobody", "both", "no zone"],
)
def test_whose_flags_are_cleared_must_be_given_in_one_way(arguments: list[str], problem: str) -> None:
    ended = CliRunner().invoke(user, ["clear-flags", *arguments])
    assert (ended.exit_code, ended.stderr) == (2, f"cannot clear flags: {problem}\n")
