"""The tables of the notification service itself; the chassis has its own."""

from datetime import timedelta

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, String, Table, Text, UniqueConstraint

from services.chassis.database.database import metadata
from services.chassis.database.forgetting import Forgotten

replica = Table(
    "replica",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("version", Integer, nullable=False),
    Column("event_id", String(64), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("state", Text),  # NULL once the user is erased
)
addresses = Table(
    "addresses",
    metadata,
    Column("user_id", String(64), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("email", Text, nullable=False),
    # Microseconds since 1970. NULL: the newest address, or a former one since a program that did not know the column.
    Column("former_since", BigInteger),
)
Index(
    "addresses_former",
    addresses.c.former_since,
    postgresql_where=addresses.c.former_since.is_not(None),
    sqlite_where=addresses.c.former_since.is_not(None),
)
waiting = Table(
    "waiting",
    metadata,
    Column("notice_id", String(64), primary_key=True),
    Column("user_id", String(64), nullable=False),
    Column("version", Integer, nullable=False),
    Column("type", String(64), nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("traceparent", Text),
    Column("since", BigInteger, nullable=False),  # microseconds since 1970
    Column("actor", Text),
    Index("waiting_by_user", "user_id", "version"),
)
intents = Table(
    "intents",
    metadata,
    # The order of the intents; a user's mails are sent in it.
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("notification_id", String(36), nullable=False, unique=True),
    Column("notice_id", String(64), nullable=False),
    Column("template", String(64), nullable=False),
    Column("recipient", Text),  # NULL if suppressed and the recipient is unknown
    Column("user_id", String(64), nullable=False),
    Column("user_version", Integer, nullable=False),
    Column("event_id", String(36), nullable=False),  # of the event notification.queued or notification.suppressed
    Column("correlation_id", Text, nullable=False),
    Column("traceparent", Text),
    Column("state", String(16), nullable=False),
    Column("detail", Text, nullable=False),  # the reason, or the mail server's last reply
    Column("tries", Integer, nullable=False),
    Column("doubts", Integer, nullable=False),  # tries whose outcome is unknown
    # Time from which it may be claimed: end of the backoff or of the current lease. NULL: finished.
    Column("due_at", BigInteger),  # milliseconds since 1970 by the database's clock
    Column("queued_at", BigInteger, nullable=False),  # microseconds since 1970
    Column("updated_at", BigInteger, nullable=False),  # microseconds since 1970
    Column("actor", Text),
    UniqueConstraint("notice_id", "template", "recipient"),
    Index("intents_by_user", "user_id", "id"),
)
Index(
    "intents_unfinished",
    intents.c.id,
    postgresql_where=intents.c.due_at.is_not(None),
    sqlite_where=intents.c.due_at.is_not(None),
)
# A claim looks for an earlier mail of the same user: without this index it reads all that the user ever had.
Index(
    "intents_unfinished_by_user",
    intents.c.user_id,
    intents.c.id,
    postgresql_where=intents.c.due_at.is_not(None),
    sqlite_where=intents.c.due_at.is_not(None),
)
Index(
    "intents_finished",
    intents.c.updated_at,
    postgresql_where=intents.c.due_at.is_(None),
    sqlite_where=intents.c.due_at.is_(None),
)


def forgotten(keep_mails: timedelta, keep_addresses: timedelta) -> tuple[Forgotten, ...]:
    """Return the rows that are deleted: finished mails and former addresses."""
    return (
        Forgotten(intents, intents.c.updated_at, keep_mails, intents.c.due_at.is_(None)),
        Forgotten(addresses, addresses.c.former_since, keep_addresses, addresses.c.former_since.is_not(None)),
    )
