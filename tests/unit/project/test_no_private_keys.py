"""No file under version control is a private key: who reads the repository signs nothing."""

import re
import subprocess

from tests.support.command_blocks import ROOT

PRIVATE = re.compile(r"^(PRIVATE\+KEY\+\S+\+\S+\+\S|-----BEGIN [A-Z ]*PRIVATE KEY-----$)", re.MULTILINE)


def test_no_file_is_a_private_key() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files = [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    assert len(files) > 1_000
    assert [str(file.relative_to(ROOT)) for file in files if PRIVATE.search(file.read_text(errors="replace"))] == []
