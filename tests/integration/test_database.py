"""The database: transactions and clocks alike on both kinds."""

import threading

import pytest
from sqlalchemy import Column, Integer, String, Table, insert, make_url, select

from services.chassis import bulk
from services.chassis.database import Database, insert_or_ignore, metadata, note, now_ms
from services.chassis.database_metrics import measured
from services.chassis.metrics import Metrics

numbers = Table("test_numbers", metadata, Column("id", Integer, primary_key=True), Column("value", Integer))
words = Table("test_words", metadata, Column("word", String(10), primary_key=True))


@pytest.fixture(autouse=True)
def _table(database: Database) -> None:
    with database.write() as connection:
        numbers.create(connection)


def test_an_exception_rolls_everything_back(database: Database) -> None:
    def write_and_fail() -> None:
        with database.write() as connection:
            connection.execute(insert(numbers).values(id=1))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with database.read() as connection:
        assert connection.execute(select(numbers)).all() == []


def test_writers_in_threads_take_turns(database: Database) -> None:
    def add(start: int) -> None:
        for number in range(start, start + 20):
            with database.write() as connection:
                connection.execute(insert(numbers).values(id=number))

    threads = [threading.Thread(target=add, args=(100 * number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert len(connection.execute(select(numbers)).all()) == 80


def test_bulk_writes_insert_overwrite_or_leave_alone(database: Database) -> None:
    with database.write() as connection:
        bulk.insert(connection, numbers, [(1, 1), (2, 2)])
        bulk.upsert(connection, numbers, [(1, 10)])
        assert bulk.insert_new(connection, numbers, [(2, 20), (3, 3)]) == 1
        connection.execute(insert_or_ignore(connection, numbers), [{"id": 1, "value": 0}])
    with database.read() as connection:
        assert sorted(tuple(row) for row in connection.execute(select(numbers))) == [(1, 10), (2, 2), (3, 3)]


def test_one_of_many_values_is_one_parameter(database: Database) -> None:
    with database.write() as connection:
        words.create(connection)
        bulk.insert(connection, words, [("a",), ("b",), ('"',)])
        found = select(words).where(bulk.one_of(words.c.word, "wanted"))
        wanted = ["a", '"', *map(str, range(50_000))]
        assert sorted(connection.execute(found, {"wanted": wanted}).scalars()) == ['"', "a"]


def test_the_databases_clock_moves_in_milliseconds(database: Database) -> None:
    with database.write() as connection:
        first = now_ms(connection)
        assert 0 <= now_ms(connection) - first < 60_000
        assert first > 1_700_000_000_000


def test_what_a_database_does_is_counted_and_events_only_once_they_are_committed(database_url: str) -> None:
    metrics = Metrics("test", "1")
    database = measured(make_url(database_url), metrics)
    read = metrics.registry.get_sample_value

    def write_and_fail() -> None:
        with database.write() as connection:
            note(connection, ["user.registered"])
            raise ZeroDivisionError

    with database.write() as connection:
        note(connection, ["user.registered", "user.registered", "user.deactivated"])
        assert read("event_store_appended_total", {"type": "user.registered"}) is None
    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    with database.read():
        assert read("db_client_connections_used") == 1
    appended = [read("event_store_appended_total", {"type": f"user.{kind}"}) for kind in ("registered", "deactivated")]
    assert appended == [2, 1]
    times = "db_client_operation_duration_seconds_count"
    assert read(times, {"db_operation_name": "write"}) == 2
    assert (read("db_client_connections_used"), read("db_client_connections_max")) == (0, 22)
    assert (read("database_size_bytes") or 0) > 0
    assert (read("database_free_bytes") is not None) == database.is_sqlite
    database.close()
