"""The first schema: replica, addresses, waiting, intents, and the chassis's event store, relay, progress and inbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables and the first rows of counter and relay."""
    _replica()
    _waiting()
    _intents()
    _event_store()
    _relay()
    _consumer()


def _replica() -> None:
    op.create_table(
        "replica",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(64), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("state", sa.Text()),
    )
    op.create_table(
        "addresses",
        sa.Column("user_id", sa.String(64), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("email", sa.Text(), nullable=False),
    )


def _waiting() -> None:
    op.create_table(
        "waiting",
        sa.Column("notice_id", sa.String(64), primary_key=True),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("since", sa.BigInteger(), nullable=False),
    )
    op.create_index("waiting_by_user", "waiting", ["user_id", "version"])


def _intents() -> None:
    op.create_table(
        "intents",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True),
        sa.Column("notification_id", sa.String(36), nullable=False, unique=True),
        sa.Column("notice_id", sa.String(64), nullable=False),
        sa.Column("template", sa.String(64), nullable=False),
        sa.Column("recipient", sa.Text()),
        sa.Column("user_id", sa.String(64), nullable=False),
        sa.Column("user_version", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.String(36), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("traceparent", sa.Text()),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("doubts", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger()),
        sa.Column("queued_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("notice_id", "template", "recipient"),
    )
    op.create_index("intents_by_user", "intents", ["user_id", "id"])
    unfinished = sa.text("due_at IS NOT NULL")
    op.create_index("intents_unfinished", "intents", ["id"], postgresql_where=unfinished, sqlite_where=unfinished)


def _event_store() -> None:
    op.create_table(
        "events",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
        ),
        sa.Column("event_id", sa.String(36), nullable=False, unique=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("state", sa.Text()),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.UniqueConstraint("subject", "version"),
    )
    counter = op.create_table(
        "counter",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("last_sequence", sa.BigInteger(), nullable=False),
        sa.Column("last_time", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(counter, [{"id": 1, "last_sequence": 0, "last_time": 0}])


def _relay() -> None:
    relay = op.create_table(
        "relay",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("cursor", sa.BigInteger(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("holder", sa.String(64)),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
    )
    op.bulk_insert(relay, [{"id": 1, "cursor": 0, "epoch": 0, "holder": None, "expires_at": 0}])


def _consumer() -> None:
    op.create_table(
        "progress",
        sa.Column("topic", sa.String(249), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("topic_id", sa.String(22), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "inbox",
        sa.Column("source", sa.String(128), primary_key=True),
        sa.Column("event_id", sa.String(64), primary_key=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.UniqueConstraint("source", "subject", "version"),
    )
    op.create_table(
        "parked",
        sa.Column("topic", sa.String(249), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("offset", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("timestamp_type", sa.SmallInteger(), nullable=False),
        sa.Column("timestamp_ms", sa.BigInteger(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("headers", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("again", sa.Boolean(), nullable=False),
    )
    op.create_index("parked_by_key", "parked", ["topic", "key"])
