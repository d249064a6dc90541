"""An empty store is restored from the events that it had published; on both databases."""

import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from services.chassis.database.database import Database
from services.chassis.kafka.partition_reader import read_topic
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages import event
from services.chassis.messages.record import Record
from services.chassis.outbox import event_store
from services.chassis.outbox.lease import Lease, Leases
from services.contracts.catalog import NOTIFICATION_EVENTS
from services.notification import publisher
from services.notification.domain import DeliveryResult, DeliveryStatus, ListedIntent
from services.notification.mail_queue import MailQueue
from services.notification.store import restore, views
from tests.support.builders import NOW, USER_ID, asked_for_by, ids
from tests.support.notification_builders import a_handler, a_notice_record, a_state, a_state_record, prepare

SENT, REFUSED = (
    DeliveryResult(DeliveryStatus.SENT, "250 ok"),
    DeliveryResult(DeliveryStatus.REFUSED, "550 5.1.1"),
)
CONSUMED = [
    a_state_record(a_state(1, email="ada@old.example.org")),
    asked_for_by("support-7", a_notice_record(1)),
    a_state_record(a_state(2, email="ada@new.example.org")),
    a_notice_record(2, "user.email_changed"),
]


def batches(published: Sequence[Record]) -> Iterator[Sequence[Record]]:
    return (published[start : start + 3] for start in range(0, len(published), 3))


class Store:
    """A notification service's store with its handler and its queue."""

    def __init__(self, database: Database, name: str = "rebuilt") -> None:
        self.database = prepare(database)
        new_id = ids(name)
        self.queue = MailQueue(database, lambda: NOW, new_id, "no-reply@example.org", threading.Event())
        self._handler = a_handler(new_id)

    def consume(self, *records: Record) -> None:
        """Handle a batch."""
        with self.database.write() as connection:
            assert not self._handler(connection, records).refused

    def settle(self, result: DeliveryResult) -> str:
        """Settle the next mail with a result. Returns its Message-ID."""
        [claim] = self.queue.claim(1)
        self.queue.settle([(claim, result)], [])
        return claim.message_id

    def restore(self, published: list[Record]) -> int:
        """Restore from published records, in batches of three."""
        return restore.restore(self.database, batches(published))

    def events(self) -> list[event.StoredEvent]:
        """Return the events in the store."""
        with self.database.read() as connection:
            return event_store.read(connection, 0, 1000)

    def published(self) -> list[Record]:
        """Return the events as a reader of the topic gets them."""
        records = [outgoing for event in self.events() for outgoing in publisher.records(event)]
        return [
            Record(record.topic, 0, offset, 1, 0, record.key, record.value, record.headers)
            for offset, record in enumerate(records)
        ]

    def listed(self) -> list[ListedIntent]:
        """Return the user's notifications without their places and, if sent, without the server's reply."""
        with self.database.read() as connection:
            found = views.notifications(connection, USER_ID, 0, 100)
        return [
            msgspec.structs.replace(item, place=0, detail="" if item.state == "sent" else item.detail) for item in found
        ]


@pytest.fixture
def lost(tmp_path: Path) -> Iterator[Store]:
    """A store that will be lost."""
    database = Database(f"sqlite:///{tmp_path}/lost.db")
    yield Store(database, "lost")
    database.close()


def test_events_come_back_with_their_numbers_and_the_cursor_is_after_them(lost: Store, database: Database) -> None:
    lost.consume(*CONSUMED)
    lost.settle(SENT)
    rebuilt = Store(database)
    assert rebuilt.restore([*lost.published(), *lost.published()[-1:]]) == 4
    assert rebuilt.events() == lost.events()
    leases = Leases(database, "me", duration=NOW - NOW)
    assert leases.take() == Lease(epoch=1, cursor=4)


def test_no_mail_is_repeated_and_an_open_one_is_sent_with_its_old_message_id(lost: Store, database: Database) -> None:
    lost.consume(*CONSUMED)
    lost.settle(SENT)
    lost.settle(REFUSED)
    rebuilt = Store(database)
    rebuilt.restore(lost.published())
    assert rebuilt.listed() == lost.listed()
    rebuilt.consume(*CONSUMED)
    assert rebuilt.listed() == lost.listed()
    assert rebuilt.settle(SENT) == lost.settle(SENT)
    assert rebuilt.queue.claim(1) == []
    assert [event.event.version for event in rebuilt.events()] == [1, 2, 3, 4, 5, 6]
    actors = [event.event.metadata.actor for event in rebuilt.events()]
    assert actors == [event.event.metadata.actor for event in lost.events()]
    assert set(actors) == {"support-7", None}


def test_a_suppressed_intent_stays_suppressed(lost: Store, database: Database) -> None:
    lost.consume(a_state_record(a_state(1, wants_mail=False)), a_notice_record(1))
    rebuilt = Store(database)
    rebuilt.restore(lost.published())
    rebuilt.consume(a_state_record(a_state(2)), a_notice_record(1))
    assert [item.state for item in rebuilt.listed()] == ["suppressed"]


def test_no_transaction_is_open_while_the_log_is_read(lost: Store, database: Database, database_url: str) -> None:
    lost.consume(*CONSUMED)
    rebuilt, another = Store(database), Database(database_url)

    def history() -> Iterator[Sequence[Record]]:
        for records in batches(lost.published()):
            yield records
            with another.write() as connection:
                connection.execute(select(event_store.counter).with_for_update(nowait=True)).one()

    restore.restore_if_needed(database, history)
    another.close()
    assert rebuilt.events() == lost.events()


def test_a_restoration_that_is_interrupted_is_repeated(lost: Store, database: Database) -> None:
    lost.consume(*CONSUMED)
    lost.settle(SENT)
    rebuilt = Store(database)

    def history(*, is_whole: bool) -> Iterator[Sequence[Record]]:
        first, *rest = batches(lost.published())
        yield first
        if not is_whole:
            raise ConnectionError("unreachable")
        yield from rest

    with pytest.raises(ConnectionError):
        restore.restore_if_needed(database, lambda: history(is_whole=False))
    restore.restore_if_needed(database, lambda: history(is_whole=True))
    assert (rebuilt.events(), rebuilt.listed()) == (lost.events(), lost.listed())


@pytest.fixture
def backup(lost: Store, database: Database) -> Store:
    """A backup of the lost store from before it sent its three mails."""
    kept = Store(database, "lost")  # the same ids as those of the lost store, so the same events
    for store in (lost, kept):
        store.consume(*CONSUMED)
    return kept


def cursor(store: Store) -> int:
    """Return up to which sequence number the events of a store are published."""
    return Leases(store.database, "me", duration=NOW - NOW).cursor()


def test_a_backup_gets_what_came_since_and_no_mail_is_sent_again(lost: Store, backup: Store) -> None:
    lost.settle(SENT)
    lost.settle(REFUSED)
    assert backup.restore(lost.published()) == 5
    assert (backup.events(), backup.listed(), cursor(backup)) == (lost.events(), lost.listed(), 5)
    assert [claim.message_id for claim in backup.queue.claim(3)] == [lost.settle(SENT)]


def test_what_the_backup_had_not_published_is_published_if_the_topic_lacks_it(lost: Store, backup: Store) -> None:
    """The relay of the lost store was killed when event 2 was under way, and events 3 to 5 had been acknowledged."""
    lost.settle(SENT)
    lost.settle(SENT)
    on_the_topic = [record for record in lost.published() if record.offset != 1]
    assert backup.restore(on_the_topic) == 5
    assert cursor(backup) == 1


def test_a_backup_with_more_than_the_topic_keeps_its_cursor(lost: Store, backup: Store) -> None:
    assert backup.restore(lost.published()[:1]) == 3
    assert cursor(backup) == 0
    assert backup.events() == lost.events()


def test_an_interrupted_restore_of_a_backup_is_finished_by_the_next_start(lost: Store, backup: Store) -> None:
    lost.settle(SENT)
    lost.settle(REFUSED)

    def interrupted() -> Iterator[Sequence[Record]]:
        yield lost.published()[:4]
        raise ConnectionError("unreachable")

    with pytest.raises(ConnectionError):
        restore.restore(backup.database, interrupted())
    assert len(backup.events()) == 4
    restore.restore_if_needed(backup.database, lambda: batches(lost.published()))
    assert (backup.events(), backup.listed()) == (lost.events(), lost.listed())


def test_a_store_that_is_whole_does_not_read_the_log(lost: Store) -> None:
    lost.consume(*CONSUMED)
    restore.restore_if_needed(lost.database, lambda: pytest.fail("the log was read"))


def test_a_backup_of_another_publisher_is_refused(lost: Store, database: Database) -> None:
    lost.consume(*CONSUMED)
    other = Store(database, "other")
    other.consume(*CONSUMED)
    with pytest.raises(restore.OtherTopicError, match=r"notification.events.v1\[0\]@0 holds event .* no backup"):
        other.restore(lost.published())


def test_a_backup_from_before_what_retention_has_deleted_is_refused(lost: Store, backup: Store) -> None:
    lost.settle(SENT)
    lost.settle(SENT)
    with pytest.raises(restore.OtherTopicError, match=r"retention has deleted records since the backup"):
        backup.restore(lost.published()[4:])
    assert len(backup.events()) == 3


def test_a_state_that_compaction_has_removed_leads_to_no_mail_to_a_later_address(
    lost: Store, database: Database
) -> None:
    lost.consume(*CONSUMED)
    rebuilt = Store(database)
    rebuilt.restore(lost.published())
    newest = a_state_record(a_state(3, email="ada@newest.example.org"))
    rebuilt.consume(newest, *[record for record in CONSUMED if record.topic != newest.topic])
    assert rebuilt.listed() == lost.listed()


def test_the_other_mail_about_a_change_of_address_is_queued_if_only_one_was_published(
    lost: Store, database: Database
) -> None:
    lost.consume(*CONSUMED)
    rebuilt = Store(database)
    rebuilt.restore(lost.published()[:2])
    rebuilt.consume(*CONSUMED)
    assert [(item.template, item.recipient) for item in rebuilt.listed()] == [
        (item.template, item.recipient) for item in lost.listed()
    ]


def test_an_empty_topic_restores_nothing(database: Database) -> None:
    rebuilt = Store(database)
    assert rebuilt.restore([]) == 0
    assert rebuilt.events() == []


@pytest.mark.long  # it waits for time-outs
def test_a_log_that_cannot_be_read_is_waited_for(database: Database) -> None:
    """A ConnectionError: the start is tried again and readiness has the reason; the store stays empty until then."""
    rebuilt = Store(database)
    unreachable = KafkaSettings(kafka_bootstrap_servers="127.0.0.1:1", kafka_request_timeout=timedelta(seconds=0.5))
    topic = NOTIFICATION_EVENTS
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1"):
        restore.restore_if_needed(database, lambda: read_topic(unreachable, topic.name, topic.partitions))
    with database.read() as connection:
        assert event_store.last_sequence(connection) == 0
    assert rebuilt.events() == []


def test_an_invalid_record_stops_the_restoration_and_is_named(lost: Store, database: Database) -> None:
    lost.consume(*CONSUMED)
    broken = msgspec.structs.replace(lost.published()[0], value=b"{}")
    with pytest.raises(restore.OtherTopicError, match=r"notification.events.v1\[0\]@0: invalid"):
        Store(database).restore([broken])
