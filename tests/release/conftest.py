"""Fixtures of the tests of releases: a temporary repository, and tools of others, each skipped where it is missing."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from services.workbench.release.command import MissingError
from services.workbench.release.tools import go_tool, python_tool
from tests.support.command_blocks import ROOT, environment, execute

Run = Callable[..., subprocess.CompletedProcess[str]]
# `make` compares them with the age of the set-up.
SET_UP = ("requirements.lock", "requirements-release.lock")
COMMIT = "git init --quiet && git add . && git -c user.name=t -c user.email=t@example.org commit --quiet --message copy"
PATIENCE_S = 600


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one commit with the files of this one, which uses the set-up of this one."""
    folder = tmp_path_factory.mktemp("repository")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists() or (ROOT / name).is_symlink():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    (folder / ".eventline").mkdir()
    for name in ("venv", "release"):
        (folder / ".eventline" / name).symlink_to((ROOT / ".eventline" / name).resolve())
    for name in SET_UP:
        os.utime(folder / name, (0, 0))
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
