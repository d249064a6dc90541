"""Examples to start a test from: valid in every part, each part changeable by its name."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from itertools import count

import msgspec
from sqlalchemy import insert

from services.chassis.database.database import Database, metadata
from services.chassis.messages.event import Metadata, NewEvent
from services.chassis.messages.record import Record
from services.chassis.outbox import event_store, lease, operator_events, stopped_events
from services.chassis.telemetry.telemetry import Telemetry, telemetry
from services.chassis.telemetry.tracing import Attributes, Work
from services.contracts.envelope import Envelope, schema_of, to_headers
from services.contracts.user import Personal, Preferences, UserRegistered

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
USER_ID = "01936d5e-0000-7000-8000-000000000001"


def ids(prefix: str = "id") -> Callable[[], str]:
    """Return a source of ids that count: `id-1`, `id-2`."""
    numbers = count(1)
    return lambda: f"{prefix}-{next(numbers)}"


def a_telemetry(clock: Callable[[], datetime] = lambda: NOW) -> Telemetry:
    """Return metrics and health of a test's own."""
    return msgspec.structs.replace(telemetry("test"), clock=clock)


def a_person(**changed: str) -> Personal:
    """Return the personal part of a user."""
    return msgspec.structs.replace(Personal("ada", "ada@example.org", "Ada Lovelace", "en"), **changed)


def a_user_registered(**changed: str) -> UserRegistered:
    """Return a registration with other personal fields where given."""
    return UserRegistered(a_person(**changed), Preferences())


def an_envelope(**changed: object) -> Envelope:
    """Return the envelope of a first fact; the schema follows the type."""
    kind = str(changed.get("type", "user.registered"))
    usual = Envelope(
        id="01936d5e-0000-7000-8000-00000000000e",
        source="/user/events",
        type=kind,
        subject=USER_ID,
        time=NOW,
        schema=schema_of(kind),
        sequence=1,
        version=1,
        correlation_id="correlation-1",
    )
    return msgspec.structs.replace(usual, **changed)


def a_record(envelope: Envelope, data: msgspec.Struct | bytes | None, **changed: object) -> Record:
    """Return the record of an event as a reader gets it. `data` may be given as bytes, None is a tombstone."""
    value = msgspec.json.encode(data) if isinstance(data, msgspec.Struct) else data
    usual = Record(
        topic="user.events.v1",
        partition=0,
        offset=0,
        timestamp_type=1,
        timestamp_ms=int(envelope.time.timestamp() * 1000),
        key=envelope.subject.encode(),
        value=value,
        headers=to_headers(envelope),
    )
    return msgspec.structs.replace(usual, **changed)


def asked_for_by(actor: str, record: Record) -> Record:
    """Return a record that a caller's command led to."""
    return msgspec.structs.replace(record, headers=[*(record.headers or []), ("ce_actor", actor.encode())])


def a_new_event(number: int = 1, **changed: object) -> NewEvent:
    """Return an event that waits for its sequence number; one subject, `number` is its version."""
    usual = NewEvent(f"event-{number}", USER_ID, number, "user.registered", "{}", Metadata("correlation-1"))
    return msgspec.structs.replace(usual, **changed)


def an_event_store(database: Database) -> None:
    """Make the tables of an event store with their first rows, as a service's migration does."""
    with database.write() as connection:
        tables = [event_store.events, event_store.counter, lease.relay, stopped_events.stopped]
        metadata.create_all(connection, [*tables, operator_events.operations])
        connection.execute(insert(event_store.counter).values(id=1, last_sequence=0, last_time=0))
        connection.execute(insert(lease.relay).values(id=1, cursor=0, epoch=0, expires_at=0))


def append(database: Database, *events: NewEvent, at: datetime = NOW) -> None:
    """Append events in a transaction of their own."""
    with database.write() as connection, event_store.appending(connection, at) as pending:
        pending.events += events


def append_events(database: Database, *versions: int, at: datetime = NOW) -> None:
    """Append events of one subject."""
    append(database, *map(a_new_event, versions), at=at)


class Recorded(msgspec.Struct):
    """A span that was started, and what became of it."""

    work: Work
    parent: str | None
    links: tuple[str, ...]
    traceparent: str
    noted: dict[str, str | int] = {}
    name: str = ""
    error: str | None = None  # None while the work is under way

    def note(self, attributes: Attributes, name: str = "") -> None:
        """Add to what is known."""
        self.noted |= attributes
        self.name = name or self.name

    def end(self, error: str = "") -> None:
        """End."""
        assert self.error is None, "a span was ended twice"
        self.error = error


class Recording:
    """Makes spans that stay here; each is in its parent's trace, and takes over its flags."""

    on = True

    def __init__(self) -> None:
        self.spans: list[Recorded] = []

    def start(self, work: Work, parent: str | None, links: Sequence[str] = ()) -> Recorded:
        """Start a span."""
        number = len(self.spans) + 1
        trace, flags = (parent[3:35], parent[-2:]) if parent else (f"{number:032x}", "01")
        self.spans.append(Recorded(work, parent, tuple(links), f"00-{trace}-{number:016x}-{flags}"))
        return self.spans[-1]

    def close(self) -> None:
        """Do nothing."""

    def named(self, name: str) -> list[Recorded]:
        """Return the spans of a name."""
        return [span for span in self.spans if span.work.name == name]
