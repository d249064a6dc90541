"""The first schema: users, reservations, replies, and the chassis's event store, relay, progress, inbox, parking."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables and the first rows of counter and relay."""
    op.create_table(
        "users",
        sa.Column("user_id", sa.String(36), primary_key=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
    )
    op.create_index("users_by_status", "users", ["status", "user_id"])
    op.create_table(
        "reservations",
        sa.Column("kind", sa.String(8), primary_key=True),
        sa.Column("key", sa.String(400), primary_key=True),
        sa.Column("user_id", sa.String(36), nullable=False),
    )
    op.create_table(
        "replies",
        sa.Column("key", sa.String(255), primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("reply", sa.Text(), nullable=False),
    )
    _event_store()
    _relay()
    _consumer()


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
