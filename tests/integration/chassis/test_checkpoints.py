"""Checkpoints of SQLite: the write-ahead log stays small, whatever readers and writers do."""

import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from services.chassis.database.checkpoints import LOG_BYTES
from services.chassis.database.database import Database
from services.workbench.polling import until

MEGABYTE = 1_000_000
LOG_MEGABYTES = LOG_BYTES // MEGABYTE


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "test.db"


@pytest.fixture
def store(file: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{file}")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE blobs (content BLOB)")
    yield database
    database.close()


def log_size(file: Path) -> int:
    """Return the size of the log's file, 0 for none."""
    path = Path(f"{file}-wal")
    return path.stat().st_size if path.exists() else 0


def write(database: Database, megabytes: int) -> None:
    """Write each megabyte in a transaction of its own."""
    for _ in range(megabytes):
        with database.write() as connection:
            connection.exec_driver_sql("INSERT INTO blobs VALUES (randomblob(?))", (MEGABYTE,))


def count(database: Database) -> int:
    with database.read() as connection:
        return int(connection.exec_driver_sql("SELECT count(*) FROM blobs").scalar_one())


def await_small_log(database: Database, file: Path) -> None:
    """Write small transactions until the log is small again: only a write begins it again."""

    def is_small() -> bool:
        with database.write() as connection:
            connection.exec_driver_sql(
                "UPDATE blobs SET content = randomblob(8) WHERE rowid = 1"
            )  # SQLite writes no equal one
        return log_size(file) <= LOG_BYTES

    until("the log is small", is_small, seconds=20)


def test_the_log_stays_small_under_steady_writes_and_no_commit_checkpoints(store: Database, file: Path) -> None:
    largest = 0
    for _ in range(4 * LOG_MEGABYTES):
        write(store, 1)
        largest = max(largest, log_size(file))
    await_small_log(store, file)
    assert LOG_BYTES < largest < 4 * LOG_BYTES
    assert count(store) == 4 * LOG_MEGABYTES


def test_a_reader_holds_up_the_checkpoint_and_not_the_writers(store: Database, file: Path) -> None:
    write(store, 1)
    with store.snapshot() as reader:
        assert reader.exec_driver_sql("SELECT count(*) FROM blobs").scalar_one() == 1
        write(store, 2 * LOG_MEGABYTES)
        assert log_size(file) > 1.5 * LOG_BYTES
        assert reader.exec_driver_sql("SELECT count(*) FROM blobs").scalar_one() == 1
    await_small_log(store, file)
    assert count(store) == 1 + 2 * LOG_MEGABYTES


def test_closing_ends_the_thread_and_leaves_one_file(store: Database, file: Path) -> None:
    write(store, LOG_MEGABYTES + 2)
    assert [thread for thread in threading.enumerate() if thread.name == "checkpoints"]
    store.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "checkpoints"]
    assert log_size(file) == 0
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("SELECT count(*) FROM blobs").fetchone() == (LOG_MEGABYTES + 2,)


def test_a_large_log_that_another_version_left_is_taken_over(file: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as killed:
        killed.execute("PRAGMA journal_mode=WAL")
        killed.execute("PRAGMA wal_autocheckpoint=0")
        killed.execute("CREATE TABLE blobs (content BLOB)")
        for _ in range(2 * LOG_MEGABYTES):
            killed.execute("INSERT INTO blobs VALUES (randomblob(?))", (MEGABYTE,))
        copy = tmp_path / "copy.db"
        for suffix in ("", "-wal"):
            shutil.copy(f"{file}{suffix}", f"{copy}{suffix}")
    with closing(Database(f"sqlite:///{copy}")) as database:
        assert count(database) == 2 * LOG_MEGABYTES
        await_small_log(database, copy)
        assert count(database) == 2 * LOG_MEGABYTES
