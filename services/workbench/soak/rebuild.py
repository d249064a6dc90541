"""Mixed commands, and then everything again from the log alone: the users, and a replica that nobody has heard of.

`python -m services.workbench.soak.rebuild --commands 20000` runs a system under load, lets `console rebuild --check`
compare the log with the user service's table, and starts `soak.newcomer`, whose replica must equal notification's by
checksum. Exit code 1 when one differs. `tests/faults` has it for some hundred commands.
"""

import argparse
import math
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

import msgspec

from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.notification.store.tables import replica
from services.workbench.load.command import Result
from services.workbench.load.mix import SHARES
from services.workbench.local.system import clean_environment
from services.workbench.local.trial import Trial
from services.workbench.soak import newcomer
from services.workbench.soak.newcomer import Summary
from services.workbench.soak.verdict import verdict

SHARE_OF_COMMANDS = 1 - SHARES["read"] / sum(SHARES.values())
SURPLUS = 1.05  # what is a read is drawn by chance
POPULATION = 500
SEED = 3
PATIENCE_S = 30.0
LOOK_S = 0.1

T = TypeVar("T")


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """Commands done, and the state built from the log. `states` are the records of user.state.v1."""

    commands: int
    states: int
    load_code: int
    rebuild_code: int
    rebuild_s: float
    newcomer_s: float
    own: Summary
    notification: Summary

    def problems(self) -> list[str]:
        """Return what is not equal or could not be done, a line each."""
        problems = []
        if self.load_code:
            problems.append(f"the load ended with exit code {self.load_code}")
        if self.rebuild_code:
            problems.append(f"rebuild --check ended with exit code {self.rebuild_code}: 1 differs, 2 it was not done")
        if self.own != self.notification:
            problems.append(f"the newcomer has {self.own}, notification {self.notification}")
        return problems

    def in_words(self) -> str:
        """Return the figures for people."""
        return (
            f"mixed commands accepted       {self.commands:,}\n"
            f"states on user.state.v1       {self.states:,} of {self.own.users:,} users, up to version "
            f"{self.own.highest_version}\n"
            f"rebuild --check               exit code {self.rebuild_code} after {self.rebuild_s:.1f} s\n"
            f"newcomer's replica            sha256 {self.own.sha256} after {self.newcomer_s:.1f} s\n"
            f"notification's replica        sha256 {self.notification.sha256}"
        )


def play(run: Trial, commands: int, rate: int) -> Seen:
    """Load a system with at least so many commands, and build everything again. Raises CalledProcessError."""
    load_code, accepted = _load(run, commands, rate)
    checked, rebuild_s = _timed(lambda: rebuild_check(run))
    own, newcomer_s = _timed(lambda: _newcomer(run))
    return Seen(
        commands=accepted,
        states=sum(KafkaAdmin(_client(run), "soak").ends(newcomer.PARTITIONS).values()),
        load_code=load_code,
        rebuild_code=checked,
        rebuild_s=rebuild_s,
        newcomer_s=newcomer_s,
        own=own,
        notification=_notification(run, own),
    )


def rebuild_check(run: Trial) -> int:
    """Return the exit code of `console rebuild --check` for a system's user service."""
    return _program(run, "services.console", "rebuild", "--check", "--database-url", store(run, "user"))


def store(run: Trial, name: str) -> str:
    """Return the URL of a process's store."""
    return f"sqlite:///{run.folder / name}.db"


def _load(run: Trial, commands: int, rate: int) -> tuple[int, int]:
    seconds = math.ceil(commands / SHARE_OF_COMMANDS * SURPLUS / rate)
    report = run.folder / "load.json"
    where = ("--user-url", run.url("user"), "--audit-url", run.url("audit"), "--json", str(report))
    what = {"rate": rate, "seconds": seconds, "seed": SEED, "population": min(POPULATION, commands)}
    options = (part for name, value in what.items() for part in (f"--{name}", str(value)))
    code = _program(run, "services.workbench", "load", *where, *options)
    if not report.exists():
        raise ChildProcessError(f"the load wrote no result; it ended with exit code {code}")
    return code, msgspec.json.decode(report.read_bytes(), type=Result).last.commands


def _newcomer(run: Trial) -> Summary:
    argv = (sys.executable, "-m", "services.workbench.soak.newcomer")
    environment = {**_environment(run), "APP_DATABASE_URL": store(run, "newcomer")}
    done = subprocess.run(argv, env=clean_environment(environment), stdout=subprocess.PIPE, check=True)
    return msgspec.json.decode(done.stdout.splitlines()[-1], type=Summary)


def _notification(run: Trial, wanted: Summary) -> Summary:
    # States without a notification are not counted: the last ones may still be on their way into the replica.
    database, deadline = Database(store(run, "notification")), time.monotonic() + PATIENCE_S
    while (seen := newcomer.summary(database, replica)) != wanted and time.monotonic() < deadline:
        time.sleep(LOOK_S)
    database.close()
    return seen


def _program(run: Trial, module: str, *arguments: str) -> int:
    argv = (sys.executable, "-m", module, *arguments)
    return subprocess.run(argv, env=clean_environment(_environment(run)), check=False).returncode


def _environment(run: Trial) -> Mapping[str, str]:
    return {"APP_KAFKA_BOOTSTRAP_SERVERS": run.settings.bootstrap_servers}


def _client(run: Trial) -> KafkaSettings:
    return KafkaSettings(kafka_bootstrap_servers=run.settings.bootstrap_servers)


def _timed(act: Callable[[], T]) -> tuple[T, float]:
    started = time.monotonic()
    return act(), time.monotonic() - started


def main() -> int:
    """Run a system for it. Returns the exit code: 1 when something is not equal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--commands", type=int, default=20_000, help="at least so many (20000)")
    parser.add_argument("--rate", type=int, default=150, help="requests a second, reads included (150)")
    options = parser.parse_args()
    return verdict(lambda run: play(run, options.commands, options.rate))


if __name__ == "__main__":
    sys.exit(main())
