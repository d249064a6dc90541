"""Steps of each publisher's revisions for its operators: their actions, and what they ask of the relay.

A published step is never changed.
"""

import sqlalchemy as sa
from alembic import op


def create_actions() -> None:
    """Create the table of actions."""
    op.create_table(
        "operations",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
        ),
        sa.Column("event_id", sa.String(36), nullable=False, unique=True),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.String(64), nullable=False),
        sa.Column("published", sa.Boolean(), nullable=False),
        sa.UniqueConstraint("subject", "version"),
    )
    unpublished = sa.text("NOT published")
    op.create_index(
        "operations_unpublished",
        "operations",
        ["sequence"],
        postgresql_where=unpublished,
        sqlite_where=unpublished,
    )


def extend_relay() -> None:
    """Add a pause to the relay's row."""
    op.add_column("relay", sa.Column("paused_at", sa.BigInteger()))
    for name in ("paused_by", "pause_reason"):
        op.add_column("relay", sa.Column(name, sa.Text()))
