"""An operator pauses a relay: no event is published until it is resumed, then all of them in order."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pytest

from services.chassis.database.database import Database
from services.chassis.kafka.partition_reader import read_topic
from services.chassis.kafka.producer import Producer
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.publisher import OpenProducer
from services.chassis.messages.record import Outgoing
from services.chassis.outbox import lease
from services.chassis.outbox import relay as module
from services.chassis.outbox.event_publisher import Outbox
from services.chassis.outbox.lease import Leases, Pause
from services.chassis.outbox.relay import Relay
from services.chassis.telemetry.telemetry import Telemetry
from services.workbench.polling import until
from tests.support.broker import create, settings
from tests.support.builders import NOW, a_telemetry, an_event_store, append_events
from tests.support.fakes import FakeLog

LONG = timedelta(seconds=60)
PAUSE = Pause(NOW - timedelta(seconds=90), "grace@ops-1", "the broker moves")


@pytest.fixture(autouse=True)
def _store(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    an_event_store(database)
    monkeypatch.setattr(module, "IDLE_S", 0.01)


def to_topic(topic: str, stored: StoredEvent) -> Sequence[Outgoing]:
    return [Outgoing(topic, b"ada", b"%d" % stored.sequence, [])]


@contextmanager
def relaying(database: Database, open_producer: OpenProducer, topic: str = "facts") -> Iterator[Telemetry]:
    telemetry, stop = a_telemetry(), threading.Event()
    records = lambda stored: to_topic(topic, stored)  # noqa: E731
    relay = Relay(
        Outbox(database, Leases(database, "mine", LONG), records, open_producer), threading.Event(), telemetry
    )
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    try:
        yield telemetry
    finally:
        stop.set()
        thread.join()


def change(database: Database, *, pause: bool) -> bool:
    with database.write() as connection:
        return lease.pause(connection, PAUSE) if pause else lease.resume(connection)


def await_cursor(database: Database, sequence: int) -> None:
    until("the cursor", Leases(database, "looking", LONG).cursor, lambda seen: seen == sequence)


def test_a_pause_is_shown_with_its_operator_and_reason_and_the_service_stays_ready(database: Database) -> None:
    with relaying(database, FakeLog().open_producer) as telemetry:
        assert change(database, pause=True)
        shown = until("the pause", lambda: telemetry.health.absent().get("relay", ""), lambda text: "paused" in text)
        assert "grace@ops-1: the broker moves" in shown
        assert "relay" not in telemetry.health.missing()
        assert telemetry.metrics.registry.get_sample_value("relay_paused_seconds") == 90
        assert change(database, pause=False)
        until("its end", telemetry.health.absent, lambda absent: not absent)
        assert telemetry.metrics.registry.get_sample_value("relay_paused_seconds") == 0


def test_a_pause_survives_a_restart_and_a_hand_over(database: Database) -> None:
    change(database, pause=True)
    append_events(database, 1, 2)
    log = FakeLog()
    for _ in range(2):
        with relaying(database, log.open_producer) as telemetry:
            until("the pause", telemetry.health.absent, lambda absent: "relay" in absent)
    assert log.records == []
    change(database, pause=False)
    with relaying(database, log.open_producer):
        await_cursor(database, 2)
    assert log.values() == [b"1", b"2"]


def test_a_second_pause_leaves_the_first_and_only_a_pause_can_be_resumed(database: Database) -> None:
    assert not change(database, pause=False)
    assert change(database, pause=True)
    assert not change(database, pause=True)
    with database.read() as connection:
        assert lease.paused(connection) == PAUSE


def test_paused_under_load_and_resumed_nothing_is_lost_and_the_order_is_kept(database: Database, broker: str) -> None:
    topic, versions = create(broker, partitions=1), iter(range(1, 400))
    with relaying(database, lambda: Producer(settings(broker), "test"), topic) as telemetry:
        for round_number in range(3):
            append_events(database, *(next(versions) for _ in range(50)))
            change(database, pause=True)
            until("the pause", telemetry.health.absent, lambda absent: "relay" in absent)
            before = Leases(database, "looking", LONG).cursor()
            append_events(database, *(next(versions) for _ in range(50)))
            assert Leases(database, "looking", LONG).cursor() == before, "published during the pause"
            change(database, pause=False)
            await_cursor(database, 100 * (round_number + 1))
    assert [int(one.value or b"") for batch in read_topic(settings(broker), topic, 1) for one in batch] == list(
        range(1, 301)
    )
