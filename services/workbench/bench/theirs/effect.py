"""The effect of notification's consumer, one record and one SQL transaction at a time, with the drivers themselves.

The same tables and rows as ours for a log of registrations. Knows no Kafka client.
"""

import hashlib
import json
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version

import msgspec
import uuid_utils

from services.contracts.notification import NotificationQueued, Recipient
from services.contracts.user import UserNotice, UserState
from services.workbench.bench.theirs.driver import Connection

TOPICS = ("user.state.v1", "user.notices.v1")
STATE = msgspec.json.Decoder(UserState)
NOTICE = msgspec.json.Decoder(UserNotice)
REPLICA = (
    "INSERT INTO replica (user_id, version, event_id, digest, state) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (user_id) DO UPDATE SET version = excluded.version, event_id = excluded.event_id,"
    " digest = excluded.digest, state = excluded.state WHERE excluded.version > replica.version"
)
ADDRESS = "INSERT INTO addresses (user_id, version, email) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
INBOX = "INSERT INTO inbox (source, event_id, subject, version, digest) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
RECIPIENT = "SELECT email FROM addresses WHERE user_id = ? AND version <= ? ORDER BY version DESC LIMIT 1"
WAIT = "INSERT INTO waiting (notice_id, user_id, version, type, correlation_id, since) VALUES (?, ?, ?, ?, ?, ?)"
RELEASE = "DELETE FROM waiting WHERE user_id = ? AND version <= ? RETURNING notice_id, version, correlation_id"
INTENT = (
    "INSERT INTO intents (notification_id, notice_id, template, recipient, user_id, user_version, event_id,"
    " correlation_id, state, detail, tries, doubts, due_at, queued_at, updated_at)"
    " VALUES (?, ?, 'welcome', ?, ?, ?, ?, ?, 'open', '', 0, 0, 0, ?, ?)"
)
EVENT = (
    "INSERT INTO events (sequence, event_id, subject, version, type, time, data, metadata)"
    " SELECT coalesce(max(sequence), 0) + 1, ?, ?, 1, 'notification.queued', ?, ?, ? FROM events"
)


class Effect:
    """Applies records until there were enough, and then prints the rate; `library` is the package's name."""

    def __init__(self, library: str) -> None:
        self.bootstrap = sys.argv[1]
        self.group = f"{library}-{uuid_utils.uuid4()}"  # a new one in each round, so that it starts from the beginning
        self._library = library
        self._database = Connection(sys.argv[2])
        self._wanted = int(sys.argv[3])
        self._done = 0
        self._started = self._ended = 0.0

    @property
    def is_done(self) -> bool:
        """True once there were enough records."""
        return self._done >= self._wanted

    def apply(self, topic: str, headers: Mapping[str, bytes | str], value: bytes) -> None:
        """Apply one record in a transaction of its own; nothing after the last."""
        if self.is_done:
            return
        self._database.begin()
        (self._put if topic == TOPICS[0] else self._note)({name: _text(text) for name, text in headers.items()}, value)
        self._database.commit()
        self._done += 1
        self._ended = time.perf_counter()
        self._started = self._started or self._ended  # the first record is left out, with what it took to get there

    def report(self) -> None:
        """Print the result."""
        self._database.close()
        rate = (self._done - 1) / (self._ended - self._started)
        named = f"{self._library} {version(self._library)}"
        sys.stdout.write(json.dumps({"library": named, "rate": rate}) + "\n")

    def _put(self, headers: Mapping[str, str], value: bytes) -> None:
        state = STATE.decode(value)
        row = (state.user_id, state.version, headers["ce_id"], hashlib.sha256(value).digest(), value.decode())
        self._database.execute(REPLICA, row)
        self._database.execute(ADDRESS, (state.user_id, state.version, state.personal.email))
        for waited in self._database.execute(RELEASE, (state.user_id, state.version)).fetchall():
            self._queue(state.user_id, *waited, state.personal.email)

    def _note(self, headers: Mapping[str, str], value: bytes) -> None:
        notice, source, notice_id = NOTICE.decode(value), headers["ce_source"], headers["ce_id"]
        whose, digest = (notice.user_id, notice.version), hashlib.sha256(value).digest()
        if not self._database.execute(INBOX, (source, notice_id, *whose, digest)).rowcount:
            return
        correlation = headers["ce_correlationid"]
        if found := self._database.execute(RECIPIENT, whose).fetchone():
            self._queue(notice.user_id, notice_id, notice.version, correlation, found[0])
        else:
            self._database.execute(WAIT, (notice_id, *whose, notice.type, correlation, _now()))

    def _queue(self, user_id: str, *what: object) -> None:
        notice_id, user_version, correlation, recipient = msgspec.convert(what, tuple[str, int, str, str])
        new, event_id, now = str(uuid_utils.uuid7()), str(uuid_utils.uuid7()), _now()
        intent = (new, notice_id, recipient, user_id, user_version, event_id, correlation, now, now)
        self._database.execute(INTENT, intent)
        fact = NotificationQueued(new, notice_id, user_id, user_version, "welcome", Recipient(recipient))
        meta = msgspec.json.encode({"correlation_id": correlation, "causation_id": notice_id})
        data = msgspec.json.encode(fact)
        self._database.execute(EVENT, (event_id, user_id, now, data.decode(), meta.decode()))


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()


def _now() -> int:
    return time.time_ns() // 1000
