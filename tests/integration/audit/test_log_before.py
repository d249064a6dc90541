"""A log that commit 4ebe983 wrote is upgraded on both databases: its entries stay as they were, and it is signed."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.audit.__main__ import app
from services.chassis.database.database import Database
from services.workbench.local.system import clean_environment
from tests.support import log_before
from tests.support.audit_log import a_fact, all_entries
from tests.support.in_process import invoke
from tests.support.log_before import SIZE
from tests.support.signed_audit_log import a_policy, append


def run(*argv: object, url: str) -> tuple[int, str]:
    done = invoke(app, *argv, url=url)
    return done.exit_code, done.output


def migrate(url: str) -> None:
    argv = (sys.executable, "-m", "services.audit", "migrate")
    environment = clean_environment({"APP_DATABASE_URL": url})
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def upgraded(database_url: str) -> str:
    """The URL of the log after `migrate`."""
    log_before.load(database_url)
    before = log_before.heads(database_url)
    assert len(before) == SIZE
    migrate(database_url)
    assert log_before.heads(database_url) == before
    return database_url


def test_an_upgraded_log_is_whole(upgraded: str) -> None:
    code, output = run("verify", url=upgraded)
    assert code == 0, output
    assert "user.events.v1[2]: 10 offsets between 0 and 99 have no entry" in output


def test_an_upgraded_log_grows_and_is_signed(upgraded: str, database: Database, tmp_path: Path) -> None:
    append(database, [a_fact(90), a_fact(90, partition=1)])
    code, output = run("verify", "--policy", a_policy(tmp_path), url=upgraded)
    assert code == 0, output
    assert [entry.position for entry in all_entries(database)] == list(range(SIZE + 2))


def test_an_entry_that_was_changed_before_the_upgrade_is_found_after_it(database_url: str, database: Database) -> None:
    log_before.load(database_url)
    with database.write() as connection:
        connection.exec_driver_sql("UPDATE entries SET ts_ms = 1 WHERE position = 100")
    migrate(database_url)
    code, output = run("verify", url=database_url)
    assert (code, "at position 100: chain is" in output) == (1, True), output
