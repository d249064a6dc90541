"""Where the notification service is put together; the only module that names concrete classes."""

import threading
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import structlog

from services.chassis.consumer.dead_letters import DeadLetters
from services.chassis.consumer.decoding import Decoder
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
from services.chassis.kafka.partition_reader import read_topic
from services.chassis.kafka.producer import Producer
from services.chassis.messages.ids import new_holder, new_id
from services.chassis.outbox.lease import Leases
from services.chassis.outbox.relay import Outbox, Relay
from services.chassis.process.runtime import Component, Plan
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts.catalog import NOTIFICATION_DEAD_LETTERS, NOTIFICATION_EVENTS, TYPES, USER_NOTICES, USER_STATE
from services.contracts.notification import EVENTS
from services.notification import publisher
from services.notification.api import Api
from services.notification.handlers import Handler, Tools
from services.notification.join_monitor import ReplicaWatch, Views, show_mails
from services.notification.mail_queue import MailQueue
from services.notification.sender import Limits, Sender
from services.notification.settings import Settings
from services.notification.smtp_connection import Login
from services.notification.smtp_connection import Server as MailServer
from services.notification.smtp_delivery import Mailer
from services.notification.store import restore, views
from services.notification.store.batch import Rows
from services.notification.templates import Composer

REVISIONS = Path(__file__).parent / "migrations"
GROUP = "notification"
SUBSCRIBED = {name: TYPES[name] for name in ("user.state", "user.notice")}

log = structlog.get_logger()


def build(settings: Settings, telemetry: Telemetry) -> Plan:
    """Return the service's parts, in the order in which they stop."""
    database = measured(settings.database, telemetry.metrics)
    appended = threading.Event()
    dead_letters = _dead_letters(settings, telemetry)
    senders = _senders(settings, database, appended, telemetry)
    commit_signals = (appended, *(sender.wake for sender in senders))
    topics = KafkaAdmin(settings, GROUP)
    consumer = Consumer(_subscription(settings, telemetry, dead_letters, commit_signals, topics), database, telemetry)

    def close() -> None:
        dead_letters.close()
        database.close()

    def prepare() -> None:
        migrations.prepare(database, REVISIONS, migrate=settings.database_migrate)
        _restore(settings, database)

    return Plan(
        prepare=prepare,
        components=[
            _http(settings, database, telemetry),
            consumer,
            _watch(settings, database, consumer, telemetry),
            *senders,
            _relay(settings, database, appended, telemetry),
            BrokerHealthCheck(topics, telemetry, needed=True),
            DatabaseHealthCheck(database, telemetry),
        ],
        close=close,
    )


def _restore(settings: Settings, database: Database) -> None:
    with database.write() as connection:
        if restore.is_empty(connection):
            batches = read_topic(settings, NOTIFICATION_EVENTS.name, NOTIFICATION_EVENTS.partitions)
            if last := restore.restore(connection, batches):
                log.info("restored from the log", topic=NOTIFICATION_EVENTS.name, last_sequence=last)


def _http(settings: Settings, database: Database, telemetry: Telemetry) -> Component:
    api = Api(database.reader(views.version), database.reader(views.notifications))
    app = application(api.routes(), "Eventline notifications")
    return Server(Frame(app, telemetry), settings, telemetry.health)


def _subscription(
    settings: Settings,
    telemetry: Telemetry,
    dead_letters: DeadLetters,
    commit_signals: Sequence[threading.Event],
    broker: KafkaAdmin,
) -> Subscription:
    decoder = Decoder(SUBSCRIBED, tombstones=frozenset({USER_STATE.name}))
    return Subscription(
        group=GROUP,
        topics=(USER_STATE.name, USER_NOTICES.name),
        handle=Handler(Tools(decoder, Rows, new_id, telemetry.clock)),
        join_group=partial(GroupConsumer, settings, metrics=ClientMetrics(CONSUMER, telemetry.metrics)),
        broker=broker,
        dead_letters=dead_letters,
        batch=settings.consumer_batch,
        commit_signals=tuple(commit_signals),
        parked_keys_ceiling=settings.consumer_parked_ceiling,
        partitions={topic.name: topic.partitions for topic in (USER_STATE, USER_NOTICES)},
    )


def _dead_letters(settings: Settings, telemetry: Telemetry) -> DeadLetters:
    told = ClientMetrics(DEAD_LETTERS, telemetry.metrics)
    return DeadLetters(
        NOTIFICATION_DEAD_LETTERS.name,
        GROUP,
        lambda: Producer(settings, f"{GROUP}-dead-letters", told),
        settings.consumer_dead_letter_ceiling,
        time.monotonic,
    )


def _watch(settings: Settings, database: Database, consumer: Consumer, telemetry: Telemetry) -> Component:
    waiting = Views(
        oldest=database.reader(views.oldest_waiting),
        overdue=database.reader(views.overdue),
        replaying=lambda: consumer.replaying,
    )
    return ReplicaWatch(waiting, settings.replica_wait, telemetry)


def _senders(settings: Settings, database: Database, appended: threading.Event, telemetry: Telemetry) -> list[Sender]:
    show_mails(database.reader(views.unfinished), telemetry)
    claim_s = settings.sender_claim_time.total_seconds()
    queue = MailQueue(database, telemetry.clock, new_id, settings.mail_from, appended, claim_s)
    limits = Limits.of(settings.sender_claim, settings.smtp_timeout.total_seconds(), claim_s)
    return [
        Sender(f"sender-{number}", queue, _mailer(settings), limits, telemetry)
        for number in range(1, settings.sender_threads + 1)
    ]


def _mailer(settings: Settings) -> Mailer:
    server = MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        timeout_s=settings.smtp_timeout.total_seconds(),
        trust=settings.trust(),
        tls_first=settings.smtp_tls == "tls",
        login=Login(settings.smtp_user, settings.smtp_password) if settings.smtp_user else None,
    )
    return Mailer(server, Composer(settings.mail_from))


def _relay(settings: Settings, database: Database, appended: threading.Event, telemetry: Telemetry) -> Component:
    told = ClientMetrics(RELAY, telemetry.metrics)
    outbox = Outbox(
        database=database,
        leases=Leases(database, new_holder(), settings.relay_lease),
        records=publisher.records,
        open_producer=lambda: Producer(settings, GROUP, told),
        newest=LatestPublished(settings, NOTIFICATION_EVENTS.name, NOTIFICATION_EVENTS.partitions, EVENTS),
    )
    return Relay(outbox, appended, telemetry)
