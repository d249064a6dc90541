"""Operators' actions, and what they ask of the relay. An earlier program neither reads nor writes them."""

from services.chassis.database.migrations import operators

revision = "0004"
down_revision = "0003"
oldest_program = "0001"


def upgrade() -> None:
    """Create the table of actions, and add columns to that of the relay."""
    operators.create_actions()
    operators.extend_relay()
