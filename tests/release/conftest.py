"""Fixtures of the tests of releases: a temporary repository, and tools of others, each skipped where it is missing."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from services.workbench.release.command import MissingError
from services.workbench.release.tools import go_tool, python_tool
from tests.support.command_blocks import ROOT, environment, execute
from tests.support.repository_copy import COMMIT, copied

Run = Callable[..., subprocess.CompletedProcess[str]]
SET_UP = ("requirements.lock", "requirements-release.lock")
PATIENCE_S = 600


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one commit with the files of this one, which uses the set-up of this one."""
    folder = copied(tmp_path_factory.mktemp("repository"), ("venv", "release"), SET_UP)
    code, output = execute(COMMIT, folder=folder)
    assert code == 0, output
    return folder


@pytest.fixture(scope="session")
def judge() -> Run:
    """Runs a checker by its name: one of Python's, one built from Go, or one on PATH. Skips where there is none."""
    return _judged


def _judged(name: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    argv = (_program(name), *arguments)
    return subprocess.run(
        argv, cwd=ROOT, env=environment(), capture_output=True, text=True, check=False, timeout=PATIENCE_S
    )


def _program(name: str) -> Path:
    for find in (python_tool, go_tool, _on_path):
        try:
            return find(name)
        except (MissingError, KeyError) as error:
            reason = error
    pytest.skip(f"NOT JUDGED: {reason}")


def _on_path(name: str) -> Path:
    found = shutil.which(name)
    if found is None:
        raise MissingError(f"{name} is neither installed nor on PATH")
    return Path(found)
