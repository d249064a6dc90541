"""Counts what became of the commands that were sent while something was broken."""

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import aiohttp
import msgspec

from services.chassis.kafka.admin import BrokerUnavailableError, KafkaAdmin, TopicsError
from services.chassis.kafka.settings import KafkaSettings
from services.console.lag import lags, unasked
from services.contracts import catalog
from services.workbench.demo.counting import (
    Effect,
    Line,
    Sighting,
    count,
    expected_changes,
    expected_facts,
    expected_mails,
    latencies,
)
from services.workbench.demo.observation import AuditTrail, Log, Offsets
from services.workbench.demo.watch import ENTRIES, MAILS, RECORDS, USER_TOPICS
from services.workbench.faults.effects.commands import RATE, Commands
from services.workbench.faults.effects.inboxes import Mails
from services.workbench.faults.effects.report import Report

PATIENCE_S = 90.0  # without any movement after the end: longer than a claim, a lease and a session
LOOK_S, LAG_S = 0.25, 1.0
DEAD_LETTERS = tuple(topic.name for topic in catalog.TOPICS if topic.pattern is catalog.Pattern.DEAD_LETTERS)


class Site(msgspec.Struct, frozen=True):
    """Where a system takes commands, and where their effects are seen. `mails` is given the name of a run."""

    name: str
    user_url: str
    audit_url: str
    kafka: KafkaSettings
    mails: Callable[[str], Mails]


class Measurement:
    """The time from the first fault to the arrival of the last effect. `starts` is where the log ended before."""

    def __init__(self, site: Site, session: aiohttp.ClientSession, run: str, starts: Offsets) -> None:
        self._site = site
        self._log = Log(site.kafka, run, starts)
        self._reading = threading.Lock()
        self._is_closed = False
        self._trail = AuditTrail(session, site.audit_url, starts)
        self._mails = site.mails(run)
        self._lag: dict[str, int] = {}
        self._commands = Commands(session, site.user_url, run)
        self._started = self._ended = time.monotonic()
        self.faults: list[str] = []
        self.expected_letters = 0

    async def prepare(self) -> None:
        """Find the end of the audit log, before anything is broken."""
        with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # then it is read from its beginning
            await self._trail.skip_old(datetime.now(UTC))

    async def play(self, broken: Callable[[], bool]) -> Report:
        """Send commands while something is broken, wait for all effects, and return the counts."""
        with contextlib.closing(self):
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._send(broken)), group.create_task(self._sample_lag())]
                await self._watch(broken)
                for task in tasks:
                    task.cancel()
        report = self._report()
        self._commands.stop()
        return report

    def close(self) -> None:
        """Free the client, after a poll that still runs."""
        with self._reading:
            self._is_closed = True
            self._log.close()

    def progress(self) -> str:
        """Return what has arrived so far, in a line."""
        lines = self._lines()
        arrived, expected = sum(line.arrived for line in lines), sum(line.expected for line in lines)
        return f"{len(self._commands.accepted)} commands accepted, {arrived} of their {expected} effects arrived"

    async def _send(self, broken: Callable[[], bool]) -> None:
        while True:
            if broken():
                self._commands.send()
            await asyncio.sleep(1 / RATE)

    async def _watch(self, broken: Callable[[], bool]) -> None:
        seen, moved = -1, time.monotonic()
        while True:
            await self._look()
            lines, now = self._lines(), time.monotonic()
            if (arrived := sum(line.arrived for line in lines)) != seen or broken():
                seen, moved = arrived, now
            if broken():
                self._ended = now
            elif self._is_complete(lines) or now - moved > PATIENCE_S:
                return
            await asyncio.sleep(LOOK_S)

    async def _look(self) -> None:
        await asyncio.to_thread(self._poll)
        for look in (self._mails.look, self._trail.poll):
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):  # it may be the broken part
                await look()

    def _poll(self) -> None:
        with self._reading:
            if not self._is_closed:  # a cancelled task leaves its thread behind
                self._log.poll()

    async def _sample_lag(self) -> None:
        admin = KafkaAdmin(self._site.kafka, "console")
        while True:
            with contextlib.suppress(BrokerUnavailableError, TopicsError):  # the broker may be the broken part
                found: dict[str, int] = {}
                for lag in await asyncio.to_thread(lags, admin, unasked):
                    found[lag.group] = found.get(lag.group, 0) + lag.records
                self._lag |= {group: max(number, self._lag.get(group, 0)) for group, number in found.items()}
            await asyncio.sleep(LAG_S)

    def _is_complete(self, lines: Sequence[Line]) -> bool:
        is_there = not any(line.missing for line in lines) and self._letters() >= self.expected_letters
        return is_there and not self._commands.open

    def _letters(self) -> int:
        return sum(len(self._log.seen[topic]) for topic in DEAD_LETTERS)

    def _lines(self) -> list[Line]:
        accepted = self._commands.accepted
        mine = {command.correlation_id for command in accepted}
        records = dict.fromkeys(USER_TOPICS, expected_changes(accepted))
        records[catalog.NOTIFICATION_EVENTS.name] = expected_facts(accepted)
        found = [count(MAILS, "all recipients", expected_mails(accepted), _of(self._mails.seen(), mine))]
        for topic, expected in records.items():
            places = self._places(topic, mine)
            entries = [entry for entry in self._trail.seen(topic) if entry.effect in places]
            found.append(count(RECORDS, topic, expected, _of(self._log.seen[topic], mine)))
            found.append(count(ENTRIES, topic, places, entries))
        return found

    def _places(self, topic: str, mine: set[str]) -> set[Effect]:
        pairs = zip(self._log.places[topic], self._log.seen[topic], strict=True)
        return {place for place, sighting in pairs if sighting.effect[0] in mine}

    def _delays(self) -> Mapping[str, Sequence[float]]:
        accepted, facts = self._commands.accepted, catalog.USER_EVENTS.name
        entries = [
            (entry.correlation_id or "", entry.recorded_at.timestamp())
            for entry in self._trail.entries
            if entry.topic == facts
        ]
        return {
            "answers": [command.seconds for command in accepted],
            "audit entries": latencies(accepted, entries),
            "mails": latencies(accepted, self._mails.arrivals()),
        }

    def _report(self) -> Report:
        commands = self._commands
        return Report(
            system=self._site.name,
            faults=self.faults,
            seconds=self._ended - self._started,
            accepted=len(commands.accepted),
            sent_again=sum(command.attempts > 1 for command in commands.accepted),
            unanswered=commands.unanswered + commands.open,
            lines=self._lines(),
            letters=self._letters(),
            expected_letters=self.expected_letters,
            delays=self._delays(),
            settled_s=time.monotonic() - self._ended,
            lag=self._lag,
        )


def _of(seen: Sequence[Sighting], mine: set[str]) -> list[Sighting]:
    return [sighting for sighting in seen if sighting.effect[0] in mine]
