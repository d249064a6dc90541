"""Entries and journeys name the caller who asked for a change; on both databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient
from sqlalchemy import text

from services.audit import api, store
from services.audit.bootstrap import REVISIONS
from services.audit.domain import Page, Query
from services.audit.journeys import api as journeys
from services.audit.journeys import search
from services.audit.verification import BadEntryError, Verification
from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.http.application import application
from services.chassis.messages.record import Record
from tests.support.audit_log import ORIGIN, a_fact, all_entries, find, open_log, record_all
from tests.support.builders import asked_for_by
from tests.support.query_plans import full_scans, plans, sorts
from tests.support.schemas import revisions_until

BEFORE = "0004"


@pytest.fixture
def client(database: Database) -> Iterator[TestClient[Litestar]]:
    """A client of the API of a log with three commands, each of another caller, and one of nobody."""
    open_log(database)
    record_all(database, *facts())

    def read(query: Query) -> Page:
        with database.read() as connection:
            return store.find(connection, query, ORIGIN)

    routes = [*api.routes(read), *journeys.routes(database.reader(search.find))]
    with TestClient(application(routes, api.DOCUMENT)) as client:
        yield client


def facts() -> list[Record]:
    callers = ("support-7", "support-8", "ada@example.org")
    return [*(asked_for_by(caller, a_fact(offset)) for offset, caller in enumerate(callers)), a_fact(3)]


def get(client: TestClient[Litestar], path: str, **params: str) -> Any:  # JSON
    answer = client.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_what_a_caller_has_changed_is_one_query(client: TestClient[Litestar]) -> None:
    items = get(client, "/audit/entries", actor="support-7")["items"]
    assert [(item["type"], item["subject"], item["actor"]) for item in items] == [
        ("user.registered", "user-0", "support-7")
    ]


def test_who_has_changed_a_user_is_one_query(client: TestClient[Litestar]) -> None:
    items = get(client, "/audit/entries", subject="user-1", topic="user.events.v1")["items"]
    assert [item["actor"] for item in items] == ["support-8"]


def test_an_entry_of_nobody_has_no_actor(client: TestClient[Litestar]) -> None:
    assert [item["actor"] for item in get(client, "/audit/entries", subject="user-3")["items"]] == [None]


def test_an_actor_that_is_a_mail_address_is_masked_wherever_it_is_shown(client: TestClient[Litestar]) -> None:
    for personal, shown in (("false", "(hidden)"), ("true", "ada@example.org")):
        [item] = get(client, "/audit/entries", subject="user-2", personal=personal)["items"]
        assert (item["actor"], dict(item["headers"])["ce_actor"]) == (shown, shown)
        [event] = get(client, "/audit/journeys/command-2", personal=personal)["journey"]["events"]
        assert event["actor"] == shown
        [choice] = get(client, "/audit/journeys/user-2", personal=personal)["choices"]
        assert choice["actor"] == shown


def test_the_pages_show_who_asked(client: TestClient[Litestar]) -> None:
    for path in ("command-0", "user-0"):
        assert "asked for by support-7" in client.get(f"/audit/journeys/{path}.html").text
        assert "asked for by" not in client.get(f"/audit/journeys/{path.replace('0', '3')}.html").text


def test_the_entries_of_an_actor_are_read_by_an_index(database: Database) -> None:
    open_log(database)
    found = plans(database, "entries", lambda: find(database, actor="support-7"))
    assert any("entries_by_actor" in line for line in found), found
    assert full_scans("entries", found) == sorts(found) == []


@pytest.mark.parametrize(("position", "actor"), [(0, "support-9"), (3, "support-7")], ids=["changed", "added"])
def test_a_changed_actor_is_found(database: Database, position: int, actor: str) -> None:
    a_log_with(database, position, actor)
    with pytest.raises(BadEntryError, match="but its headers give"):
        Verification(ORIGIN).check(all_entries(database))


def test_an_actor_that_a_program_of_before_left_empty_is_no_change(database: Database) -> None:
    a_log_with(database, 0, None)
    Verification(ORIGIN).check(all_entries(database))


def a_log_with(database: Database, position: int, actor: str | None) -> None:
    open_log(database)
    record_all(database, *facts())
    values = {"actor": actor, "position": position}
    with database.write() as connection:
        connection.execute(text("UPDATE entries SET actor = :actor WHERE position = :position"), values)


def test_a_log_of_before_gets_the_actors_that_its_headers_name_and_no_hash_changes(
    database: Database, tmp_path: Path
) -> None:
    open_log(database)
    record_all(database, *facts())
    now = all_entries(database)
    before = revisions_until(BEFORE, REVISIONS, tmp_path / "before")
    with database.write() as connection:  # as it was: nothing but the index and the column came since
        connection.execute(text("DROP INDEX entries_by_actor"))
        connection.execute(text("ALTER TABLE entries DROP COLUMN actor"))
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{BEFORE}'"))  # noqa: S608  # ours
    migrations.prepare(database, before, migrate=False)
    migrations.upgrade(database, REVISIONS)
    assert all_entries(database) == now
    migrations.prepare(database, before, migrate=False)
