"""A newcomer: a fourth process that keeps its own replica of all users, and that no other service has heard of.

It uses `services.chassis` and the published contracts alone: a table, a handler, its own group.
`python -m services.workbench.soak.newcomer` starts empty, reads `user.state.v1` up to the end that it had at the start,
and prints what it has. To stay up until SIGTERM, omit `_stop_at`.
"""

import hashlib
import os
import sys
import threading
from collections.abc import Mapping, Sequence
from functools import partial

import msgspec
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, Text, select, text

from services.chassis.consumer.decoding import Decoder
from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.offset_store import progress, read
from services.chassis.consumer.subscription import Outcome, Subscription
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.messages.record import Record, TopicPartition, partitions_of
from services.chassis.settings.environment import load
from services.chassis.telemetry.telemetry import telemetry
from services.contracts.catalog import TYPE_NAMES, USER_STATE
from services.contracts.user import UserState
from services.user.settings import Settings

GROUP = "newcomer"
LOOK_S = 0.1
PARTITIONS = partitions_of(USER_STATE.name, USER_STATE.partitions)

known = Table(
    "known",
    MetaData(),
    Column("user_id", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", Text),  # NULL once the user is erased
)
# The topic's rule is *newest*: the higher version wins, whatever came in between.
KEEP = text(
    "INSERT INTO known (user_id, version, state) VALUES (:user_id, :version, :state) ON CONFLICT (user_id) "
    "DO UPDATE SET version = excluded.version, state = excluded.state WHERE excluded.version > known.version"
)


class Summary(msgspec.Struct, frozen=True):
    """A replica in short: its users, the highest version, and SHA-256 over the users in order, in canonical JSON."""

    users: int
    highest_version: int
    sha256: str


class Handler:
    """Keeps the newest state of each user; see `chassis.consumer.subscription.Handler`."""

    def __init__(self) -> None:
        self._decoder = Decoder({TYPE_NAMES[UserState]: UserState}, tombstones=frozenset({USER_STATE.name}))

    def __call__(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        """Keep a batch; what is written through `connection` is committed with the position, or not at all."""
        decoded = self._decoder.decode(records)
        rows = [
            {
                "user_id": event.envelope.subject,
                "version": event.envelope.version,
                "state": msgspec.json.encode(event.data).decode() if event.data else None,
            }
            for event in decoded.events
        ]
        if rows:
            connection.execute(KEEP, rows)
        return Outcome(refused=decoded.refused, not_subscribed=decoded.not_subscribed)


def summary(database: Database, table: Table) -> Summary:
    """Return what a table with `user_id`, `version` and `state` holds; the erased are left out."""
    query = select(table.c.user_id, table.c.version, table.c.state).where(table.c.state.is_not(None))
    with database.read() as connection:
        rows = sorted((row.user_id, row.version, row.state) for row in connection.execute(query))
    digest = hashlib.sha256()
    for user_id, version, state in rows:
        digest.update(msgspec.json.encode((user_id, version, msgspec.json.decode(state)), order="sorted") + b"\n")
    return Summary(len(rows), max((version for _, version, _ in rows), default=0), digest.hexdigest())


def main() -> None:
    """Build the replica and print it in short, as JSON. Raises what stops a consumer, and SettingsError."""
    settings = load(Settings, os.environ)
    topics, database = KafkaAdmin(settings, GROUP), Database(settings.database_url)
    for table in (known, progress):
        table.create(database.engine, checkfirst=True)
    stop = threading.Event()
    threading.Thread(target=_stop_at, args=(topics.ends(PARTITIONS), database, stop), daemon=True).start()
    users = Subscription(GROUP, (USER_STATE.name,), Handler(), partial(GroupConsumer, settings), topics)
    Consumer(users, database, telemetry(GROUP)).run(stop)
    sys.stdout.write(msgspec.json.encode(summary(database, known)).decode() + "\n")
    database.close()


def _stop_at(ends: Mapping[TopicPartition, int], database: Database, stop: threading.Event) -> None:
    while not stop.wait(LOOK_S):
        with database.read() as connection:
            have = read(connection, PARTITIONS)
        if all(have[place].next_offset >= end if place in have else end == 0 for place, end in ends.items()):
            stop.set()


if __name__ == "__main__":
    main()
