"""A copy of this repository's files in a folder, which uses the set-up of this one."""

import os
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from tests.support.command_blocks import ROOT

LISTED = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
COMMIT = "git init --quiet && git add . && git -c user.name=t -c user.email=t@example.org commit --quiet --message copy"


def copied(folder: Path, linked: Iterable[str], dated: Iterable[str]) -> Path:
    """Copy the files into a folder and return it; no commit is made (COMMIT makes one).

    `linked` are parts of the set-up, `dated` files that `make` compares with its age: it need not be made again.
    """
    listed = subprocess.run(LISTED, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).exists() or (ROOT / name).is_symlink():  # not deleted, and not yet committed so
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name, follow_symlinks=False)
    (folder / ".eventline").mkdir()
    for name in linked:
        (folder / ".eventline" / name).symlink_to((ROOT / ".eventline" / name).resolve())
    for name in dated:
        os.utime(folder / name, (0, 0))
    return folder
