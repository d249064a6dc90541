"""Rebuilds with swap of stores that have consumed what they are rebuilt from, without a broker."""

from collections.abc import Sequence

from sqlalchemy import update

from services.chassis.consumer import offset_store
from services.chassis.consumer.decoding import Decoder
from services.chassis.consumer.offset_store import Position
from services.chassis.database.database import Database
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record, TopicPartition
from services.chassis.outbox.lease import relay
from services.chassis.outbox.operator_events import Operator
from services.chassis.projection.description import Projection, Source
from services.chassis.projection.rebuild import Rebuild
from services.chassis.projection.replica_source import ReplicaSource
from services.chassis.projection.shadow import Shadow
from services.contracts.catalog import TYPES, USER_STATE
from services.notification import projection as replica
from services.user import publisher
from services.user.as_of import projection as users

TOPIC_ID = "id".ljust(22)


class OneRecord:
    """A reader of a partition that has one record."""

    def __init__(self, record: Record) -> None:
        self._left = [record]
        self._end = record.offset + 1

    def poll(self, _limit: int, _timeout_s: float) -> list[Record]:
        found, self._left = self._left, []
        return found

    def reached(self, _partition: TopicPartition) -> int:
        return 0 if self._left else self._end


def rebuild_users(database: Database, facts: Sequence[Record], *, published: bool) -> None:
    """Rebuild the users of a store that has the facts as its events, all of them published or none."""
    with database.write() as connection:
        connection.execute(update(relay).values(cursor=len(facts) if published else 0))
    projection = users.projection(database, lambda: [(batch for batch in [facts])], publisher.records)
    with projection.open_source(Shadow(projection).tables) as source:
        _swap(database, projection, source, len(facts))


def rebuild_replica(database: Database, record: Record) -> None:
    """Rebuild the replica of a store that has consumed a record, of which the replica has nothing."""
    place = TopicPartition(record.topic, record.partition)
    with database.write() as connection:
        offset_store.advance(connection, {}, {place: Position(TOPIC_ID, record.offset + 1)})
    decoder = Decoder({"user.state": TYPES["user.state"]}, tombstones=frozenset({USER_STATE.name}))
    projection = replica.projection(KafkaSettings(kafka_bootstrap_servers="unused"), decoder)
    fold = replica.fold(decoder, Shadow(projection).tables[0])
    source = ReplicaSource(OneRecord(record), {place: TOPIC_ID}, fold)
    _swap(database, projection, source, 1)


def _swap(database: Database, projection: Projection, source: Source, events: int) -> None:
    run = Rebuild(database, projection, source, lambda *_: None)
    assert run.fill() == events
    found = run.compare()
    assert found.notes == []
    run.swap(Operator("ada", "host"), found.differing)
    with database.write() as connection:
        Shadow(projection).drop_replaced(connection)
