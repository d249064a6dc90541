"""A user service of its own process, without a broker if none is given, and raw requests to it over a socket."""

import http.client
import json
import os
import socket
from collections.abc import Iterable, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text

from services.chassis.database.database import Database
from services.chassis.http.problems import CATALOGUE, MEDIA_TYPE
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.system import System, service

NUMBERS = count()
PATIENCE_S = 30.0
TICKS = os.sysconf("SC_CLK_TCK")
Headers = Mapping[str, str]


class Answer(msgspec.Struct, frozen=True):
    """An HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class UserServer:
    """The running service."""

    def __init__(self, database_url: str, folder: Path, broker: str = "", **settings: str) -> None:
        self.port, metrics, nobody = free_ports(3)
        environment = {
            "APP_KAFKA_BOOTSTRAP_SERVERS": broker or f"{HOST}:{nobody}",
            "APP_DATABASE_URL": database_url,
            "APP_HTTP_HOST": HOST,
            "APP_HTTP_PORT": str(self.port),
            "APP_METRICS_PORT": str(metrics),
            "APP_KAFKA_REQUEST_TIMEOUT": "2s",  # a stop waits for a request that is under way
        } | settings
        self.system = System([service("user", environment, folder)])
        self.system.start("user")
        self.system.wait_ready(PATIENCE_S, "user")
        self._database = Database(database_url)

    def close(self) -> None:
        """End it in order."""
        self._database.close()
        assert self.system.stop("user") == {"user": 0}

    def send(self, method: str, path: str, body: bytes | None = None, headers: Headers | None = None) -> Answer:
        """Send a request on a connection of its own."""
        json_type = {} if body is None else {"Content-Type": "application/json"}
        return ask(self.port, method, path, body, json_type | dict(headers or {}))

    def post(self, body: object, headers: Headers | None = None) -> Answer:
        """Send JSON to /users."""
        return self.send("POST", "/users", json.dumps(body).encode(), headers)

    def connect(self) -> socket.socket:
        """Return a connection."""
        return socket.create_connection((HOST, self.port), timeout=PATIENCE_S)

    def rows(self) -> dict[str, int]:
        """Return how many rows the tables hold."""
        tables = ("users", "reservations", "replies", "events")
        with self._database.read() as connection:
            return {name: int(connection.scalar(text(f"SELECT count(*) FROM {name}"))) for name in tables}  # noqa: S608  # our own names

    def memory(self) -> int:
        """Return the resident memory in bytes."""
        status = Path(f"/proc/{self.system.process('user').pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) * 1024

    def cpu_s(self) -> float:
        """Return the processor time used so far."""
        fields = Path(f"/proc/{self.system.process('user').pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS


def ask(port: int, method: str, path: str, body: bytes | None, headers: Headers) -> Answer:
    """Send a request, and return the answer."""
    connection = http.client.HTTPConnection(HOST, port, timeout=PATIENCE_S)
    try:
        connection.request(method, path, body, dict(headers))
        return answer(connection.getresponse())
    finally:
        connection.close()


def answer(response: http.client.HTTPResponse) -> Answer:
    """Return a response as it is once it has been read."""
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read())


def answer_on(connection: socket.socket) -> Answer:
    """Return the next answer on a connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return answer(response)


def write(connection: socket.socket, pieces: Iterable[bytes]) -> bool:
    """Write pieces until the other side answers or ends. Returns whether all were written."""
    for piece in pieces:
        connection.settimeout(0)
        try:
            if connection.recv(1, socket.MSG_PEEK) is not None:
                return False
        except BlockingIOError:
            pass
        except ConnectionError:
            return False
        finally:
            connection.settimeout(PATIENCE_S)
        connection.sendall(piece)
    return True


def a_person(**changed: object) -> dict[str, object]:
    """Return a registration that nobody else has sent."""
    number = next(NUMBERS)
    return {"login": f"user{number}", "email": f"user{number}@example.org", "full_name": "Ada Lovelace"} | changed


def registered(server: UserServer, **changed: object) -> str:
    """Register somebody and return the path."""
    answer = server.post(a_person(**changed))
    assert answer.status == 201, answer
    return answer.headers["location"]


def refused(answer: Answer, status: int) -> str:
    """Return a refusal's words, after a look at its form."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == MEDIA_TYPE
    problem = answer.json
    assert (problem["status"], problem["title"]) == (status, CATALOGUE[status].title)
    return f"{problem['detail']} {problem.get('errors', '')}"
