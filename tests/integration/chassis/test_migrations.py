"""Migrations make exactly the tables that a service's code declares, and running them twice changes nothing."""

import subprocess
import sys
import threading
from functools import cache
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import MetaData, inspect, text

import services
from services.chassis.database.database import Database, metadata
from services.chassis.database.migrations import LOCK, upgrade
from services.workbench.polling import until

FOLDERS = sorted(
    path.parent for path in Path(services.__path__[0]).glob("*/migrations") if path.parent.name != "chassis"
)
of_each_service = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
PATIENCE_S = 30.0


@cache
def declared(service: str) -> frozenset[str]:
    """Return the tables that a service declares; asked in a process of its own, which imports no other service."""
    module = f"services.{service}.bootstrap"
    code = f"import {module}\nfrom services.chassis.database.database import metadata\nprint(*metadata.tables)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return frozenset(done.stdout.split())


def own(service: str) -> MetaData:
    """Return a service's tables alone."""
    __import__(f"services.{service}.bootstrap")
    alone = MetaData()
    for name in declared(service):
        metadata.tables[name].to_metadata(alone)
    return alone


def content(database: Database) -> dict[str, list[tuple[object, ...]]]:
    """Return every row of every table."""
    with database.read() as connection:
        names = inspect(connection).get_table_names()
        return {name: [tuple(row) for row in connection.execute(text(f'SELECT * FROM "{name}"'))] for name in names}  # noqa: S608  # the database's own names


@of_each_service
def test_migrations_make_exactly_the_tables_that_the_code_declares(folder: Path, database: Database) -> None:
    upgrade(database, folder / "migrations")
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, own(folder.name))
        primary_keys = {
            name: inspect(connection).get_pk_constraint(name)["constrained_columns"] for name in declared(folder.name)
        }
    assert differences == []
    assert primary_keys == {
        name: [column.name for column in metadata.tables[name].primary_key] for name in declared(folder.name)
    }


@of_each_service
def test_running_migrations_twice_changes_nothing(folder: Path, database: Database) -> None:
    upgrade(database, folder / "migrations")
    before = content(database)
    upgrade(database, folder / "migrations")
    assert content(database) == before
    assert before["alembic_version"] != []


@of_each_service
def test_two_replicas_may_migrate_at_once(folder: Path, database: Database, database_url: str) -> None:
    other = Database(database_url)
    failures: list[Exception] = []

    def migrate(database: Database) -> None:
        try:
            upgrade(database, folder / "migrations")
        except Exception as error:  # noqa: BLE001  # shown by the assertion below
            failures.append(error)

    # Alembic keeps what it works on in a module: within one process one migration runs at a time.
    code = (
        "import sys, pathlib\n"
        "from services.chassis.database.database import Database\n"
        "from services.chassis.database.migrations import upgrade\n"
        "upgrade(Database(sys.argv[1]), pathlib.Path(sys.argv[2]))"
    )
    argv = [sys.executable, "-c", code, database_url, str(folder / "migrations")]
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True) as replica:
        thread = threading.Thread(target=migrate, args=(other,))
        thread.start()
        thread.join(PATIENCE_S)
        _, errors = replica.communicate(timeout=PATIENCE_S)
    other.close()
    assert (failures, replica.returncode) == ([], 0), errors
    assert len(content(database)["alembic_version"]) == 1


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_replica_waits_while_another_one_migrates(database: Database) -> None:
    waiting = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
    thread = threading.Thread(target=upgrade, args=(database, FOLDERS[0] / "migrations"))
    with database.write() as other:
        other.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
        thread.start()
        until("a replica waits for the lock", lambda: other.scalar(waiting), seconds=PATIENCE_S)
        assert thread.is_alive(), "it did not wait"
        assert inspect(other).get_table_names() == []
    thread.join(PATIENCE_S)
    assert len(content(database)["alembic_version"]) == 1


def test_a_database_that_is_unreachable_is_a_connection_error_to_be_tried_again(tmp_path: Path) -> None:
    (tmp_path / "a-file").touch()
    for url in ("postgresql+psycopg://nobody@127.0.0.1:1/none", f"sqlite:///{tmp_path}"):
        database = Database(url)
        with pytest.raises(ConnectionError, match=r"^database: "):
            upgrade(database, FOLDERS[0] / "migrations")
        database.close()
