"""A broker that stalls while the members of a group are asked for: the answer is an error, and no process aborts."""

import subprocess
import sys
from pathlib import Path

from services.workbench.local.system import ROOT
from tests.support.broker import running

ENDS_WITHIN_S = 120.0


def test_a_request_about_a_group_that_is_overdue_is_an_error_and_the_next_one_is_answered(tmp_path: Path) -> None:
    with running(tmp_path, []) as (address, system):
        argv = (sys.executable, "-m", "tests.support.stalled_broker", address, str(system.process("broker").pid))
        ended = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, timeout=ENDS_WITHIN_S, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "members of group stalled: no answer within 1 s" in ended.stdout
