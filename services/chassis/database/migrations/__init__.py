"""Schema migrations with Alembic: one replica at a time brings a schema to the newest revision; others check it."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from services.chassis.database.bounded_connection import unbounded
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.database.migrations import compatibility

LOCK = 0x45564C4E  # one number for all: PostgreSQL's advisory locks are per database
NOTHING = "none"  # how a database without a schema is spoken of


class SchemaError(ConnectionError):
    """The schema is not the one that this program needs; the message names both. Waiting may be the cure."""


def prepare(database: Database, revisions: Path, *, migrate: bool) -> None:
    """Upgrade, or only look, as a service does at its start. Raises ConnectionError, SchemaError: try again."""
    (upgrade if migrate else require)(database, revisions)


def upgrade(database: Database, revisions: Path) -> None:
    """Bring the schema to the newest revision in a folder; one that is newer and serves this program stays as it is.

    Raises ConnectionError while the database is unreachable, SchemaError if a newer schema does not serve the program.
    """
    try:
        with database.write() as connection:
            if not database.is_sqlite:  # two replicas may start at once; SQLite's write lock is taken already
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            config = _config(revisions)
            script = ScriptDirectory.from_config(config)
            if not _is_newer(connection, script):
                config.attributes["connection"] = connection
                with unbounded(connection):
                    command.upgrade(config, "head")
                    compatibility.declare(connection, script)
    except UNAVAILABLE as error:
        raise ConnectionError(f"database: {error}") from error


def require(database: Database, revisions: Path) -> None:
    """Look whether the schema is the newest one in a folder or serves it, and change nothing.

    Raises ConnectionError while the database is unreachable, SchemaError if the schema is older, or newer and useless.
    """
    script = ScriptDirectory.from_config(_config(revisions))
    try:
        with database.read() as connection:
            newer, found = _is_newer(connection, script), revision(connection)
    except UNAVAILABLE as error:
        raise ConnectionError(f"database: {error}") from error
    if not newer and found != (needed := script.get_current_head()):
        raise SchemaError(
            f"the database has schema {found or NOTHING}, this program needs {needed}: run this service with the "
            "argument `migrate`, or set APP_DATABASE_MIGRATE=true"
        )


def _config(revisions: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("version_locations", str(revisions))
    config.set_main_option("path_separator", "newline")
    return config


def revision(connection: Connection) -> str | None:
    """Return the revision of the schema, None without a schema."""
    return MigrationContext.configure(connection).get_current_revision()


def _is_newer(connection: Connection, script: ScriptDirectory) -> bool:
    """Return whether the schema is newer than the program and serves it. Raises SchemaError when it is and does not."""
    found, known = revision(connection), {one.revision for one in script.walk_revisions()}
    if found is None or found in known:
        return False
    if compatibility.serves(connection, found, known):
        return True
    raise SchemaError(
        f"the database has schema {found}, the newest that this program knows is {script.get_current_head()}: "
        "run the program that made it, or a newer one"
    )
