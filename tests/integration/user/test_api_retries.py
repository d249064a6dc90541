"""Requests that are sent again, come at once, or meet a database in trouble."""

import asyncio

import httpx
from sqlalchemy.exc import OperationalError

from services.user.api_schemas import DOCUMENT
from tests.support.user_client import Service, problem, register


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
        for key in ("", "x" * 256, "a\0b", "a\x7f"):
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


def test_a_database_that_is_unreachable_for_a_moment_is_not_noticed_and_one_that_stays_unreachable_is_reported(
    service: Service,
) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        service.errors = [OperationalError("", {}, Exception("busy"))] * 2
        assert (await register(client, "k")).status_code == 201
        service.errors = [OperationalError("", {}, Exception("unreachable"))] * 3
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


def test_a_write_after_the_writers_end_is_answered_with_a_time_to_retry(service: Service) -> None:
    async def talk(client: httpx.AsyncClient) -> None:
        assert "same Idempotency-Key" in problem(await asyncio.wait_for(register(client, "k"), 20), 503)

    with service.running():
        pass
    asyncio.run(service.talk(talk))


def test_a_request_is_the_same_one_after_its_body_has_got_another_optional_field() -> None:
    assert [body.__name__ for body in DOCUMENT.closed if not body.__struct_config__.omit_defaults] == []
