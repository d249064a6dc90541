"""The user service's tables, and the rows that a group of commands reads and writes."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Index,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Text,
    and_,
    delete,
    or_,
    select,
)

from services.chassis.database import bulk
from services.chassis.database.bulk import one_of
from services.chassis.database.database import metadata
from services.chassis.database.forgetting import Forgotten
from services.chassis.database.statements import Statement
from services.chassis.messages.clock import to_micros
from services.contracts.user import EmailChanged, Fact, Status, UserRegistered, UserState
from services.user.commands import Answered, Change, Command, Register, Reply
from services.user.domain import key_of

users = Table(
    "users",
    metadata,
    Column("user_id", String(36), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("state", Text, nullable=False),
    Index("users_by_status", "status", "user_id"),  # pages of one status, in the order of ids
)
# Not unique columns of users: within a group an address may move from one user to another, and rows are written in
# no particular order.
reservations = Table(
    "reservations",
    metadata,
    Column("kind", String(8), primary_key=True),  # login or email
    Column("key", String(400), primary_key=True),
    Column("user_id", String(36), nullable=False),
)
replies = Table(
    "replies",
    metadata,
    Column("key", String(255), primary_key=True),
    Column("fingerprint", LargeBinary(32), nullable=False),
    Column("reply", Text, nullable=False),
    Column("stored_at", BigInteger),  # microseconds since 1970; NULL: by a program that did not know the column
    Index("replies_by_age", "stored_at"),
)


class UserTables:
    """The tables of users and reservations, the live ones or a second set, with the statements of each."""

    def __init__(self, users: Table, reservations: Table) -> None:
        self.users, self.reservations = users, reservations
        # Per kind, with a plain IN: for row values in a list SQLite scans the whole table.
        key = reservations.c.key
        owned = or_(*(and_(reservations.c.kind == kind, one_of(key, kind)) for kind in ("login", "email")))
        self.read_users = Statement(select(users.c.user_id, users.c.state).where(one_of(users.c.user_id, "ids")))
        self.read_owners = Statement(select(reservations).where(owned))
        self.release = Statement(delete(reservations).where(owned))


LIVE = UserTables(users, reservations)
ANSWERS = Statement(select(replies.c.key, replies.c.fingerprint, replies.c.reply).where(one_of(replies.c.key, "keys")))
STATE = msgspec.json.Decoder(UserState)
REPLY = msgspec.json.Decoder(Reply)
Owner = tuple[str, str]  # kind, key


class UserRows:
    """Users and reservations: read in bulk, changed in memory, written in bulk. `wanted` are further reservations."""

    def __init__(
        self, connection: Connection, user_ids: set[str], wanted: set[Owner], tables: UserTables = LIVE
    ) -> None:
        self._connection = connection
        self._tables = tables
        self._users = _read_users(connection, user_ids, tables)
        self._owners = _read_owners(connection, _reserved_by(self._users.values()) | wanted, tables)
        self._owners_before = dict(self._owners)
        self._changed: set[str] = set()

    def user(self, user_id: str) -> UserState | None:
        """Return a user, with the changes of this group so far."""
        return self._users.get(user_id)

    def owner(self, kind: str, key: str) -> str | None:
        """Return the user who has reserved a login or an email address."""
        return self._owners.get((kind, key))

    def put(self, user: UserState) -> None:
        """Replace a user, and its login and address."""
        if old := self._users.get(user.user_id):
            for owned in self._owned_by(old):
                self._owners.pop(owned, None)
        self._users[user.user_id] = user
        for owned in _reserved_by([user]):
            self._owners.setdefault(owned, user.user_id)  # another's where an older version of the rules let both in
        self._changed.add(user.user_id)

    def write_users(self) -> None:
        """Write every change of users and reservations to the database."""
        bulk.upsert(
            self._connection, self._tables.users, [_user_row(self._users[user_id]) for user_id in self._changed]
        )
        self._write_owners()

    def _owned_by(self, user: UserState) -> list[Owner]:
        return [owned for owned in _reserved_by([user]) if self._owners.get(owned) == user.user_id]

    def _write_owners(self) -> None:
        before, after = self._owners_before, self._owners
        gone = [owned for owned in before if after.get(owned) != before[owned]]
        fresh = [(*owned, user_id) for owned, user_id in after.items() if before.get(owned) != user_id]
        if gone:
            self._tables.release.execute(self._connection, **_by_kind(gone))
        bulk.insert(self._connection, self._tables.reservations, fresh)


class Rows(UserRows):
    """The rows that a group of commands touches, replies included."""

    def __init__(self, connection: Connection, commands: Sequence[Command]) -> None:
        super().__init__(connection, {command.action.user_id for command in commands}, _wanted_by(commands))
        self._answers = _read_answers(connection, {command.key for command in commands})
        self._answered: list[str] = []

    def answered(self, key: str) -> Answered | None:
        """Return the stored reply of an idempotency key."""
        return self._answers.get(key)

    def answer(self, key: str, answered: Answered) -> None:
        """Store a reply."""
        self._answers[key] = answered
        self._answered.append(key)

    def write(self, now: datetime) -> None:
        """Write every change to the database."""
        self.write_users()
        answers, stored_at = self._answers, to_micros(now)
        bulk.insert(self._connection, replies, [_reply_row(key, answers[key], stored_at) for key in self._answered])


def forgotten_replies(keep: timedelta) -> Forgotten:
    """Return the replies that are deleted."""
    return Forgotten(replies, replies.c.stored_at, keep, dated=True)


def read_user(connection: Connection, user_id: str) -> UserState | None:
    """Return a user's committed state."""
    return _read_users(connection, {user_id}).get(user_id)


def read_page(connection: Connection, after: str, limit: int, status: Status | None) -> list[UserState]:
    """Return up to `limit` users whose ids follow `after`, in the order of ids; of one status, or of any."""
    return [STATE.decode(state) for state in connection.scalars(page(after, limit, status))]


def page(after: str, limit: int, status: Status | None) -> Select[str]:
    """Return the query of a page; an index serves it in its order."""
    query = select(users.c.state).where(users.c.user_id > after).order_by(users.c.user_id).limit(limit)
    return query if status is None else query.where(users.c.status == status.value)


def _read_users(connection: Connection, ids: set[str], tables: UserTables = LIVE) -> dict[str, UserState]:
    return {user_id: STATE.decode(state) for user_id, state in tables.read_users.rows(connection, ids=ids)}


def _read_owners(connection: Connection, owned: set[Owner], tables: UserTables) -> dict[Owner, str]:
    return {(kind, key): user_id for kind, key, user_id in tables.read_owners.rows(connection, **_by_kind(owned))}


def _read_answers(connection: Connection, keys: set[str]) -> dict[str, Answered]:
    found = ANSWERS.rows(connection, keys=keys)
    return {key: Answered(bytes(fingerprint), REPLY.decode(reply)) for key, fingerprint, reply in found}


def _by_kind(owned: Iterable[Owner]) -> dict[str, list[str]]:
    keys: dict[str, list[str]] = {"login": [], "email": []}
    for kind, key in owned:
        keys[kind].append(key)
    return keys


def _reserved_by(states: Iterable[UserState]) -> set[Owner]:
    return {
        owned
        for state in states
        for owned in (("login", key_of(state.personal.login)), ("email", key_of(state.personal.email)))
    }


def reserved_by_facts(facts: Iterable[Fact]) -> set[Owner]:
    """Return the logins and addresses that facts reserve."""
    reserved: set[Owner] = set()
    for fact in facts:
        if isinstance(fact, UserRegistered):
            reserved.add(("login", key_of(fact.personal.login)))
        if isinstance(fact, UserRegistered | EmailChanged):
            reserved.add(("email", key_of(fact.personal.email)))
    return reserved


def _wanted_by(commands: Sequence[Command]) -> set[Owner]:
    wanted: set[Owner] = set()
    for action in (command.action for command in commands):
        if isinstance(action, Register):
            wanted |= {("login", key_of(action.personal.login)), ("email", key_of(action.personal.email))}
        elif isinstance(action, Change) and action.changes.email is not None:
            wanted.add(("email", key_of(action.changes.email)))
    return wanted


def _user_row(user: UserState) -> tuple[object, ...]:
    return (user.user_id, user.version, user.status.value, msgspec.json.encode(user).decode())


def _reply_row(key: str, answered: Answered, stored_at: int) -> tuple[object, ...]:
    return (key, answered.fingerprint, msgspec.json.encode(answered.reply).decode(), stored_at)
