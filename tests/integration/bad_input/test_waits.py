"""A database that does not answer: every wait ends, the service is not ready but alive, and it obeys its stop."""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import TypeVar

import psycopg
import pytest
from sqlalchemy import make_url

from services.chassis.telemetry.health import STALLED_AFTER_S
from services.contracts.service_list import SERVICES
from services.workbench.local import postgres
from tests.integration.bad_input.test_tls import Running, running
from tests.support.readiness import ask, environment
from tests.support.user_process import a_person

pytestmark = pytest.mark.long

ANSWER_S = 13.0  # 10 s, on a busy machine
SCRAPE_S = 6.0
STOP_S = 45.0
NOBODY = "127.0.0.1:1"
OTHERS = [pytest.param(name, marks=pytest.mark.on_demand) for name in SERVICES if name != "user"]
either = pytest.mark.parametrize(
    "database_url", ["postgresql", pytest.param("sqlite", marks=pytest.mark.on_demand)], indirect=True
)
on_postgresql = pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
T = TypeVar("T")


@contextmanager
def started(name: str, url: str, broker: str, folder: Path) -> Iterator[Running]:
    settings = environment(name, APP_DATABASE_URL=url, APP_KAFKA_BOOTSTRAP_SERVERS=broker)
    with running(name, settings | {"APP_KAFKA_REQUEST_TIMEOUT": "2s"}, folder) as service:
        service.await_reason("ok\n", 200)
        yield service


def timed(action: Callable[[], T]) -> tuple[T, float]:
    began = time.monotonic()
    return action(), time.monotonic() - began


def register(service: Running) -> int:
    return ask(service.port, "/users", a_person(), timeout_s=90)[0]


def read(service: Running) -> int:
    return ask(service.port, "/users?limit=1", timeout_s=90)[0]


def assert_alive(service: Running) -> None:
    assert ask(service.metrics, "/livez") == (200, "ok\n")


def assert_stops(service: Running) -> None:
    process = service.system.process(service.name)
    process.ask_to_stop()
    assert process.wait_end(STOP_S) in {0, 1}


@on_postgresql
@pytest.mark.parametrize("name", ["user", *OTHERS])
def test_with_postgresql_stopped_a_service_is_not_ready_but_alive_and_obeys_its_stop(
    name: str, database_url: str, postgres_server: postgres.Server, broker: str, tmp_path: Path
) -> None:
    with started(name, database_url, broker, tmp_path) as service:
        with postgres_server.frozen():
            (status, _), seconds = timed(lambda: ask(service.metrics, "/metrics", timeout_s=60))
            assert (status, seconds < SCRAPE_S) == (200, True), seconds
            service.await_reason("database: ", 503)
            assert_alive(service)
        service.await_reason("ok\n", 200)
        with postgres_server.frozen():
            service.await_reason("database: ", 503)
            assert_stops(service)


@contextmanager
def sqlite_held(url: str) -> Iterator[None]:
    with closing(sqlite3.connect(str(make_url(url).database), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def counter_locked(url: str) -> Iterator[None]:
    target = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(target) as other:
        other.execute("SELECT * FROM counter FOR UPDATE")
        yield


@either
def test_a_lock_of_others_gives_503_within_a_bound_and_not_ready_but_alive(database_url: str, tmp_path: Path) -> None:
    held: AbstractContextManager[None] = (sqlite_held if "sqlite" in database_url else counter_locked)(database_url)
    with started("user", database_url, NOBODY, tmp_path) as service:
        with held:
            began = time.monotonic()
            for _ in range(3):
                status, seconds = timed(lambda: register(service))
                assert (status, seconds < ANSWER_S) == (503, True), seconds
            while time.monotonic() - began < STALLED_AFTER_S + 5:
                service.await_reason("database: ", 503)
                assert_alive(service)
                register(service)
        service.await_reason("ok\n", 200)
        assert register(service) == 201
        assert_stops(service)


@on_postgresql
def test_with_postgresql_stopped_each_request_gets_503_within_a_bound(
    database_url: str, postgres_server: postgres.Server, tmp_path: Path
) -> None:
    with started("user", database_url, NOBODY, tmp_path) as service:
        with postgres_server.frozen():
            for request in (register, read):
                status, seconds = timed(partial(request, service))
                assert (status, seconds < ANSWER_S) == (503, True), seconds
        service.await_reason("ok\n", 200)
        assert register(service) == 201
