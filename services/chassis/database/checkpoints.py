"""Checkpoints of SQLite on a thread of their own, so that no commit waits while pages go to the database file.

SQLite begins the write-ahead log again once all of it is in the database file and a write begins. `journal_size_limit`
then cuts the log's file to LOG_BYTES. Therefore a file that is larger holds as much that is to be checkpointed.
"""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import structlog
from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

PAGE = 4096
LOG_PAGES = 4000  # a smaller log means more writes to the database file: pages that change often are written once
LOG_BYTES = LOG_PAGES * PAGE
LONGEST_LOG_PAGES = 10 * LOG_PAGES  # from here on commits checkpoint too, in case the thread cannot
PASSES = 2  # while others write: the second copies what was committed during the first, and waits for the disk
PAUSE_S = 0.5  # after a checkpoint that was not complete, because of a reader or an error
TURN_S = 1.0
STOP_S = 10.0

log = structlog.get_logger()


class Checkpoints:
    """Checkpoints one file when its log is too large. The thread starts with the first need.

    A reader holds up the end of a checkpoint, not the writers: the log grows until the reader has ended.
    """

    def __init__(self, engine: Engine, write_lock: threading.Lock) -> None:
        self._engine = engine
        self._write_lock = write_lock
        self._log_file = Path(f"{engine.url.database}-wal")
        self._due = threading.Event()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def wrote(self) -> None:
        """Look at the log's size after a write, while the write lock is held."""
        try:
            size = self._log_file.stat().st_size
        except FileNotFoundError:  # in memory, or removed by the last connection
            return
        if size > LOG_BYTES and not self._stop.is_set():
            self._due.set()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """End the thread; the last connection that is closed checkpoints the rest."""
        self._stop.set()
        self._due.set()
        if self._thread:
            self._thread.join(STOP_S)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._due.wait()
            if not self._stop.is_set() and not self._succeeds():
                self._stop.wait(PAUSE_S)

    def _succeeds(self) -> bool:
        try:
            return self._checkpoint()
        except (sqlite3.Error, SQLAlchemyError) as error:  # a full disk fails the writers as well, and they report it
            log.warning("checkpoint failed, trying again", error=str(error))
            return False

    def _checkpoint(self) -> bool:
        """Copy the log to the database file, the last of it while no write of this process runs."""
        with closing(self._engine.raw_connection()) as connection:
            driver: sqlite3.Connection = connection.driver_connection  # type: ignore[assignment]  # the dialect's
            for _ in range(PASSES):
                _is_complete(driver)
            if not self._write_lock.acquire(timeout=TURN_S):
                return False
            try:
                if _is_complete(driver):
                    self._due.clear()  # under the lock: no write is overlooked
                    return True
                return False
            finally:
                self._write_lock.release()


def _is_complete(connection: sqlite3.Connection) -> bool:
    """Checkpoint without waiting for anybody. Returns True if the log as it was then is in the database file."""
    _, pages, copied = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    return bool(pages == copied)
