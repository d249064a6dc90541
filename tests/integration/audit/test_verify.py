"""Verification of a store: manual edits are found, named and shown by the exit code."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from sqlalchemy import text

from services.audit import store_check
from services.audit.settings import StoreSettings
from services.audit.store import StoreError
from services.audit.verification import BadEntryError
from services.chassis.database.database import Database
from tests.support.audit_log import a_fact, open_log, record_all

SWAP = """UPDATE entries SET "offset" = CASE "offset" WHEN 1 THEN 102 ELSE 101 END WHERE "offset" IN (1, 2)"""


@pytest.fixture
def recorded(database: Database) -> Database:
    """A store with two topics, two partitions and a gap of compaction."""
    open_log(database)
    record_all(database, *[a_fact(offset) for offset in range(5)], a_fact(0, partition=1))
    record_all(database, a_fact(0, topic="user.state.v1"), a_fact(7, topic="user.state.v1", value=None))
    return database


def change(database: Database, *statements: str) -> None:
    with database.write() as connection:
        for statement in statements:
            assert connection.execute(text(statement)).rowcount > 0


def verify(url: str) -> str:
    output = io.StringIO()
    store_check.verify(StoreSettings(database_url=url), Console(file=output, width=132))
    return output.getvalue()


@pytest.mark.usefixtures("recorded")
def test_an_unchanged_store_with_a_gap_is_not_called_whole(database_url: str) -> None:
    report = verify(database_url)
    assert "user.events.v1" in report
    assert "user.state.v1[0]: 6 offsets between 0 and 7 have no entry" in report
    assert "no entry was changed, but the audit log is incomplete" in report
    assert "is whole" not in report


def test_a_store_that_begins_behind_its_topic_says_from_where(database: Database, database_url: str) -> None:
    open_log(database)
    record_all(database, a_fact(120), a_fact(121))
    report = verify(database_url)
    assert "user.events.v1[0]: the evidence begins at offset 120, nothing before it is recorded" in report
    assert "is whole" not in report


def test_a_large_value_is_verified_and_its_change_is_found(recorded: Database, database_url: str) -> None:
    record_all(recorded, a_fact(5, value=b" " * 3_000_000))
    assert "user.events.v1" in verify(database_url)
    change(recorded, "UPDATE entries SET value = substr(value, 1, 2999999) WHERE position = 8")
    with pytest.raises(BadEntryError, match=r"at position 8: chain is"):
        verify(database_url)


@pytest.mark.parametrize(
    ("statements", "message"),
    [
        (["UPDATE entries SET value = NULL WHERE position = 2"], r"events.v1\[0\]@2, at position 2: flags"),
        (['UPDATE entries SET "key" = value WHERE position = 2'], r"events.v1\[0\]@2, at position 2: chain is"),
        (["UPDATE entries SET subject = 'nobody' WHERE position = 2"], r"events.v1\[0\]@2, .*'nobody'"),
        (["DELETE FROM entries WHERE position = 2"], r"events.v1\[0\]@3, at position 3: position 2 is missing"),
        (
            ["DELETE FROM entries WHERE position = 2", "UPDATE entries SET position = 2 WHERE position = 7"],
            r"state.v1\[0\]@7, at position 2: chain is",
        ),
        (
            [SWAP, 'UPDATE entries SET "offset" = "offset" - 100 WHERE "offset" > 100'],
            r"@2, at position 1: chain is",
        ),
        (["UPDATE chains SET head = entries.chain FROM entries WHERE entries.position = 0 AND length = 5"], r"head of"),
        (["UPDATE log SET size = 9"], r"size is 9"),
        (["DELETE FROM entries WHERE position = 7"], r"state.v1\[0\]@0: next_offset of the stored chain is 8"),
        (["UPDATE entries SET leaf = chain WHERE position = 3"], r"events.v1\[0\]@3, at position 3: leaf is"),
        (["UPDATE log SET edge = entries.leaf FROM entries WHERE position = 0"], r"the edge of the tree is"),
    ],
    ids=[
        "value",
        "key",
        "subject",
        "removed",
        "removed and refilled",
        "swapped",
        "head",
        "size",
        "end",
        "leaf",
        "edge",
    ],
)
def test_a_change_is_found_and_named(
    recorded: Database, database_url: str, statements: list[str], message: str
) -> None:
    change(recorded, *statements)
    with pytest.raises(BadEntryError, match=message):
        verify(database_url)


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        (
            "UPDATE nodes SET hash = entries.leaf FROM entries WHERE position = 0",
            "node 0 on tile level 1 of the tree is",
        ),
        ("DELETE FROM nodes", "node 0 on tile level 1 of the tree is missing"),
        ("INSERT INTO nodes SELECT 1, 1, leaf FROM entries WHERE position = 0", "has 2 stored nodes, but its entries"),
    ],
    ids=["changed", "removed", "added"],
)
def test_a_changed_node_of_the_tree_is_found(
    recorded: Database, database_url: str, statement: str, message: str
) -> None:
    record_all(recorded, *[a_fact(offset) for offset in range(5, 300)])
    change(recorded, statement)
    with pytest.raises(BadEntryError, match=message):
        verify(database_url)


def test_a_database_without_an_audit_store_is_recognised(database: Database, database_url: str) -> None:
    with database.write() as connection:
        connection.execute(text("CREATE TABLE others (id INTEGER)"))
    with pytest.raises(StoreError, match="cannot be read as an audit store"):
        verify(database_url)


def test_a_missing_file_is_not_created(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no file"):
        verify(f"sqlite:///{tmp_path}/none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_database_is_recognised(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("not a database, but long enough to look like one " * 100)
    with pytest.raises(StoreError, match="file is not a database"):
        verify(f"sqlite:///{tmp_path}/text.db")


def run_verify(url: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("APP_")}
    return subprocess.run(
        [sys.executable, "-m", "services.audit", "verify"],
        env=kept | {"APP_DATABASE_URL": url} | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_exit_code_is_0_if_unchanged_1_if_changed_and_2_for_another_log(
    database: Database, database_url: str
) -> None:
    open_log(database)
    record_all(database, *[a_fact(offset) for offset in range(3)])
    well = run_verify(database_url)
    assert (well.returncode, well.stderr) == (0, "")
    assert "the audit log is whole" in well.stdout
    assert run_verify(database_url, APP_AUDIT_ORIGIN="mine").returncode == 2
    change(database, "UPDATE entries SET ts_ms = 0 WHERE position = 2")
    changed = run_verify(database_url)
    assert changed.returncode == 1
    assert "user.events.v1[0]@2, at position 2: chain is" in changed.stderr


def test_text_instead_of_bytes_is_found_and_named(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/audit.db"
    database = Database(url)
    open_log(database)
    record_all(database, a_fact(0), a_fact(1))
    change(database, "UPDATE entries SET value = 'edited by hand' WHERE position = 1")
    database.close()
    with pytest.raises(BadEntryError, match=r"@1, at position 1: text is stored instead of bytes"):
        verify(url)
