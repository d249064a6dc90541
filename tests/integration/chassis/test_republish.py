"""Published events are published again from one on: in order, to the end, and by nobody while the lease lasts."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import pytest

from services.chassis.database.database import Database
from services.chassis.kafka.partition_reader import read_topic
from services.chassis.kafka.producer import Producer
from services.chassis.messages.publisher import OpenProducer
from services.chassis.messages.record import Outgoing
from services.chassis.outbox import lease
from services.chassis.outbox import relay as module
from services.chassis.outbox.event_publisher import Outbox
from services.chassis.outbox.lease import Lease, LeaseLostError, Leases
from services.chassis.outbox.relay import Relay
from services.workbench.polling import until
from tests.support.broker import create, delete, settings
from tests.support.builders import a_telemetry, an_event_store, append_events
from tests.support.fakes import FakeLog

SHORT, LONG = timedelta(seconds=0.3), timedelta(seconds=60)


@pytest.fixture(autouse=True)
def _store(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    an_event_store(database)
    for name in ("IDLE_S", "RENEW_S", "BACKOFF_S"):
        monkeypatch.setattr(module, name, (0.01,) if name == "BACKOFF_S" else 0.01)
    append_events(database, 1, 2, 3, 4, 5)


@contextmanager
def relaying(database: Database, open_producer: OpenProducer, topic: str = "facts") -> Iterator[None]:
    stop = threading.Event()
    outbox = Outbox(
        database,
        Leases(database, "mine", SHORT),
        lambda stored: [Outgoing(topic, b"ada", b"%d" % stored.sequence, [])],
        open_producer,
    )
    thread = threading.Thread(target=Relay(outbox, threading.Event(), a_telemetry()).run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def rewind(database: Database, first: int) -> int:
    with database.write() as connection:
        return lease.rewind(connection, first)


def await_cursor(database: Database, sequence: int) -> None:
    until("the cursor", Leases(database, "looking", SHORT).cursor, lambda seen: seen == sequence)


def of_the_last_leader(values: list[bytes | None], before: int) -> list[bytes | None]:
    """Return what follows the first values; the leader that is followed may publish an event before it sees that."""
    again = values[before:]
    return again[1:] if again[0] == b"6" else again


def test_the_events_from_one_on_are_published_again_in_order_and_new_ones_follow(database: Database) -> None:
    log = FakeLog()
    with relaying(database, log.open_producer):
        await_cursor(database, 5)
        assert rewind(database, 3) == 5
        append_events(database, 6)
        await_cursor(database, 6)
    assert of_the_last_leader(log.values(), before=5) == [b"%d" % number for number in (3, 4, 5, 6)]


def test_nobody_publishes_before_the_lease_of_the_relay_that_leads_has_ended(database: Database) -> None:
    leases = Leases(database, "mine", LONG)
    led = leases.take()
    assert isinstance(led, Lease)
    leases.advance(led, 5)
    rewind(database, 1)
    with pytest.raises(LeaseLostError):
        leases.advance(led, 5)
    waits = Leases(database, "other", LONG).take()
    assert isinstance(waits, float)
    assert waits > 50


@pytest.mark.parametrize("first", [0, 6])
def test_an_event_that_is_not_published_is_refused(database: Database, first: int) -> None:
    with relaying(database, FakeLog().open_producer):
        await_cursor(database, 5)
    with pytest.raises(ValueError, match=f"event {first} is none of the 5"):
        rewind(database, first)


def test_a_recreated_topic_gets_all_events_again(database: Database, broker: str) -> None:
    topic = create(broker, partitions=1)
    with relaying(database, lambda: Producer(settings(broker), "test"), topic):
        await_cursor(database, 5)
        delete(broker, topic)
        create(broker, partitions=1, name=topic)
        rewind(database, 1)
        append_events(database, 6)
        await_cursor(database, 6)
    values = [one.value for batch in read_topic(settings(broker), topic, 1) for one in batch]
    assert of_the_last_leader(values, before=0) == [b"%d" % number for number in range(1, 7)]
