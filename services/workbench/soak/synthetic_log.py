"""A synthetic audit log of any size: registrations with one mail each, and one command in the middle with 23 mails."""

import itertools
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec

from services.audit import handlers, store
from services.audit.chain_heads import Heads
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.contracts import catalog, notification, shapes, user
from services.contracts.envelope import Envelope, schema_of, to_headers

ORIGIN = "eventline.local/audit"
TOPIC_IDS = {topic.name: f"{number:022}" for number, topic in enumerate(catalog.TOPICS)}
SOURCES = {topic.name: "".join(topic.sources[:1]) for topic in catalog.TOPICS}
PARTITIONS = {topic.name: topic.partitions for topic in catalog.TOPICS}
BATCH = 2000
START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
RECORDS_A_SECOND = 1000  # most of a million lies within the ten minutes around an event
SHORT = 5  # records of a command with one mail
MAILS = 23  # of the long command: three records of its change, two of each mail, one repeat
UUIDV7, VARIANT = 7 << 76, 0b10 << 62  # RFC 9562, section 5.7
USER, FACT, MAIL = 0, 1, 2

Row = tuple[str, str, str | None, msgspec.Struct]  # topic, event id, cause, data


class Command(msgspec.Struct, frozen=True):
    """A registration: its number in the log, its time, and the number of mails that it leads to."""

    number: int
    time: datetime
    mails: int = 1

    @property
    def correlation_id(self) -> str:
        """The correlation id."""
        return f"command-{self.number}"

    def id_of(self, part: int) -> str:
        """Return the UUIDv7 of one of its parts: USER, FACT, or MAIL and the numbers after it."""
        milliseconds = int(self.time.timestamp() * 1000)
        return str(uuid.UUID(int=milliseconds << 80 | UUIDV7 | VARIANT | self.number << 16 | part))

    def rows(self) -> Iterator[Row]:
        """Yield its records in causal order; of a long command the first one twice."""
        user_id, fact = self.id_of(USER), self.id_of(FACT)
        person = user.Personal(f"user{self.number}", f"user{self.number}@example.org", "Ada Lovelace", "en")
        state = user.UserState(user_id, 1, user.Status.ACTIVE, person, user.Preferences())
        for _ in range(1 if self.mails == 1 else 2):
            yield catalog.USER_EVENTS.name, fact, None, user.UserRegistered(person, user.Preferences())
        yield catalog.USER_STATE.name, fact, None, state
        yield catalog.USER_NOTICES.name, fact, None, user.UserNotice(user_id, "user.registered", 1)
        for part in range(MAIL, MAIL + 3 * self.mails, 3):
            mail, queued, sent = (self.id_of(part + number) for number in range(3))
            recipient = notification.Recipient(person.email)
            intent = notification.NotificationQueued(mail, fact, user_id, 1, "welcome", recipient)
            done = notification.NotificationSent(mail, user_id, f"<{mail}@eventline.local>", 1)
            yield catalog.NOTIFICATION_EVENTS.name, queued, fact, intent
            yield catalog.NOTIFICATION_EVENTS.name, sent, queued, done


def fill(database: Database, size: int) -> Command:
    """Write a log of so many entries with the audit service's own handler. Returns the long command in its middle."""
    long = _command(size // SHORT // 2, MAILS)
    store.create_log(database, ORIGIN)
    records, heads = itertools.islice(_records(long), size), Heads()
    for batch in iter(lambda: list(itertools.islice(records, BATCH)), []):
        with database.write() as connection:
            handlers.record(store.Log(connection, ORIGIN, heads), batch, TOPIC_IDS.__getitem__, START)
    return long


def _command(number: int, mails: int = 1) -> Command:
    return Command(number, START + timedelta(seconds=number * SHORT / RECORDS_A_SECOND), mails)


def _records(long: Command) -> Iterator[Record]:
    written = {topic: itertools.count() for topic in TOPIC_IDS}
    for number in itertools.count():
        command = long if number == long.number else _command(number)
        yield from (_record(command, row, next(written[row[0]])) for row in command.rows())


def _record(command: Command, row: Row, place: int) -> Record:
    topic, event_id, cause, data = row
    kind = catalog.TYPE_NAMES[type(data)]
    envelope = Envelope(
        id=event_id,
        source=SOURCES[topic],
        type=kind,
        subject=command.id_of(USER),
        time=command.time,
        schema=schema_of(kind, shapes.written_version(type(data))),
        sequence=place + 1,
        version=1,
        correlation_id=command.correlation_id,
        causation_id=cause,
    )
    return Record(
        topic=topic,
        partition=place % PARTITIONS[topic],
        offset=place // PARTITIONS[topic],
        timestamp_type=1,
        timestamp_ms=int(command.time.timestamp() * 1000),
        key=envelope.subject.encode(),
        value=shapes.written(data),
        headers=to_headers(envelope),
    )
