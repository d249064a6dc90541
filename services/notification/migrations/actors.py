"""The caller whose command led to a mail, or to a notice that waits: unknown of those that are there."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
oldest_program = "0001"


def upgrade() -> None:
    """Add the columns. A program of before leaves them empty."""
    for table in ("intents", "waiting"):
        op.add_column(table, sa.Column("actor", sa.Text()))
