"""Builds the user service; the only module that names concrete classes."""

import threading
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from services.chassis.consumer.dead_letters import DeadLetters
from services.chassis.consumer.loop import Consumer
from services.chassis.consumer.subscription import Subscription
from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.database.health_check import DatabaseHealthCheck
from services.chassis.database.metrics import measured
from services.chassis.http.server import Frame, Server, application
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.broker_health_check import BrokerHealthCheck
from services.chassis.kafka.client_metrics import CONSUMER, DEAD_LETTERS, RELAY, ClientMetrics
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.latest_published import LatestPublished
from services.chassis.kafka.producer import Producer
from services.chassis.messages.ids import new_holder, new_id
from services.chassis.outbox.group_commit import GroupCommit, Retrying
from services.chassis.outbox.lease import Leases
from services.chassis.outbox.relay import Outbox, Relay
from services.chassis.process.runtime import Component, Plan
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts.catalog import NOTIFICATION_EVENTS, USER_DEAD_LETTERS, USER_EVENTS
from services.contracts.user import EVENTS
from services.user import publisher, rebuild, rebuilding, store
from services.user.api import Api
from services.user.api_schemas import CLOSED
from services.user.bounce_handler import BounceHandler
from services.user.commands import Command, Outcome
from services.user.handlers import CommandHandler, Tools
from services.user.settings import Settings

REVISIONS = Path(__file__).parent / "migrations"
GROUP = "user"


def build(settings: Settings, telemetry: Telemetry) -> Plan:
    """Return the service's parts, in the order in which they stop."""
    database = measured(settings.database, telemetry.metrics)
    appended = threading.Event()
    dead_letters = _dead_letters(settings, telemetry)
    writer = _writer(settings, database, appended, telemetry)
    topics = KafkaAdmin(settings, GROUP)
    subscription = _subscription(settings, telemetry, dead_letters, appended, topics)

    def close() -> None:
        dead_letters.close()
        database.close()

    return Plan(
        prepare=lambda: migrations.prepare(database, REVISIONS, migrate=settings.database_migrate),
        components=[
            _http(settings, database, writer, telemetry),
            writer,
            Consumer(subscription, database, telemetry),
            _relay(settings, database, appended, telemetry),
            BrokerHealthCheck(topics, telemetry, needed=False),
            DatabaseHealthCheck(database, telemetry),
        ],
        close=close,
    )


def rebuild_and_compare(settings: Settings, output: Console) -> list[str]:
    """Fold the log into a fresh table and return how the service's own differs. Raises StuckError, ConnectionError."""
    source = rebuilding.Source(partial(GroupConsumer, settings), KafkaAdmin(settings, rebuilding.GROUP))
    with TemporaryDirectory() as folder:
        scratch, database = rebuilding.scratch(Path(folder)), Database(settings.database)
        try:
            if parked := rebuilding.fold_into(scratch, source, output):
                output.print(f"{parked} users could not be folded to their end")
            with scratch.read() as log, database.read() as own:
                return rebuild.differences(rebuild.kept(own), rebuild.folded(log))
        finally:
            scratch.close()
            database.close()


def _writer(
    settings: Settings, database: Database, appended: threading.Event, telemetry: Telemetry
) -> GroupCommit[Command, Outcome]:
    handler = CommandHandler(database, Tools(store.Rows, new_id, telemetry.clock), appended, telemetry)
    return GroupCommit(Retrying(handler), settings.writer_group, telemetry)


def _http(
    settings: Settings, database: Database, writer: GroupCommit[Command, Outcome], telemetry: Telemetry
) -> Component:
    api = Api(writer, database.reader(store.read_user), database.reader(store.read_page), new_id)
    app = application(api.routes(), "Eventline users", CLOSED)
    return Server(Frame(app, telemetry), settings, telemetry.health)


def _subscription(
    settings: Settings, telemetry: Telemetry, dead_letters: DeadLetters, appended: threading.Event, topics: KafkaAdmin
) -> Subscription:
    return Subscription(
        group=GROUP,
        topics=(NOTIFICATION_EVENTS.name,),
        handle=BounceHandler(Tools(store.Rows, new_id, telemetry.clock)),
        join_group=partial(GroupConsumer, settings, metrics=ClientMetrics(CONSUMER, telemetry.metrics)),
        broker=topics,
        dead_letters=dead_letters,
        batch=settings.consumer_batch,
        commit_signals=(appended,),
        parked_keys_ceiling=settings.consumer_parked_ceiling,
        partitions={NOTIFICATION_EVENTS.name: NOTIFICATION_EVENTS.partitions},
    )


def _dead_letters(settings: Settings, telemetry: Telemetry) -> DeadLetters:
    metrics = ClientMetrics(DEAD_LETTERS, telemetry.metrics)
    return DeadLetters(
        USER_DEAD_LETTERS.name,
        GROUP,
        lambda: Producer(settings, f"{GROUP}-dead-letters", metrics),
        settings.consumer_dead_letter_ceiling,
        time.monotonic,
    )


def _relay(settings: Settings, database: Database, appended: threading.Event, telemetry: Telemetry) -> Component:
    metrics = ClientMetrics(RELAY, telemetry.metrics)
    outbox = Outbox(
        database=database,
        leases=Leases(database, new_holder(), settings.relay_lease),
        records=publisher.records,
        open_producer=lambda: Producer(settings, GROUP, metrics),
        newest=LatestPublished(settings, USER_EVENTS.name, USER_EVENTS.partitions, EVENTS),
    )
    return Relay(outbox, appended, telemetry)
