"""Finds a running system: the one that settings name, this checkout's `make run`, docker compose's, or kind's."""

import http.client
import os
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from http import HTTPStatus
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.exc import SQLAlchemyError

from services.chassis.database.database import Database
from services.chassis.database.url import address
from services.chassis.settings.environment import load
from services.console.failures import UnknownIdError, UsageError
from services.console.logins import DOCKER_COMPOSE, IN_KIND, reached
from services.console.settings import LOCALHOST, ConsoleSettings, S
from services.console.tokens.found_key import KEY_FILE, given, provide
from services.contracts.access import OPERATOR
from services.contracts.service_list import COMPOSE, KIND, SERVICES, Target, ports

CONNECT_S, ANSWER_S = 0.5, 5.0
AUDIT_ANSWERS = {HTTPStatus.OK, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.UNAUTHORIZED}
KAFKA_PORTS = {COMPOSE: 39092, KIND: 29092}
MAIL_PORTS = {COMPOSE: 38025, KIND: 28025}


class Running(msgspec.Struct, frozen=True):
    """A running system. `urls` and `metrics` are by service; `name` is what a person calls it.

    `mails` is the address of Mailpit, nothing where mails are in a file. `login` are the fields of the settings with
    which its broker and its APIs admit a person who reads.
    """

    name: str
    kafka: str
    urls: Mapping[str, str]
    metrics: Mapping[str, str]
    mails: str = ""
    login: Mapping[str, Any] = {}

    def client(self, settings: S, login: str = OPERATOR) -> S:
        """Return the settings of a client of its broker, with a login where the system needs one."""
        if self.login:
            left = {name: value for name, value in self.login.items() if name.startswith("kafka_")}
            return replace(settings, kafka_bootstrap_servers=self.kafka, **left)
        return reached(settings, self.name, self.kafka, os.environ, login)

    def lend_token(self, folder: Path) -> None:
        """Let this process make tokens for its APIs, unless its environment has a token or a key.

        The key of a system in containers is fetched into a folder.
        """
        key = self.login.get("token_key_file")
        if key and not given():
            os.environ[KEY_FILE] = key
        elif not key:
            provide(self.name, folder)

    def listens(self) -> bool:
        """Return whether anything listens at any of its addresses, as it does while a part is broken."""
        return any(_answers(url) for url in (*self.urls.values(), self.kafka))


class NothingRunsError(UnknownIdError):
    """No system was found; the message names the searched addresses."""


def found(settings: ConsoleSettings, environment: Mapping[str, str]) -> Running | None:
    """Return the first system whose audit API answers, if any does."""
    return next((one for one in _candidates(settings, environment) if _is_audit(one.urls["audit"])), None)


def find(settings: ConsoleSettings, environment: Mapping[str, str]) -> Running:
    """Return the first system whose audit API answers, and report it. Raises NothingRunsError."""
    if (running := found(settings, environment)) is not None:
        sys.stderr.write(f"using {running.name}\n")
        return running
    candidates = list(_candidates(settings, environment))
    looked = ", ".join(f"{candidate.name} ({candidate.urls['audit']})" for candidate in candidates)
    raise NothingRunsError(f"no running system was found; looked for {looked}: start one with `make run`")


def with_kafka(settings: ConsoleSettings, environment: Mapping[str, str]) -> ConsoleSettings:
    """Return the settings with the broker of a running system where they name none."""
    if settings.kafka_bootstrap_servers:
        return settings
    return _with_broker(settings, environment).client(settings)


def _with_broker(settings: ConsoleSettings, environment: Mapping[str, str]) -> Running:
    candidates = list(_candidates(settings, environment))
    for candidate in candidates:
        if _answers(candidate.kafka):
            if candidate is not candidates[0]:
                sys.stderr.write(f"using {candidate.name}\n")
            return candidate
    return candidates[0]  # its clients report that it is unreachable


def _candidates(settings: ConsoleSettings, environment: Mapping[str, str]) -> Iterator[Running]:
    yield Running(
        "make run" if not settings.kafka_bootstrap_servers else "the system that the settings name",
        settings.bootstrap_servers,
        {name: f"http://{LOCALHOST}:{settings.port(name)}" for name in SERVICES},
        {name: f"http://{LOCALHOST}:{settings.metrics_port(name)}" for name in SERVICES},
        login={} if settings.kafka_bootstrap_servers else settings.operator_login(),
    )
    yield from published(environment)


def published(environment: Mapping[str, str]) -> list[Running]:
    """Return where compose and kind publish a system on this machine, running or not."""
    return [_published(DOCKER_COMPOSE, ("", COMPOSE), environment), _published(IN_KIND, ("KIND_", KIND), environment)]


def _published(name: str, where: tuple[str, Target], environment: Mapping[str, str]) -> Running:
    """Return a system whose ports a variable may move: its name is that of the port behind a prefix."""
    prefix, target = where

    def at(variable: str, usual: int) -> str:
        return f"{LOCALHOST}:{environment.get(f'{prefix}{variable}') or usual}"

    every = ports(target).items()
    urls = {service: f"http://{at(f'{service.upper()}_PORT', one.http)}" for service, one in every}
    metrics = {service: f"http://{at(f'{service.upper()}_METRICS_PORT', one.metrics)}" for service, one in every}
    mails = f"http://{at('MAIL_PORT', MAIL_PORTS[target])}"
    return Running(name, at("KAFKA_PORT", KAFKA_PORTS[target]), urls, metrics, mails)


def _is_audit(url: str) -> bool:
    """Return whether the audit API answers there: another program may have the port."""
    if not _answers(url):
        return False
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=ANSWER_S)
    try:
        connection.request("GET", "/audit/entries?limit=1")
        return connection.getresponse().status in AUDIT_ANSWERS
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _answers(url: str) -> bool:
    host, _, port = url.removeprefix("http://").split(",")[0].rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()
    except (OSError, ValueError):
        return False
    return True


def opened_databases(services: Sequence[str]) -> Iterator[Database]:
    """Yield the database of APP_DATABASE_URL, or those of services of `make run`."""
    for url in database_urls(services):
        database = Database(address(url, os.environ.get("APP_DATABASE_PASSWORD", "")))
        try:
            yield database
        except SQLAlchemyError as error:
            raise UsageError(f"the database {database.engine.url} cannot be asked: {error}") from error
        finally:
            database.close()


@contextmanager
def only_database(services: Sequence[str]) -> Iterator[Database]:
    """Open the database, for what must not be done to several. Raises UsageError where several services run."""
    if len(database_urls(services)) > 1:
        raise UsageError("more than one service runs: name the database of the one you mean with APP_DATABASE_URL")
    yield from opened_databases(services)


def database_urls(services: Sequence[str]) -> list[str]:
    """Return the URL of each database. Raises UsageError if there is none."""
    if given := os.environ.get("APP_DATABASE_URL"):
        return [given]
    folder = load(ConsoleSettings, os.environ).running_folder()
    paths = [path for name in services if (path := folder / f"{name}.db").exists()]
    if not paths:
        raise UsageError(
            f"no store of `make run` in {folder}: start one, or name a service's database with APP_DATABASE_URL"
        )
    return [f"sqlite:///{path}" for path in paths]
