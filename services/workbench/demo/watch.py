"""Watching the effects of a campaign arrive, and comparing them in the end. Starts and stops nothing."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable

from services.contracts import catalog
from services.workbench.demo.counting import Line, count, expected_changes, expected_facts, expected_mails, latencies
from services.workbench.demo.driver import Accepted
from services.workbench.demo.observation import AuditTrail, Inbox, Log

USER_TOPICS = (catalog.USER_EVENTS.name, catalog.USER_STATE.name, catalog.USER_NOTICES.name)
PAUSE_SECONDS = 0.05
COMMANDS = "commands accepted"
RECORDS = "records on the log"
MAILS = "mails in the inbox"
ENTRIES = "audit entries"
Counts = dict[str, tuple[int, int]]


class Watch:
    """Counts of accepted commands and of their arrived effects."""

    def __init__(self, commands: int, log: Log, inbox: Inbox, trail: AuditTrail) -> None:
        self.accepted: list[Accepted] = []
        self._commands = commands
        self._log = log
        self._inbox = inbox
        self._trail = trail
        self._summed = 0
        self._expected: Counter[str] = Counter()

    async def follow(self, each: Callable[[], None]) -> None:
        """Look at every place, call `each`, and do it again until cancelled. Raises aiohttp.ClientError."""
        while True:
            await self.look()
            each()
            await asyncio.sleep(PAUSE_SECONDS)

    async def look(self) -> None:
        """Look at every place once. Raises aiohttp.ClientError."""
        await asyncio.to_thread(self._log.poll)
        self.look_at_mails()
        await self._trail.poll()

    def look_at_mails(self) -> None:
        """Read the mails that have arrived."""
        self._inbox.poll()

    async def wait(self, done: Callable[[], bool], patience: float) -> None:
        """Wait while something moves: until done, or until nothing has moved for so many seconds."""
        seen, moved = self.counts(), time.monotonic()
        while not done() and time.monotonic() - moved < patience:
            await asyncio.sleep(PAUSE_SECONDS)
            if (counts := self.counts()) != seen:
                seen, moved = counts, time.monotonic()

    def is_settled(self) -> bool:
        """Return whether as much has arrived as is expected for what is accepted by now."""
        return all(done >= total for name, (done, total) in self.counts().items() if name != COMMANDS)

    def counts(self) -> Counts:
        """Return how much has arrived, and how much of it is expected for what is accepted by now."""
        self._sum_up()
        return {
            COMMANDS: (len(self.accepted), self._commands),
            RECORDS: (self.records(), self._expected[RECORDS]),
            MAILS: (len(self._inbox.mails), self._expected[MAILS]),
            ENTRIES: (self.entries(), self._expected[RECORDS]),
        }

    def arrived(self) -> tuple[int, int, int]:
        """Return how many records, mails and audit entries were seen."""
        return self.records(), len(self._inbox.mails), self.entries()

    def records(self) -> int:
        """Return how many records were read from the log."""
        return sum(len(seen) for seen in self._log.seen.values())

    def entries(self) -> int:
        """Return how many audit entries were read."""
        return len(self._trail.entries)

    def lines(self) -> list[Line]:
        """Return the count at every place, to be taken when nothing moves any more."""
        expected = {name: expected_changes(self.accepted) for name in USER_TOPICS}
        expected[catalog.NOTIFICATION_EVENTS.name] = expected_facts(self.accepted)
        log = [count(RECORDS, name, expected.get(name, ()), seen) for name, seen in self._log.seen.items()]
        mails = [count(MAILS, "all recipients", expected_mails(self.accepted), self._inbox.seen())]
        audit = [count(ENTRIES, name, places, self._trail.seen(name)) for name, places in self._log.places.items()]
        return [*log, *(mails if self._inbox.is_known else ()), *audit]

    def mailed(self) -> list[tuple[str, float]]:
        """Return the command and the epoch seconds of each mail that the sink accepted."""
        return [(mail.correlation_id, mail.received_at) for mail in self._inbox.mails]

    def durations(self) -> dict[str, list[float]]:
        """Return seconds from the commands' first attempts to their effects."""
        facts = [
            (entry.correlation_id or "", entry.recorded_at.timestamp())
            for entry in self._trail.entries
            if entry.topic == catalog.USER_EVENTS.name
        ]
        return {
            "its answer": [command.seconds for command in self.accepted],
            "its first mail in the inbox": latencies(self.accepted, self.mailed()),
            "its fact in the audit trail": latencies(self.accepted, facts),
        }

    def _sum_up(self) -> None:
        # Only what is new: with many users the sums would otherwise cost more than the system that is watched.
        fresh = self.accepted[self._summed :]
        self._summed += len(fresh)
        self._expected[RECORDS] += len(USER_TOPICS) * len(expected_changes(fresh)) + len(expected_facts(fresh))
        self._expected[MAILS] += len(expected_mails(fresh))
