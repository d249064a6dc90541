"""Old rows are deleted in small chunks, oldest first, on both databases; what must stay, stays."""

import threading
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import BigInteger, Column, Connection, Integer, MetaData, String, Table, func, insert, select

from services.chassis.consumer import idempotency
from services.chassis.database import bulk
from services.chassis.database.database import Database
from services.chassis.database.database import metadata as everything
from services.chassis.database.forgetting import Forgetting, Forgotten
from services.chassis.messages.clock import to_micros, utc_now
from services.chassis.outbox import stopped_events
from services.chassis.telemetry.telemetry import Telemetry
from tests.support.builders import a_telemetry

KEEP, EVERY = timedelta(days=1), timedelta(seconds=600)
LONGEST_HOLD_S = 0.05  # the promise
notes = Table(
    "notes",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", BigInteger, index=True),
    Column("x", String),
)


def ago(**duration: float) -> int:
    """Return a past moment in microseconds."""
    return to_micros(utc_now() - timedelta(**duration))


@pytest.fixture(autouse=True)
def _tables(database: Database) -> None:
    with database.write() as connection:
        notes.metadata.create_all(connection)
        everything.create_all(connection, [idempotency.inbox, stopped_events.stopped])


def note(database: Database, ages: Iterable[int | None]) -> None:
    with database.write() as connection:
        bulk.insert(connection, notes, [(number, at, "x" * 100) for number, at in enumerate(ages)])


def sweep(database: Database, *tables: Forgotten) -> Forgetting:
    """Let the component run until it rests."""
    component = Forgetting(database, tables, EVERY, a_telemetry(utc_now))
    while component.check() < EVERY.total_seconds():
        pass
    return component


def left(database: Database, table: Table = notes, column: str = "id") -> list[Any]:
    with database.read() as connection:
        return list(connection.scalars(select(table.c[column]).order_by(table.c[column])))


def test_rows_are_deleted_once_they_are_old_enough_and_not_before(database: Database) -> None:
    note(database, [ago(hours=25), ago(hours=23), ago(days=400), ago(seconds=1)])
    sweep(database, Forgotten(notes, notes.c.at, KEEP))
    assert left(database) == [1, 3]


def test_rows_without_the_condition_stay_at_any_age(database: Database) -> None:
    note(database, [ago(days=9)] * 3)
    sweep(database, Forgotten(notes, notes.c.at, KEEP, notes.c.id == 1))
    assert left(database) == [0, 2]


def test_a_row_of_an_earlier_program_is_dated_and_deleted_after_its_time(database: Database) -> None:
    note(database, [None] * 50)
    sweep(database, Forgotten(notes, notes.c.at, KEEP, dated=True))
    assert len(left(database)) == 50
    with database.read() as connection:
        assert connection.scalar(select(func.min(notes.c.at))) > ago(minutes=1)
    time.sleep(0.01)
    sweep(database, Forgotten(notes, notes.c.at, timedelta(milliseconds=1), dated=True))
    assert left(database) == []


def test_a_clock_that_is_far_ahead_deletes_nothing(database: Database) -> None:
    note(database, [ago(hours=1)] * 3)
    telemetry = a_telemetry(lambda: utc_now() + timedelta(days=3650))
    component = Forgetting(database, [Forgotten(notes, notes.c.at, KEEP)], EVERY, telemetry)
    for _ in range(3):
        component.check()
    assert left(database) == [0, 1, 2]


def applied(connection: Connection, *events: tuple[str, int, int]) -> None:
    rows = [("s", f"{subject}-{version}", subject, version, b"d", at) for subject, version, at in events]
    bulk.insert(connection, idempotency.inbox, rows)


def test_the_inbox_keeps_the_newest_event_of_each_subject_and_looks_at_it_again_much_later(database: Database) -> None:
    old, young = ago(days=50), ago(days=1)
    with database.write() as connection:
        applied(connection, ("a", 1, old), ("a", 2, old), ("b", 7, old), ("c", 1, old), ("c", 2, young))
    table = idempotency.forgotten(timedelta(days=45))
    sweep(database, table)
    assert left(database, idempotency.inbox, "event_id") == ["a-2", "b-7", "c-2"]
    with database.read() as connection:
        assert (table.oldest(connection) or 0) >= young  # the next sweep begins behind them


def test_only_stopped_events_that_were_skipped_are_deleted(database: Database) -> None:
    rows = [
        (number, "u", "r", ago(days=100), decision, None) for number, decision in enumerate((None, "retry", "skip"))
    ]
    with database.write() as connection:
        bulk.insert(connection, stopped_events.stopped, rows)
    sweep(database, stopped_events.forgotten(timedelta(days=90)))
    assert left(database, stopped_events.stopped, "sequence") == [0, 1]


def test_replicas_that_delete_at_once_delete_each_row_once(database: Database, database_url: str) -> None:
    note(database, [ago(days=9)] * 3000)
    other = Database(database_url)
    telemetries = [a_telemetry(utc_now), a_telemetry(utc_now)]
    components = [
        Forgetting(where, [Forgotten(notes, notes.c.at, KEEP)], EVERY, telemetry)
        for where, telemetry in zip((database, other), telemetries, strict=True)
    ]

    def run(component: Forgetting) -> None:
        while component.check() < EVERY.total_seconds():
            pass

    threads = [threading.Thread(target=run, args=(component,)) for component in components]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    other.close()
    deleted = sum(value(telemetry, "forgotten_rows_total", table="notes") for telemetry in telemetries)
    assert (left(database), deleted) == ([], 3000)


def value(telemetry: Telemetry, name: str, **labels: str) -> float:
    """Return a metric's value, 0 where there is no series yet."""
    return telemetry.metrics.registry.get_sample_value(name, labels) or 0.0


def test_a_writer_waits_for_no_deletion_of_a_large_backlog(database: Database) -> None:
    note(database, [ago(days=9)] * 2000)
    telemetry = a_telemetry(utc_now)
    component = Forgetting(database, [Forgotten(notes, notes.c.at, KEEP)], EVERY, telemetry)
    stop = threading.Event()
    thread = threading.Thread(target=component.run, args=(stop,))
    thread.start()
    waits = []
    for number in range(100_000, 101_000):
        started = time.perf_counter()
        with database.write() as connection:
            waits.append(time.perf_counter() - started)
            connection.execute(insert(notes).values(id=number, at=ago(), x="x"))
        if number % 20 == 0 and 1999 not in left(database):
            break
    stop.set()
    thread.join(30)
    chunks = value(telemetry, "forgetting_hold_seconds_count")
    # Not each of them: other programs share the processors. The soak `growth` counts each.
    assert value(telemetry, "forgetting_hold_seconds_bucket", le="0.05") > 0.9 * chunks > 9, "deletions held others up"
    assert sorted(waits)[len(waits) * 9 // 10] < LONGEST_HOLD_S
    assert min(left(database)) == 100_000


def test_metrics_show_rows_age_and_what_is_overdue(database: Database) -> None:
    note(database, [ago(hours=5), ago(hours=2)])
    telemetry = a_telemetry(utc_now)
    component = Forgetting(database, [Forgotten(notes, notes.c.at, KEEP)], EVERY, telemetry)
    assert value(telemetry, "table_overdue_seconds", table="notes") == 0
    component.check()
    assert value(telemetry, "table_rows", table="notes") == 2
    assert value(telemetry, "table_oldest_age_seconds", table="notes") == pytest.approx(5 * 3600, abs=60)
    assert value(telemetry, "table_overdue_seconds", table="notes") == 0
