"""The older programs that a schema still serves. The schema names them: an old program cannot know a newer one.

A revision that only adds names, as `oldest_program`, the newest revision that the oldest such program knows. A revision
that names none serves no older program.
"""

from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, String, Table, delete, insert, inspect, select

from services.chassis.database.database import metadata

compatibility = Table(
    "schema_compatibility",
    metadata,
    Column("revision", String(32), primary_key=True),
    Column("oldest_program", String(32), nullable=False),
)


def declare(connection: Connection, script: ScriptDirectory) -> None:
    """Store the oldest program of the newest revision in the present schema."""
    newest = script.get_revision("head")
    oldest = getattr(newest.module, "oldest_program", newest.revision)
    compatibility.create(connection, checkfirst=True)
    connection.execute(delete(compatibility))
    connection.execute(insert(compatibility).values(revision=newest.revision, oldest_program=oldest))


def serves(connection: Connection, revision: str, known: set[str]) -> bool:
    """Return whether a schema of a revision serves the program that knows these revisions."""
    if not inspect(connection).has_table(compatibility.name):
        return False
    oldest = select(compatibility.c.oldest_program).where(compatibility.c.revision == revision)
    return connection.scalar(oldest) in known
