"""Checks the counts of arrived and expected records."""

import asyncio
from pathlib import Path
from typing import cast

from services.workbench.demo.campaign import register
from services.workbench.demo.counting import Sighting
from services.workbench.demo.driver import Accepted
from services.workbench.demo.observation import AuditTrail, Inbox, Log
from services.workbench.demo.watch import COMMANDS, ENTRIES, MAILS, RECORDS, Watch


class FakeLog:
    """A log to which the test adds records."""

    def __init__(self) -> None:
        self.seen: dict[str, list[Sighting]] = {"user.events.v1": []}

    def poll(self) -> None:
        """Nothing comes by itself."""


class FakeTrail:
    """A trail that stays empty."""

    def __init__(self) -> None:
        self.entries: list[object] = []

    async def poll(self) -> None:
        """Nothing comes by itself."""


def an_accepted(number: int, *, opted_in: bool) -> Accepted:
    return Accepted(
        correlation_id=f"c{number}",
        user_id=f"u{number}",
        step=register(f"u{number}", f"{number}@x", "Ada", opted_in=opted_in),
        before=0,
        version=1,
        started_at=0.0,
        seconds=0.1,
        attempts=1,
    )


def a_watch(log: FakeLog, path: Path) -> Watch:
    return Watch(2, cast("Log", log), Inbox(path), cast("AuditTrail", FakeTrail()))


def test_what_is_expected_grows_with_what_is_accepted_and_with_nothing_else(tmp_path: Path) -> None:
    watch = a_watch(FakeLog(), tmp_path / "mails")
    watch.accepted.append(an_accepted(1, opted_in=True))
    one = {COMMANDS: (1, 2), RECORDS: (0, 5), MAILS: (0, 1), ENTRIES: (0, 5)}
    assert watch.counts() == watch.counts() == one
    watch.accepted.append(an_accepted(2, opted_in=False))
    assert watch.counts() == {COMMANDS: (2, 2), RECORDS: (0, 9), MAILS: (0, 1), ENTRIES: (0, 9)}


def test_waiting_ends_when_nothing_has_moved_for_too_long(tmp_path: Path) -> None:
    watch = a_watch(FakeLog(), tmp_path / "mails")
    watch.accepted.append(an_accepted(1, opted_in=True))
    asyncio.run(asyncio.wait_for(watch.wait(watch.is_settled, patience=0.1), timeout=10))
    assert not watch.is_settled()
