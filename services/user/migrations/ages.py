"""Ages of replies and of the inbox, so that old rows can be deleted. Rows of earlier programs are dated later."""

import sqlalchemy as sa
from alembic import op

from services.chassis.database.migrations import held_records

revision = "0006"
down_revision = "0005"
oldest_program = "0001"


def upgrade() -> None:
    """Add the columns, empty, and their indexes."""
    op.add_column("replies", sa.Column("stored_at", sa.BigInteger()))
    op.create_index("replies_by_age", "replies", ["stored_at"])
    op.add_column("inbox", sa.Column("applied_at", sa.BigInteger()))
    op.create_index("inbox_by_age", "inbox", ["applied_at"])
    held_records.index_ages()
