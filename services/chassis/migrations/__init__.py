"""A database's schema: brought to the newest revision with Alembic, one replica at a time."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.exc import InterfaceError, OperationalError

from services.chassis.database import Database

LOCK = 0x45564C4E  # one number for all: PostgreSQL's advisory locks are per database


def upgrade(database: Database, revisions: Path) -> None:
    """Bring the schema to the newest revision in a folder. Raises ConnectionError while the database is away."""
    try:
        with database.write() as connection:
            if not database.is_sqlite:  # two replicas may start at once; SQLite's write lock is taken already
                connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
            config = Config()
            config.set_main_option("script_location", str(Path(__file__).parent))
            config.set_main_option("version_locations", str(revisions))
            config.set_main_option("path_separator", "newline")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except (OperationalError, InterfaceError) as error:
        raise ConnectionError(f"database: {error}") from error
