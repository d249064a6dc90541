"""Verification of a store against its newest checkpoint, which convicts a log whose every hash was computed again."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import text

from services.audit import store_check
from services.audit.notary import checkpoint_store
from services.audit.settings import StoreSettings
from services.audit.verification import CutError, ForkedError
from services.chassis.database.database import Database
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer, new_key
from services.chassis.transparency.note import UnknownKeyError
from services.chassis.transparency.policy import Policy
from services.chassis.transparency.tree import Edge
from tests.support.audit_log import ORIGIN, a_fact, open_log, record_all
from tests.support.builders import NOW

SIGNED = 300
KEY = Signer.parse(new_key(ORIGIN))
OTHER = Signer.parse(new_key(ORIGIN))


def a_policy(signer: Signer) -> Policy:
    return Policy.parse(f"log {signer.vkey}\nquorum none\n")


def verify(url: str, policy: Policy | None = None) -> None:
    store_check.verify(StoreSettings(database_url=url), Console(file=io.StringIO(), width=132), policy)


@pytest.fixture
def recorded(database: Database) -> Database:
    """A log of two full tiles and some, with a signed checkpoint of 300 entries."""
    open_log(database)
    record_all(database, *(a_fact(offset) for offset in range(SIGNED)))
    with database.write() as connection:
        root = Edge.unpacked(SIGNED, connection.execute(text("SELECT edge FROM log")).scalar_one()).root()
        unsigned = Checkpoint(ORIGIN, SIGNED, root).text()
        note = f"{unsigned}\n{KEY.sign(unsigned)}".encode()
        checkpoint_store.add(connection, SIGNED, root, note, NOW)
        checkpoint_store.mark_published(connection, SIGNED, NOW)
    record_all(database, *(a_fact(offset) for offset in range(SIGNED, 520)))
    return database


@pytest.mark.usefixtures("recorded")
def test_an_unchanged_log_passes_with_and_without_a_policy(database_url: str) -> None:
    verify(database_url)
    verify(database_url, a_policy(KEY))


@pytest.mark.usefixtures("recorded")
def test_a_checkpoint_of_another_key_is_refused(database_url: str) -> None:
    with pytest.raises(UnknownKeyError):
        verify(database_url, a_policy(OTHER))


def test_without_a_published_checkpoint_no_policy_is_fulfilled(database: Database, database_url: str) -> None:
    open_log(database)
    record_all(database, a_fact(0))
    verify(database_url)
    with pytest.raises(UnknownKeyError, match="no checkpoint has been published"):
        verify(database_url, a_policy(KEY))


def resign(database: Database, size: int) -> None:
    """Replace the checkpoint by one of another size or root."""
    unsigned = Checkpoint(ORIGIN, size, bytes(32)).text()
    with database.write() as connection:
        connection.execute(text("DELETE FROM checkpoints"))
        checkpoint_store.add(connection, size, bytes(32), f"{unsigned}\n{KEY.sign(unsigned)}".encode(), NOW)
        checkpoint_store.mark_published(connection, size, NOW)


@pytest.mark.parametrize("policy", [None, a_policy(KEY)], ids=["no policy", "policy"])
def test_a_fork_and_a_cut_are_found_by_the_checkpoint(
    recorded: Database, database_url: str, policy: Policy | None
) -> None:
    for size, error in ((SIGNED, ForkedError), (521, CutError)):
        resign(recorded, size)
        with pytest.raises(error):
            verify(database_url, policy)


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_each_finding_has_its_exit_code(recorded: Database, database_url: str, tmp_path: Path) -> None:
    own, others, uncosigned, none = (tmp_path / name for name in ("own", "others", "uncosigned", "none"))
    own.write_text(f"log {KEY.vkey}\nquorum none\n")
    others.write_text(f"log {OTHER.vkey}\nquorum none\n")
    uncosigned.write_text(f"log {KEY.vkey}\nwitness one {OTHER.cosignature_vkey}\nquorum one\n")
    assert [run(database_url, policy) for policy in (own, others, uncosigned, none)] == [0, 5, 5, 2]
    resign(recorded, 521)
    assert run(database_url, own) == 3
    resign(recorded, SIGNED)
    assert run(database_url, own) == 4
    with recorded.write() as connection:
        connection.execute(text("UPDATE entries SET ts_ms = 0 WHERE position = 2"))
    assert run(database_url, own) == 1


def run(url: str, policy: Path) -> int:
    """Return the exit code of `verify`, which writes one line on its standard error unless the log is whole."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    command = [sys.executable, "-m", "services.audit", "verify", "--policy", str(policy)]
    environment = kept | {"APP_DATABASE_URL": url}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert len(done.stderr.splitlines()) == (done.returncode != 0), done.stderr
    return done.returncode
