"""The database: transactions and clocks alike on both kinds."""

import threading

import pytest
from sqlalchemy import Column, Integer, Table, insert, select

from services.chassis.database import Database, insert_or_ignore, metadata, now_ms, upsert

numbers = Table("test_numbers", metadata, Column("id", Integer, primary_key=True), Column("value", Integer))


@pytest.fixture(autouse=True)
def _table(database: Database) -> None:
    with database.write() as connection:
        numbers.create(connection)


def test_an_exception_rolls_everything_back(database: Database) -> None:
    with pytest.raises(ZeroDivisionError), database.write() as connection:
        connection.execute(insert(numbers).values(id=1))
        raise ZeroDivisionError
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


def test_upsert_overwrites_and_insert_or_ignore_does_not(database: Database) -> None:
    with database.write() as connection:
        connection.execute(upsert(connection, numbers), [{"id": 1, "value": 1}])
        connection.execute(upsert(connection, numbers), [{"id": 1, "value": 2}])
        connection.execute(insert_or_ignore(connection, numbers), [{"id": 1, "value": 3}])
    with database.read() as connection:
        assert connection.execute(select(numbers.c.value)).scalar_one() == 2


def test_the_databases_clock_moves_in_milliseconds(database: Database) -> None:
    with database.write() as connection:
        first = now_ms(connection)
        assert 0 <= now_ms(connection) - first < 60_000
        assert first > 1_700_000_000_000
