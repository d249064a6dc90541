"""The table of signed checkpoints."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
oldest_program = "0003"


def upgrade() -> None:
    """Create the table. It is empty until the notary signs the first checkpoint."""
    op.create_table(
        "checkpoints",
        sa.Column("size", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("root", sa.LargeBinary(32), nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("signed_at", sa.BigInteger(), nullable=False),
        sa.Column("cosigned", sa.LargeBinary()),
        sa.Column("published_at", sa.BigInteger()),
    )
