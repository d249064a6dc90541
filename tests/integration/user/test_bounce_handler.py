"""The user service flags an address that bounces permanently, once; on both databases."""

from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from services.chassis.consumer.subscription import Outcome
from services.chassis.database.database import Database
from services.chassis.messages.event import Metadata, NewEvent, StoredEvent
from services.chassis.messages.record import Outgoing, Record
from services.chassis.outbox import event_store
from services.contracts import notification
from services.contracts.catalog import NOTIFICATION_EVENTS, TYPE_NAMES
from services.contracts.notification import NotificationFailed, NotificationSent, Recipient
from services.contracts.shapes import written
from services.contracts.user import ContactFlagged, Preferences, UserState
from services.notification import publisher as notification_publisher
from services.notification.domain import DeliveryResult, DeliveryStatus
from services.notification.store.tables import intents
from services.user import publisher, store
from services.user.commands import Action, Change, Command, Deactivate, Register
from services.user.domain import Changes
from services.user.flags import bounce_handler
from services.user.flags.bounce_handler import BounceHandler
from services.user.handlers import Tools
from tests.support.builders import NOW, USER_ID, a_person, a_record, an_envelope, asked_for_by, ids
from tests.support.notification_builders import a_handler
from tests.support.schemas import upgrade
from tests.support.sender_harness import Mailroom
from tests.support.user_client import commit_group

ADDRESS, OTHER = "ada@example.org", "countess@example.org"


class Users:
    """The user service's store with its consumer's handler."""

    def __init__(self, database: Database) -> None:
        self.database = database
        upgrade(database, Path(store.__file__).parent / "migrations")
        self._new_id = ids("user-event")
        self._handler = BounceHandler(Tools(store.Rows, self._new_id, lambda: NOW), timedelta(days=45))

    def do(self, action: Action) -> None:
        command = Command(action, self._new_id(), b"", Metadata("correlation-of-a-command"))
        with self.database.write() as connection:
            commit_group(connection, [command], self._new_id)

    def register(self) -> None:
        self.do(Register(USER_ID, a_person(email=ADDRESS), Preferences()))

    def take(self, *records: Record) -> Outcome:
        with self.database.write() as connection:
            return self._handler(connection, records)

    def events(self, after: int = 0) -> list[StoredEvent]:
        with self.database.read() as connection:
            return event_store.read(connection, after, 1000)

    def flags(self) -> list[NewEvent]:
        return [stored.event for stored in self.events() if stored.event.type == "user.contact_flagged"]

    def user(self) -> UserState:
        with self.database.read() as connection:
            user = store.read_user(connection, USER_ID)
        assert user is not None
        return user


@pytest.fixture
def users(database: Database) -> Users:
    users = Users(database)
    users.register()
    return users


def failed(version: int = 2, *, email: str = ADDRESS, permanent: bool = True, user_id: str = USER_ID) -> Record:
    fact = NotificationFailed("n", user_id, "550 no such mailbox", permanent, 1, Recipient(email))
    return told(fact, version, user_id)


def told(fact: notification.Fact, version: int, user_id: str = USER_ID) -> Record:
    envelope = an_envelope(
        id=f"event-{version}", source=notification.EVENTS, type=TYPE_NAMES[type(fact)], subject=user_id, version=version
    )
    return a_record(envelope, fact, topic=NOTIFICATION_EVENTS.name)


def test_a_permanent_bounce_flags_the_contact_and_names_its_cause(users: Users) -> None:
    outcome = users.take(failed())
    (flag,) = users.flags()
    assert flag.data.encode() == written(ContactFlagged("550"))
    assert (flag.metadata.correlation_id, flag.metadata.causation_id) == ("correlation-1", "event-2")
    assert (users.user().version, users.user().contact_flagged) == (2, True)
    assert [kind for _, kind, _ in outcome.applied] == ["notification.failed"]


def test_a_flag_has_the_actor_of_the_mail_that_bounced(users: Users) -> None:
    users.take(asked_for_by("support-7", failed()))
    (flag,) = users.flags()
    assert flag.metadata.actor == "support-7"


def test_the_text_of_a_reply_in_an_older_event_is_not_copied_to_the_flag(users: Users) -> None:
    fact = NotificationFailed("n", USER_ID, "550 5.1.1 <ada@example.org>: Ada", True, 1, Recipient(ADDRESS))  # noqa: FBT003
    users.take(told(fact, 2))
    (flag,) = users.flags()
    assert flag.data.encode() == written(ContactFlagged("550 5.1.1"))


@pytest.mark.parametrize("reason", ["Ada Lovelace", "ada@example.org\0", "550x", "", "x" * 100_000])
def test_a_reason_without_codes_is_not_copied_to_the_flag(users: Users, reason: str) -> None:
    users.take(told(NotificationFailed("n", USER_ID, reason, True, 1, Recipient(ADDRESS)), 2))  # noqa: FBT003
    (flag,) = users.flags()
    assert flag.data.encode() == written(ContactFlagged("refused"))


def test_a_bounce_that_is_repeated_is_a_repeat_even_after_the_address_came_back(users: Users) -> None:
    users.take(failed())
    users.do(Change(USER_ID, None, Changes(email=OTHER)))
    users.do(Change(USER_ID, None, Changes(email=ADDRESS)))
    assert users.take(failed()).repeats == {NOTIFICATION_EVENTS.name: 1}
    assert not users.user().contact_flagged


def test_two_bounces_of_one_address_in_a_batch_flag_it_once(users: Users) -> None:
    users.take(failed(2), failed(3))
    assert len(users.flags()) == 1


@pytest.mark.parametrize(
    "record",
    [
        failed(permanent=False),
        failed(email=OTHER),
        failed(user_id="01936d5e-0000-7000-8000-00000000dead"),
        told(NotificationSent("n", USER_ID, "<m@example.org>", 1), 2),
    ],
    ids=["given up for now", "another address", "an unknown user", "sent"],
)
def test_what_is_no_bounce_of_a_users_address_changes_nothing(users: Users, record: Record) -> None:
    assert not users.take(record).refused
    assert len(users.events()) == 1


def test_an_address_that_was_changed_before_its_bounce_came_is_not_flagged(users: Users) -> None:
    users.do(Change(USER_ID, None, Changes(email=OTHER)))
    users.take(failed())
    assert users.flags() == []


def test_a_deactivated_user_stays_as_it_is(users: Users) -> None:
    users.do(Deactivate(USER_ID, None))
    users.take(failed())
    assert users.flags() == []


def test_what_cannot_be_a_bounce_is_refused_and_the_rest_applied(users: Users) -> None:
    contradiction = msgspec.structs.replace(failed(2), value=failed(2, email=OTHER).value)
    broken = msgspec.structs.replace(failed(3), value=b'{"permanent": true}')
    outcome = users.take(failed(2), broken, contradiction)
    assert [refusal.reason for refusal in outcome.refused] == ["invalid", "conflict"]
    assert len(users.flags()) == 1


def test_a_batch_without_failures_does_not_wait_for_the_lock(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def appending(*_: object) -> None:
        raise AssertionError("took the lock")

    upgrade(database, Path(store.__file__).parent / "migrations")
    monkeypatch.setattr(bounce_handler, "appending", appending)
    handler = BounceHandler(Tools(store.Rows, ids(), lambda: NOW), timedelta(days=45))
    with database.write() as connection:
        assert handler(connection, [told(NotificationSent("n", USER_ID, "<m>", 1), 2)]).not_subscribed


class Mails:
    """The notification service's store, fed with what the user service publishes."""

    def __init__(self, folder: Path) -> None:
        self.room = Mailroom(Database(f"sqlite:///{folder}/notification.db"))
        self._handler = a_handler(ids())
        self._heard = 0

    def hear(self, users: Users) -> None:
        """Take in what the user service has published since."""
        events = users.events(after=self._heard)
        self._heard += len(events)
        with self.room.database.write() as connection:
            assert not self._handler(connection, read_by_all(events, publisher.records)).refused

    def bounce(self) -> list[Record]:
        """Let what is queued bounce, and return what is published of it."""
        self.room.settle(self.room.queue.claim(10), DeliveryResult(DeliveryStatus.BOUNCED, "550 no such mailbox"))
        with self.room.database.read() as connection:
            return read_by_all(event_store.read(connection, 0, 1000), notification_publisher.records)

    def told(self) -> list[tuple[str, str, str]]:
        """Return template, recipient and state of each mail."""
        columns = intents.c.template, intents.c.recipient, intents.c.state
        with self.room.database.read() as connection:
            return [(row[0], row[1], row[2]) for row in connection.execute(select(*columns).order_by(intents.c.id))]


def read_by_all(events: Sequence[StoredEvent], records: Callable[[StoredEvent], Sequence[Outgoing]]) -> list[Record]:
    """Return the records of events as a reader gets them."""
    outgoing = [record for event in events for record in records(event)]
    return [Record(o.topic, 0, at, 1, 0, o.key, o.value, o.headers) for at, o in enumerate(outgoing)]


@pytest.fixture
def mails(tmp_path: Path, users: Users) -> Iterator[Mails]:
    """A welcome that bounced, and what both services make of it."""
    mails = Mails(tmp_path)
    mails.hear(users)
    users.take(*(record for record in mails.bounce() if record.topic == NOTIFICATION_EVENTS.name))
    assert users.user().contact_flagged
    mails.hear(users)
    yield mails
    mails.room.database.close()


def test_a_flagged_contact_is_not_mailed(users: Users, mails: Mails) -> None:
    users.do(Deactivate(USER_ID, None))
    mails.hear(users)
    assert mails.told() == [("welcome", ADDRESS, "failed"), ("goodbye", ADDRESS, "suppressed")]


def test_a_contact_is_mailed_again_once_its_address_has_changed(users: Users, mails: Mails) -> None:
    users.do(Change(USER_ID, None, Changes(email=OTHER)))
    mails.hear(users)
    assert not users.user().contact_flagged
    assert ("email_changed", OTHER, "open") in mails.told()
