"""The database: transactions and clocks alike on both kinds."""

import threading
from contextlib import closing

import pytest
from sqlalchemy import BigInteger, Boolean, Column, Integer, LargeBinary, String, Table, Text, insert, make_url, select
from sqlalchemy.exc import IntegrityError

from services.chassis.database import bulk
from services.chassis.database.database import Database, insert_or_ignore, metadata, note, now_ms
from services.chassis.database.metrics import measured
from services.chassis.telemetry.metrics import Metrics
from services.workbench.local import postgres

numbers = Table("test_numbers", metadata, Column("id", Integer, primary_key=True), Column("value", Integer))
things = Table(
    "test_things",
    metadata,
    Column("text", Text, primary_key=True),
    Column("content", LargeBinary),
    Column("number", BigInteger),
    Column("flag", Boolean),
)
rows_table = Table("test_words", metadata, Column("word", String(10), primary_key=True))


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


def test_the_last_of_the_rows_with_one_key_remains(database: Database) -> None:
    with database.write() as connection:
        bulk.upsert(connection, numbers, [(1, 1), (2, 2), (1, 3)])
        assert bulk.insert_new(connection, numbers, [(3, 1), (3, 2)]) == 1
    with database.read() as connection:
        assert sorted(tuple(row) for row in connection.execute(select(numbers))) == [(1, 3), (2, 2), (3, 1)]


def test_a_column_is_changed_where_others_have_the_given_values(database: Database) -> None:
    with database.write() as connection:
        bulk.insert(connection, numbers, [(1, 1), (2, 2), (3, 3)])
        assert bulk.change(connection, numbers, "value", ("id", "value"), [(9, 3, 3), (8, 2, 1), (7, 1, 1)]) == 2
    with database.read() as connection:
        assert sorted(tuple(row) for row in connection.execute(select(numbers))) == [(1, 7), (2, 2), (3, 9)]


@pytest.mark.parametrize("copies", [1, bulk.LEAST_COPY], ids=["a few", "many"])
def test_bulk_rows_arrive_as_they_were_given(database: Database, copies: int) -> None:
    given: list[tuple[str, bytes | None, int | None, bool]] = [
        ("tab\tand\\N\\u0000", b"\x00\xff\\n", None, False),
        ("\r\nä\U0001f600", None, 2**62, True),
    ]
    rows = [(f"{copy}{text}", blob, number, flag) for copy in range(copies) for text, blob, number, flag in given]
    with database.write() as connection:
        things.create(connection)
        bulk.insert(connection, things, [(text, bulk.blob(blob), *others) for text, blob, *others in rows])
        assert {tuple(row) for row in connection.execute(select(things))} == set(rows)


@pytest.mark.parametrize("second", [[(2, 0)], [(3, 0), (2, 0)]], ids=["one", "many"])
def test_a_key_that_is_there_already_is_an_integrity_error(database: Database, second: list[tuple[int, int]]) -> None:
    with database.write() as connection:
        bulk.insert(connection, numbers, [(1, 1), (2, 2)])
    with pytest.raises(IntegrityError), database.write() as connection:
        bulk.insert(connection, numbers, second)


def test_a_query_does_not_keep_the_plan_of_an_empty_table(postgres_server: postgres.Server) -> None:
    with closing(Database(postgres_server.fresh_url())) as database, database.write() as connection:
        rows_table.create(connection)
        found = select(rows_table).where(bulk.one_of(rows_table.c.word, "wanted"))
        for _ in range(20):  # psycopg prepares what came five times, and the server keeps a plan after five more
            connection.execute(found, {"wanted": ["0"]})
        kept = connection.exec_driver_sql("SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements")
        generic, custom = kept.one()
    assert (generic, custom > 0) == (0, True)


def test_one_of_many_values_is_one_parameter(database: Database) -> None:
    with database.write() as connection:
        rows_table.create(connection)
        bulk.insert(connection, rows_table, [("a",), ("b",), ('"',)])
        found = select(rows_table).where(bulk.one_of(rows_table.c.word, "wanted"))
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


def test_an_error_of_the_server_shows_no_row_and_no_value(database: Database) -> None:
    with database.write() as connection:
        rows_table.create(connection)
        bulk.insert(connection, rows_table, [("ada@b.org",)])
    for write in (
        lambda connection: connection.execute(insert(rows_table).values(word="ada@b.org")),
        lambda connection: bulk.insert(connection, rows_table, [("ada@b.org",)]),
    ):
        with pytest.raises(IntegrityError) as caught, database.write() as connection:
            write(connection)
        assert "ada@b.org" not in str(caught.value)
        assert "ada@b.org" not in str(caught.value.__cause__)
        assert "test_words" in str(caught.value)
