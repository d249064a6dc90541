"""An event that the broker refuses for good stops, and its subject with it, until an operator decides; others go on."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pytest

from services.chassis.database.database import Database
from services.chassis.kafka.producer import Producer
from services.chassis.messages.event import NewEvent, StoredEvent
from services.chassis.messages.publisher import OpenProducer, Publisher
from services.chassis.messages.record import Outgoing
from services.chassis.outbox import event_publisher, stopped_events
from services.chassis.outbox import relay as module
from services.chassis.outbox.event_publisher import EventPublisher, Outbox
from services.chassis.outbox.lease import Lease, Leases
from services.chassis.outbox.relay import Relay
from services.chassis.outbox.stopped_events import BEHIND, NotFirstError
from services.chassis.telemetry.telemetry import Telemetry
from services.workbench.polling import until
from tests.support.broker import create, settings
from tests.support.builders import a_new_event, a_telemetry, an_event_store, append
from tests.support.fakes import FakeLog

LONG = timedelta(seconds=60)
REFUSAL = "INVALID_RECORD: [b'1']"


@pytest.fixture(autouse=True)
def _quick(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    an_event_store(database)
    monkeypatch.setattr(module, "BACKOFF_S", (0.01,))
    monkeypatch.setattr(module, "IDLE_S", 0.01)


@pytest.fixture
def log() -> FakeLog:
    """A log that refuses the first event's record for good."""
    log = FakeLog()
    log.refused_values = {b"1"}
    return log


def event(subject: str, version: int) -> NewEvent:
    return a_new_event(version, event_id=f"{subject}-{version}", subject=subject)


def one_record(stored: StoredEvent) -> Sequence[Outgoing]:
    return [Outgoing("facts", stored.event.subject.encode(), b"%d" % stored.sequence, [])]


@contextmanager
def relaying(
    database: Database, open_producer: OpenProducer, records: event_publisher.Records = one_record
) -> Iterator[Telemetry]:
    """Run a relay meanwhile."""
    telemetry, stop = a_telemetry(), threading.Event()
    outbox = Outbox(database, Leases(database, "mine", LONG), records, open_producer)
    thread = threading.Thread(target=Relay(outbox, threading.Event(), telemetry).run, args=(stop,))
    thread.start()
    try:
        yield telemetry
    finally:
        stop.set()
        thread.join()


def await_cursor(database: Database, sequence: int) -> None:
    until("the cursor", Leases(database, "looking", LONG).cursor, lambda seen: seen == sequence)


def stopped(database: Database) -> list[tuple[int, str, str | None]]:
    with database.read() as connection:
        return [(one.sequence, one.reason, one.because) for one in stopped_events.listed(connection)]


def published(log: FakeLog) -> list[int]:
    return list(dict.fromkeys(int(value or b"") for value in log.values()))


def stop_the_first(database: Database, log: FakeLog) -> None:
    append(database, event("ada", 1), event("bob", 1), event("ada", 2), event("bob", 2))
    with relaying(database, log.open_producer):
        await_cursor(database, 4)


def retry(database: Database, sequence: int | None = None) -> int:
    with database.write() as connection:
        return stopped_events.request_retry(connection, sequence)


def test_a_refused_event_stops_with_its_number_and_reason_and_other_subjects_go_on(
    database: Database, log: FakeLog, capsys: pytest.CaptureFixture[str]
) -> None:
    stop_the_first(database, log)
    assert published(log) == [2, 4]
    assert stopped(database) == [(1, REFUSAL, None), (3, BEHIND, None)]
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "event stopped" in line]
    assert "sequence=1" in line
    assert "console outbox" in line


def test_later_events_of_its_subject_wait_behind_it_also_after_a_restart(database: Database, log: FakeLog) -> None:
    stop_the_first(database, log)
    append(database, event("ada", 3), event("bob", 3))
    with relaying(database, log.open_producer) as telemetry:
        await_cursor(database, 6)
        assert telemetry.metrics.registry.get_sample_value("outbox_stopped_events") == 3
        assert telemetry.metrics.registry.get_sample_value("outbox_pending_events") == 0
    assert published(log) == [2, 4, 6]
    assert [sequence for sequence, _, _ in stopped(database)] == [1, 3, 5]


def test_it_is_never_retried_by_itself(database: Database, log: FakeLog) -> None:
    stop_the_first(database, log)
    opened = len(log.story)
    with relaying(database, log.open_producer):
        append(database, event("bob", 3))
        await_cursor(database, 5)
    assert len(log.story) == opened + 2  # one producer opened and closed, none lost to a refusal


@pytest.mark.parametrize("sequence", [1, 3, None])
def test_a_retry_publishes_the_subjects_events_in_order(database: Database, log: FakeLog, sequence: int | None) -> None:
    stop_the_first(database, log)
    log.refused_values = set()
    assert retry(database, sequence) == 2
    with relaying(database, log.open_producer):
        until("no stopped event", lambda: stopped(database), lambda seen: seen == [])
        append(database, event("ada", 3))
        await_cursor(database, 5)
    assert published(log) == [2, 4, 1, 3, 5]


def test_a_retry_that_is_refused_again_keeps_the_events_and_clears_the_request(
    database: Database, log: FakeLog
) -> None:
    stop_the_first(database, log)
    log.refused_values = {b"1", b"3"}
    retry(database)
    with relaying(database, log.open_producer):
        until("the request", lambda: _requested(database), lambda seen: seen == [])
    assert stopped(database) == [(1, "INVALID_RECORD: [b'1']", None), (3, BEHIND, None)]


def _requested(database: Database) -> list[int]:
    with database.read() as connection:
        return stopped_events.requested(connection)


def test_a_skipped_event_stays_on_record_with_the_reason_and_those_behind_it_are_published(
    database: Database, log: FakeLog
) -> None:
    stop_the_first(database, log)
    with database.write() as connection, pytest.raises(NotFirstError, match="event 1 of the same subject"):
        stopped_events.skip(connection, 3, "not its turn")
    with database.write() as connection:
        assert stopped_events.skip(connection, 1, "a test's own record")
        assert not stopped_events.skip(connection, 1, "twice")
        assert not stopped_events.skip(connection, 2, "was published")
    with relaying(database, log.open_producer) as telemetry:
        until("the skipped one alone", lambda: stopped(database), lambda seen: len(seen) == 1)
        assert telemetry.metrics.registry.get_sample_value("outbox_stopped_events") == 0
    assert stopped(database) == [(1, REFUSAL, "a test's own record")]
    assert published(log) == [2, 4, 3]


def test_of_a_large_chunk_one_event_stops_and_few_records_are_written_twice(database: Database, log: FakeLog) -> None:
    append(database, *(event(f"user-{number}", 1) for number in range(1, 401)))
    log.refused_values = {b"150"}
    with relaying(database, log.open_producer):
        await_cursor(database, 400)
    assert published(log) == [number for number in range(1, 401) if number != 150]
    assert [sequence for sequence, _, _ in stopped(database)] == [150]
    assert log.story.count("close 1") == 1
    assert len([line for line in log.story if line.startswith("open")]) < 10


def test_an_outage_stops_no_event(database: Database, log: FakeLog) -> None:
    append(database, event("bob", 1), event("bob", 2))
    log.refused_values, log.refuse = set(), 3
    with relaying(database, log.open_producer):
        await_cursor(database, 2)
    assert stopped(database) == []


def test_on_the_real_broker_a_record_that_never_fits_stops_alone(database: Database, broker: str) -> None:
    topic = create(broker, max_record_bytes=2000)
    append(database, event("ada", 1), *(event(f"user-{number}", 1) for number in range(20)), event("ada", 2))

    def records(stored: StoredEvent) -> Sequence[Outgoing]:
        large = b"".join(b"%d" % (number**3 % 9973) for number in range(4000)) if stored.sequence == 1 else b"small"
        return [Outgoing(topic, stored.event.subject.encode(), large, [])]

    with relaying(database, lambda: Producer(settings(broker), "test"), records):
        await_cursor(database, 22)
    (first, reason, _), (second, behind, _) = stopped(database)
    assert (first, second, behind) == (1, 22, BEHIND)
    assert reason.startswith("MSG_SIZE_TOO_LARGE: ")


def test_an_event_is_not_lost_when_its_subject_is_freed_while_its_chunk_is_published(
    database: Database, log: FakeLog
) -> None:
    append(database, event("ada", 1))
    with relaying(database, log.open_producer):
        await_cursor(database, 1)
    append(database, event("ada", 2))

    def open_while_an_operator_decides() -> Publisher:
        with database.write() as connection:
            stopped_events.skip(connection, 1, "it may be missing")
        return log.open_producer()

    # The lease of the first relay was given back: this one finds ada blocked, and then freed.
    publisher = EventPublisher(
        Outbox(database, leases := Leases(database, "mine", LONG), one_record, open_while_an_operator_decides),
        a_telemetry(),
    )
    lease = leases.take()
    assert isinstance(lease, Lease)
    assert publisher.publish(lease, publisher.next_chunk(1))
    publisher.idle(lease)
    publisher.close()
    assert published(log) == [2]
    assert leases.cursor() == 2
