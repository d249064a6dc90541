"""Assembly of the notification service; the only module that names concrete classes."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

from services.chassis.consumer import idempotency
from services.chassis.consumer.decoding import Decoder
from services.chassis.consumer.held import table
from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import read_topic
from services.chassis.messages.ids import new_holder, new_id
from services.chassis.messages.record import Record, partitions_of
from services.chassis.outbox import stopped_events
from services.chassis.outbox.lease import Leases
from services.chassis.process.assembly import Assembly, Consumption
from services.chassis.process.holding import Holding
from services.chassis.process.publishing import Publication, PublishingAssembly
from services.chassis.process.runtime import Plan
from services.chassis.projection.description import Projection
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts.catalog import (
    DEAD_LETTERS,
    NOTIFICATION_EVENTS,
    TYPES,
    USER_NOTICES,
    USER_STATE,
    published_by,
)
from services.contracts.notification import EVENTS
from services.notification import projection, publisher
from services.notification.api import DOCUMENT, Api
from services.notification.handlers import Handler, Tools
from services.notification.join_monitor import JoinMonitor, WaitingNotices, observe_unfinished
from services.notification.mail.bell import Bell
from services.notification.mail.message import ascii_domain
from services.notification.mail.recipient_domains import RecipientDomains
from services.notification.mail.refusal_ceiling import RefusalCeiling
from services.notification.mail.sender import Limits, Pool, Sender
from services.notification.mail.smtp_connection import Login
from services.notification.mail.smtp_connection import Server as MailServer
from services.notification.mail.smtp_delivery import Mailer
from services.notification.mail.templates import Composer
from services.notification.mail_queue import MailQueue
from services.notification.restore import Source
from services.notification.settings import Settings
from services.notification.store import restore, views
from services.notification.store.batch import Rows
from services.notification.store.tables import forgotten

REVISIONS = Path(__file__).parent / "migrations"
NAME = "notification"
PUBLISHED = published_by(NAME)
SUBSCRIBED = {name: TYPES[name] for name in ("user.state", "user.notice")}


def build(settings: Settings, telemetry: Telemetry) -> Plan:
    """Return the service's components, in the order in which they stop."""
    assembly = PublishingAssembly(NAME, REVISIONS, settings, telemetry)
    database = assembly.database
    holding = Holding(assembly, DEAD_LETTERS[NAME].name, settings)
    bell = Bell()
    senders = _senders(settings, assembly, bell, telemetry)
    api = Api(database.reader(views.version), database.reader(views.notifications))
    notices = Consumption(
        topics=(USER_STATE.name, USER_NOTICES.name),
        handle=Handler(Tools(_decoder(), Rows, new_id, telemetry.clock, settings.keep_inbox)),
        held=holding.records,
        partitions={topic.name: topic.partitions for topic in (USER_STATE, USER_NOTICES)},
        commit_signals=(bell,),
    )
    consumer = assembly.consumer(notices)
    waiting = WaitingNotices(
        oldest=database.reader(views.oldest_waiting),
        overdue=database.reader(views.overdue),
        replaying=lambda: consumer.replaying,
    )
    events = Publication(NOTIFICATION_EVENTS.name, PUBLISHED, EVENTS, publisher.records)
    relay = assembly.relay(events, settings.relay_lease)
    components = [
        assembly.http(api.routes(), DOCUMENT),
        consumer,
        assembly.forgetting(
            settings.forget_every,
            idempotency.forgotten(settings.keep_inbox),
            *table.forgotten(settings.keep_held),
            stopped_events.forgotten(settings.keep_skipped),
            *forgotten(settings.keep_mails, settings.keep_addresses),
        ),
        JoinMonitor(waiting, settings.replica_wait, telemetry),
        *senders,
        relay,
        holding.letters(relay.leads),
        assembly.operator_relay(relay),
    ]
    return assembly.plan(components, partial(_restore, database, settings), needs_broker=True)


def build_restore(settings: Settings) -> tuple[Database, Leases, Source]:
    """Return what `restore` needs: no sender, relay or consumer. Raises ConnectionError."""
    database, topic = Database(settings.database), NOTIFICATION_EVENTS
    migrations.upgrade(database, REVISIONS)
    records = KafkaAdmin(settings, NAME).size(partitions_of(topic.name, topic.partitions))
    return database, Leases(database, new_holder(), settings.relay_lease), Source(_history(settings), records)


def _restore(database: Database, settings: Settings) -> None:
    restore.restore_if_needed(database, _history(settings))


def _history(settings: Settings) -> Callable[[], Iterator[Sequence[Record]]]:
    return partial(read_topic, settings, NOTIFICATION_EVENTS.name, NOTIFICATION_EVENTS.partitions)


def build_projections(settings: Settings, _: Database) -> list[Projection]:
    """Return what can be rebuilt beside the running service: no component that sends or publishes."""
    return [projection.projection(settings, _decoder())]


def _decoder() -> Decoder:
    return Decoder(SUBSCRIBED, tombstones=frozenset({USER_STATE.name}))


def _senders(settings: Settings, assembly: Assembly, bell: Bell, telemetry: Telemetry) -> list[Sender]:
    observe_unfinished(assembly.database.reader(views.unfinished), telemetry)
    claim_s = settings.sender_claim_time.total_seconds()
    mail_from = ascii_domain(settings.mail_from)
    queue = MailQueue(assembly.database, telemetry.clock, new_id, mail_from, assembly.appended, claim_s)
    limits = Limits.of(settings.sender_claim, settings.smtp_timeout.total_seconds(), claim_s)
    ceiling = RefusalCeiling(settings.refusal_ceiling, telemetry)
    pool = Pool(queue, limits, RecipientDomains(max(1, settings.sender_threads // 2)), bell)
    numbers = range(1, settings.sender_threads + 1)
    return [Sender(f"sender-{number}", pool, _mailer(settings, ceiling), telemetry) for number in numbers]


def _mailer(settings: Settings, ceiling: RefusalCeiling) -> Mailer:
    server = MailServer(
        host=settings.smtp_host,
        port=settings.smtp_port,
        timeout_s=settings.smtp_timeout.total_seconds(),
        trust=settings.trust(),
        tls_first=settings.smtp_tls == "tls",
        login=Login(settings.smtp_user, settings.smtp_password) if settings.smtp_user else None,
    )
    return Mailer(server, Composer(ascii_domain(settings.mail_from)), ceiling)
