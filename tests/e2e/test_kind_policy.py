"""Network policy: allowed and refused connections, each really tried; services connect through Kafka only."""

import json
from collections.abc import Iterator

import pytest
from rich.console import Console
from rich.table import Table

from k8s.command import NODE, RELEASE, CommandError, run
from services.contracts.service_list import SERVICES, WITH_API
from services.workbench.polling import until
from tests.e2e.pods import python
from tests.support.stories.target import Target

OUTSIDE_PORT = 8000
LISTENER = "eventline-e2e-outside"
IMAGE = "python:3.13-slim"
PLACES = {
    **{f"{name} http": (f"{RELEASE}-{name}", 8080) for name in WITH_API},
    "Kafka": (f"{RELEASE}-kafka", 9092),
    "PostgreSQL": (f"{RELEASE}-postgres", 5432),
    "SMTP": (f"{RELEASE}-mail", 1025),
    "mail's http": (f"{RELEASE}-mail", 8025),
}
OUTSIDE = "outside the cluster"
DNS = "DNS"
ALLOWED = {name: {"Kafka", "PostgreSQL", DNS} for name in SERVICES} | {
    "notification": {"Kafka", "PostgreSQL", DNS, "SMTP"},
    "audit": {"Kafka", "PostgreSQL", DNS, "witness http"},
    "witness": {DNS},
}
REFUSED = ("FATAL:  no pg_hba.conf entry", "FATAL:  permission denied for database")
# Prints, for each place, what a connection to it came to. A name is an address only by DNS.
TRY = """
import json, socket, sys
def reach(host, port):
    try:
        socket.create_connection((host, port), timeout=4).close()
    except OSError as error:
        return repr(error)
    return "connected"
def resolve(host):
    try:
        return "connected" if socket.getaddrinfo(host, None) else "nothing"
    except OSError as error:
        return repr(error)
places = json.loads(sys.argv[1])
found = {name: reach(*place) for name, place in places.items()}
print(json.dumps(found | {"DNS": resolve(next(iter(places.values()))[0])}))
"""
# Logs in with the service's own name and password, to its own database and to each other's.
LOG_IN = """
import json, os, sys
import psycopg
from sqlalchemy.engine import make_url
url = make_url(os.environ["APP_DATABASE_URL"])
found = {}
for name in sys.argv[1:]:
    try:
        psycopg.connect(host=url.host, port=url.port or 5432, user=url.username, dbname=name, connect_timeout=5,
                        password=os.environ.get("APP_DATABASE_PASSWORD") or url.password).close()
        found[name] = "connected"
    except psycopg.OperationalError as error:
        found[name] = str(error)
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def outside() -> Iterator[str]:
    """The address of a listener in a container on kind's network, beside the cluster; this machine reaches it."""
    program = f"from http.server import *; HTTPServer(('', {OUTSIDE_PORT}), BaseHTTPRequestHandler).serve_forever()"
    run("docker", "run", "--detach", "--rm", "--name", LISTENER, "--network", "kind", IMAGE, "python", "-c", program)
    try:
        address = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
        yield run("docker", "inspect", "--format", address, LISTENER).strip()
    finally:
        run("docker", "rm", "--force", LISTENER)


def test_a_service_reaches_kafka_its_database_and_dns_and_nothing_else(target: Target, outside: str) -> None:
    assert target.parts
    until("the node reaches the listener", lambda: _node_reaches(outside), seconds=20.0)
    places = PLACES | {OUTSIDE: (outside, OUTSIDE_PORT)}
    found = {name: python(name, TRY, json.dumps(_others(name, places))) for name in WITH_API}
    _print(found)
    wrong = [
        f"{name} -> {place}: {result}, {'allowed' if place in ALLOWED[name] else 'not allowed'}"
        for name, row in found.items()
        for place, result in row.items()
        if (result == "connected") != (place in ALLOWED[name])
    ]
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
def test_postgresql_lets_a_service_into_its_own_database_only(target: Target, service: str) -> None:
    assert target.parts
    found = python(service, LOG_IN, *SERVICES, "postgres")
    assert found.pop(service) == "connected"
    assert len(found) == len(SERVICES)
    assert {name: result for name, result in found.items() if not any(phrase in result for phrase in REFUSED)} == {}


def _others(service: str, places: dict[str, tuple[str, int]]) -> dict[str, tuple[str, int]]:
    return {name: place for name, place in places.items() if name != f"{service} http"}


def _node_reaches(outside: str) -> bool:
    # Else a listener that nobody reaches would pass for one that is refused.
    try:
        run("docker", "exec", NODE, "bash", "-c", f"exec 3<>/dev/tcp/{outside}/{OUTSIDE_PORT}", seconds=10)
    except CommandError:
        return False
    return True


def _print(found: dict[str, dict[str, str]]) -> None:
    table = Table("from", "to", "is", "should be", title="NetworkPolicy, by real connections")
    for name, row in found.items():
        for place, result in row.items():
            table.add_row(name, place, result, "connected" if place in ALLOWED[name] else "refused")
    Console(width=120).print(table)
