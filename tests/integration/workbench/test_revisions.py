"""An exported revision runs from its own folder, and leaves nothing behind."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.workbench.bench.revisions.tree import exported
from services.workbench.local.processes import Program
from services.workbench.local.system import ROOT

pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this folder is no git checkout")


def test_the_modules_of_an_exported_revision_are_its_own() -> None:
    argv = (sys.executable, "-c", "import services.user.domain as found; print(found.__file__)")
    with exported("HEAD") as tree:
        program = tree.run(Program("print", argv, {}, Path("log"), str))
        ran = subprocess.run(
            program.argv, env=program.environment, cwd=ROOT, capture_output=True, text=True, check=True
        )
        assert ran.stdout.strip() == str(tree.folder / "services/user/domain.py")
    assert not tree.folder.parent.exists()
