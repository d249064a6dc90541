"""Outage of the mail server under load: memory stays flat, no rebalance, nothing lost, each user's mails in order.

`python -m services.workbench.soak.mail_outage --seconds 120` runs its own system and prints figures; exit code 1 when a
promise was broken. `tests/faults` has it for some seconds.
"""

import argparse
import asyncio
import contextlib
import sys
import time
from collections import defaultdict
from collections.abc import Sequence

import msgspec

from services.chassis.kafka.admin import KafkaAdmin
from services.console.lag import event_partitions
from services.workbench.api_clients import api_session
from services.workbench.demo.campaign import Plan, campaign
from services.workbench.demo.counting import Effect, Line, expected_mails
from services.workbench.demo.driver import Accepted, Driver
from services.workbench.demo.observation import AuditTrail, Inbox, Log
from services.workbench.demo.watch import Watch
from services.workbench.local.sink import Mail
from services.workbench.local.system import MAILS
from services.workbench.local.trial import PATIENCE_S, READY_S, Trial, wrong
from services.workbench.soak import memberships
from services.workbench.soak.verdict import verdict
from services.workbench.usage import MIB, of_process

SEED = 11
CONCURRENCY = 8
WARM = 100  # users that are settled before the outage
IN_HAND = 2  # mails that two senders may be sending when it does
GROWTH = 16 * MIB  # of the notification service between the first and the last quarter of the outage


class During(msgspec.Struct, frozen=True):
    """Observations during an outage: commands accepted, mails waiting at its end, bytes resident second by second."""

    commands: int
    waiting: int
    resident: list[int]

    @property
    def growth(self) -> int:
        """Bytes that the service holds more in the last quarter than in the first."""
        quarter = max(1, len(self.resident) // 4)
        return max(self.resident[-quarter:]) - max(self.resident[:quarter])


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Effects of an outage, and its state afterwards. `drained_s` is how long the waiting mails took."""

    during: During
    drained_s: float
    rebalances: int
    lost: list[Line]
    out_of_order: list[str]

    def problems(self) -> list[str]:
        """Return the promises that were broken, a line each."""
        problems = [f"{line.place}: {line}" for line in self.lost]
        problems += [f"mails of user {user} are not in order" for user in self.out_of_order]
        if self.rebalances:
            problems.append(f"the consumer group changed {self.rebalances} times")
        if (growth := self.during.growth) > GROWTH:
            problems.append(f"memory grew by {growth / MIB:.1f} MiB")
        return problems

    def in_words(self) -> str:
        """Return the figures for people."""
        resident = [size / MIB for size in self.during.resident]
        sizes = f"{resident[0]:.1f} → {resident[-1]:.1f} MiB, at most {max(resident):.1f}"
        return (
            f"commands accepted during the outage   {self.during.commands}\n"
            f"mails that waited at its end          {self.during.waiting}\n"
            f"seconds until they were delivered     {self.drained_s:.1f}\n"
            f"notification's resident memory        {sizes}\n"
            f"changes of its consumer group         {self.rebalances}\n"
            f"places with something lost            {len(self.lost)}\n"
            f"users with mails out of order         {len(self.out_of_order)}"
        )


def play(run: Trial, seconds: float, rate: int) -> Seen:
    """Stop the mail server for so many seconds, while so many users a second are driven."""
    return asyncio.run(_play(run, seconds, rate))


async def _play(run: Trial, seconds: float, rate: int) -> Seen:
    client = run.settings.client
    plans = campaign(WARM + max(1, int(seconds * rate)), SEED)
    starts = KafkaAdmin(client, "outage").ends(event_partitions())
    with contextlib.closing(Log(client, "outage", starts)) as log:
        async with api_session() as session, asyncio.TaskGroup() as group:
            trail = AuditTrail(session, run.url("audit"), starts)
            inbox = Inbox(run.folder / MAILS)
            watch = Watch(sum(len(steps) for plan in plans for steps in plan.waves), log, inbox, trail)
            outage = _Outage(run, watch, inbox, Driver(session, run.url("user"), "outage", PATIENCE_S))
            following = group.create_task(watch.follow(run.system.require_running))
            await outage.drive(plans[:WARM], 0)
            await outage.settle()
            since = memberships.now(client)
            during = await outage.suffer(plans, seconds)
            drained_s = await outage.recover()
            rebalances = memberships.changes(client, "notification", since)
            await outage.drive(plans[WARM:], 1)
            await outage.settle()
            following.cancel()
    lost = wrong(watch.lines(), mails_may_repeat=IN_HAND)
    disordered = out_of_order(watch.accepted, inbox.mails)
    return Seen(during=during, drained_s=drained_s, rebalances=rebalances, lost=lost, out_of_order=disordered)


class _Outage:
    def __init__(self, run: Trial, watch: Watch, inbox: Inbox, driver: Driver) -> None:
        self._run = run
        self._watch = watch
        self._inbox = inbox
        self._driver = driver

    async def drive(self, plans: Sequence[Plan], wave: int) -> None:
        """Send one wave of some users."""
        await self._driver.drive(plans, wave, CONCURRENCY, self._watch.accepted.append)

    async def settle(self) -> None:
        """Wait until everything has arrived, or nothing moves any more."""
        watch = self._watch
        await watch.wait(lambda: watch.is_settled() and not any(line.missing for line in watch.lines()), PATIENCE_S)

    async def suffer(self, plans: Sequence[Plan], seconds: float) -> During:
        """Kill the mail server and drive users evenly over the seconds."""
        accepted, started = len(self._watch.accepted), time.monotonic()
        settled, fresh = plans[:WARM], plans[WARM:]
        self._run.system.kill("sink")
        resident: list[int] = []
        ticks = max(1, round(seconds))
        for tick in range(ticks):
            await self.drive(fresh[tick::ticks], 0)
            await self.drive(settled[tick::ticks], 1)
            resident.append(self._resident())
            await asyncio.sleep(max(0.0, started + (tick + 1) * seconds / ticks - time.monotonic()))
        waiting = len(expected_mails(self._watch.accepted)) - len(self._inbox.mails)
        return During(len(self._watch.accepted) - accepted, waiting, resident)

    async def recover(self) -> float:
        """Start the mail server and return how many seconds it took until everything had arrived."""
        started = time.monotonic()
        self._run.system.start("sink")
        self._run.system.wait_ready(READY_S, "sink")
        await self.settle()
        return time.monotonic() - started

    def _resident(self) -> int:
        usage = of_process(self._run.system.process("notification").pid)
        if usage is None:
            raise OSError("there is no /proc to read a process's memory from: run this on Linux")
        return usage.resident


def out_of_order(accepted: Sequence[Accepted], mails: Sequence[Mail]) -> list[str]:
    """Return the users whose mails did not arrive exactly as their commands lead to them; a repeat counts once."""
    expected: defaultdict[str, list[Effect]] = defaultdict(list)
    arrived: defaultdict[str, list[Effect]] = defaultdict(list)
    for command in sorted(accepted, key=lambda command: command.version):
        expected[command.user_id] += expected_mails([command])
    users = {command.correlation_id: command.user_id for command in accepted}
    for mail in {mail.message_id: mail for mail in reversed(mails)}.values():
        arrived[users[mail.correlation_id]].append((mail.correlation_id, *mail.recipients))
    return [user for user in expected if expected[user] != arrived[user][::-1]]


def main() -> int:
    """Run a system through an outage. Returns the exit code: 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="how long the mail server is down (120)")
    parser.add_argument("--rate", type=int, default=20, help="users that are driven a second (20)")
    options = parser.parse_args()
    sys.stdout.write(f"the mail server is down for {options.seconds:g} s\n")
    return verdict(lambda run: play(run, options.seconds, options.rate))


if __name__ == "__main__":
    sys.exit(main())
