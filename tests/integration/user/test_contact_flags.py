"""Flags of addresses are cleared by an operator, with an event each; on both databases, and by the command."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from services.chassis.database.database import Database
from services.chassis.messages.event import Metadata, NewEvent
from services.chassis.outbox import event_store, operator_events
from services.chassis.outbox.operator_events import Operator
from services.contracts.operations import OperatorActed
from services.contracts.user import Preferences
from services.user import store
from services.user.commands import Action, Command, Flag, Register
from services.user.flags.contact_flags import ContactFlags
from services.user.handlers import Tools
from tests.support.builders import NOW, a_person, ids
from tests.support.schemas import upgrade
from tests.support.user_client import NOBODY, commit_group

OPERATOR = Operator("grace", "ops-1")
HOUR = timedelta(hours=1)


class Store:
    """A user service's store in which addresses are flagged at given times."""

    def __init__(self, database: Database) -> None:
        self.database = database
        upgrade(database, Path(store.__file__).parent / "migrations")
        self._new_id = ids("event")
        self.flags = ContactFlags(database, Tools(store.Rows, ids("cleared"), lambda: NOW + 9 * HOUR), OPERATOR)

    def flagged(self, user_id: str, hours: int) -> str:
        """Return a user who is flagged some hours after NOW."""
        email = f"{user_id}@example.org"
        self._do(Register(user_id, a_person(login=user_id, email=email), Preferences()), hours)
        self._do(Flag(user_id, email, "550"), hours)
        return user_id

    def _do(self, action: Action, hours: int) -> None:
        command = Command(action, self._new_id(), b"", Metadata("c"))
        with self.database.write() as connection:
            commit_group(connection, [command], self._new_id, NOW + hours * HOUR)

    def is_flagged(self, user_id: str) -> bool:
        with self.database.read() as connection:
            user = store.read_user(connection, user_id)
        assert user is not None
        return user.contact_flagged

    def cleared(self) -> list[NewEvent]:
        """Return the events of cleared flags."""
        with self.database.read() as connection:
            stored = event_store.read(connection, 0, 1000)
        return [event.event for event in stored if event.event.type == "user.contact_cleared"]


@pytest.fixture
def users(database: Database) -> Store:
    return Store(database)


def test_flags_since_a_moment_are_cleared_with_an_event_each_and_older_ones_stay(users: Store) -> None:
    old, *mistaken = (users.flagged(f"user-{number}", number) for number in range(3))
    chosen = users.flags.since(NOW + HOUR)
    assert users.flags.clear(chosen, "operator-1").users == mistaken
    assert [users.is_flagged(user) for user in (old, *mistaken)] == [True, False, False]
    assert [(event.subject, event.metadata.correlation_id) for event in users.cleared()] == [
        (user, "operator-1") for user in mistaken
    ]
    assert '"contact_flagged":false' in (users.cleared()[0].state or "")


def test_an_operator_s_clearing_is_on_record_with_the_events_that_it_led_to(users: Store) -> None:
    user = users.flagged("user-1", 0)
    users.flags.clear([user], "operator-1")
    users.flags.clear([user], "operator-2")
    with users.database.read() as connection:
        (stored,) = operator_events.unpublished(connection, 10)
    fact = msgspec.json.decode(stored.event.data, type=OperatorActed)
    assert (fact.action, fact.selection, fact.count, fact.operator) == ("flags.clear", user, 1, "grace")
    assert stored.event.metadata.correlation_id == "operator-1"


def test_clearing_twice_changes_nothing_and_an_unknown_user_is_named(users: Store) -> None:
    user = users.flagged("user-1", 0)
    users.flags.clear([user], "operator-1")
    again = users.flags.clear([user, NOBODY], "operator-2")
    assert (again.users, again.refused) == ([], [f"there is no user {NOBODY}"])
    assert len(users.cleared()) == 1


def command(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Return the end of the command, run as an operator runs it."""
    return subprocess.run(
        [sys.executable, "-m", "services.user", "clear-flags", *arguments],
        env=os.environ | {"APP_DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_command_clears_and_prints_users_and_correlation_id(users: Store, database_url: str) -> None:
    user = users.flagged("user-1", 0)
    done = command(database_url, "--since", NOW.isoformat())
    assert (done.returncode, done.stdout) == (0, f"{user}\n"), done.stderr
    assert users.cleared()[0].metadata.correlation_id in done.stderr
    assert not users.is_flagged(user)


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "code", "advice"),
    [
        ((), 2, "name the users by their ids"),
        (("--since", "2026-01-01T00:00:00"), 2, "has no time zone"),
        (("--since", "yesterday"), 2, "Invalid isoformat"),
        ((NOBODY,), 1, "there is no user"),
    ],
)
def test_the_command_refuses_with_a_reason(
    users: Store, database_url: str, arguments: tuple[str, ...], code: int, advice: str
) -> None:
    assert users.cleared() == []
    done = command(database_url, *arguments)
    assert done.returncode == code
    assert advice in done.stderr
