"""Collection of the evidence from a running system: its topics, its audit API, its mails and the users' database."""

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
from sqlalchemy import Table, select

from services.chassis.consumer.held.reasons import State
from services.chassis.consumer.held.table import held
from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import BEGINNING, PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.outbox.lease import relay
from services.console.lag import event_partitions
from services.notification.store.tables import replica
from services.user.store import users
from services.workbench.api_clients import ApiAuth
from services.workbench.local import sink
from services.workbench.local.lifecycle import silent
from services.workbench.reconcile import mailpit, psql
from services.workbench.reconcile.evidence import Evidence, Mail, Place, Seen, digest_of, seen, value_digest
from services.workbench.reconcile.history import Operation

NAME = "reconcile"
PAGE, ANSWER_S = 1000, 60.0
Say = Callable[[str], None]


class System(msgspec.Struct, frozen=True, kw_only=True):
    """Where a system is. A part that is None is not compared."""

    kafka: KafkaSettings
    audit_url: str
    mails: Path | None = None  # the file of the local sink
    mailpit_url: str | None = None
    user_database: str | None = None
    notification_database: str | None = None
    takeovers: bool = False  # whether the lease has counted every relay: a restored store has forgotten those before
    psql_prefix: Sequence[str] | None = None  # of a command where the databases are


class _Entry(msgspec.Struct, frozen=True):
    topic: str
    partition: int
    offset: int
    headers: list[tuple[str, str | None]]
    value: str | None
    value_base64: bytes | None
    value_sha256: str | None

    def digest(self) -> bytes:
        headers = [(name, None if text is None else text.encode()) for name, text in self.headers]
        if self.value_sha256:
            return digest_of(bytes.fromhex(self.value_sha256), headers)
        value = self.value_base64 if self.value is None else self.value.encode()
        return digest_of(value_digest(value), headers)


class _Page(msgspec.Struct, frozen=True):
    items: list[_Entry]
    next: int | None


def collected(system: System, history: Sequence[Operation] | None, say: Say = silent) -> Evidence:
    """Return the evidence. The log is read first, so that nothing newer than it is missed elsewhere.

    Raises ConnectionError, httpx.HTTPError, SQLAlchemyError, DeployError.
    """
    say("reading the topics")
    log = records_of(system.kafka)
    say(f"{sum(map(len, log.values())):,} records; reading the audit log")
    evidence = Evidence(
        seen=log,
        history=history,
        users=_versions(system, "user", system.user_database, users),
        replicas=_versions(system, "notification", system.notification_database, replica),
        dead=_dead(system),
        takeovers=_takeovers(system.user_database) if system.takeovers else None,
        mails=_mails(system),
        entries=_entries(system.audit_url),
    )
    return msgspec.structs.replace(evidence, ends=KafkaAdmin(system.kafka, NAME).ends(event_partitions()))


def records_of(settings: KafkaSettings) -> Mapping[str, Sequence[Seen]]:
    """Return the records of all topics of events."""
    starts = dict.fromkeys(event_partitions(), BEGINNING)
    with closing(PartitionReader(settings, NAME, starts)) as reader:
        return seen(record for records in reader.read_to_end() for record in records)


def _entries(url: str) -> Mapping[Place, bytes]:
    found: dict[Place, bytes] = {}
    decoder, after = msgspec.json.Decoder(_Page), -1
    with httpx.Client(base_url=url, timeout=ANSWER_S, auth=ApiAuth()) as client:
        while True:
            params: dict[str, str | int] = {"after": after, "limit": PAGE, "personal": "true"}
            page = decoder.decode(client.get("/audit/entries", params=params).raise_for_status().content)
            found |= {Place(one.topic, one.partition, one.offset): one.digest() for one in page.items}
            if page.next is None:
                return found
            after = page.next


def _mails(system: System) -> Sequence[Mail] | None:
    if system.mailpit_url:
        with httpx.Client(base_url=system.mailpit_url, timeout=ANSWER_S) as client:
            return mailpit.mails(client)
    return None if system.mails is None else sink_mails(system.mails)


def sink_mails(path: Path) -> list[Mail]:
    """Return the mails in the file of a sink, repeats among them. Raises OSError."""
    mails = (msgspec.json.decode(line, type=sink.Mail) for line in path.read_bytes().splitlines())
    return [Mail(one.message_id, one.correlation_id, one.recipients) for one in mails]


def _versions(system: System, service: str, url: str | None, table: Table) -> Mapping[str, int] | None:
    if system.psql_prefix:
        return psql.versions(system.psql_prefix, service, table.name)
    if url is None:
        return None
    with closing(Database(url)) as database, database.read() as connection:
        return {row.user_id: row.version for row in connection.execute(select(table.c.user_id, table.c.version))}


def _dead(system: System) -> Collection[Place] | None:
    if system.psql_prefix:
        return psql.dead(system.psql_prefix)
    if (url := system.notification_database) is None:
        return None
    query = select(held.c.topic, held.c.partition, held.c.offset).where(held.c.state == State.DEAD.value)
    with closing(Database(url)) as database, database.read() as connection:
        return {Place(*row) for row in connection.execute(query)}


def _takeovers(url: str | None) -> int | None:
    if url is None:
        return None
    with closing(Database(url)) as database, database.read() as connection:
        return int(connection.execute(select(relay.c.epoch)).scalar_one())
