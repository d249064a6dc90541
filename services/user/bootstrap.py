"""Assembly of the user service; the only module that names concrete classes."""

from functools import partial
from pathlib import Path

from services.chassis.consumer import idempotency
from services.chassis.consumer.held import table
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.group_consumer import GroupConsumer
from services.chassis.kafka.partition_reader import read_partitions, read_topic
from services.chassis.messages.clock import utc_now
from services.chassis.messages.ids import new_holder, new_id
from services.chassis.outbox import stopped_events
from services.chassis.outbox.group_commit import GroupCommit, Retrying
from services.chassis.outbox.lease import Leases
from services.chassis.outbox.operator_events import system_operator
from services.chassis.process.assembly import Consumption
from services.chassis.process.holding import Holding
from services.chassis.process.publishing import Publication, PublishingAssembly
from services.chassis.process.runtime import Plan
from services.chassis.projection.description import Projection
from services.chassis.telemetry.telemetry import Telemetry
from services.contracts.catalog import DEAD_LETTERS, NOTIFICATION_EVENTS, USER_EVENTS, published_by
from services.contracts.user import EVENTS
from services.user import publisher, rebuild_check, store
from services.user.api import Api
from services.user.api_schemas import DOCUMENT
from services.user.as_of import command as as_of
from services.user.as_of import projection
from services.user.flags.bounce_handler import BounceHandler
from services.user.flags.contact_flags import ContactFlags
from services.user.handlers import CommandHandler, Tools
from services.user.history import History
from services.user.restore import command as restore
from services.user.settings import Settings

REVISIONS = Path(__file__).parent / "migrations"
NAME = "user"
PUBLISHED = published_by(NAME)


def build(settings: Settings, telemetry: Telemetry) -> Plan:
    """Return the service's components, in the order in which they stop."""
    assembly = PublishingAssembly(NAME, REVISIONS, settings, telemetry)
    database, tools = assembly.database, Tools(store.Rows, new_id, telemetry.clock)
    handler = CommandHandler(database, tools, assembly.appended, telemetry)
    group_commit = GroupCommit(Retrying(handler), settings.writer_group, telemetry)
    history = History(database, telemetry.clock)
    api = Api(group_commit, database.reader(store.read_user), database.reader(store.read_page), history, new_id)
    holding = Holding(assembly, DEAD_LETTERS[NAME].name, settings)
    failures = Consumption(
        topics=(NOTIFICATION_EVENTS.name,),
        handle=BounceHandler(tools, settings.keep_inbox),
        held=holding.records,
        partitions={NOTIFICATION_EVENTS.name: NOTIFICATION_EVENTS.partitions},
        needed=False,
        gather_s=0.1,
    )
    events = Publication(USER_EVENTS.name, PUBLISHED, EVENTS, publisher.records)
    relay = assembly.relay(events, settings.relay_lease)
    components = [
        assembly.http(api.routes(), DOCUMENT),
        group_commit,
        assembly.consumer(failures),
        assembly.forgetting(
            settings.forget_every,
            idempotency.forgotten(settings.keep_inbox),
            *table.forgotten(settings.keep_held),
            stopped_events.forgotten(settings.keep_skipped),
            store.forgotten_replies(settings.keep_replies),
        ),
        relay,
        holding.letters(relay.leads),
        assembly.operator_relay(relay),
    ]
    return assembly.plan(components, needs_broker=False)


def build_contact_flags(settings: Settings) -> ContactFlags:
    """Return the flags of addresses, to be cleared beside the running service."""
    return ContactFlags(Database(settings.database), Tools(store.Rows, new_id, utc_now), system_operator())


def build_log(settings: Settings) -> as_of.Log:
    """Return the log of all facts, to be read from its beginning to its end, any number of times."""
    records = KafkaAdmin(settings, "user-as-of").size(rebuild_check.PARTITIONS)
    return as_of.Log(partial(_facts, settings), records)


def build_restore(settings: Settings) -> tuple[restore.Topics, restore.Store]:
    """Return the topics to restore from, and the database to restore."""
    database = Database(settings.database)
    failed = partial(read_topic, settings, NOTIFICATION_EVENTS.name, NOTIFICATION_EVENTS.partitions)
    leases = Leases(database, new_holder(), settings.relay_lease)
    restored = restore.Store(database, REVISIONS, leases, system_operator(), utc_now)
    return restore.Topics(build_log(settings), failed), restored


def build_rebuild(settings: Settings) -> rebuild_check.Rebuild:
    """Return the comparison of the log with the service's own table."""
    admin = KafkaAdmin(settings, rebuild_check.GROUP)
    return rebuild_check.Rebuild(
        partial(GroupConsumer, settings), admin, Database(settings.database), system_operator()
    )


def build_projections(settings: Settings, database: Database) -> list[Projection]:
    """Return what can be rebuilt beside the running service: no component that sends or publishes."""
    return [projection.projection(database, partial(_facts, settings), publisher.records)]


def _facts(settings: Settings) -> list[as_of.Batches]:
    return [read_partitions(settings, [place]) for place in rebuild_check.PARTITIONS]
