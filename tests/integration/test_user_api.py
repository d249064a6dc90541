"""The user API, from HTTP through the real writer to the database."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from sqlalchemy.exc import OperationalError

from services.chassis import event_store
from services.chassis import writer as writer_module
from services.chassis.database import Database
from services.chassis.event_store import StoredEvent
from services.chassis.migrations import upgrade
from services.chassis.problems import MEDIA_TYPE
from services.chassis.web import Frame, application
from services.chassis.writer import Writer, retried
from services.contracts.user import UserState
from services.user import store
from services.user.api import Api
from services.user.bootstrap import new_id
from services.user.domain import RefusedError
from services.user.handlers import Command, Reply
from tests.builders import NOW, a_telemetry

ADA = {"login": "ada", "email": "ada@example.org", "full_name": "Ada Lovelace"}
NOBODY = "01936d5e-0000-7000-8000-00000000dead"
Talk = Callable[[httpx.AsyncClient], Coroutine[Any, Any, None]]


class Service:
    """The user service without its relay. `errors` come out of the next groups instead of a commit."""

    def __init__(self, database: Database) -> None:
        self.told = a_telemetry()
        self.database = database
        self.errors: list[Exception] = []
        self.lose_next_answer = False
        upgrade(database, Path(store.__file__).parent / "migrations")
        self._writer = Writer[Command, Reply | RefusedError](retried(self._execute), 128, self.told)
        api = Api(self._writer, self._read_user, new_id)
        self.app = Frame(application(api.routes(), "Users"), self.told.metrics)

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
        return self.told.metrics.registry.get_sample_value(name, labels) or 0.0

    def _execute(self, commands: Sequence[Command]) -> list[Reply | RefusedError]:
        if self.errors:
            raise self.errors.pop()
        with self.database.write() as connection:
            outcomes = store.commit_group(connection, NOW, commands, new_id)
        if self.lose_next_answer:
            self.lose_next_answer = False
            raise OperationalError("COMMIT", {}, Exception("the connection was lost"))
        return outcomes

    def _read_user(self, user_id: str) -> UserState | None:
        with self.database.read() as connection:
            return store.read_user(connection, user_id)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setattr(writer_module, "IDLE_S", 0.01)
    monkeypatch.setattr(writer_module, "AGAIN_S", 0.0)
    database = Database(f"sqlite:///{tmp_path}/user.db")
    yield Service(database)
    database.close()


async def register(client: httpx.AsyncClient, key: str | None = None, **changed: Any) -> httpx.Response:
    headers = {} if key is None else {"Idempotency-Key": key}
    return await client.post("/users", json=ADA | changed, headers=headers)


def problem(response: httpx.Response, status: int) -> str:
    """Return a refusal's sentence, after a look at its form."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == MEDIA_TYPE
    assert response.headers["x-correlation-id"]
    return str(response.json()["detail"])


def test_a_registration_is_answered_with_where_the_user_is_and_which_version(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        response = await client.post("/users", json=ADA, headers={"X-Correlation-ID": "mine"})
        user_id = response.json()["user_id"]
        assert response.status_code == 201
        assert response.json() == {"user_id": user_id, "version": 1, "correlation_id": "mine"}
        assert response.headers["etag"] == '"1"'
        assert response.headers["location"] == f"/users/{user_id}"
        assert response.headers["x-correlation-id"] == "mine"
        read = await client.get(response.headers["location"])
        assert (read.status_code, read.headers["etag"]) == (200, '"1"')
        assert read.json() == ADA | {
            "user_id": user_id,
            "version": 1,
            "status": "active",
            "locale": "en",
            "preferences": {"email": True},
            "contact_flagged": False,
        }

    service.serve(talk)
    (event,) = service.events()
    assert (event.sequence, event.event.type) == (1, "user.registered")
    assert event.event.metadata.correlation_id == "mine"


def test_a_change_of_several_parts_appends_several_events_and_a_deactivation_one(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        place = (await register(client)).headers["location"]
        changes = {"email": "countess@example.org", "locale": "en-GB", "preferences": {"email": False}}
        changed = await client.patch(place, json=changes, headers={"If-Match": '"1"'})
        assert (changed.status_code, changed.headers["etag"], changed.json()["version"]) == (200, '"4"', 4)
        gone = await client.delete(place, headers={"If-Match": '"4"'})
        assert (gone.status_code, gone.headers["etag"]) == (200, '"5"')
        user = (await client.get(place)).json()
        assert (user["status"], user["email"], user["version"]) == ("deactivated", "countess@example.org", 5)

    service.serve(talk)
    assert [event.event.type.removeprefix("user.") for event in service.events()] == [
        "registered",
        "email_changed",
        "profile_changed",
        "preferences_changed",
        "deactivated",
    ]


def test_a_write_needs_the_version_that_it_is_meant_for(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        place = (await register(client)).headers["location"]
        assert "ETag" in problem(await client.patch(place, json={}), 428)
        assert "ETag" in problem(await client.delete(place), 428)
        for stale in ('"2"', 'W/"1"', "1", '"x"', '"1", "2"'):
            assert problem(await client.patch(place, json={"locale": "de"}, headers={"If-Match": stale}), 412)
        for fitting in ("*", '"2"', ' "3" '):
            locale = {"*": "de", '"2"': "fr"}.get(fitting, "it")
            assert (
                await client.patch(place, json={"locale": locale}, headers={"If-Match": fitting})
            ).status_code == 200

    service.serve(talk)
    assert len(service.events()) == 4


def test_who_is_not_there_is_not_found_whatever_the_id(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        for name in (NOBODY, "ada", "%00", "%ff", "x" * 1000):
            assert problem(await client.get(f"/users/{name}"), 404)
            assert problem(await client.delete(f"/users/{name}", headers={"If-Match": "*"}), 404)

    service.serve(talk)


def test_a_taken_login_or_address_and_a_deactivated_user_are_conflicts(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        place = (await register(client)).headers["location"]
        assert "login is taken" in problem(await register(client, email="other@example.org", login="ＡＤＡ"), 409)
        assert "email is taken" in problem(await register(client, login="other", email="ADA@EXAMPLE.org"), 409)
        await client.delete(place, headers={"If-Match": "*"})
        response = await client.patch(place, json={"locale": "de"}, headers={"If-Match": "*"})
        assert "deactivated" in problem(response, 409)

    service.serve(talk)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"email": "Ada <ada@example.org>"}, "email"),
        ({"email": "ada@example.org\r\nBcc: x@y.org"}, "email"),
        ({"email": "a" * 65 + "@example.org"}, "email"),
        ({"full_name": "Ada\u202e"}, "full_name"),
        ({"full_name": "Ada\0"}, "full_name"),
        ({"login": " "}, "login"),
        ({"login": "\ufdfa" * 200}, "login"),
        ({"full_name": 1}, "full_name"),
        ({"locale": "english"}, "locale"),
        ({"user_id": "mine"}, "user_id"),
        ({"preferences": {"sms": True}}, "sms"),
        ({"preferences": None}, "preferences"),
    ],
)
def test_what_no_user_can_be_is_unprocessable_and_named(service: Service, changed: dict[str, Any], named: str) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        response = await register(client, **changed)
        assert problem(response, 422)
        assert named in response.text

    service.serve(talk)
    assert service.events() == []


def test_read_only_fields_cannot_be_changed(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        place = (await register(client)).headers["location"]
        for field in ("login", "version", "status", "user_id", "contact_flagged"):
            response = await client.patch(place, json={field: "x"}, headers={"If-Match": "*"})
            assert problem(response, 422)
            assert field in response.text

    service.serve(talk)
    assert len(service.events()) == 1


def test_bodies_that_are_no_json_are_bad_requests_and_other_media_are_not_taken(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        json = {"Content-Type": "application/json"}
        for body in (b"", b"{", b"\xff", b"[" * 1000):
            assert problem(await client.post("/users", content=body, headers=json), 400)
        assert problem(await client.post("/users", content=b"{}", headers={"Content-Type": "text/plain"}), 415)
        zipped = json | {"Content-Encoding": "gzip"}
        assert problem(await client.post("/users", content=b"{}", headers=zipped), 415)
        assert problem(await client.post("/users", content=b" " * 70_000, headers=json), 413)

    service.serve(talk)


def test_a_repeated_request_gets_the_first_ones_reply_and_does_nothing(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        first, again = await register(client, "k"), await register(client, "k")
        assert (first.status_code, first.json()) == (again.status_code, again.json())
        assert first.headers["location"] == again.headers["location"]
        headers = {"If-Match": '"1"', "Idempotency-Key": "k2"}
        for _ in range(2):  # the second is not stale: it is the first
            changed = await client.patch(first.headers["location"], json={"locale": "de"}, headers=headers)
            assert (changed.status_code, changed.json()["version"]) == (200, 2)

    service.serve(talk)
    assert len(service.events()) == 2


def test_a_request_repeated_while_the_first_is_in_flight_gets_its_reply(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        replies = await asyncio.gather(*[register(client, "k") for _ in range(20)])
        assert {reply.status_code for reply in replies} == {201}
        assert len({reply.json()["user_id"] for reply in replies}) == 1

    service.serve(talk)
    assert len(service.events()) == 1


def test_a_key_is_for_one_request_and_of_bounded_length(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        await register(client, "k")
        assert "another request" in problem(await register(client, "k", full_name="Eve"), 422)
        for key in ("", "x" * 256):
            assert "Idempotency-Key" in problem(await register(client, key), 400)
        assert (await register(client, "x" * 255, login="eve", email="eve@example.org")).status_code == 201

    service.serve(talk)


def test_a_refused_requests_key_is_free_for_a_better_one(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        await register(client)
        assert problem(await register(client, "k"), 409)
        assert (await register(client, "k", login="eve", email="eve@example.org")).status_code == 201

    service.serve(talk)


def test_many_concurrent_commands_are_committed_in_few_groups(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        requests = [register(client, login=f"u{n}", email=f"u{n}@example.org") for n in range(200)]
        assert {reply.status_code for reply in await asyncio.gather(*requests)} == {201}

    service.serve(talk)
    assert [event.sequence for event in service.events()] == list(range(1, 201))
    assert service.metric("writer_group_size_sum") == 200
    assert service.metric("writer_group_size_count") <= 50


def test_a_database_that_is_away_for_a_moment_is_not_noticed_and_one_that_stays_away_is_told(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        service.errors = [OperationalError("", {}, Exception("busy"))] * 2
        assert (await register(client, "k")).status_code == 201
        service.errors = [OperationalError("", {}, Exception("away"))] * 3
        response = await register(client, "k2", login="eve", email="eve@example.org")
        assert "same Idempotency-Key" in problem(response, 503)
        assert response.headers["retry-after"] == "1"

    service.serve(talk)
    assert len(service.events()) == 1


def test_a_connection_lost_during_the_commit_is_resolved_without_a_second_user(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        service.lose_next_answer = True
        assert (await register(client)).status_code == 201

    service.serve(talk)
    assert len(service.events()) == 1


def test_a_bug_in_a_group_is_a_500_and_the_next_request_is_served(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        service.errors = [ZeroDivisionError("secret")]
        assert "secret" not in problem(await register(client), 500)
        assert (await register(client)).status_code == 201

    service.serve(talk)


def test_a_write_after_the_writers_end_is_told_to_come_again(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        assert "same Idempotency-Key" in problem(await asyncio.wait_for(register(client, "k"), 20), 503)

    with service.running():
        pass
    asyncio.run(service.talk(talk))


def test_a_trace_goes_on_only_where_it_is_one(service: Service) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def talk(client: httpx.AsyncClient) -> None:
        await client.post("/users", json=ADA, headers={"traceparent": trace})
        eve = ADA | {"login": "eve", "email": "eve@example.org"}
        await client.post("/users", json=eve, headers={"traceparent": "nonsense"})

    service.serve(talk)
    assert [event.event.metadata.traceparent for event in service.events()] == [trace, None]


def test_the_api_describes_itself(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        described = msgspec.json.decode((await client.get("/schema/openapi.json")).content)
        assert set(described["paths"]) == {"/users", "/users/{user_id}"}

    service.serve(talk)


def test_requests_are_measured_by_route_not_by_user(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        place = (await register(client)).headers["location"]
        await client.get(place)
        await client.get(f"/users/{NOBODY}")

    service.serve(talk)
    name, route = "http_server_request_duration_seconds_count", "/users/{user_id}"
    for status in ("200", "404"):
        labels = {"http_request_method": "GET", "http_route": route, "http_response_status_code": status}
        assert service.metric(name, **labels) == 1, status
