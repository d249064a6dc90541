"""Judges of other makers call the log of commit 4ebe983 whole once it has been upgraded and signed."""

from pathlib import Path

import pytest

from services.audit.__main__ import app
from services.chassis.database.database import Database
from tests.support import log_before
from tests.support.audit_log import ORIGIN, a_fact, open_log
from tests.support.in_process import invoke
from tests.support.judge_programs import own_judge, run
from tests.support.log_before import SIZE
from tests.support.signed_audit_log import LOG, a_policy, append

pytestmark = pytest.mark.long


def test_tessera_and_torchwood_accept_an_upgraded_log(database_url: str, database: Database, tmp_path: Path) -> None:
    fsck, all_entries = own_judge("fsckexit"), own_judge("allentries")
    log_before.load(database_url)
    open_log(database)
    append(database, [a_fact(90)])
    folder = tmp_path / "export"
    done = invoke(app, "export", folder, url=database_url)
    assert done.exit_code == 0, done.output
    judged = run(fsck, folder / "public", ORIGIN, LOG.vkey)
    assert (judged.returncode, judged.stdout) == (0, "whole\n"), judged.stderr
    judged = run(all_entries, folder / "public", a_policy(tmp_path))
    assert (judged.returncode, judged.stdout) == (0, f"{SIZE + 1}\n"), judged.stderr
