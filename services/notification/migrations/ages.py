"""Ages of the inbox, of finished mails and of former addresses, so that old rows can be deleted.

Rows of the inbox are dated later. An address that is former already counts as former since this revision.
"""

import time

import sqlalchemy as sa
from alembic import op

from services.chassis.database.migrations import held_records

revision = "0005"
down_revision = "0004"
oldest_program = "0001"

addresses = sa.table("addresses", sa.column("user_id"), sa.column("version"), sa.column("former_since"))


def upgrade() -> None:
    """Add the columns and the indexes, and date former addresses."""
    op.add_column("inbox", sa.Column("applied_at", sa.BigInteger()))
    op.create_index("inbox_by_age", "inbox", ["applied_at"])
    op.add_column("addresses", sa.Column("former_since", sa.BigInteger()))
    later = addresses.alias()
    followed = sa.exists().where(later.c.user_id == addresses.c.user_id, later.c.version > addresses.c.version)
    op.execute(sa.update(addresses).where(followed).values(former_since=time.time_ns() // 1000))
    former = sa.text("former_since IS NOT NULL")
    op.create_index("addresses_former", "addresses", ["former_since"], postgresql_where=former, sqlite_where=former)
    finished = sa.text("due_at IS NULL")
    op.create_index("intents_finished", "intents", ["updated_at"], postgresql_where=finished, sqlite_where=finished)
    held_records.index_ages()
