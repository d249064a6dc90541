"""Every path of the product that decodes a published record, as a function from a record to its effect.

An effect has what the path leaves: rows, without the digests of what came over the wire, or lines for a person. A path
asserts that the record was taken. A new path belongs into `PATHS`; tests/contract/test_corpus.py does the rest.
"""

import io
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from rich.console import Console
from sqlalchemy import Connection, Table, delete, insert, select

from services.audit import handlers as audit_handlers
from services.audit import store as audit_store
from services.audit.chain_heads import Heads
from services.audit.journeys.journey import journey
from services.audit.journeys.search import of_command
from services.chassis.consumer.decoding import UnknownShapeError
from services.chassis.consumer.held.held_records import HeldRecords
from services.chassis.consumer.held.reasons import State
from services.chassis.consumer.held.selection import Filters, find
from services.chassis.consumer.idempotency import inbox
from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.subscription import Handler, Outcome, Subscription
from services.chassis.database.database import Database
from services.chassis.messages.event import Metadata
from services.chassis.messages.record import Record, TopicPartition
from services.chassis.outbox.event_store import events
from services.chassis.outbox.lease import Leases
from services.chassis.outbox.operator_events import Operator
from services.console.export.rows import Rows
from services.console.held.record import verdict
from services.contracts.catalog import TOPICS, TYPES
from services.contracts.envelope import from_headers
from services.notification.store import restore
from services.notification.store.tables import addresses, intents, replica, waiting
from services.user import rebuild
from services.user import store as user_store
from services.user.as_of import canonical
from services.user.as_of import command as as_of
from services.user.as_of.target import Target
from services.user.commands import Command, Register
from services.user.domain import evolve
from services.user.flags.bounce_handler import BounceHandler
from services.user.handlers import Tools
from services.user.restore import command as user_restore
from services.user.restore import failures
from services.workbench.documents.goldens import golden
from services.workbench.tour.stops.event_sourcing import replay
from tests.support import rebuild_paths
from tests.support.builders import NOW, a_record, a_telemetry, a_user_registered, ids
from tests.support.fakes import FakeBroker
from tests.support.notification_builders import a_handler, prepare
from tests.support.schemas import upgrade
from tests.support.user_client import commit_group

CHANGING = {"digest", "event_id", "data"}  # columns that hold what was on the wire, or an id made at random
QUIET = Console(file=io.StringIO())
OPERATOR = Operator("ada", "host")
ORIGIN = "eventline.local/audit"
FACTS = tuple(rebuild.FACTS)
OUTCOMES = tuple(kind for kind in TYPES if kind.startswith("notification."))


class DecodingPath(NamedTuple):
    """A path: the types that it decodes, and what it makes of a record of one, in an empty SQLite database."""

    types: Sequence[str]
    effect: Callable[[Database, Record], object]


def _rows(connection: Connection, *tables: Table) -> list[dict[str, Any]]:
    found = (dict(row) for table in tables for row in connection.execute(select(table)).mappings())
    return [{name: value for name, value in row.items() if name not in CHANGING} for row in found]


def _taken(handler: Handler, database: Database, record: Record) -> None:
    with database.write() as connection:
        outcome = handler(connection, [record])
    assert (outcome.refused, outcome.not_subscribed.total()) == ([], 0), record.place


def _present(kind: str, topic: str, **changed: object) -> Record:
    record = golden(kind)
    return a_record(from_headers(record.headers), record.value, topic=topic, headers=record.headers, **changed)


def _notified(database: Database, record: Record) -> object:
    prepare(database)
    handler = a_handler(ids())
    if record.topic != "user.state.v1":
        _taken(handler, database, _present("user.state", "user.state.v1"))
    _taken(handler, database, record)
    with database.read() as connection:
        return _rows(connection, replica, addresses, waiting, intents)


def _held_by_an_older_program_and_applied(database: Database, record: Record) -> object:
    prepare(database)
    broker, place = FakeBroker(), TopicPartition(record.topic, 0)
    broker.create(record.topic, "id".ljust(22))
    broker.logs[place].append(record)

    def older(_connection: Connection, _records: Sequence[Record]) -> Outcome:
        raise UnknownShapeError(record.place)

    held = []
    for handler in (older, a_handler(ids())):  # the newer program retries what is parked as soon as it starts
        records = HeldRecords(lambda: NOW, 10, 10)
        subscription = Subscription("group", (record.topic,), handler, broker.join_group, broker, records)
        consumer = Consumer(subscription, database, a_telemetry())
        member = consumer._join()  # noqa: SLF001  # a test processes single batches
        for _ in range(3):
            consumer.process_batch(member)
        with database.read() as connection:
            held.append([(one.state, one.reason) for one in find(connection, Filters())])
    assert held == [[(State.PARKED, "newer_version")], []]
    with database.read() as connection:
        return _rows(connection, replica, addresses, waiting, intents)


def _bounced(database: Database, record: Record) -> object:
    upgrade(database, Path(user_store.__file__).parent / "migrations")
    new_id = ids()
    register = Register(from_headers(record.headers or []).subject, *msgspec.structs.astuple(a_user_registered()))
    with database.write() as connection:
        commit_group(connection, [Command(register, new_id(), b"", Metadata("c"))], new_id)
    _taken(BounceHandler(Tools(user_store.Rows, new_id, lambda: NOW), timedelta(days=1)), database, record)
    with database.read() as connection:
        flagged = [row.data for row in connection.execute(select(events)) if row.type == "user.contact_flagged"]
        return flagged, _rows(connection, user_store.users)


def _before(record: Record) -> tuple[object, ...]:
    envelope = from_headers(record.headers or [])
    state = msgspec.structs.replace(evolve(envelope.subject, None, a_user_registered()), version=envelope.version - 1)
    return (envelope.subject, state.version, "e", b"", msgspec.json.encode(state).decode())


def _folded(database: Database, record: Record) -> object:
    with database.write() as connection:
        rebuild.rebuilt.create(connection)
        connection.execute(insert(rebuild.rebuilt).values(_before(record)))
    _taken(rebuild.Fold(), database, record)
    with database.read() as connection:
        return rebuild.folded(connection)


def _as_of(database: Database, record: Record) -> object:
    facts = _facts(record)
    log = as_of.Log(lambda: [(batch for batch in [facts])], len(facts))
    wanted = as_of.Wanted(Target(sequence=len(facts)))
    as_of.run(log, wanted, database, as_of.Consoles(QUIET, QUIET))
    with database.read() as connection:
        return list(canonical.lines(connection))


def _user_restored(database: Database, record: Record) -> object:
    facts = _facts(record)
    log = as_of.Log(lambda: [(batch for batch in [facts])], len(facts))
    leases = Leases(database, "restore", timedelta(seconds=20))
    store = user_restore.Store(database, Path(user_store.__file__).parent / "migrations", leases, OPERATOR, lambda: NOW)
    user_restore.run(user_restore.Topics(log, list), store, as_of.Consoles(QUIET, QUIET), after_backup=False)
    with database.read() as connection:
        states = list(connection.scalars(select(events.c.state)))  # data and metadata stay in the version of the record
        return states, _rows(connection, user_store.users, user_store.reservations)


def _users_rebuilt(database: Database, record: Record) -> object:
    _user_restored(database, record)
    seen = []
    for published in (True, False):  # from the topic, and behind the relay's cursor from the event store
        rebuild_paths.rebuild_users(database, _facts(record), published=published)
        with database.read() as connection:
            seen.append(_rows(connection, user_store.users, user_store.reservations))
    assert seen[0] == seen[1]
    return seen


def _replica_rebuilt(database: Database, record: Record) -> object:
    prepare(database)
    rebuild_paths.rebuild_replica(database, record)
    with database.read() as connection:
        rows = _rows(connection, replica)
    assert rows, "the record is not in the replica"
    return rows


def _remembered(database: Database, record: Record) -> object:
    _bounced(database, record)
    with database.write() as connection:
        connection.execute(delete(inbox))
        assert failures.remember_decided(connection, [record], NOW) == 1
        return _rows(connection, inbox)


def _replayed(_database: Database, record: Record) -> object:
    facts = _with_registration(record)
    states = list(replay("u", facts))
    assert len(states) == len(facts)
    return states


def _facts(record: Record) -> list[Record]:
    return [_numbered(fact, str(number).encode()) for number, fact in enumerate(_with_registration(record), 1)]


def _with_registration(record: Record) -> list[Record]:
    is_first = record.header("ce_type") == "user.registered"
    return [record] if is_first else [_present("user.registered", record.topic), record]


def _restored(database: Database, record: Record) -> object:
    prepare(database)
    records = [record]
    if record.header("ce_type") in {"notification.sent", "notification.failed"}:
        records.insert(0, _numbered(_present("notification.queued", record.topic), b"1"))
    restore.restore(database, [records])
    with database.read() as connection:
        return _rows(connection, intents)


def _numbered(record: Record, number: bytes) -> Record:
    # All golden records have one number and one id.
    changed = {"ce_id": b"event-" + number, "ce_sequence": number.rjust(20, b"0"), "ce_subjectversion": number}
    headers = [(name, changed.get(name, value)) for name, value in record.headers or ()]
    return msgspec.structs.replace(record, headers=headers)


def _in_a_journey(database: Database, record: Record) -> object:
    upgrade(database, Path(audit_store.__file__).parent / "migrations")
    audit_store.create_log(database, ORIGIN)
    with database.write() as connection:
        log = audit_store.Log(connection, ORIGIN, Heads())
        audit_handlers.record(log, [record], lambda _topic: "A" * 22, NOW)
    with database.read() as connection:
        mails = journey("c", of_command(connection, "correlation-1"), personal=True).mails
    assert mails, "a notification leads to a mail"
    return mails


def _described(_database: Database, record: Record) -> object:
    text = verdict(record)
    assert text.startswith("decodes as"), text
    return text


def _exported(_database: Database, record: Record) -> object:
    (topic,) = (topic for topic in TOPICS if topic.name == record.topic)
    (row,) = Rows(topic, personal=True).of([record])
    assert row.reason is None, row.reason
    return row


PATHS = {
    "notification: live": DecodingPath(("user.state", "user.notice"), _notified),
    "notification: parked, then retried": DecodingPath(
        ("user.state", "user.notice"), _held_by_an_older_program_and_applied
    ),
    "notification: restore": DecodingPath(OUTCOMES, _restored),
    "notification: rebuild with swap": DecodingPath(("user.state",), _replica_rebuilt),
    "user: bounces": DecodingPath(("notification.failed",), _bounced),
    "user: rebuild": DecodingPath(FACTS, _folded),
    "audit: journey": DecodingPath(OUTCOMES, _in_a_journey),
    "console: held show": DecodingPath(tuple(TYPES), _described),
    "console: export": DecodingPath(tuple(TYPES), _exported),
    "user: as-of": DecodingPath(FACTS, _as_of),
    "user: rebuild with swap": DecodingPath(FACTS, _users_rebuilt),
    "user: restore": DecodingPath(FACTS, _user_restored),
    "user: restore of the inbox": DecodingPath(("notification.failed",), _remembered),
    "tour: replay": DecodingPath(FACTS, _replayed),
}
