"""Held records: parked and dead ones in one table. An earlier program goes on with the parked ones, as a view."""

from services.chassis.database.migrations import held_records

revision = "0004"
down_revision = "0003"
oldest_program = "0001"


def upgrade() -> None:
    """Move the parked records to the table of held ones."""
    held_records.replace_parked()
