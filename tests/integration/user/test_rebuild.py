"""The log alone gives every user: folded from a real broker, compared row by row, on both databases."""

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console
from sqlalchemy import text

from services.chassis.database.database import Database
from services.chassis.kafka.producer import Producer
from services.chassis.messages.event import Metadata
from services.chassis.messages.ids import new_id
from services.chassis.outbox import event_store
from services.contracts.user import Personal, Preferences
from services.user import bootstrap, publisher, rebuild_check
from services.user.commands import Change, Command, Register
from services.user.domain import Changes
from services.user.settings import Settings
from tests.support.schemas import upgrade
from tests.support.user_client import commit_group

NOW = datetime(2026, 1, 1, tzinfo=UTC)
USERS = 20


def commands(ids: list[str], run: str) -> list[Command]:
    """Return a registration of each user, and a change of some."""
    metadata = Metadata(correlation_id="test")
    registered = [
        Command(
            Register(i, Personal(f"{run}{i}", f"{i}@example.org", "A Name", "en"), Preferences()),
            f"r{i}",
            b"",
            metadata,
        )
        for i in ids
    ]
    changed = [
        Command(Change(i, frozenset({1}), Changes(full_name="Another")), f"c{i}", b"", metadata) for i in ids[::3]
    ]
    return registered + changed


@pytest.fixture
def settings(broker: str, database_url: str) -> Settings:
    return Settings(kafka_bootstrap_servers=broker, database_url=database_url)


@pytest.fixture
def users(database: Database, settings: Settings) -> Database:
    """A user store whose events are all on the log; other tests' users on it are its users too."""
    upgrade(database, bootstrap.REVISIONS)
    fresh = [new_id() for _ in range(USERS)]
    with database.write() as connection:
        commit_group(connection, commands(fresh, "rebuild"))
    with database.read() as connection:
        stored = event_store.read(connection, 0, 1000)
    producer = Producer(settings, "test")
    producer.publish([record for event in stored for record in publisher.records(event)])
    producer.close()
    return database


def differences_of(ids: set[str], settings: Settings) -> list[str]:
    found = rebuild_check.check(bootstrap.build_rebuild(settings), Console(file=io.StringIO()))
    return [line for line in found if any(user_id in line for user_id in ids)]


def ids_of(database: Database) -> set[str]:
    with database.read() as connection:
        return set(connection.execute(text("SELECT user_id FROM users")).scalars())


def test_the_fold_of_the_log_equals_the_service_s_own_table(users: Database, settings: Settings) -> None:
    ids = ids_of(users)
    assert len(ids) == USERS
    assert differences_of(ids, settings) == []


def test_a_row_that_was_changed_by_hand_is_found(users: Database, settings: Settings) -> None:
    ids = ids_of(users)
    with users.write() as connection:
        connection.execute(text("UPDATE users SET state = replace(state, 'Another', 'Somebody')"))
    assert len(differences_of(ids, settings)) == len(range(0, USERS, 3))
