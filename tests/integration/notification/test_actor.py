"""The caller whose command led to a notice is named by every event of its mails; on both databases."""

import threading
from pathlib import Path

from sqlalchemy import text

from services.chassis.database import migrations
from services.chassis.database.database import Database
from services.chassis.messages.event import NewEvent
from services.chassis.messages.ids import new_id
from services.chassis.messages.record import Record
from services.chassis.outbox import event_store
from services.notification.domain import DeliveryResult, DeliveryStatus
from services.notification.mail_queue import MailQueue
from tests.support.builders import NOW, USER_ID, asked_for_by
from tests.support.notification_builders import REVISIONS, a_handler, a_notice_record, a_state, a_state_record, prepare
from tests.support.schemas import revisions_until

ACTOR = "support-7"
BEFORE = "0006"
WAITING = (
    "INSERT INTO waiting (notice_id, user_id, version, type, correlation_id, since) "
    "VALUES ('{0}', '{1}', 1, 'user.registered', 'c-1', 1)"
)
QUEUED = (
    "INSERT INTO intents (notification_id, notice_id, template, recipient, user_id, user_version, event_id, "
    "correlation_id, state, detail, tries, doubts, due_at, queued_at, updated_at) VALUES "
    "('m-{0}', '{0}', 'welcome', 'ada@example.org', '{1}', 1, 'e-{0}', 'c-1', 'open', '', 0, 0, 0, 0, 0)"
)


class Service:
    """Handler and queue of mails on one store."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.handler = a_handler(new_id)
        self.queue = MailQueue(database, lambda: NOW, new_id, "hello@example.org", threading.Event())

    def take(self, *records: Record) -> None:
        with self.database.write() as connection:
            self.handler(connection, records)

    def send(self) -> int:
        """Send what is due. Returns how many mails that were."""
        claims = self.queue.claim(10)
        self.queue.settle([(claim, DeliveryResult(DeliveryStatus.SENT, "250")) for claim in claims], [])
        return len(claims)

    def events(self) -> list[NewEvent]:
        with self.database.read() as connection:
            return [stored.event for stored in event_store.read(connection, 0, 1000)]

    def actors(self) -> list[tuple[str, str | None]]:
        return [(event.type.rpartition(".")[2], event.metadata.actor) for event in self.events()]


def test_the_events_of_a_mail_have_the_actor_of_the_notice_that_caused_it(database: Database) -> None:
    service = Service(prepare(database))
    service.take(a_state_record(a_state()), asked_for_by(ACTOR, a_notice_record()))
    service.send()
    assert service.actors() == [("queued", ACTOR), ("sent", ACTOR)]


def test_a_notice_that_waits_for_its_state_keeps_its_actor(database: Database) -> None:
    service = Service(prepare(database))
    service.take(asked_for_by(ACTOR, a_notice_record()))
    service.take(a_state_record(a_state()))
    assert service.actors() == [("queued", ACTOR)]


def test_a_suppressed_mail_has_its_actor_too(database: Database) -> None:
    service = Service(prepare(database))
    service.take(a_state_record(a_state(wants_mail=False)), asked_for_by(ACTOR, a_notice_record()))
    assert service.actors() == [("suppressed", ACTOR)]


def test_without_an_actor_the_stored_metadata_is_as_before(database: Database) -> None:
    service = Service(prepare(database))
    service.take(a_state_record(a_state()), a_notice_record())
    with database.read() as connection:
        (stored,) = connection.scalars(text("SELECT metadata FROM events"))
    assert "actor" not in stored


def test_what_waits_in_a_store_of_before_goes_on_and_an_older_program_writes_beside_the_new_one(
    database: Database, tmp_path: Path
) -> None:
    before = revisions_until(BEFORE, REVISIONS, tmp_path / "before")
    migrations.upgrade(database, before)
    write(database, WAITING, "notice-1")
    write(database, QUEUED, "notice-2")
    migrations.upgrade(database, REVISIONS)
    migrations.prepare(database, before, migrate=False)
    write(database, WAITING, "notice-3")
    write(database, QUEUED, "notice-4")
    service = Service(database)
    service.take(a_state_record(a_state()))
    while service.send():
        pass
    assert service.actors() == [*[("queued", None)] * 2, *[("sent", None)] * 4]


def write(database: Database, statement: str, notice_id: str) -> None:
    """Write as a program does that knows no actor."""
    with database.write() as connection:
        connection.execute(text(statement.format(notice_id, USER_ID)))
