"""Assembly of the audit service; the only module that names concrete classes."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import structlog
from litestar.types import ControllerRouterHandler

from services.audit import api, store
from services.audit.chain_heads import Heads
from services.audit.completeness.comparison import Broker
from services.audit.handlers import Handler
from services.audit.journeys import api as journeys
from services.audit.journeys import search
from services.audit.metrics import AUDIT_SIZE, CHECKPOINTS
from services.audit.notary.guard import Source
from services.audit.notary.notary import Notary, Outside, SignedLog
from services.audit.notary.progress import progress
from services.audit.notary.publication import Publication
from services.audit.notary.sources import file_records, topic_records, witness_records
from services.audit.notary.witnesses import read_witnesses
from services.audit.restore.command import Store, Topics
from services.audit.self_verification.component import SelfVerification
from services.audit.settings import Settings, StoreSettings
from services.audit.tiles import api as tiles
from services.audit.tiles import published
from services.audit.topic_ids import KnownIds
from services.chassis.consumer.offset_tracker import OffsetTracker
from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.kafka import client_metrics
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.latest_published import TopicEnd
from services.chassis.kafka.rights.topic_rights import TopicRights
from services.chassis.messages.clock import Clock, utc_now
from services.chassis.messages.record import partitions_of
from services.chassis.process.assembly import Assembly, Consumption
from services.chassis.process.runtime import Component, Plan
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.transparency import key_file
from services.contracts.catalog import AUDIT_CHECKPOINTS, read_by

log = structlog.get_logger()

REVISIONS = Path(__file__).parent / "migrations"
NAME = "audit"
READ = {topic.name: topic.partitions for topic in read_by(NAME)}


def build(settings: Settings, telemetry: Telemetry) -> Plan:
    """Return the service's components, in the order in which they stop."""
    assembly = Assembly(NAME, REVISIONS, settings, telemetry)
    database, origin = assembly.database, settings.audit_origin
    topic_ids = KnownIds(assembly.admin)
    records = Consumption(
        topics=tuple(READ),
        handle=_handler(origin, topic_ids, telemetry.clock),
        broker=topic_ids,
        gather_s=0.1,  # nobody waits for an entry
    )
    entries = api.routes(partial(database.reader(store.find), origin=origin))
    components: list[Component] = [
        assembly.http(
            [*entries, *journeys.routes(database.reader(search.find)), *_tiles(database, origin)], api.DOCUMENT
        ),
        assembly.consumer(records),
        SelfVerification(database, origin, settings.audit_verify_rate, telemetry),
        *_notary(settings, assembly),
    ]
    checkpoints = partial(database.reader(progress), telemetry.clock, witnessed=bool(settings.audit_policy_file))
    size = partial(telemetry.metrics.on_scrape, AUDIT_SIZE, partial(database.reader(store.read_size), origin))
    signed = partial(telemetry.metrics.on_scrape_together, CHECKPOINTS, checkpoints)
    return assembly.plan(components, partial(store.create_log, database, origin), size, signed, needs_broker=True)


def _tiles(database: Database, origin: str) -> list[ControllerRouterHandler]:
    resource = partial(database.reader(published.resource), origin=origin)
    return tiles.routes(database.reader(published.checkpoint), resource)


def _notary(settings: Settings, assembly: Assembly) -> Iterator[Component]:
    """Yield the notary, if there is a key. Raises KeyFileError, PolicyFileError."""
    if not settings.audit_key_file:
        log.warning("no checkpoint is signed: APP_AUDIT_KEY_FILE is not set; `keys make` makes a key")
        return
    origin = settings.audit_origin
    signer = key_file.read(Path(settings.audit_key_file), origin)
    file = Path(settings.audit_checkpoint_file) if settings.audit_checkpoint_file else None
    places: list[Source] = [partial(topic_records, TopicEnd(settings, AUDIT_CHECKPOINTS.name), origin)]
    if file is not None:
        places.append(partial(file_records, file, origin))
    rights = TopicRights(write=(AUDIT_CHECKPOINTS.name,), read=(AUDIT_CHECKPOINTS.name,))
    open_producer = assembly.producers(f"{NAME}-checkpoints", client_metrics.CHECKPOINTS, rights)
    publication = Publication(origin, open_producer, file)
    witnesses = (
        read_witnesses(Path(settings.audit_policy_file), signer.verifier) if settings.audit_policy_file else None
    )
    if witnesses is not None:
        places.append(partial(witness_records, witnesses.clients, origin))
    outside = Outside(publication, witnesses, tuple(places))
    yield Notary(SignedLog(assembly.database, signer), outside, assembly.telemetry)


def build_restore(settings: Settings) -> tuple[Topics, Store]:
    """Return what `restore` needs, which joins no group. Raises ConnectionError."""
    database, admin, origin = Database(settings.database), KafkaAdmin(settings, NAME), settings.audit_origin
    migrations.upgrade(database, REVISIONS)
    topic_ids = KnownIds(admin)
    partitions = [place for topic, number in READ.items() for place in partitions_of(topic, number)]
    topics = Topics(settings, admin.begins(partitions), admin.ends(partitions))
    offsets = OffsetTracker(database, topic_ids, READ)
    return topics, Store(database, origin, _handler(origin, topic_ids, utc_now), offsets)


def open_store(settings: StoreSettings) -> Database:
    """Return the database of `restore --from-export`, which needs no broker, with the newest schema."""
    database = Database(settings.database)
    migrations.upgrade(database, REVISIONS)
    return database


def read_broker(settings: Settings) -> Broker:
    """Return what the broker has of the topics that audit reads. Raises ConnectionError."""
    admin = KafkaAdmin(settings, NAME)
    places = [place for topic, number in READ.items() for place in partitions_of(topic, number)]
    return Broker(admin.ids(READ), admin.begins(places), admin.stable_ends(places))


def _handler(origin: str, topic_ids: KnownIds, clock: Clock) -> Handler:
    return Handler(partial(store.Log, origin=origin, heads=Heads()), topic_ids.id_of, clock)
