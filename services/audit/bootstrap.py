"""Where the audit service is put together; the only module that names concrete classes."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from rich.console import Console
from sqlalchemy import Connection

from services.audit import api, handlers, report, store
from services.audit.domain import Page, Query
from services.audit.settings import Settings, StoreSettings
from services.audit.verify import Verification
from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.offset_tracker import Broker
from services.chassis.consumer.subscription import Outcome, StartOffsets, Subscription
from services.chassis.database import migrations
from services.chassis.database.health_check import DatabaseHealthCheck
from services.chassis.database.metrics import measured
from services.chassis.http.server import Frame, Server, application
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.broker_health_check import BrokerHealthCheck
from services.chassis.kafka.client_metrics import CONSUMER, ClientMetrics
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.messages.record import Record, TopicPartition
from services.chassis.process.runtime import Plan
from services.chassis.telemetry.metrics.special import AUDIT_SIZE
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts.catalog import TOPICS

GROUP = "audit"
REVISIONS = Path(__file__).parent / "migrations"


class KnownIds:
    """A broker that remembers the topic ids it was asked for: the consumer asks at each assignment."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._ids: dict[str, str] = {}

    def ids(self, names: Iterable[str]) -> dict[str, str]:
        """Return topic ids by name."""
        found = self._broker.ids(names)
        self._ids |= found
        return found

    def ends(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return the end offsets."""
        return self._broker.ends(partitions)

    def id_of(self, topic: str) -> str:
        """Return the id of a topic that records were read from."""
        return self._ids[topic]


def build(settings: Settings, telemetry: Telemetry) -> Plan:
    """Return the service's parts, in the order in which they stop."""
    database = measured(settings.database, telemetry.metrics)
    told = ClientMetrics(CONSUMER, telemetry.metrics)
    topics = KafkaAdmin(settings, GROUP)
    broker = KnownIds(topics)
    names = tuple(topic.name for topic in TOPICS)

    def prepare() -> None:
        migrations.prepare(database, REVISIONS, migrate=settings.database_migrate)
        with database.write() as connection:
            store.open_log(connection, settings.audit_origin)
        telemetry.metrics.on_scrape(AUDIT_SIZE, partial(database.reader(store.read_size), settings.audit_origin))

    def handle(connection: Connection, records: Sequence[Record]) -> Outcome:
        log = store.Log(connection, settings.audit_origin)
        return handlers.record(log, records, broker.id_of, telemetry.clock())

    def join_group(group: str, topics: Sequence[str], starts: StartOffsets) -> GroupConsumer:
        return GroupConsumer(settings, group, topics, starts, told)

    def find(query: Query) -> Page:
        return database.reader(store.find)(query, settings.audit_origin)

    subscription = Subscription(GROUP, names, handle, join_group, broker, batch=settings.consumer_batch)
    app = application(api.routes(find), "Eventline audit")
    return Plan(
        prepare=prepare,
        components=[
            Server(Frame(app, telemetry), settings, telemetry.health),
            Consumer(subscription, database, telemetry),
            BrokerHealthCheck(topics, telemetry, needed=True),
            DatabaseHealthCheck(database, telemetry),
        ],
        close=database.close,
    )


def verify(settings: StoreSettings, output: Console) -> None:
    """Check the whole store and print what it holds; it may be in use.

    Raises BadEntryError, or StoreError when it is no store of this log.
    """
    verification = Verification(settings.audit_origin, {t.name for t in TOPICS if t.cleanup == "delete"})
    with store.existing(settings.database) as connection, closing(store.read_entries(connection)) as entries:
        size = store.read_size(connection, settings.audit_origin)
        verification.check(report.followed(entries, size, output))
        verification.compare(size, store.read_chains(connection))
    output.print(report.summary(list(verification.chains.values()), settings.audit_origin))
