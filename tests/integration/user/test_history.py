"""The past of one user over HTTP: as of a moment, by version, and in pages of versions."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from services.chassis.database.database import Database
from services.contracts.envelope import to_text
from tests.support.builders import NOW
from tests.support.user_client import ADA, NOBODY, Service, problem, register

HOUR = timedelta(hours=1)
CHANGES: list[dict[str, Any]] = [{"email": "countess@example.org"}, {"full_name": "Ada King"}, {"locale": "de"}]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    database = Database(f"sqlite:///{tmp_path}/user.db")
    yield Service(database)
    database.close()


async def live(service: Service, client: httpx.AsyncClient) -> list[dict[str, Any]]:
    """Register a user and change it, an hour apart; return the user as it was read after each."""
    path = f"/users/{(await register(client)).json()['user_id']}"
    users = [(await client.get(path)).json()]
    for changed in CHANGES:
        service.now += HOUR
        assert (await client.patch(path, json=changed, headers={"If-Match": "*"})).status_code == 200
        users.append((await client.get(path)).json())
    service.now += HOUR
    return users


def test_a_user_as_of_a_moment_is_the_user_that_was_read_then(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        users = await live(service, client)
        for number, user in enumerate(users):
            for moment in (NOW + number * HOUR, NOW + number * HOUR + timedelta(minutes=59)):
                response = await client.get(f"/users/{user['user_id']}", params={"as_of": moment.isoformat()})
                assert response.json() == user
                assert response.headers["etag"] == f'"{number + 1}"'
        path = f"/users/{users[0]['user_id']}"
        assert (await client.get(path, params={"as_of": "2026-11-22T15:00:00+02:00"})).json() == users[1]

    service.serve(talk)


def test_both_databases_answer_from_the_past(database: Database) -> None:
    service = Service(database)

    async def talk(client: httpx.AsyncClient) -> None:
        users = await live(service, client)
        path = f"/users/{users[0]['user_id']}"
        assert (await client.get(path, params={"as_of": to_text(NOW + HOUR)})).json() == users[1]
        assert (await client.get(path, params={"version": 3})).json() == users[2]
        assert len((await client.get(f"{path}/history")).json()["items"]) == len(users)

    service.serve(talk)


def test_a_version_of_a_user_is_the_user_that_had_it(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        for user in await live(service, client):
            assert (await client.get(f"/users/{user['user_id']}?version={user['version']}")).json() == user

    service.serve(talk)


def test_the_history_has_every_version_once_with_its_event(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        users = await live(service, client)
        path: str = f"/users/{users[0]['user_id']}/history?limit=3"
        first = (await client.get(path)).json()
        second = await client.get(f"/users/{users[0]['user_id']}/history?limit=3&after={first['next']}")
        items = first["items"] + second.json()["items"]
        assert [item["user"] for item in items] == users
        assert "link" not in second.headers
        assert second.json()["next"] is None
        stored = service.events()
        assert [item["event_id"] for item in items] == [event.event.event_id for event in stored]
        assert [item["type"] for item in items] == [event.event.type for event in stored]
        assert items[1]["time"] == "2026-11-22T13:00:00Z"

    service.serve(talk)


OUTSIDE = {
    "future": ("as_of", to_text(NOW + 5 * HOUR), "is in the future"),
    "before": ("as_of", to_text(NOW - HOUR), "is before the user's first event"),
    "before-in-another-zone": ("as_of", "2026-11-22T13:30:00+02:00", "is before the user's first event"),
    "earliest": ("as_of", "0001-01-01T00:00:00+14:00", "is before the user's first event"),
    "no-zone": ("as_of", "2026-11-22T13:00:00", "has no zone"),
    "date": ("as_of", "2026-11-22", "has no zone"),
    "bad-zone": ("as_of", "2026-11-22T13:00:00+99:00", "is no time"),
    "very-long": ("as_of", "x" * 10_000, "is no time"),
    "year-0": ("as_of", "0000-01-01T00:00:00Z", "is no time"),
    "year-10000": ("as_of", "10000-01-01T00:00:00Z", "is no time"),
    "named-zone": ("as_of", "2026-11-22T13:00:00 Europe/Berlin", "is no time"),
    "no-time": ("as_of", "yesterday", "is no time"),
    "no-version-yet": ("version", "5", "send one from 1 to 4"),
}


@pytest.mark.parametrize("case", OUTSIDE)
def test_outside_its_past_the_allowed_range_is_answered(service: Service, case: str) -> None:
    name, value, expected = OUTSIDE[case]

    async def talk(client: httpx.AsyncClient) -> None:
        users = await live(service, client)
        detail = problem(await client.get(f"/users/{users[0]['user_id']}", params={name: value}), 422)
        assert expected in detail
        if name == "as_of":
            assert f"from {to_text(NOW)} to {to_text(service.now)}" in detail

    service.serve(talk)


def test_a_moment_and_a_version_exclude_each_other(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        (user_id,) = {user["user_id"] for user in await live(service, client)}
        params = {"as_of": to_text(NOW), "version": "1"}
        assert "one of them" in problem(await client.get(f"/users/{user_id}", params=params), 422)
        assert "version" in problem(await client.get(f"/users/{user_id}?version=0"), 422)

    service.serve(talk)


@pytest.mark.parametrize("query", ["?version=1", "?as_of=2026-11-22T12:00:00Z", "/history", "/history?after=3"])
def test_a_user_who_does_not_exist_has_no_past(service: Service, query: str) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        assert (await register(client, **ADA)).status_code == 201
        assert "no user" in problem(await client.get(f"/users/{NOBODY}{query}"), 404)

    service.serve(talk)


def test_after_the_newest_version_the_history_has_an_empty_page(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        users = await live(service, client)
        page = await client.get(f"/users/{users[0]['user_id']}/history?after={len(users)}")
        assert page.json() == {"items": [], "next": None}

    service.serve(talk)
