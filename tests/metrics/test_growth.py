"""Ten thousand users later a running system has the series that it had before: no label grows with them."""

import asyncio
from collections.abc import Iterator
from operator import not_

import aiohttp
import pytest

from services.contracts.service_list import JOBS
from services.workbench.local.measured_system import Running
from services.workbench.polling import until
from tests.metrics.exported import missing

pytestmark = pytest.mark.on_demand

USERS, FIRST = 10_000, 50
CLIENTS = 64
ENTRIES_OF_A_USER = 4  # fact, state, notice, and what notification decided
PATIENCE_S = 240.0


def test_ten_thousand_users_add_no_series(system: Running) -> None:
    grow(system, 0, FIRST)
    until("every metric", lambda: [name for job in JOBS for name in missing(system, job)], not_)
    before = system.series()
    grow(system, FIRST, USERS)
    after = system.series()
    assert sorted(after - before) == []
    assert len(after) == len(before)


def grow(system: Running, start: int, users: int) -> None:
    """Register users, ask for each of them and for as many that are not there, and wait until audit has all of it."""
    entries = size(system) + ENTRIES_OF_A_USER * users
    asyncio.run(register(system, start, users))
    until(f"{entries} entries", lambda: size(system), lambda seen: seen >= entries, PATIENCE_S)


def size(system: Running) -> float:
    return next(sample.value for sample in system.samples("audit") if sample.name == "audit_log_size")


async def register(system: Running, start: int, users: int) -> None:
    numbers = iter(range(start, start + users))
    async with aiohttp.ClientSession(system.urls["user"]) as session, asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(_work(session, numbers))


async def _work(session: aiohttp.ClientSession, numbers: Iterator[int]) -> None:
    for number in numbers:
        # Users without mail preference get none: ten thousand mails would take long.
        person = {"login": f"u{number}", "email": f"u{number}@example.org", "full_name": f"User {number}"}
        async with session.post("/users", json=person | {"preferences": {"email": False}}) as answer:
            assert answer.status == 201, await answer.text()
            path = answer.headers["Location"]
        for asked, status in ((path, 200), (f"/users/nobody-{number}", 404), (f"/nothing/{number}", 404)):
            async with session.get(asked) as answer:
                assert answer.status == status, await answer.text()
