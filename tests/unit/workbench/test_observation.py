"""Checks how the demo observes effects."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import msgspec
from aiohttp import web
from aiohttp.test_utils import TestServer

from services.chassis.messages.record import TopicPartition
from services.workbench.demo.observation import AuditTrail, Entry, Inbox, Page
from services.workbench.local.sink import Mail

A_MAIL = Mail(
    received_at=1.0,
    message_id="<1@x>",
    sender="eventline@example.org",
    recipients=["ada@example.org"],
    subject="Welcome",
    correlation_id="c-1",
    body="Hello",
)


def test_a_mail_that_is_still_being_written_waits(tmp_path: Path) -> None:
    path, line = tmp_path / "mails.jsonl", msgspec.json.encode(A_MAIL) + b"\n"
    inbox = Inbox(path)
    inbox.poll()
    path.write_bytes(line + line[:10])
    inbox.poll()
    assert inbox.mails == [A_MAIL]
    path.write_bytes(line + line)
    inbox.poll()
    assert inbox.mails == [A_MAIL, A_MAIL]


def test_the_same_mail_twice_is_a_repeat_of_the_same_effect(tmp_path: Path) -> None:
    inbox = Inbox(tmp_path / "none")
    inbox.mails = [A_MAIL, A_MAIL]
    first, second = inbox.seen()
    assert (first.identity, first.effect) == (second.identity, second.effect)
    assert first.effect == ("c-1", "ada@example.org")


def an_entry(offset: int) -> Entry:
    return Entry(offset, "user.events.v1", 0, offset, "c", datetime(2026, 1, 1, tzinfo=UTC))


class FakeAudit:
    """Serves entries in pages of two, their position being their offset."""

    def __init__(self, entries: int) -> None:
        self.entries = entries

    async def handle(self, request: web.Request) -> web.Response:
        after = int(request.query["after"])
        offsets = range(after + 1, min(after + 3, self.entries))
        items = [an_entry(offset) for offset in offsets]
        page = Page(items, next=after + 2 if after + 3 < self.entries else None)
        return web.Response(body=msgspec.json.encode(page), content_type="application/json")


async def follow(audit: FakeAudit, growths: list[int], starts: dict[TopicPartition, int]) -> list[int]:
    app = web.Application()
    app.router.add_get("/audit/entries", audit.handle)
    async with TestServer(app) as server, aiohttp.ClientSession() as client:
        trail = AuditTrail(client, str(server.make_url("")).rstrip("/"), starts)
        for growth in growths:
            audit.entries += growth
            await trail.poll()
    return [entry.offset for entry in trail.entries]


def test_every_entry_is_read_once_however_the_trail_grows() -> None:
    assert asyncio.run(follow(FakeAudit(0), [3, 0, 4, 1], starts={})) == list(range(8))


def test_entries_from_before_the_demo_are_left_out() -> None:
    starts = {TopicPartition("user.events.v1", 0): 2}
    assert asyncio.run(follow(FakeAudit(5), [0], starts)) == [2, 3, 4]
