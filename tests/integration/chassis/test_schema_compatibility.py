"""A program meets a schema that is newer than it: a pod that restarts during an upgrade, or after a rollback."""

import shutil
from pathlib import Path

import pytest
from sqlalchemy import text

import services
from services.chassis.database.database import Database
from services.chassis.database.migrations import SchemaError, prepare, upgrade

USER = Path(services.__path__[0]) / "user" / "migrations"
HEAD = "0006"
REVISION = '''"""A test's own revision."""

import sqlalchemy as sa
from alembic import op

revision = "{0}"
down_revision = "{1}"
{2}


def upgrade() -> None:
    """Add a column that an older program does not write."""
    op.add_column("users", sa.Column("note_{0}", sa.Text()))
'''


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """The user service's revisions, to which a test adds."""
    return shutil.copytree(USER, tmp_path / "newer")


def add(folder: Path, revision: str, after: str, statement: str = "") -> None:
    (folder / f"add_{revision}.py").write_text(REVISION.format(revision, after, statement))


def test_a_program_runs_on_a_newer_schema_that_only_adds_and_leaves_it_as_it_is(
    database: Database, newer: Path
) -> None:
    add(newer, "8001", HEAD, f'oldest_program = "{HEAD}"')
    upgrade(database, newer)
    for migrate in (True, False):
        prepare(database, USER, migrate=migrate)
        assert version(database) == "8001"


def test_a_program_of_before_the_oldest_that_a_schema_serves_is_refused(database: Database, newer: Path) -> None:
    add(newer, "8001", HEAD)
    add(newer, "8002", "8001", 'oldest_program = "8001"')
    upgrade(database, newer)
    with pytest.raises(SchemaError, match="has schema 8002, the newest that this program knows is 0006"):
        prepare(database, USER, migrate=False)


def test_a_newer_schema_that_names_no_older_program_is_refused(database: Database, newer: Path) -> None:
    add(newer, "8001", HEAD)
    upgrade(database, newer)
    for migrate in (True, False):
        with pytest.raises(SchemaError, match="has schema 8001, the newest that this program knows is 0006"):
            prepare(database, USER, migrate=migrate)


def test_what_one_revision_reports_is_forgotten_with_the_next(database: Database, newer: Path) -> None:
    add(newer, "8001", HEAD, f'oldest_program = "{HEAD}"')
    upgrade(database, newer)
    add(newer, "8002", "8001")
    upgrade(database, newer)
    with pytest.raises(SchemaError, match="has schema 8002"):
        prepare(database, USER, migrate=False)


def version(database: Database) -> str:
    with database.read() as connection:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")))
