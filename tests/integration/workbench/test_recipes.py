"""The recipes of docs/extending.md, applied to a copy of the repository and checked by the commands of the page."""

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.command_blocks import ROOT, blocks_for, execute
from tests.support.terminal import in_another_terminal

pytestmark = [pytest.mark.long, pytest.mark.usefixtures("default_ports")]

PAGE = "docs/extending.md"
# `make` compares them with the age of the set-up.
SET_UP = ("requirements.lock", "requirements-parquet.lock", "services/workbench/local/pom.xml")
COMMIT = "git init --quiet && git add . && git -c user.name=t -c user.email=t@example.org commit --quiet --message copy"


def copied(folder: Path) -> Path:
    """Return a repository with a copy of this one's files, which uses the set-up of this one."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists():  # not deleted, and not yet committed so
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    (folder / ".eventline").mkdir()
    for name in ("venv", "kafka"):
        (folder / ".eventline" / name).symlink_to((ROOT / ".eventline" / name).resolve())
    for name in SET_UP:
        os.utime(folder / name, (0, 0))
    if (ROOT / ".mypy_cache").is_dir():
        shutil.copytree(ROOT / ".mypy_cache", folder / ".mypy_cache")
    return folder


def do(commands: str, folder: Path) -> None:
    code, output = execute(commands, folder=folder)
    assert code == 0, f"{commands}{output}"


def test_the_recipes_pass_their_checks_and_what_they_add_arrives_at_every_reader(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    do(COMMIT, folder)
    (folder / "recipes.diff").write_text("".join(block.text for block in blocks_for(__file__, PAGE, "diff")))
    do("git apply recipes.diff", folder)
    with contextlib.ExitStack() as stack:
        for block in blocks_for(__file__, PAGE):
            if block.note == "runs until the end":
                stack.enter_context(in_another_terminal(block.text, tmp_path / "run.log", folder))
            else:
                do(block.text, folder)
