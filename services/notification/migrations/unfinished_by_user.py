"""An index of each user's unfinished mails: without it a claim reads all mails that a user ever had."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
oldest_program = "0001"


def upgrade() -> None:
    """Create the index."""
    unfinished = sa.text("due_at IS NOT NULL")
    columns = ["user_id", "id"]
    op.create_index(
        "intents_unfinished_by_user", "intents", columns, postgresql_where=unfinished, sqlite_where=unfinished
    )
