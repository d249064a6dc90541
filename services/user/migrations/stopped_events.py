"""Stopped events: those that the broker refuses for good. An earlier program never writes them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
oldest_program = "0001"


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "stopped_events",
        sa.Column(
            "sequence", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True, autoincrement=False
        ),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.Column("decision", sa.String(8)),
        sa.Column("because", sa.Text()),
    )
    op.create_index("ix_stopped_events_subject", "stopped_events", ["subject"])
