"""The caller whose command led to a record, as a column to search by.

No hash covers a search column. Publishers may have been upgraded before audit: their records have the header already.
"""

import sqlalchemy as sa
from alembic import op

from services.audit import store
from services.audit.domain import search, unpack_headers

revision = "0005"
down_revision = "0004"
oldest_program = "0003"


def upgrade() -> None:
    """Add the column, fill it from the headers of the entries that are there, and create the index."""
    op.add_column("entries", sa.Column("actor", sa.String(256)))
    connection = op.get_bind()
    _fill(connection)
    known = sa.text("actor IS NOT NULL")
    columns = ["actor", "position"]
    op.create_index("entries_by_actor", "entries", columns, postgresql_where=known, sqlite_where=known)


def _fill(connection: sa.Connection) -> None:
    entries = store.entries
    name, headers = sa.literal(b"ce_actor", sa.LargeBinary), entries.c.headers
    is_sqlite = connection.dialect.name == "sqlite"
    named = (sa.func.instr(headers, name) if is_sqlite else sa.func.position(name.op("IN")(headers))) > 0
    for position, packed in connection.execute(sa.select(entries.c.position, headers).where(named)).all():
        actor = search(unpack_headers(packed)).actor
        connection.execute(sa.update(entries).where(entries.c.position == position).values(actor=actor))
