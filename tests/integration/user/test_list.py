"""Lists of users: pages that follow each other by their links, of one status or of any."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from services.chassis.database.database import Database
from services.user.api_schemas import LARGEST_PAGE, USUAL_PAGE
from tests.support.user_client import Service, problem, register

NEXT = re.compile(r'<(.*)>; rel="next"')


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    database = Database(f"sqlite:///{tmp_path}/user.db")
    yield Service(database)
    database.close()


async def fill(client: httpx.AsyncClient, number: int) -> list[str]:
    """Register users and return their ids in order."""
    answers = [await register(client, login=f"u{at}", email=f"u{at}@example.org") for at in range(number)]
    return [str(answer.json()["user_id"]) for answer in answers]


async def walk(client: httpx.AsyncClient, path: str) -> list[list[str]]:
    """Follow the links and return the ids of each page."""
    pages = []
    while path:
        response = await client.get(path)
        assert response.status_code == 200, response.text
        page = response.json()
        pages.append([str(user["user_id"]) for user in page["items"]])
        link = NEXT.fullmatch(response.headers.get("link", ""))
        assert (link is None) == (page["next"] is None)
        path = link[1] if link else ""
    return pages


def test_links_lead_through_all_users_once_in_order(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        assert await walk(client, "/users") == [[]]
        ids = await fill(client, 7)
        assert await walk(client, "/users?limit=3") == [ids[:3], ids[3:6], ids[6:]]
        assert await walk(client, "/users?limit=7") == [ids]
        assert await walk(client, f"/users?after={ids[4]}") == [ids[5:]]

    service.serve(talk)


def test_a_filter_by_status_is_kept_by_the_links(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        ids = await fill(client, 6)
        for gone in ids[::2]:
            await client.delete(f"/users/{gone}", headers={"If-Match": "*"})
        assert await walk(client, "/users?status=deactivated&limit=2") == [[ids[0], ids[2]], [ids[4]]]
        assert await walk(client, "/users?status=active&limit=2") == [[ids[1], ids[3]], [ids[5]]]

    service.serve(talk)


def test_a_user_on_a_page_is_the_user_by_itself(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        (user_id,) = await fill(client, 1)
        (listed,) = (await client.get("/users")).json()["items"]
        assert listed == (await client.get(f"/users/{user_id}")).json()

    service.serve(talk)


def test_a_page_has_a_usual_and_a_largest_size(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        ids = await fill(client, USUAL_PAGE + 1)
        assert [len(page) for page in await walk(client, "/users")] == [USUAL_PAGE, 1]
        assert await walk(client, f"/users?limit={LARGEST_PAGE}") == [ids]
        assert "limit" in problem(await client.get(f"/users?limit={LARGEST_PAGE + 1}"), 422)

    service.serve(talk)


@pytest.mark.parametrize("query", ["limit=1&limit=2", "after=nobody", "state=active", "status=ACTIVE"])
def test_a_parameter_that_is_not_understood_is_not_passed_over(service: Service, query: str) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        assert query.partition("=")[0] in problem(await client.get(f"/users?{query}"), 422)

    service.serve(talk)
