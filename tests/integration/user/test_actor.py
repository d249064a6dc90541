"""The caller of a request is named by the events that the request leads to; on both databases."""

import httpx
from litestar.types import ASGIApp, Receive, Scope, Send

from services.chassis.database.database import Database
from services.chassis.http.auth.caller import Caller, set_caller
from services.chassis.outbox import event_store
from services.user import publisher
from tests.support.user_client import Service, register


class AuthenticatedAs:
    """ASGI middleware in the place of the verification of tokens: everybody is one caller."""

    def __init__(self, app: ASGIApp, subject: str) -> None:
        self._app = app
        self._caller = Caller(subject, frozenset({"read", "write"}))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request (ASGI 3.0)."""
        set_caller(scope, self._caller)  # type: ignore[arg-type]  # a TypedDict
        await self._app(scope, receive, send)


def service_of(database: Database, subject: str) -> Service:
    service = Service(database)
    service.app = AuthenticatedAs(service.app, subject)  # type: ignore[assignment]
    return service


async def play(client: httpx.AsyncClient) -> None:
    """Register somebody, change the address, deactivate."""
    path = (await register(client)).headers["location"]
    await client.patch(path, json={"email": "new@example.org"}, headers={"If-Match": "*"})
    await client.delete(path, headers={"If-Match": "*"})


def test_every_event_has_the_subject_of_the_caller_in_the_store_and_on_each_topic(database: Database) -> None:
    service = service_of(database, "support-7")
    service.serve(play)
    events = service.events()
    assert [stored.event.metadata.actor for stored in events] == ["support-7"] * 3
    records = [record for stored in events for record in publisher.records(stored)]
    assert [dict(record.headers)["ce_actor"] for record in records] == [b"support-7"] * 9


def test_without_authentication_metadata_and_records_are_as_before(database: Database) -> None:
    service = service_of(database, "")
    service.serve(play)
    with database.read() as connection:
        stored = list(connection.scalars(event_store.events.select().with_only_columns(event_store.events.c.metadata)))
    assert not any("actor" in metadata for metadata in stored)
    records = [record for stored_event in service.events() for record in publisher.records(stored_event)]
    assert not any("ce_actor" in dict(record.headers) for record in records)


def test_a_repeated_request_of_another_caller_leads_to_no_second_event(database: Database) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        assert (await register(client, "key-1")).status_code == 201

    for subject in ("support-7", "support-8"):
        service = service_of(database, subject)
        service.serve(talk)
    assert [stored.event.metadata.actor for stored in service.events()] == ["support-7"]
