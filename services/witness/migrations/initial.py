"""The first schema: a row for each log, with the newest checkpoint that the witness has cosigned."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the table. The row of a log is inserted at the start that finds the log's key in the file."""
    op.create_table(
        "logs",
        sa.Column("origin", sa.String(255), primary_key=True),
        sa.Column("vkey", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("note", sa.LargeBinary()),
    )
