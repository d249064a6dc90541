"""Refusals of the notification service's `restore`: a held lease, a store that is not as it was named, no events."""

import io
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from services.chassis.database.database import Database
from services.chassis.messages.record import Record
from services.chassis.outbox import lease
from services.chassis.outbox.lease import Lease, LeaseHeldError, Leases
from services.notification import restore as command
from services.notification.restore import RestoreError
from tests.integration.notification.test_restore import CONSUMED, SENT, Store, batches

LEASE = timedelta(seconds=20)


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """The events of a service that has sent a mail."""
    database = Database(f"sqlite:///{tmp_path}/lost.db")
    lost = Store(database, "lost")
    lost.consume(*CONSUMED)
    lost.settle(SENT)
    published = lost.published()
    database.close()
    return published


def restored(database: Database, records: list[Record], *, after_backup: bool = False) -> str:
    """Run the command; return its report."""
    source, report = command.Source(lambda: batches(records), len(records)), io.StringIO()
    leases = Leases(database, "restore", LEASE)
    command.run(database, leases, source, Console(file=report, width=200), after_backup=after_backup)
    return report.getvalue()


def test_a_store_whose_relay_extends_its_lease_is_not_touched(
    database: Database, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(database)
    of_service = Leases(database, "a relay", LEASE)
    held = of_service.take()
    assert isinstance(held, Lease)
    extended: Lease = held

    class Waits:
        """Passes time, in which the service extends its lease."""

        def wait(self, _seconds: float) -> None:
            of_service.renew(extended)

    monkeypatch.setattr("services.notification.restore.threading", SimpleNamespace(Event=Waits))
    monkeypatch.setattr(lease, "LOOK_S", 0.0)
    with pytest.raises(LeaseHeldError, match="has the lease of the relay and extends it: stop every instance"):
        restored(database, records)
    assert store.events() == []
    of_service.give_back(held)
    assert "start the service" in restored(database, records)
    assert len(store.events()) == len(records)


def test_a_store_with_events_is_restored_only_as_a_backup(database: Database, records: list[Record]) -> None:
    store = Store(database)
    restored(database, records[:2])
    with pytest.raises(
        RestoreError, match="is not empty, it has events up to sequence 2: if it is a backup, `restore --a"
    ):
        restored(database, records)
    assert len(store.events()) == 2
    restored(database, records, after_backup=True)
    assert len(store.events()) == len(records)


def test_an_empty_store_is_no_backup(database: Database, records: list[Record]) -> None:
    store = Store(database)
    with pytest.raises(RestoreError, match="is empty, so it is no backup: use `restore` without --after-backup"):
        restored(database, records, after_backup=True)
    assert store.events() == []


def test_a_topic_without_events_is_taken_for_the_wrong_kafka(database: Database) -> None:
    Store(database)
    with pytest.raises(RestoreError, match="has no event: does APP_KAFKA_BOOTSTRAP_SERVERS name the right Kafka"):
        restored(database, [])
