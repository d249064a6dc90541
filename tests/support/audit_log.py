"""Helpers of the audit tests: records, and a log in a database."""

import msgspec

from services.audit import handlers, store
from services.audit.bootstrap import REVISIONS
from services.audit.chain_heads import Heads
from services.audit.domain import Entry, Page, Query
from services.chassis.consumer.subscription import Outcome
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from tests.support.builders import NOW, a_record, a_user_registered, an_envelope
from tests.support.schemas import upgrade

ORIGIN = "eventline.local/audit"
TOPIC_IDS = {"user.events.v1": "A" * 22, "user.state.v1": "B" * 22, "user.notices.v1": "C" * 22}


def a_fact(offset: int, **changed: object) -> Record:
    """Return the record of a registration at an offset, with its own user and command."""
    envelope = an_envelope(subject=f"user-{offset}", correlation_id=f"command-{offset}")
    return msgspec.structs.replace(a_record(envelope, a_user_registered()), offset=offset, **changed)


def open_log(database: Database, origin: str = ORIGIN) -> None:
    """Migrate and create the log, as the service does at its start."""
    upgrade(database, REVISIONS)
    with database.write() as connection:
        store.open_log(connection, origin)


def record_all(database: Database, *records: Record) -> Outcome:
    """Append a batch in its own transaction, with no chain heads kept from the one before."""
    return record_with(Heads(), database, *records)


def record_with(heads: Heads, database: Database, *records: Record) -> Outcome:
    """Append a batch as the replica that keeps these chain heads."""
    with database.write() as connection:
        return handlers.record(store.Log(connection, ORIGIN, heads), records, TOPIC_IDS.__getitem__, NOW)


def find(database: Database, **filters: object) -> Page:
    """Return a page of entries."""
    with database.read() as connection:
        return store.find(connection, msgspec.convert(filters, Query), ORIGIN)


def all_entries(database: Database) -> list[Entry]:
    """Return the whole log."""
    with database.snapshot() as connection:
        return list(store.read_entries(connection))
