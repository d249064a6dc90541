"""The checker on the log of many commands, when nothing else runs: its time, its peak of memory, and nothing is found.

`python -m services.workbench.soak.checker --commands 100000` runs its own system, compares everything in a process of
its own, and prints figures; exit code 1 when a promise was broken.
"""

import argparse
import asyncio
import multiprocessing
import resource
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from services.chassis.kafka.admin import KafkaAdmin
from services.console.lag import lags, unasked
from services.workbench.api_clients import api_session
from services.workbench.demo.campaign import campaign
from services.workbench.demo.driver import Accepted, Driver
from services.workbench.local.system import MAILS
from services.workbench.local.trial import Trial
from services.workbench.polling import until
from services.workbench.reconcile.checks import checked, examples
from services.workbench.reconcile.collection import System, collected
from services.workbench.reconcile.history import read, recording
from services.workbench.soak.verdict import verdict
from services.workbench.usage import MIB

COMMANDS = 100_000
COMMANDS_PER_USER = 1.6  # of the demo's campaign
SEED, CONCURRENCY = 1, 32
PATIENCE_S = 900.0  # for an answer, and for every group to be at the end of the log
PASSES = 5  # mails and their events may come later than that
PROMISED_S, PROMISED_BYTES = 120.0, 1 << 30


class Pass(msgspec.Struct, frozen=True):
    """One comparison of everything: its records, seconds, peak of resident memory in bytes, and what was found."""

    records: int
    seconds: float
    peak: int
    found: Sequence[str]


class Seen(msgspec.Struct, frozen=True):
    """The commands, and the last comparison."""

    commands: int
    last: Pass

    def problems(self) -> list[str]:
        """Return the promises that were broken, a line each."""
        late = [f"it took more than {PROMISED_S:g} s"] if self.last.seconds > PROMISED_S else []
        large = [f"it took more than {PROMISED_BYTES // MIB:,} MiB"] if self.last.peak > PROMISED_BYTES else []
        return [*late, *large, *self.last.found]

    def in_words(self) -> str:
        """Return the figures for people."""
        return (
            f"commands accepted             {self.commands:,}\n"
            f"records compared              {self.last.records:,}, with rows, mails, audit entries and the history\n"
            f"seconds of the checker        {self.last.seconds:.1f}\n"
            f"peak of the checker           {self.last.peak / MIB:,.0f} MiB resident"
        )


def compared(system: System, history: Path) -> Pass:
    """Collect the evidence and make every check, in this process."""
    started = time.monotonic()
    evidence = collected(system, list(read(history)))
    found = list(examples(checked(evidence), system.audit_url))
    records = sum(map(len, evidence.seen.values()))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return Pass(records, time.monotonic() - started, peak, found)


def play(run: Trial, commands: int) -> Seen:
    """Drive commands through a system, wait until they are consumed and their mails sent, and compare everything."""
    history = run.folder / "history.jsonl"
    accepted = asyncio.run(_drive(run, history, commands))
    admin = KafkaAdmin(run.settings.client, "soak")

    def left() -> tuple[int, float]:
        """Return the records that groups have not read, and the age of the oldest mail that waits."""
        oldest = asyncio.run(run.metric("notification", "mail_oldest_open_age_seconds"))
        return sum(lag.records for lag in lags(admin, unasked)), oldest

    until("no group has a lag, and no mail waits", left, lambda seen: seen == (0, 0), PATIENCE_S)
    system = System(
        kafka=run.settings.client,
        audit_url=run.url("audit"),
        mails=run.folder / MAILS,
        user_database=_database(run, "user"),
        notification_database=_database(run, "notification"),
        takeovers=True,
    )
    for _ in range(PASSES):
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as apart:
            last = apart.submit(compared, system, history).result()
        if not last.found:
            break
    return Seen(len(accepted), last)


async def _drive(run: Trial, history: Path, commands: int) -> Sequence[Accepted]:
    accepted: list[Accepted] = []
    plans = campaign(round(commands / COMMANDS_PER_USER), SEED)
    with recording(history) as recorder:
        async with api_session() as session:
            driver = Driver(session, run.url("user"), "checker", PATIENCE_S, recorder)
            for wave in (0, 1):
                await driver.drive(plans, wave, CONCURRENCY, accepted.append)
    return accepted


def _database(run: Trial, service: str) -> str:
    return run.system.process(service).program.environment["APP_DATABASE_URL"]


def main() -> int:
    """Measure the checker. Returns the exit code: 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=COMMANDS, help=f"about so many ({COMMANDS})")
    return verdict(partial(play, commands=parser.parse_args().commands))


if __name__ == "__main__":
    sys.exit(main())
