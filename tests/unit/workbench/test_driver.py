"""The driver against a small API that sometimes does not answer."""

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.workbench.demo.campaign import Plan, Step, campaign
from services.workbench.demo.client import RefusedError
from services.workbench.demo.driver import Accepted, Driver

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
REGISTER = Step(kind="register", method="POST", body={"login": "ada"})
RENAME = Step(kind="rename", method="PATCH", body={"full_name": "Ada"})
LEAVE = Step(kind="leave", method="DELETE")


class FakeUsers:
    """Keeps a version per user, hears every request, and carries out a key once."""

    def __init__(self, failures: int = 0, status: int = 503) -> None:
        self.requests: list[tuple[str, str, str, str | None]] = []
        self._failures = failures
        self._status = status
        self._versions: dict[str, int] = {}
        self._replies: dict[str, dict[str, object]] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        key = request.headers["Idempotency-Key"]
        self.requests.append((request.method, request.path, key, request.headers.get("If-Match")))
        if key not in self._replies:
            self._replies[key] = self._carry_out(request)
        if self._failures:
            self._failures -= 1
            return web.Response(status=self._status, text="not now")
        return web.json_response(self._replies[key])

    def _carry_out(self, request: web.Request) -> dict[str, object]:
        user = f"u{len(self._versions)}" if request.method == "POST" else request.match_info["user"]
        self._versions[user] = self._versions.get(user, 0) + 1
        correlation = request.headers["X-Correlation-ID"]
        return {"user_id": user, "version": self._versions[user], "correlation_id": correlation}


def drive(plans: list[Plan], users: FakeUsers, deadline: float = 10.0) -> list[Accepted]:
    accepted: list[Accepted] = []

    async def session() -> None:
        app = web.Application()
        app.router.add_route("*", "/users", users.handle)
        app.router.add_route("*", "/users/{user}", users.handle)
        async with TestServer(app) as server, aiohttp.ClientSession() as client:
            driver = Driver(client, str(server.make_url("")).rstrip("/"), "run", deadline)
            for wave in (0, 1):
                await driver.drive(plans, wave, 4, accepted.append)

    asyncio.run(session())
    return accepted


def test_each_users_commands_are_in_order_and_name_the_version_they_change() -> None:
    users = FakeUsers()
    accepted = drive([Plan(1, ((REGISTER, RENAME), (LEAVE,)))], users)
    assert [(method, path, match) for method, path, _, match in users.requests] == [
        ("POST", "/users", None),
        ("PATCH", "/users/u0", '"1"'),
        ("DELETE", "/users/u0", '"2"'),
    ]
    assert [(command.before, command.version) for command in accepted] == [(0, 1), (1, 2), (2, 3)]


def test_a_whole_campaign_is_accepted_command_by_command() -> None:
    plans = campaign(40, seed=1)
    accepted = drive(plans, FakeUsers())
    assert len(accepted) == sum(len(wave) for plan in plans for wave in plan.waves)
    assert len({command.correlation_id for command in accepted}) == len(accepted)


def test_an_unknown_outcome_is_sent_again_with_the_same_key() -> None:
    users = FakeUsers(failures=2)
    (accepted,) = drive([Plan(1, ((REGISTER,), ()))], users)
    keys = [key for _, _, key, _ in users.requests]
    assert (accepted.attempts, accepted.version) == (3, 1)
    assert keys == [keys[0]] * 3


def test_an_outcome_that_stays_unknown_ends_the_drive_with_what_was_seen() -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(RefusedError, match="POST /users was not answered in 1 .*503 not now")):
        drive([Plan(1, ((REGISTER,), ()))], FakeUsers(failures=99), deadline=0.0)


def test_a_refused_command_is_not_sent_again() -> None:
    users = FakeUsers(failures=99, status=422)
    with pytest.RaisesGroup(pytest.RaisesExc(RefusedError, match="refused: 422")):
        drive([Plan(1, ((REGISTER,), ()))], users)
    assert len(users.requests) == 1
