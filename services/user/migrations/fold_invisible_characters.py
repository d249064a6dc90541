"""Reservations under NFKC_Casefold: keys made before it may have characters that it drops.

Two users whose logins differ by such characters only both keep theirs: the second one's key stays as it is.
"""

import sqlalchemy as sa
from alembic import op

from services.user.text.unique_form import casefolded

revision = "0002"
down_revision = "0001"
oldest_program = "0001"

reservations = sa.table("reservations", sa.column("kind"), sa.column("key"))


def upgrade() -> None:
    """Fold each key again unless another user has reserved the result."""
    connection = op.get_bind()
    found = {(row.kind, row.key) for row in connection.execute(sa.select(reservations)) if not row.key.isascii()}
    for kind, key in sorted(found):
        folded = casefolded(key)
        if folded != key and not _is_reserved(connection, kind, folded):
            own = sa.and_(reservations.c.kind == kind, reservations.c.key == key)
            connection.execute(sa.update(reservations).where(own).values(key=folded))


def _is_reserved(connection: sa.Connection, kind: str, key: str) -> bool:
    query = sa.select(reservations).where(reservations.c.kind == kind, reservations.c.key == key)
    return connection.execute(query).first() is not None
