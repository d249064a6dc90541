"""Hand-written minimal loop of a consumer: batched consume, decode, the same rows in batches, full sync.

No group, no positions, no rules, no repeats, no refusals: raw `sqlite3` and the client, rows straight from records.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable, Sequence

import msgspec
import uuid_utils
from confluent_kafka import OFFSET_BEGINNING, Consumer, Message, TopicPartition

from services.contracts.notification import NotificationQueued, Recipient
from services.contracts.user import Personal, Preferences, Status, UserNotice, UserState

Write = Callable[[sqlite3.Connection, Sequence[Message]], None]
BATCH = 1000
STATE = msgspec.json.Decoder(UserState)
NOTICE = msgspec.json.Decoder(UserNotice)
NOW = 1_767_225_600_000_000


class Registered(msgspec.Struct, frozen=True):
    """Data of a registration in its newest version, the only one that the loop reads."""

    personal: Personal
    preferences: Preferences


REGISTERED = msgspec.json.Decoder(Registered)


def run(bootstrap: str, topics: Sequence[str], path: str, write: Write, expected: int) -> float:
    """Consume everything from the beginning; return records per second, the first batch left out."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bare", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for topic in topics for number in range(6)])
    database = sqlite3.connect(path, isolation_level=None)
    database.execute("PRAGMA synchronous=FULL")
    database.execute("PRAGMA wal_autocheckpoint=4000")
    done = first = 0
    started = 0.0
    while done < expected:
        if (head := consumer.poll(1.0)) is None:
            continue
        messages = [head, *consumer.consume(BATCH - 1, 0)]
        database.execute("BEGIN IMMEDIATE")
        write(database, messages)
        database.execute("COMMIT")
        done += len(messages)
        if not started:
            first, started = done, time.perf_counter()
    seconds = time.perf_counter() - started
    consumer.close()
    database.close()
    return (done - first) / seconds


def project(database: sqlite3.Connection, messages: Sequence[Message]) -> None:
    """Write the rows of notification's projection: replica, address, inbox, intent and event of each user."""
    states, notices = [], []
    for message in messages:
        headers, value = _headers(message), message.value() or b""
        if message.topic() == "user.state.v1":
            states.append((STATE.decode(value), headers, value))
        else:
            notices.append((NOTICE.decode(value), headers, value))
    database.executemany(
        "INSERT OR REPLACE INTO replica (user_id, version, event_id, digest, state) VALUES (?, ?, ?, ?, ?)",
        [
            (s.user_id, s.version, h["ce_id"].decode(), hashlib.sha256(value).digest(), value.decode())
            for s, h, value in states
        ],
    )
    database.executemany(
        "INSERT INTO addresses (user_id, version, email) VALUES (?, ?, ?)",
        [(s.user_id, s.version, s.personal.email) for s, _, _ in states],
    )
    _announce(database, notices)


def _headers(message: Message) -> dict[str, bytes]:
    return dict(message.headers() or [])  # type: ignore[arg-type]  # the stub allows text, which only producers take


def _announce(database: sqlite3.Connection, notices: Sequence[tuple[UserNotice, dict[str, bytes], bytes]]) -> None:
    inbox, intents, events = [], [], []
    for number, (notice, headers, value) in enumerate(notices):
        notice_id, correlation = headers["ce_id"].decode(), headers["ce_correlationid"].decode()
        new, other = str(uuid_utils.uuid7()), str(uuid_utils.uuid7())
        source = headers["ce_source"].decode()
        inbox.append((source, notice_id, notice.user_id, notice.version, hashlib.sha256(value).digest()))
        recipient = f"{notice.user_id}@example.org"
        intents.append((new, notice_id, recipient, notice.user_id, notice.version, other, correlation, NOW, NOW))
        fact = NotificationQueued(new, notice_id, notice.user_id, notice.version, "welcome", Recipient(recipient))
        data = msgspec.json.encode(fact)
        meta = msgspec.json.encode({"correlation_id": correlation, "causation_id": notice_id})
        events.append((other, notice.user_id, 1, "notification.queued", NOW + number, data.decode(), meta.decode()))
    database.executemany("INSERT INTO inbox (source, event_id, subject, version, digest) VALUES (?, ?, ?, ?, ?)", inbox)
    database.executemany(
        "INSERT INTO intents (notification_id, notice_id, template, recipient, user_id, user_version, event_id,"
        " correlation_id, state, detail, tries, doubts, due_at, queued_at, updated_at)"
        " VALUES (?, ?, 'welcome', ?, ?, ?, ?, ?, 'open', '', 0, 0, 0, ?, ?)",
        intents,
    )
    last = database.execute("SELECT coalesce(max(sequence), 0) FROM events").fetchone()[0]
    database.executemany(
        "INSERT INTO events (sequence, event_id, subject, version, type, time, data, metadata)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [(last + number, *event) for number, event in enumerate(events, 1)],
    )


def record(database: sqlite3.Connection, messages: Sequence[Message]) -> None:
    """Write the rows of the audit log: key, value, headers and one hash of each record, searchable."""
    last = database.execute("SELECT coalesce(max(position), -1) FROM entries").fetchone()[0]
    database.executemany(
        "INSERT INTO entries (position, topic, topic_id, partition, offset, ts_type, ts_ms, flags, leaf, key, value,"
        " headers, chain, recorded_at, type, subject, correlation_id, event_time)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 0, x'', ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [_entry(last + number, message) for number, message in enumerate(messages, 1)],
    )


def users(database: sqlite3.Connection, messages: Sequence[Message]) -> None:
    """Write the rows of the user service's projection: a user and two reservations of each registration."""
    rows, reserved = [], []
    for message in messages:
        fact, user_id = REGISTERED.decode(message.value() or b""), _headers(message)["ce_subject"].decode()
        state = UserState(user_id, 1, Status.ACTIVE, fact.personal, fact.preferences)
        rows.append((user_id, 1, "active", msgspec.json.encode(state).decode()))
        reserved += [("login", fact.personal.login, user_id), ("email", fact.personal.email, user_id)]
    database.executemany("INSERT INTO users (user_id, version, status, state) VALUES (?, ?, ?, ?)", rows)
    database.executemany("INSERT INTO reservations (kind, key, user_id) VALUES (?, ?, ?)", reserved)


def _entry(position: int, message: Message) -> tuple[object, ...]:
    headers = _headers(message)
    packed = b"".join(name.encode() + value for name, value in headers.items())
    key, value = message.key() or b"", message.value() or b""
    kind, moment = message.timestamp()
    topic = message.topic() or ""
    place = (topic, topic.ljust(22), message.partition(), message.offset(), kind, moment)
    searched = (headers["ce_type"].decode(), headers["ce_subject"].decode(), headers["ce_correlationid"].decode())
    return (position, *place, key, value, packed, hashlib.sha256(value).digest(), NOW, *searched, NOW)
