"""The relay: in order, acknowledged before the cursor moves, alone, and starting again after any doubt."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, update

from services.chassis.database.database import Database
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.publisher import PartitionCountError
from services.chassis.messages.record import Outgoing
from services.chassis.outbox import event_publisher, event_store, lease
from services.chassis.outbox import relay as module
from services.chassis.outbox.event_publisher import Chunk, EventPublisher, Outbox
from services.chassis.outbox.lease import Lease, Leases
from services.chassis.outbox.relay import Relay
from services.chassis.telemetry.telemetry import Telemetry
from services.workbench.polling import until
from tests.support.builders import NOW, USER_ID, a_telemetry, an_event_store, append_events
from tests.support.fakes import FakeClock, FakeLog

LONG = timedelta(seconds=60)
PATIENCE_S = 20.0


@pytest.fixture(autouse=True)
def _quick(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    an_event_store(database)
    monkeypatch.setattr(module, "BACKOFF_S", (0.01,))
    monkeypatch.setattr(module, "IDLE_S", 0.01)
    monkeypatch.setattr(event_publisher, "CHUNK", 2)


@pytest.fixture
def log() -> FakeLog:
    return FakeLog()


def two_records(stored: StoredEvent) -> Sequence[Outgoing]:
    """Return a fact and a notice of an event, as a publisher does."""
    number = str(stored.sequence).encode()
    return [Outgoing(topic, USER_ID.encode(), number, []) for topic in ("facts", "notices")]


def a_relay(
    database: Database,
    log: FakeLog,
    holder: str = "mine",
    *,
    ends: timedelta = LONG,
    telemetry: Telemetry | None = None,
) -> Relay:
    outbox = Outbox(database, Leases(database, holder, ends), two_records, log.open_producer)
    return Relay(outbox, threading.Event(), telemetry or a_telemetry())


@contextmanager
def running(relay: Relay) -> Iterator[threading.Event]:
    stop = threading.Event()
    thread = threading.Thread(target=relay.run, args=(stop,))
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(PATIENCE_S)
        assert not thread.is_alive()


def cursor(database: Database) -> int:
    return Leases(database, "looking", LONG).cursor()


def await_that(holds: Callable[[], bool], seen: Callable[[], object]) -> None:
    until("the state of the relay", lambda: (holds(), seen()), lambda found: found[0], PATIENCE_S)


def await_cursor(database: Database, number: int) -> None:
    await_that(lambda: cursor(database) == number, lambda: cursor(database))


def numbers(log: FakeLog) -> list[int]:
    return [int(value or b"") for value in log.values()]


def test_events_are_published_in_order_with_all_their_records(database: Database, log: FakeLog) -> None:
    append_events(database, 1, 2, 3, 4, 5)
    with running(a_relay(database, log)):
        await_cursor(database, 5)
    assert [(record.topic, record.value) for record in log.records[:3]] == [
        ("facts", b"1"),
        ("notices", b"1"),
        ("facts", b"2"),
    ]
    assert numbers(log) == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5]
    assert log.story == ["open 1", "close 1"]


def test_events_appended_while_it_runs_are_published_too(database: Database, log: FakeLog) -> None:
    with running(a_relay(database, log)):
        for version in (1, 2, 3):
            append_events(database, version)
            await_cursor(database, version)
    assert numbers(log) == [1, 1, 2, 2, 3, 3]


def test_after_the_last_event_the_store_is_read_again_only_when_there_is_more(
    database: Database, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IDLE_S", PATIENCE_S)
    appended, reads = threading.Event(), Counter[int]()
    outbox = Outbox(database, Leases(database, "mine", LONG), two_records, log.open_producer)
    relay = Relay(outbox, appended, a_telemetry())
    next_chunk = EventPublisher.next_chunk

    def counted(publisher: EventPublisher, cursor: int) -> Chunk:
        reads[cursor] += 1
        return next_chunk(publisher, cursor)

    monkeypatch.setattr(EventPublisher, "next_chunk", counted)
    append_events(database, 1)
    with running(relay) as stop:
        await_cursor(database, 1)
        append_events(database, 2)
        appended.set()
        await_cursor(database, 2)
        assert reads == {0: 1, 1: 1}
        stop.set()
        appended.set()
    assert numbers(log) == [1, 1, 2, 2]


def test_after_a_failure_a_new_producer_starts_from_the_first_unacknowledged(database: Database, log: FakeLog) -> None:
    append_events(database, 1, 2)
    with running(a_relay(database, log)):
        await_cursor(database, 2)
        log.refuse = 2
        append_events(database, 3, 4)
        await_cursor(database, 4)
    assert numbers(log) == [1, 1, 2, 2, 3, 3, 3, 3, 4, 4]  # each failure has left one record of event 3
    assert log.story == ["open 1", "fail 1", "close 1", "open 2", "fail 2", "close 2", "open 3", "close 3"]


def test_the_cursor_stays_while_the_broker_is_unreachable_and_it_keeps_trying(database: Database, log: FakeLog) -> None:
    append_events(database, 1)
    log.refuse = 1000
    with running(a_relay(database, log)):
        await_that(lambda: len(log.story) > 12, lambda: log.story)
        assert cursor(database) == 0
        log.refuse = 0
        await_cursor(database, 1)


def test_why_nothing_is_published_is_reported_until_it_is(database: Database, log: FakeLog) -> None:
    telemetry = a_telemetry()
    append_events(database, 1)
    log.refuse = 10**6
    with running(a_relay(database, log, telemetry=telemetry)):
        await_that(lambda: telemetry.health.absent() == {"relay": "the broker is unreachable"}, telemetry.health.absent)
        log.refuse = 0
        await_that(lambda: telemetry.health.absent() == {}, telemetry.health.absent)
    assert cursor(database) == 1


def test_a_relay_halts_when_a_topic_has_other_partitions_and_goes_on_when_it_is_recreated(
    database: Database, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.01)
    wrong: list[str] = []

    def check() -> None:
        for reason in wrong:
            raise PartitionCountError(reason)

    telemetry = a_telemetry()
    halted = partial(telemetry.metrics.registry.get_sample_value, "relay_halted")
    outbox = Outbox(database, Leases(database, "mine", LONG), two_records, log.open_producer, check_topics=check)
    with running(Relay(outbox, threading.Event(), telemetry)):
        append_events(database, 1)
        await_cursor(database, 1)
        wrong.append("topic facts has 12 partitions")
        await_that(lambda: halted() == 1, halted)
        assert telemetry.health.missing()["relay"] == "topic facts has 12 partitions"
        append_events(database, 2)
        opened = len(log.story)
        assert (numbers(log), cursor(database)) == ([1, 1], 1)
        wrong.clear()
        await_cursor(database, 2)
        await_that(lambda: "relay" not in telemetry.health.missing(), telemetry.health.missing)
    assert (halted(), numbers(log), len(log.story) > opened) == (0, [1, 1, 2, 2], True)


def test_a_relay_without_the_lease_waits_and_publishes_nothing_until_it_is_free(
    database: Database, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.01)
    other = Leases(database, "other", LONG)
    taken = other.take()
    assert isinstance(taken, Lease)
    append_events(database, 1)
    telemetry = a_telemetry()
    with running(a_relay(database, log, telemetry=telemetry)):
        await_that(lambda: "relay" in telemetry.health._beats, lambda: "no beat")  # noqa: SLF001  # it has looked
        assert (log.story, cursor(database)) == ([], 0)
        other.give_back(taken)
        await_cursor(database, 1)


def test_a_relay_that_was_taken_over_stops_publishing_and_waits(
    database: Database, log: FakeLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RENEW_S", 0.0)
    telemetry = a_telemetry()
    with running(a_relay(database, log, telemetry=telemetry)):
        await_that(lambda: log.story != [], lambda: log.story)
        monkeypatch.setattr(module, "RENEW_S", 5.0)
        with database.write() as connection:
            connection.execute(update(lease.relay).values(expires_at=0))
        thief = Leases(database, "thief", LONG).take()
        assert isinstance(thief, Lease)
        append_events(database, 1)
        await_that(lambda: log.story[-1].startswith("close"), lambda: log.story)
        assert cursor(database) == 0
    refused = telemetry.metrics.registry.get_sample_value("relay_refused_writes_total")
    assert refused == 2, "it has published the chunk in hand, and given the lease back"
    assert Leases(database, "third", LONG).take() != 0


def test_a_relay_that_leads_renews_its_lease(database: Database, log: FakeLog, monkeypatch: pytest.MonkeyPatch) -> None:
    def ends() -> int:
        with database.read() as connection:
            return int(connection.execute(select(lease.relay.c.expires_at)).scalar_one())

    monkeypatch.setattr(module, "RENEW_S", 0.01)
    with running(a_relay(database, log)):
        await_that(lambda: ends() > 0, ends)
        first = ends()
        await_that(lambda: ends() > first, ends)
        assert isinstance(Leases(database, "other", LONG).take(), float)
    assert log.story == ["open 1", "close 1"]


def test_an_orderly_stop_publishes_the_rest_and_gives_the_lease_back(database: Database, log: FakeLog) -> None:
    relay = a_relay(database, log)
    with running(relay) as stop:
        await_that(lambda: log.story != [], lambda: log.story)
        append_events(database, 1, 2, 3, 4, 5)
        stop.set()
    assert (numbers(log)[-1], cursor(database)) == (5, 5)
    assert Leases(database, "next", LONG).take() == Lease(epoch=2, cursor=5)


def test_a_stop_while_the_broker_is_unreachable_ends_and_gives_the_lease_back(database: Database, log: FakeLog) -> None:
    append_events(database, 1)
    log.refuse = 1000
    with running(a_relay(database, log)):
        await_that(lambda: "fail 1" in log.story, lambda: log.story)
    assert log.story[-1].startswith("close")
    assert isinstance(Leases(database, "next", LONG).take(), Lease)


def test_metrics_tell_what_is_pending_how_old_it_is_and_who_leads(database: Database, log: FakeLog) -> None:
    clock = FakeClock(NOW)
    telemetry = a_telemetry(clock)
    read = telemetry.metrics.registry.get_sample_value
    relay = a_relay(database, log, telemetry=telemetry)
    append_events(database, 1, 2)
    clock.move(7)
    assert (read("outbox_pending_events"), read("outbox_oldest_age_seconds")) == (2, 7)
    with running(relay):
        await_cursor(database, 2)
        await_that(lambda: read("relay_epoch") == 1, lambda: read("relay_epoch"))
    assert (read("outbox_pending_events"), read("outbox_oldest_age_seconds"), read("relay_epoch")) == (0, 0, 0)
    sent = {"messaging_system": "kafka", "messaging_destination_name": "facts"}
    assert read("messaging_client_sent_messages_total", sent) == 2
    published = "event_publish_latency_seconds"
    assert [read(f"{published}_{what}", {"type": "user.registered"}) for what in ("count", "sum")] == [2, 14]


def test_metrics_are_served_while_the_database_is_unreachable(database: Database, log: FakeLog) -> None:
    telemetry = a_telemetry()
    a_relay(database, log, telemetry=telemetry)
    with database.write() as connection:
        event_store.events.drop(connection)
    pending = telemetry.metrics.registry.get_sample_value("outbox_pending_events")
    assert pending is not None
    assert pending != pending  # noqa: PLR0124  # not a number: unknown
