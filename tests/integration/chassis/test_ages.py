"""The revision that dates rows: rows of before it, and rows that an older program writes beside the new one."""

import re
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

import services
from services.chassis.consumer import idempotency
from services.chassis.database.database import Database
from services.chassis.database.forgetting import Forgetting, Forgotten
from services.chassis.database.migrations import prepare, upgrade
from services.chassis.messages.clock import utc_now
from services.notification.store import tables
from services.user import store
from tests.support.builders import a_telemetry

ROOT = Path(services.__path__[0])
LAST = {"user": "0005", "notification": "0004"}  # the revisions of before
INBOX = "INSERT INTO inbox (source, event_id, subject, version, digest) VALUES ('s', 'e{0}', 'u', {0}, 'd')"
REPLY = "INSERT INTO replies (key, fingerprint, reply) VALUES ('k{0}', 'f', '{{}}')"
ADDRESS = "INSERT INTO addresses (user_id, version, email) VALUES ('u', {0}, 'a{0}@example.org')"
WRITES = {"user": (INBOX, REPLY), "notification": (INBOX, ADDRESS)}
NEVER = timedelta(days=365)


@pytest.fixture(params=list(LAST))
def service(request: pytest.FixtureRequest) -> str:
    """Each service whose rows get an age."""
    return str(request.param)


@pytest.fixture
def before(service: str, tmp_path: Path) -> Path:
    """The service's revisions as they were before."""
    folder = shutil.copytree(ROOT / service / "migrations", tmp_path / "before")
    for file in folder.glob("*.py"):
        revision = re.search(r'^revision = "(\d+)"', file.read_text(), re.MULTILINE)
        if revision and revision[1] > LAST[service]:
            file.unlink()
    return folder


def write(database: Database, service: str, *numbers: int) -> None:
    """Write as a program does that knows no ages."""
    with database.write() as connection:
        for number in numbers:
            for statement in WRITES[service]:
                connection.execute(text(statement.format(number)))


def ages(database: Database, table: str, column: str) -> list[int | None]:
    with database.read() as connection:
        return list(connection.scalars(text(f"SELECT {column} FROM {table} ORDER BY 1")))  # noqa: S608  # ours


def sweep(database: Database, table: Forgotten) -> None:
    component = Forgetting(database, [table], NEVER, a_telemetry(utc_now))
    while component.check() < NEVER.total_seconds():
        pass


def test_rows_of_before_are_dated_and_an_older_program_writes_beside_the_new_one(
    service: str, before: Path, database: Database
) -> None:
    upgrade(database, before)
    write(database, service, 1, 2)
    upgrade(database, ROOT / service / "migrations")
    prepare(database, before, migrate=False)  # the older program starts again, and is served
    write(database, service, 3)
    sweep(database, idempotency.forgotten(NEVER))
    assert None not in ages(database, "inbox", "applied_at")
    sweep(database, idempotency.forgotten(timedelta(0)))
    assert len(ages(database, "inbox", "applied_at")) == 1
    if service == "user":
        sweep(database, store.forgotten_replies(NEVER))
        assert None not in ages(database, "replies", "stored_at")
        sweep(database, store.forgotten_replies(timedelta(0)))
        assert ages(database, "replies", "stored_at") == []
    else:
        assert (
            ages(database, "addresses", "former_since").count(None) == 2
        )  # 2, the newest before; 3, an older program's
        sweep(database, tables.forgotten(NEVER, timedelta(0))[1])
        assert ages(database, "addresses", "version") == [2, 3]
