"""Where the user service is put together; the only module that names concrete classes."""

import socket
import threading
from collections.abc import Sequence
from pathlib import Path

import uuid_utils

from services.chassis import migrations
from services.chassis.database import Database
from services.chassis.kafka.producer import Producer
from services.chassis.lease import Leases
from services.chassis.relay import Outbox, Relay
from services.chassis.runtime import Plan
from services.chassis.telemetry import Telemetry
from services.chassis.web import Frame, Server, application
from services.chassis.writer import Writer, retried
from services.contracts.user import UserState
from services.user import publisher, store
from services.user.api import Api
from services.user.domain import RefusedError
from services.user.handlers import Command, Reply
from services.user.settings import Settings

REVISIONS = Path(__file__).parent / "migrations"


def build(settings: Settings, telemetry: Telemetry) -> Plan:
    """Return the service's parts, in the order in which they stop."""
    database = Database(settings.database_url)
    appended = threading.Event()
    holder = f"{socket.gethostname()}-{uuid_utils.uuid4()}"[-64:]

    def execute(commands: Sequence[Command]) -> list[Reply | RefusedError]:
        with database.write() as connection:
            outcomes = store.commit_group(connection, telemetry.clock(), commands, new_id)
        appended.set()
        return outcomes

    def read_user(user_id: str) -> UserState | None:
        with database.read() as connection:
            return store.read_user(connection, user_id)

    writer = Writer(retried(execute), settings.writer_group, telemetry)
    api = application(Api(writer, read_user, new_id).routes(), "Eventline users")
    outbox = Outbox(
        database=database,
        leases=Leases(database, holder, settings.relay_lease),
        records=publisher.records,
        open_producer=lambda: Producer(settings, "user"),
    )
    return Plan(
        prepare=lambda: migrations.upgrade(database, REVISIONS),
        components=[
            Server(Frame(api, telemetry.metrics), settings, telemetry.health),
            writer,
            Relay(outbox, appended, telemetry),
        ],
        close=database.close,
    )


def new_id() -> str:
    """Return a fresh UUIDv7 as text (RFC 9562): sorted by time, so that indexes grow at their end."""
    return str(uuid_utils.uuid7())
