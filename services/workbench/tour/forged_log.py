"""A forged copy of the audit database: one entry changed, and every hash, counter and node computed again."""

import contextlib
import sqlite3
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import delete, select, update

from services.audit import store
from services.audit.chain_heads import Heads
from services.chassis.database.database import Database


def forge(database_file: Path, copy: Path, position: int, value: bytes) -> None:
    """Write a copy in which an entry has another value; checkpoints are as they were, as nobody has the keys."""
    with (
        contextlib.closing(sqlite3.connect(database_file)) as source,
        contextlib.closing(sqlite3.connect(copy)) as into,
    ):
        source.backup(into)
    database = Database(f"sqlite:///{copy}")
    try:
        with database.write() as connection:
            found = list(store.read_entries(connection))
            found[position] = replace(found[position], value=value)
            for table in (store.entries, store.chains, store.nodes):
                connection.execute(delete(table))
            connection.execute(update(store.log).values(size=0, edge=b""))
            log = store.Log(connection, connection.execute(select(store.log.c.origin)).scalar_one(), Heads())
            for entry in found:
                log.chain(entry.topic, entry.topic_id, entry.partition).add(entry)
            log.append(found)
    finally:
        database.close()
