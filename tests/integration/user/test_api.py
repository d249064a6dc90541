"""The user API, from HTTP through the real writer to the database."""

from typing import Any

import httpx
import pytest

from tests.support.user_client import ADA, NOBODY, Service, problem, register


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
        for stale in ('"2"', 'W/"1"', '"x"', '"2", "3"'):
            assert problem(await client.patch(place, json={"locale": "de"}, headers={"If-Match": stale}), 412)
        assert "ETag" in problem(await client.patch(place, json={"locale": "de"}, headers={"If-Match": "1"}), 400)
        for locale, *lines in (("de", "*"), ("fr", '"2"'), ("it", ' "3" '), ("es", '"1"', '"4"')):
            headers = [("If-Match", line) for line in lines]
            assert (await client.patch(place, json={"locale": locale}, headers=headers)).status_code == 200

    service.serve(talk)
    assert len(service.events()) == 5


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
        assert problem(await client.post("/users", content=b" " * 300_000, headers=json), 413)

    service.serve(talk)


def test_a_trace_goes_on_only_where_it_is_one(service: Service) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    async def talk(client: httpx.AsyncClient) -> None:
        await client.post("/users", json=ADA, headers={"traceparent": trace})
        eve = ADA | {"login": "eve", "email": "eve@example.org"}
        await client.post("/users", json=eve, headers={"traceparent": "nonsense"})

    service.serve(talk)
    assert [event.event.metadata.traceparent for event in service.events()] == [trace, None]


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
