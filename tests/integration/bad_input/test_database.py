"""The Database rows of BAD-INPUT: trouble made for real, a bounded retry, a 503, nothing half-written."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import psycopg
import pytest
from sqlalchemy import event, make_url, text
from structlog.testing import capture_logs

from services.chassis.consumer import loop as consumer_module
from services.chassis.database import engines
from services.chassis.database.database import Database
from services.chassis.database.health_check import DatabaseHealthCheck
from services.chassis.outbox import group_commit as writer_module
from tests.support.consumer_harness import World
from tests.support.proxy import Proxy
from tests.support.user_client import Service, problem, register

HOLD = (
    "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('BEGIN IMMEDIATE'); "
    "print('held', flush=True); sys.stdin.read()"
)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "IDLE_S", 0.01)
    monkeypatch.setattr(writer_module, "BACKOFF_S", (0.0, 0.0))
    monkeypatch.setattr(engines, "BUSY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(consumer_module, "BACKOFF_S", (0.0,))


@pytest.fixture
def service(database: Database) -> Iterator[Service]:
    """The user service, running."""
    service = Service(database)
    with service.running():
        yield service


@contextmanager
def admin(url: str) -> Iterator[psycopg.Connection]:
    """Yield a connection of somebody else's to a PostgreSQL database; each statement is its own transaction."""
    target = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(target, autocommit=True) as connection:
        yield connection


@contextmanager
def held(url: str) -> Iterator[None]:
    """Let another process hold the write lock of a SQLite database."""
    argv = [sys.executable, "-c", HOLD, str(make_url(url).database)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == "held\n"
        yield
        holder.communicate()


def answer(service: Service, expected: int, key: str = "k") -> httpx.Response:
    """Register Ada with a key, and return the answer."""
    got: list[httpx.Response] = []

    async def talk(client: httpx.AsyncClient) -> None:
        got.append(await register(client, key))

    asyncio.run(service.talk(talk))
    assert got[0].status_code == expected, got[0].text
    return got[0]


def refused(service: Service) -> None:
    """Expect a 503 with advice, and nothing written."""
    with capture_logs() as logs:
        response = answer(service, 503)
    assert "same Idempotency-Key" in problem(response, 503)
    assert response.headers["retry-after"] == "1"
    tries = [entry["event"] for entry in logs if entry["event"].startswith("group not committed")]
    assert len(tries) == 1 + len(writer_module.BACKOFF_S), "bounded"


def nothing_of_ada(service: Service) -> bool:
    with service.database.read() as connection:
        tables = ("users", "reservations", "replies", "events")
        return not any(connection.scalar(text(f"SELECT count(*) FROM {table}")) for table in tables)  # noqa: S608  # our own names


@on_sqlite
def test_row_busy(service: Service, database_url: str) -> None:
    """Busy, another process holds SQLite's lock for longer than the time-out: bounded retry, 503, then the next."""
    with held(database_url):
        refused(service)
    assert nothing_of_ada(service)
    answer(service, 201)
    assert len(service.events()) == 1


@on_postgresql
def test_row_serialization_failure(service: Service, database_url: str) -> None:
    """Serialization failure, PostgreSQL's own 40001 at every try: bounded retry, then 503, nothing half-written."""
    with admin(database_url) as other:
        other.execute(
            "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION USING ERRCODE = 'serialization_failure'; END $$"
        )
        other.execute("CREATE TRIGGER fail BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION fail()")
        refused(service)
        assert nothing_of_ada(service)
        other.execute("DROP TRIGGER fail ON events")
    answer(service, 201)
    assert len(service.events()) == 1


@on_postgresql
def test_row_deadlock(service: Service, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deadlock: PostgreSQL ends the service's transaction, it is tried again, and the client never knows."""
    monkeypatch.setattr(writer_module, "BACKOFF_S", (0.2, 0.4))  # so that the other one goes first
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with admin(database_url) as other, admin(database_url) as watching, capture_logs() as logs:
        other.execute("SET deadlock_timeout = '1h'")  # so that it is the service that is ended
        other.execute("BEGIN")
        other.execute("INSERT INTO reservations VALUES ('login', 'ada', 'nobody')")
        asking = threading.Thread(target=answer, args=(service, 201))
        asking.start()
        while watching.execute(waits).fetchone() == (0,):
            assert asking.is_alive()
        other.execute("SELECT * FROM counter FOR UPDATE")  # which the service holds, and gives up by force
        other.execute("ROLLBACK")
        asking.join()
    deadlocks = ["deadlock detected" in entry["error"] for entry in logs if "error" in entry]
    assert deadlocks
    assert all(deadlocks)
    assert len(service.events()) == 1


@on_postgresql
@pytest.mark.parametrize("answered", [False, True], ids=["not committed", "committed"])
def test_row_connection_lost_during_commit(database_url: str, *, answered: bool) -> None:
    """Connection lost during COMMIT, before or after it took effect: the idempotency key finds out which."""
    url = make_url(database_url)
    proxy = Proxy(url.port or 0)
    database = Database(url.set(port=proxy.port))
    try:
        service = Service(database)
        with service.running():
            proxy.cut_at(b"COMMIT", answered=answered)
            first = answer(service, 201)
            assert proxy.cuts == 1
            assert answer(service, 201).json() == first.json()
        assert len(service.events()) == 1
    finally:
        database.close()
        proxy.close()


class Failure:
    """Something that keeps a database from being written, until it is put right."""

    def __init__(self, kind: str, database: Database, table: str) -> None:
        self._kind = kind
        self._database = database
        self._active = False
        if kind == "full":  # a row of this table takes room of its own: pages that are half empty are no way out
            with database.write() as connection:
                connection.exec_driver_sql("CREATE TABLE ballast (load BLOB)")
                weigh = "INSERT INTO ballast VALUES (zeroblob(100000));"
                connection.exec_driver_sql(f"CREATE TRIGGER weigh AFTER INSERT ON {table} BEGIN {weigh} END")
        if database.is_sqlite:
            event.listen(database.engine, "checkout", self._limit)

    def begin(self) -> None:
        """Let nothing be written from now on."""
        self._turn(on=True)

    def end(self) -> None:
        """Put it right."""
        self._turn(on=False)

    def _turn(self, *, on: bool) -> None:
        self._active = on
        if not self._database.is_sqlite:
            url = self._database.engine.url
            with admin(url.set(database="postgres").render_as_string(hide_password=False)) as other:
                switch = f"ALTER DATABASE {url.database} SET default_transaction_read_only = {'on' if on else 'off'}"
                other.execute(switch.encode())
                other.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [url.database]
                )

    def _limit(self, connection: sqlite3.Connection, *_: object) -> None:
        # SQLite's own errors: a file that may not grow, a connection that may not write.
        pages = connection.execute("PRAGMA page_count").fetchone()[0] if self._active else 2**30
        full = self._kind == "full"
        connection.execute(f"PRAGMA max_page_count = {pages}" if full else f"PRAGMA query_only = {self._active}")


KINDS = [("sqlite", "full", "is full"), ("sqlite", "read-only", "readonly"), ("postgresql", "read-only", "read-only")]
of_each_kind = pytest.mark.parametrize(("database_url", "kind", "reason"), KINDS, indirect=["database_url"])


@of_each_kind
def test_row_disk_full_or_read_only(service: Service, kind: str, reason: str) -> None:
    """Disk full, read-only: 503 and not ready with the reason, no partial write; ready again when it is put right."""
    watch = DatabaseHealthCheck(service.database, service.instruments)
    failure = Failure(kind, service.database, "events")
    failure.begin()
    refused(service)
    watch.check()
    assert reason in service.instruments.health.missing()["database"]
    assert nothing_of_ada(service)
    failure.end()
    answer(service, 201)
    watch.check()
    assert "database" not in service.instruments.health.missing()
    assert len(service.events()) == 1


@of_each_kind
def test_row_disk_full_or_read_only_without_traffic(service: Service, kind: str, reason: str) -> None:
    """Disk full, read-only: what is put right is noticed although nobody writes meanwhile."""
    watch = DatabaseHealthCheck(service.database, service.instruments)
    failure = Failure(kind, service.database, "events")
    failure.begin()
    refused(service)
    failure.end()
    watch.check()
    assert reason in service.instruments.health.missing()["database"]
    watch.check()
    assert "database" not in service.instruments.health.missing()


@of_each_kind
def test_row_disk_full_or_read_only_while_consuming(database_url: str, kind: str, reason: str) -> None:
    """Disk full, read-only: the consumer pauses, keeps its position, and applies everything once it can."""
    world = World(database_url)
    failure = Failure(kind, world.database, "test_effects")
    world.write("a", "b")
    consumer, member = world.consumer()
    failure.begin()
    consumer.process_batch(member)
    assert reason in str(world.database.write_failure)
    assert (world.effects(), world.progress(), member.story[-2:]) == ([], {}, ["pause", "poll"])
    failure.end()
    for _ in range(2):
        consumer.process_batch(member)
    assert (world.effects(), world.progress()) == (["a", "b"], {0: 2})
    world.database.close()
