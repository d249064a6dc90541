"""The first schema: the log, its entries and chains, and the consumer's progress."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables. The row of `log` is inserted at the service's start, when its origin is known."""
    op.create_table(
        "log",
        sa.Column("id", sa.SmallInteger(), primary_key=True, autoincrement=False),
        sa.Column("origin", sa.String(256), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "chains",
        sa.Column("topic_id", sa.String(22), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("first_offset", sa.BigInteger(), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
        sa.Column("length", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.LargeBinary(32), nullable=False),
    )
    op.create_table(
        "progress",
        sa.Column("topic", sa.String(249), primary_key=True),
        sa.Column("partition", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("topic_id", sa.String(22), nullable=False),
        sa.Column("next_offset", sa.BigInteger(), nullable=False),
    )
    _entries()
    _parked()


def _entries() -> None:
    op.create_table(
        "entries",
        sa.Column(
            "position",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            primary_key=True,
            autoincrement=False,
        ),
        sa.Column("topic", sa.String(249), nullable=False),
        sa.Column("topic_id", sa.String(22), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("offset", sa.BigInteger(), nullable=False),
        sa.Column("ts_type", sa.SmallInteger(), nullable=False),
        sa.Column("ts_ms", sa.BigInteger(), nullable=False),
        sa.Column("flags", sa.SmallInteger(), nullable=False),
        sa.Column("key", sa.LargeBinary()),
        sa.Column("value", sa.LargeBinary()),
        sa.Column("headers", sa.LargeBinary()),
        sa.Column("chain", sa.LargeBinary(32), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(256)),
        sa.Column("subject", sa.String(256)),
        sa.Column("correlation_id", sa.String(256)),
        sa.Column("event_time", sa.BigInteger()),
        sa.UniqueConstraint("topic_id", "partition", "offset"),
    )
    op.create_index("entries_by_topic", "entries", ["topic", "position"])
    op.create_index("entries_by_subject", "entries", ["subject", "position"])
    op.create_index("entries_by_correlation", "entries", ["correlation_id", "position"])
    op.create_index("entries_by_time", "entries", ["event_time", "position"])


def _parked() -> None:
    # Every consumer's database has this table; audit parks nothing, so it stays empty here.
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
