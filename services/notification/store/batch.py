"""Bulk reads and writes of one batch of records; implements `handlers.Rows`."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import starmap

import msgspec
from sqlalchemy import Connection, Table, bindparam, delete, exists, select, update

from services.chassis.database import bulk
from services.chassis.database.bulk import one_of
from services.chassis.database.statements import Row, Statement
from services.chassis.messages.clock import to_micros
from services.contracts.user import UserState
from services.notification.domain import Address, Intent, IntentState, Notice, Replica
from services.notification.store.tables import addresses, intents, replica, waiting

STATE = msgspec.json.Decoder(UserState)
ADDRESS = ("user_id", "version", "email")  # columns of an Address
ADDRESSES = Statement(
    select(*(addresses.c[name] for name in ADDRESS))
    .where(one_of(addresses.c.user_id, "ids"))
    .order_by("user_id", "version")
)
DELETE_ADDRESSES = Statement(delete(addresses).where(one_of(addresses.c.user_id, "ids")))
NEWER = addresses.alias()
FORMER = Statement(
    update(addresses)
    .where(
        one_of(addresses.c.user_id, "ids"),
        addresses.c.former_since.is_(None),
        exists().where(NEWER.c.user_id == addresses.c.user_id, NEWER.c.version > addresses.c.version),
    )
    .values(former_since=bindparam("now"))
)
NOTICE = ("notice_id", "user_id", "version", "type", "correlation_id", "traceparent", "actor")  # columns of a Notice
WAITING = Statement(
    select(*(waiting.c[name] for name in NOTICE)).where(one_of(waiting.c.user_id, "ids")).order_by("user_id", "version")
)
RELEASE = Statement(delete(waiting).where(one_of(waiting.c.notice_id, "ids")))
DECIDED = Statement(select(intents.c.notice_id, intents.c.recipient).where(one_of(intents.c.notice_id, "ids")))
OPEN, SUPPRESSED = (
    IntentState.OPEN.value,
    IntentState.SUPPRESSED.value,
)  # plain str: for a StrEnum the driver searches an adapter
INTENT = tuple(column.name for column in intents.c)[1:]  # the database gives the id


class ReplicaTable(msgspec.Struct, frozen=True):
    """The table of replicas, the live one or a second one, with its statement."""

    table: Table
    read: Statement


def replica_table(table: Table) -> ReplicaTable:
    """Return a table with its statement."""
    return ReplicaTable(table, Statement(select(table).where(one_of(table.c.user_id, "ids"))))


LIVE = replica_table(replica)


class ReplicaRows:
    """The replicas of one transaction; implements `handlers.ReplicaRows`."""

    def __init__(self, connection: Connection, into: ReplicaTable = LIVE) -> None:
        self._connection = connection
        self._into = into

    def replicas(self, user_ids: Collection[str]) -> dict[str, Replica]:
        """Return the replicas of users; unknown users are missing."""
        return {item.user_id: item for item in map(_replica, self._read(self._into.read, user_ids))}

    def put_replicas(self, replicas: Collection[Replica]) -> None:
        """Insert or replace replicas."""
        bulk.upsert(self._connection, self._into.table, [_replica_row(item) for item in replicas])

    def _read(self, query: Statement, ids: Collection[str]) -> Sequence[Row]:
        return query.rows(self._connection, ids=ids) if ids else []


class Rows(ReplicaRows):
    """The rows of one transaction."""

    def put_replicas(self, replicas: Collection[Replica]) -> None:
        """Insert or replace replicas; delete the address history of erased users."""
        super().put_replicas(replicas)
        self._delete(DELETE_ADDRESSES, [item.user_id for item in replicas if item.erased])

    def add_addresses(self, moves: Sequence[Address], since: datetime) -> None:
        """Add to the history of addresses; each user's earlier ones are former from now on."""
        bulk.insert(self._connection, addresses, [(move.user_id, move.version, move.email) for move in moves], ADDRESS)
        if later := [move.user_id for move in moves if move.version > 1]:  # a first address follows none
            FORMER.execute(self._connection, ids=later, now=to_micros(since))

    def addresses(self, user_ids: Collection[str]) -> dict[str, list[Address]]:
        """Return each user's history, by version."""
        histories: defaultdict[str, list[Address]] = defaultdict(list)
        for address in starmap(Address, self._read(ADDRESSES, user_ids)):
            histories[address.user_id].append(address)
        return histories

    def waiting(self, user_ids: Collection[str]) -> list[Notice]:
        """Return the notices that wait for their users' states, each user's by version."""
        return list(starmap(Notice, self._read(WAITING, user_ids)))

    def add_waiting(self, notices: Sequence[Notice], since: datetime) -> None:
        """Store notices that wait for their users' states."""
        moment = to_micros(since)
        bulk.insert(self._connection, waiting, [_waiting_row(notice, moment) for notice in notices])

    def release(self, notices: Sequence[Notice]) -> None:
        """Delete waiting notices."""
        self._delete(RELEASE, [notice.id for notice in notices])

    def decided(self, notice_ids: Collection[str]) -> set[tuple[str, str | None]]:
        """Return (notice id, recipient) of the intents that exist for notices."""
        return set(self._read(DECIDED, notice_ids))

    def add_intents(self, fresh: Sequence[Intent], queued_at: datetime) -> None:
        """Insert intents, open or suppressed."""
        moment = to_micros(queued_at)
        bulk.insert(self._connection, intents, [_intent_row(intent, moment) for intent in fresh], INTENT)

    def _delete(self, statement: Statement, ids: Collection[str]) -> None:
        if ids:
            statement.execute(self._connection, ids=ids)


def _replica(row: Row) -> Replica:
    user_id, version, event_id, digest, state = row
    return Replica(user_id, version, event_id, digest, None if state is None else STATE.decode(state))


def _replica_row(item: Replica) -> tuple[object, ...]:
    state = None if item.state is None else msgspec.json.encode(item.state).decode()
    return (item.user_id, item.version, item.event_id, bulk.blob(item.digest), state)


def _waiting_row(notice: Notice, since: int) -> tuple[object, ...]:
    what = (notice.id, notice.user_id, notice.version, notice.type)
    return (*what, notice.correlation_id, notice.traceparent, since, notice.actor)


def _intent_row(intent: Intent, queued_at: int) -> tuple[object, ...]:
    notice = intent.notice
    what = (intent.notification_id, notice.id, intent.template, intent.recipient)
    whose = (notice.user_id, notice.version, intent.event_id, notice.correlation_id, notice.traceparent)
    state = (SUPPRESSED, str(intent.reason), 0, 0, None) if intent.reason else (OPEN, "", 0, 0, 0)
    return (*what, *whose, *state, queued_at, queued_at, notice.actor)
