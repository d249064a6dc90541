"""The open loop against a small API."""

import asyncio
from collections import Counter

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.workbench.demo.client import RefusedError, UnansweredError, UserApi
from services.workbench.demo.driver import Accepted
from services.workbench.load.generator import Generator, Measured
from services.workbench.load.mix import Planned


class FakeUsers:
    """Carries out each key once, a PATCH after a pause. With a `gate`, nothing is answered until so many have asked.

    Requests of a method in `unanswered` are carried out, and answered by 503.
    """

    def __init__(self, gate: int = 0, failures: int = 0, refuse: int = 0, unanswered: str = "") -> None:
        self.most_patches = 0
        self._patches = 0
        self.asked: list[tuple[str, str, object]] = []
        self.versions: Counter[str] = Counter()
        self._replies: dict[str, dict[str, object]] = {}
        self._gate = gate
        self._failures = failures
        self._refuse = refuse
        self._unanswered = unanswered
        self._open = asyncio.Event()

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.json() if request.can_read_body else None
        self.asked.append((request.method, request.path, body))
        if len(self.asked) >= self._gate:
            self._open.set()
        await self._open.wait()
        if request.method == "GET":
            return web.json_response({"user_id": "u", "version": 1})
        if self._refuse:
            return web.Response(status=self._refuse, text="no")
        if request.method == "PATCH":
            self._patches += 1
            self.most_patches = max(self.most_patches, self._patches)
            await asyncio.sleep(0.02)
            self._patches -= 1
        reply = self._carry_out(request)
        if self._failures or request.method == self._unanswered:
            self._failures = max(0, self._failures - 1)
            return web.Response(status=503, text="not now")
        return web.json_response(reply)

    def _carry_out(self, request: web.Request) -> dict[str, object]:
        key = request.headers["Idempotency-Key"]
        if key not in self._replies:
            user = f"u{len(self.versions) + 1}" if request.method == "POST" else request.match_info["user"]
            self.versions[user] += 1
            self._replies[key] = {"user_id": user, "version": self.versions[user], "correlation_id": key}
        return self._replies[key]


def play(users: FakeUsers, plan: list[Planned], population: int = 0) -> tuple[Measured, list[Accepted]]:
    measured, generator = played(users, plan, population, 10.0)
    return measured, generator.accepted


def played(
    users: FakeUsers, plan: list[Planned], population: int, patience: float, *, unknown_allowed: bool = False
) -> tuple[Measured, Generator]:
    async def session() -> tuple[Measured, Generator]:
        app = web.Application()
        app.router.add_route("*", "/users", users.handle)
        app.router.add_route("*", "/users/{user}", users.handle)
        async with TestServer(app) as server, aiohttp.ClientSession() as client:
            api = UserApi(client, str(server.make_url("")).rstrip("/"), patience)
            generator = Generator(api, "run", 1, unknown_allowed=unknown_allowed)
            await generator.populate(population, 4)
            return await generator.play(plan, 0.01, lambda *_: None), generator

    return asyncio.run(session())


def test_requests_are_sent_when_they_are_meant_to_be_whether_or_not_those_before_are_answered() -> None:
    plan = [Planned(0.001 * number, "register", number) for number in range(1, 31)]
    measured, accepted = play(FakeUsers(gate=30), plan)  # a loop that waits for answers would never get there
    assert len(measured.samples) == len(accepted) == 30


def test_what_waits_for_its_own_registration_counts_that_wait() -> None:
    plan = [Planned(0.0, "register", 1), Planned(0.0, "rename", 1), Planned(0.2, "register", 2)]
    measured, _ = play(FakeUsers(gate=2), plan)  # the rename cannot be sent before somebody else comes at 0.2 s
    seconds = {sample.kind: sample.seconds for sample in measured.samples if sample.kind == "rename"}
    assert seconds["rename"] >= 0.15


def test_each_command_is_accepted_once_with_the_version_that_it_made() -> None:
    plan = [Planned(0.0, kind, 1) for kind in ("rename", "prefer", "prefer", "move", "read", "leave")]
    users = FakeUsers()
    _, accepted = play(users, plan, population=1)
    assert sorted(command.version for command in accepted) == [1, 2, 3, 4, 5, 6]
    assert all(command.before == command.version - 1 for command in accepted)
    assert users.versions == {"u1": 6}


def test_who_leaves_does_so_after_all_the_own_commands() -> None:
    plan = [Planned(0.0, "rename", 1)] * 10 + [Planned(0.0, "leave", 1)]
    users = FakeUsers()
    _, accepted = play(users, plan, population=1)
    assert [command.version for command in accepted if command.step.kind == "leave"] == [12]
    assert users.most_patches > 1


def test_changes_of_preferences_go_one_by_one_and_each_changes_something() -> None:
    users = FakeUsers()
    play(users, [Planned(0.0, "prefer", 1)] * 6, population=1)
    wanted = [body["preferences"]["email"] for _, _, body in users.asked if isinstance(body, dict) and len(body) == 1]
    assert wanted in ([True, False] * 3, [False, True] * 3)
    assert users.most_patches == 1


def test_an_unknown_outcome_is_an_error_and_yet_counted_as_what_it_became() -> None:
    users = FakeUsers(failures=1)
    measured, accepted = play(users, [Planned(0.0, "register", 1)])
    assert [sample.error for sample in measured.samples] == ["503"]
    assert [(command.version, command.attempts) for command in accepted] == [(1, 2)]
    assert users.versions == {"u1": 1}


def test_a_command_that_is_never_answered_is_counted_as_unknown_and_the_others_go_on() -> None:
    plan = [Planned(0.0, "rename", 1), Planned(0.0, "prefer", 1), Planned(0.0, "register", 2)]
    _, generator = played(FakeUsers(unanswered="PATCH"), plan, 1, 0.1, unknown_allowed=True)
    assert generator.unknown == 2
    assert [command.step.kind for command in generator.accepted] == ["register", "register"]


def test_a_user_whose_registration_is_never_answered_sends_nothing_more() -> None:
    users = FakeUsers(unanswered="POST")
    plan = [Planned(0.0, kind, 1) for kind in ("register", "rename", "leave")]
    _, generator = played(users, plan, 0, 0.1, unknown_allowed=True)
    assert (generator.unknown, generator.accepted) == (1, [])
    assert {method for method, _, _ in users.asked} == {"POST"}


def test_an_outcome_that_stays_unknown_ends_a_load_which_counts_every_effect() -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(UnansweredError, match="was not answered")):
        played(FakeUsers(unanswered="PATCH"), [Planned(0.0, "rename", 1)], 1, 0.1)


def test_a_registration_that_is_refused_ends_the_load_with_the_answer() -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(RefusedError, match="refused: 422 no")):
        play(FakeUsers(refuse=422), [Planned(0.0, "register", 1)])
