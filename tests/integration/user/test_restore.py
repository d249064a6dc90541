"""The user database restored from the records of the log: the same rows, and the service goes on behind them."""

import io
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console
from sqlalchemy import Table, insert, select, update

from services.chassis.database.database import Database
from services.chassis.messages.event import Metadata, StoredEvent
from services.chassis.messages.record import Record
from services.chassis.outbox import event_store, operator_events
from services.chassis.outbox.event_store import counter
from services.chassis.outbox.event_store import events as event_table
from services.chassis.outbox.lease import Lease, LeaseHeldError, Leases, relay
from services.chassis.outbox.operator_events import Operator
from services.chassis.outbox.stopped_events import stopped
from services.contracts.user import Preferences
from services.user import bootstrap
from services.user.as_of.command import Consoles
from services.user.as_of.merge import LogError
from services.user.commands import Command, Register
from services.user.restore import command, restorer
from services.user.restore.command import Store, Topics
from services.user.restore.restorer import DifferentLogError, RestoreError
from services.user.store import replies, reservations, users
from tests.integration.user.test_as_of import live, log_of, partitions
from tests.support.builders import NOW, a_person
from tests.support.user_client import commit_group

LEASE = timedelta(seconds=20)
TABLES = (event_table, users, reservations, counter)
Rows = dict[str, list[tuple[Any, ...]]]


def rows(database: Database, tables: Sequence[Table] = TABLES) -> Rows:
    """Return the rows of tables as they are, in order."""
    with database.read() as connection:
        return {table.name: sorted(map(tuple, connection.execute(select(table)))) for table in tables}


def cursor(database: Database) -> int:
    with database.read() as connection:
        return int(connection.scalar(select(relay.c.cursor)) or 0)


def restore(
    database: Database,
    events: Sequence[StoredEvent],
    failures: Callable[[], Sequence[list[Record]]] = list,
    *,
    after_backup: bool = False,
) -> str:
    """Restore from the log of events, and return the report."""
    leases = Leases(database, "restore", LEASE)
    store = Store(database, bootstrap.REVISIONS, leases, Operator("ada", "host"), lambda: NOW)
    topics = Topics(log_of(*partitions(list(events)), records=len(events)), failures)
    report = io.StringIO()
    consoles = Consoles(Console(file=report), Console(file=io.StringIO()))
    command.run(topics, store, consoles, after_backup=after_backup)
    return report.getvalue()


@pytest.fixture(scope="module")
def lost(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[list[StoredEvent], Rows]]:
    """The events of a service, and the rows that it had."""
    database = Database(f"sqlite:///{tmp_path_factory.mktemp('service')}/user.db")
    events, _ = live(database)
    yield events, rows(database)
    database.close()


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restorer, "BATCH", 10)


def test_an_empty_database_gets_every_row_back_and_goes_on(
    lost: tuple[list[StoredEvent], Rows], database: Database
) -> None:
    events, before = lost
    report = restore(database, events)
    assert rows(database) == before
    assert cursor(database) == len(events)
    assert f"the next event gets sequence {len(events) + 1}: start the service" in report
    assert "What does not come back" in report
    with database.write() as connection:
        (reply,) = commit_group(connection, [a_registration()], at=NOW + timedelta(days=1))
        (new,) = event_store.read(connection, cursor(database), 10)  # all that the relay publishes
    assert (new.sequence, new.event.subject) == (len(events) + 1, getattr(reply, "user_id", ""))
    with database.read() as connection:
        (acted,) = operator_events.unpublished(connection, 10)
    assert '"action":"store.restore"' in acted.event.data


def a_registration() -> Command:
    person = a_person(login="new", email="new@example.org")
    return Command(Register("new-user", person, Preferences()), "key", b"", Metadata("test"))


@pytest.mark.parametrize("commits", [0, 2, 6], ids=["first batch", "third batch", "end"])
def test_a_restore_that_was_interrupted_goes_on_where_it_was(
    lost: tuple[list[StoredEvent], Rows], database: Database, monkeypatch: pytest.MonkeyPatch, commits: int
) -> None:
    events, before = lost
    done = iter(range(commits))

    def interrupted(leases: Leases, lease: object, **values: int) -> object:
        if next(done, None) is None:
            raise KeyboardInterrupt
        return writing(leases, lease, **values)  # type: ignore[arg-type]  # as given

    writing = Leases.writing
    with monkeypatch.context() as patched:
        patched.setattr(Leases, "writing", interrupted)
        with pytest.raises(KeyboardInterrupt):
            restore(database, events)
    assert len(rows(database)["events"]) == min(10 * commits, len(events))
    assert rows(database)["counter"] == [(1, 0, 0)]
    report = restore(database, events)
    assert ("goes on behind sequence" in report) == (commits > 0)
    assert rows(database) == before


@pytest.mark.parametrize("published", [35, 40], ids=["with a tail", "all published"])
def test_a_backup_gets_what_came_after_it(
    lost: tuple[list[StoredEvent], Rows], database: Database, published: int
) -> None:
    events, before = lost
    restore(database, events[:40])
    with database.write() as connection:
        connection.execute(update(relay).values(cursor=published))
        connection.execute(insert(stopped).values((38, events[37].event.subject, "too large", 0, None, None)))
        connection.execute(insert(replies).values(("kept", b"", "{}", 0)))
    with pytest.raises(RestoreError, match=r"not empty, it has events up to sequence 40: .*--after-backup"):
        restore(database, events)
    report = restore(database, events, after_backup=True)
    assert rows(database) == before
    assert cursor(database) == len(events)
    assert rows(database, (stopped, replies)) == {"stopped_events": [], "replies": [("kept", b"", "{}", 0)]}
    assert f"{len(events) - 40} events appended, 40 kept" in report


def test_events_of_a_backup_that_are_not_on_the_log_are_left_to_the_relay(
    lost: tuple[list[StoredEvent], Rows], database: Database
) -> None:
    events, before = lost
    restore(database, events)
    with database.write() as connection:
        connection.execute(update(relay).values(cursor=30))
    report = restore(database, events[:35], after_backup=True)
    assert (rows(database), cursor(database)) == (before, 35)
    assert f"{len(events) - 35} events of the backup are not on the log yet" in report
    with pytest.raises(RestoreError, match="ends at sequence 30, but the store has published up to 35"):
        restore(database, events[:30], after_backup=True)


def test_a_store_with_another_event_than_the_log_is_refused_with_the_place(
    lost: tuple[list[StoredEvent], Rows], database: Database
) -> None:
    events, _ = lost
    restore(database, events[:30])
    with database.write() as connection:
        connection.execute(update(event_table).where(event_table.c.sequence == 25).values(event_id="another"))
    wrong = rf"@\d+ has event {events[24].event.event_id} under sequence 25, the store has another there"
    with pytest.raises(DifferentLogError, match=wrong):
        restore(database, events, after_backup=True)
    assert len(rows(database)["events"]) == 30


def test_a_gap_in_the_log_is_refused_with_its_place(lost: tuple[list[StoredEvent], Rows], database: Database) -> None:
    events, _ = lost
    with pytest.raises(LogError, match="has sequence 32, 31 must follow"):
        restore(database, [event for event in events if event.sequence != 31])
    assert rows(database)["counter"] == [(1, 0, 0)]


def test_without_events_or_without_a_backup_nothing_is_restored(database: Database) -> None:
    with pytest.raises(RestoreError, match="the log has no event"):
        restore(database, [])
    with pytest.raises(RestoreError, match="is empty, so it is no backup"):
        restore(database, [], after_backup=True)


def test_the_lease_of_a_relay_that_extends_it_is_respected(
    lost: tuple[list[StoredEvent], Rows], database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    events, _ = lost
    restore(database, events[:5])
    relay_of_service = Leases(database, "a relay", LEASE)
    lease = relay_of_service.take()
    assert isinstance(lease, Lease)
    monkeypatch.setattr(command, "_wait", lambda *_: relay_of_service.renew(lease))
    with pytest.raises(LeaseHeldError, match="has the lease of the relay and extends it: stop every instance"):
        restore(database, events, after_backup=True)
    assert len(rows(database)["events"]) == 5
    monkeypatch.setattr(command, "_wait", lambda *_: relay_of_service.give_back(lease))  # as if it had ended
    restore(database, events, after_backup=True)
    assert len(rows(database)["events"]) == len(events)


def test_a_service_that_appends_meanwhile_stops_the_restore(
    lost: tuple[list[StoredEvent], Rows], database: Database
) -> None:
    events, _ = lost
    restore(database, events[:20])

    def appends() -> list[list[Record]]:
        with database.write() as connection:
            connection.execute(update(counter).values(last_sequence=21))
        return [[]] * 2

    with pytest.raises(RestoreError, match="has appended event 21 meanwhile: stop every instance"):
        restore(database, events, appends, after_backup=True)
