"""The user service without its relay, and a client that talks with it in memory."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from services.chassis.database.database import Database
from services.chassis.http.application import application
from services.chassis.http.middleware import RequestTelemetry
from services.chassis.http.problems import MEDIA_TYPE
from services.chassis.messages.event import StoredEvent
from services.chassis.messages.ids import new_id
from services.chassis.outbox import event_store
from services.chassis.outbox.group_commit import GroupCommit, Retrying
from services.contracts.user import Status, UserState
from services.user import handlers, store
from services.user.api import Api
from services.user.api_schemas import DOCUMENT
from services.user.commands import Command, Outcome
from services.user.history import History
from tests.support.builders import NOW, a_telemetry
from tests.support.schemas import upgrade

ADA = {"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace"}
NOBODY = "01936d5e-0000-7000-8000-00000000dead"
Talk = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


class Service:
    """The user service without its relay. `errors` come out of the next groups instead of a commit.

    `next_ids` are given to what is made next; a group is committed after `slow_s`, at the moment `now`.
    """

    def __init__(self, database: Database) -> None:
        self.instruments = a_telemetry()
        self.database = database
        self.errors: list[Exception] = []
        self.lose_next_answer = False
        self.slow_s = 0.0
        self.now = NOW
        self.next_ids: list[str] = []
        upgrade(database, Path(store.__file__).parent / "migrations")
        self._writer = GroupCommit[Command, Outcome](Retrying(self), 128, self.instruments)
        history = History(database, lambda: self.now)
        api = Api(self._writer, self._read_user, self._read_page, history, self._new_id)
        self.app = RequestTelemetry(application(api.routes(), DOCUMENT), self.instruments)

    @contextmanager
    def running(self) -> Iterator[None]:
        stop = threading.Event()
        thread = threading.Thread(target=self._writer.run, args=(stop,))
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(20)
        assert not thread.is_alive()

    def serve(self, talk: Talk) -> None:
        """Let a client talk with the running service."""
        with self.running():
            asyncio.run(self.talk(talk))

    async def talk(self, talk: Talk) -> None:
        transport = httpx.ASGITransport(app=self.app)  # type: ignore[arg-type]  # two names for ASGI
        async with httpx.AsyncClient(transport=transport, base_url="http://users") as client:
            await talk(client)

    def events(self) -> list[StoredEvent]:
        with self.database.read() as connection:
            return event_store.read(connection, 0, 10_000)

    def metric(self, name: str, **labels: str) -> float:
        return self.instruments.metrics.registry.get_sample_value(name, labels) or 0.0

    def handle(self, commands: Sequence[Command]) -> list[Outcome]:
        """Commit a group, as `CommandHandler` does."""
        threading.Event().wait(self.slow_s)
        if self.errors:
            raise self.errors.pop()
        with self.database.write() as connection:
            outcomes = commit_group(connection, commands, at=self.now)
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise OperationalError("COMMIT", {}, Exception("the connection was lost"))
        return outcomes

    def _new_id(self) -> str:
        return self.next_ids.pop(0) if self.next_ids else new_id()

    def _read_user(self, user_id: str) -> UserState | None:
        with self.database.read() as connection:
            return store.read_user(connection, user_id)

    def _read_page(self, after: str, limit: int, status: Status | None) -> list[UserState]:
        with self.database.read() as connection:
            return store.read_page(connection, after, limit, status)


def commit_group(
    connection: Connection, commands: Sequence[Command], make_id: Callable[[], str] = new_id, at: datetime = NOW
) -> list[Outcome]:
    """Commit a group of commands in the caller's transaction."""
    return handlers.commit_group(connection, commands, handlers.Tools(store.Rows, make_id, lambda: at))


async def register(client: httpx.AsyncClient, key: str | None = None, **changed: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post("/users", json=ADA | changed, headers=headers)


def problem(response: httpx.Response, status: int) -> str:
    """Return a refusal's sentence, after a look at its form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.headers["x-correlation-id"]
    return str(response.json()["detail"])
