"""Audit keeps every record as it is and parks none: the table of parked records, which was always empty, goes."""

from alembic import op

revision = "0002"
down_revision = "0001"
oldest_program = "0001"


def upgrade() -> None:
    """Drop the table. No program has ever read it here."""
    op.drop_table("parked")
