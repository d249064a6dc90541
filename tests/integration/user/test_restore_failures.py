"""After a restore the topic of failed mails is read from its beginning: what was decided before flags nobody again."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete

from services.chassis.consumer.idempotency import inbox
from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.contracts import notification
from services.contracts.catalog import NOTIFICATION_EVENTS
from services.contracts.notification import NotificationFailed, Recipient
from services.user.commands import Change, Unflag
from services.user.domain import Changes
from services.user.restore import failures
from tests.integration.user.test_bounce_handler import ADDRESS, OTHER, Users
from tests.support.builders import NOW, USER_ID, a_record, an_envelope

LATER = NOW + timedelta(seconds=1)
FACT = NotificationFailed("n", USER_ID, "550", True, 1, Recipient(ADDRESS))  # noqa: FBT003  # as the contract has it
NAMES = {"id": "failure-2", "version": 2, "source": notification.EVENTS, "type": "notification.failed"}
FIRST = a_record(an_envelope(**NAMES), FACT, topic=NOTIFICATION_EVENTS.name)
SKEWED = a_record(an_envelope(**NAMES | {"time": LATER}), FACT, topic=NOTIFICATION_EVENTS.name)
SECOND = a_record(
    an_envelope(**NAMES | {"id": "failure-3", "version": 3}), FACT, topic=NOTIFICATION_EVENTS.name, offset=1
)
NEW = a_record(
    an_envelope(**NAMES | {"id": "failure-4", "version": 4, "time": LATER}),
    FACT,
    topic=NOTIFICATION_EVENTS.name,
    offset=2,
)


def cleared(users: Users) -> None:
    users.do(Unflag(USER_ID))


def moved_and_back(users: Users) -> None:
    users.do(Change(USER_ID, None, Changes(email=OTHER)))
    users.do(Change(USER_ID, None, Changes(email=ADDRESS)))


def read_again(users: Users, *records: Record) -> int:
    """Lose the inbox, as a restored store has; remember and handle records. Returns the number of remembered ones."""
    with users.database.write() as connection:
        connection.execute(delete(inbox))
    for _ in range(2):  # a restore that was repeated
        with users.database.write() as connection:
            remembered = failures.remember_decided(connection, records, NOW)
    assert not users.take(*records).refused
    return remembered


@pytest.fixture
def users(database: Database) -> Users:
    users = Users(database)
    users.register()
    return users


@pytest.mark.parametrize("undo", [cleared, moved_and_back], ids=["cleared", "address came back"])
@pytest.mark.parametrize("decided", [[FIRST], [FIRST, SECOND], [SKEWED]], ids=["one", "two", "a clock ahead"])
def test_a_decided_failure_flags_nobody_again(
    users: Users, decided: list[Record], undo: Callable[[Users], None]
) -> None:
    for record in decided:
        users.take(record)
    undo(users)
    assert read_again(users, *decided) == len(decided)
    assert not users.user().contact_flagged
    assert len(users.flags()) == 1


def test_a_failure_that_nobody_has_handled_flags_the_address(users: Users) -> None:
    users.take(FIRST)
    cleared(users)
    assert read_again(users, FIRST, NEW) == 1
    assert users.user().contact_flagged
    assert [flag.metadata.causation_id for flag in users.flags()] == ["failure-2", "failure-4"]


def test_the_first_failure_of_an_address_is_handled(users: Users) -> None:
    assert read_again(users, FIRST) == 0
    assert users.user().contact_flagged
