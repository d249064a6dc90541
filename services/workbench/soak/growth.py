"""Steady load with shortened ages: tables that forget stop growing, and no deletion holds other writers up for 50 ms.

`python -m services.workbench.soak.growth --seconds 240` runs its own system, on SQLite or with `--postgresql`, and
prints figures; exit code 1 when a promise was broken. Ages are seconds, so that minutes have as many of them as days.
"""

import argparse
import asyncio
import contextlib
import math
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import httpx
import msgspec
import psycopg
from prometheus_client.parser import text_string_to_metric_families

from services.chassis.database.database import Database
from services.workbench.api_clients import api_session
from services.workbench.demo.campaign import move, register
from services.workbench.demo.client import UserApi
from services.workbench.local import postgres
from services.workbench.local.free_ports import free_ports
from services.workbench.local.ports import HOST
from services.workbench.local.processes import Program
from services.workbench.local.trial import PATIENCE_S, Trial
from services.workbench.soak.table_sizes import sizes
from services.workbench.soak.verdict import verdict

AGE = "10s"
CHASSIS = {
    "APP_FORGET_EVERY": "1s",
    "APP_RECORDS_RETURN": "5s",
    "APP_KEEP_INBOX": AGE,
    "APP_KEEP_HELD": "5s",
    "APP_KEEP_SKIPPED": AGE,
}
AGES = {
    "user": CHASSIS | {"APP_RETRY_WINDOW": "5s", "APP_KEEP_REPLIES": AGE},
    "notification": CHASSIS | {"APP_KEEP_MAILS": AGE, "APP_KEEP_ADDRESSES": AGE},
}
FORGETFUL = {"user": ("replies",), "notification": ("inbox", "intents", "addresses")}
USERS = 50
EVERY_S = 2.0
GROWTH = 1.2  # from the middle third of the time to the last: what grows for ever grows by more
PROMISE_S = 0.05


class Course(msgspec.Struct, frozen=True):
    """Rows and bytes of a table over time."""

    rows: list[int] = []
    size: list[int] = []

    @property
    def levels(self) -> bool:
        """True if neither was larger in the last third of the time than in the middle one."""
        return all(last <= middle * GROWTH for middle, last in map(thirds, (self.rows, self.size)))

    def __str__(self) -> str:
        """Return both as text, from the middle third to the last."""
        (rows, more), (size, larger) = thirds(self.rows), thirds(self.size)
        return f"{rows:>7,} -> {more:>7,} rows, {size // 1024:>6,} -> {larger // 1024:>6,} KiB"


def thirds(numbers: Sequence[int]) -> tuple[int, int]:
    """Return the largest numbers of the middle third and of the last."""
    third = len(numbers) // 3
    return max(numbers[third : 2 * third]), max(numbers[2 * third :])


class Seen(msgspec.Struct, frozen=True):
    """Courses by `SERVICE.TABLE`; the number of deletions that took at most so many seconds."""

    commands: int
    courses: Mapping[str, Course]
    deletions: Mapping[float, float]

    def problems(self) -> list[str]:
        """Return the promises that were broken, a line each."""
        names = (f"{service}.{name}" for service, names in FORGETFUL.items() for name in names)
        found = [f"{name} grows: {self.courses[name]}" for name in names if not self.courses[name].levels]
        if late := self.deletions[math.inf] - self.deletions[PROMISE_S]:
            found.append(f"{late:.0f} deletions took longer than {PROMISE_S * 1000:g} ms")
        return found

    def in_words(self) -> str:
        """Return the figures for people."""
        courses = {name: course for name, course in sorted(self.courses.items()) if course.rows[-1] > 1}
        tables = [f"table {name:28} {course}" for name, course in courses.items()]
        times = ", ".join(f"{number:.0f} within {seconds * 1000:g} ms" for seconds, number in self.deletions.items())
        return "\n".join([f"commands accepted {self.commands:,}", *tables, f"deletions {times}"])


class Look:
    """Looks at the tables of the services."""

    def __init__(self, run: Trial) -> None:
        environments = {service: run.system.process(service).program.environment for service in AGES}
        self._databases = {name: Database(found["APP_DATABASE_URL"]) for name, found in environments.items()}
        self._metrics = [f"http://{HOST}:{found['APP_METRICS_PORT']}/metrics" for found in environments.values()]
        self.courses: defaultdict[str, Course] = defaultdict(Course)

    def sizes(self) -> None:
        """Add the present sizes to the courses."""
        for service, database in self._databases.items():
            for name, (rows, size) in sizes(database).items():
                self.courses[f"{service}.{name}"].rows.append(rows)
                self.courses[f"{service}.{name}"].size.append(size)

    def deletions(self) -> Mapping[float, float]:
        """Return the buckets of how long deletions took, of all services together."""
        buckets: defaultdict[float, float] = defaultdict(float)
        for url in self._metrics:
            for family in text_string_to_metric_families(httpx.get(url).text):
                for sample in family.samples:
                    if sample.name == "forgetting_hold_seconds_bucket":
                        buckets[float(sample.labels["le"])] += sample.value
        return dict(sorted(buckets.items()))


def play(run: Trial, seconds: float, rate: float) -> Seen:
    """Change the addresses of some users steadily, and look at every table meanwhile."""
    look = Look(run)
    commands = asyncio.run(_load(run, seconds, rate, look))
    return Seen(commands, look.courses, look.deletions())


async def _load(run: Trial, seconds: float, rate: float, look: Look) -> int:
    async with api_session() as session:
        api = UserApi(session, run.url("user"), PATIENCE_S)
        steps = [register(f"user{n}", f"user{n}@growth.example", "Ada", opted_in=True) for n in range(USERS)]
        users = [(await api.insist(step, "/users", {}))[0].user_id for step in steps]
        started, sent, looked = time.monotonic(), 0, 0.0
        while (passed := time.monotonic() - started) < seconds:
            if passed - looked > EVERY_S:
                looked = passed
                await asyncio.to_thread(look.sizes)
            due = min(int(passed * rate) - sent, USERS)  # at most one a user at a time
            await asyncio.gather(*(_change(api, users, sent + number) for number in range(due)))
            sent += due
            await asyncio.sleep(1 / rate)
    return USERS + sent


async def _change(api: UserApi, users: Sequence[str], number: int) -> None:
    turn, user = divmod(number, len(users))
    step = move("", f"user{user}.{turn}@growth.example", opted_in=True)
    await api.insist(step, f"/users/{users[user]}", {"If-Match": "*", "Idempotency-Key": f"growth-{number}"})


def _arranged(urls: Mapping[str, str]) -> Callable[[Program], Program]:
    def arranged(program: Program) -> Program:
        more = AGES.get(program.name, {}) | ({"APP_DATABASE_URL": urls[program.name]} if program.name in urls else {})
        return program.with_environment(more)

    return arranged


@contextlib.contextmanager
def _urls(*, postgresql: bool) -> Iterator[dict[str, str]]:
    """Yield the addresses of databases on a server of its own; none for SQLite."""
    folder = postgres.binaries() if postgresql else None
    if folder is None:
        yield {}
        return
    with contextlib.closing(postgres.Server(folder, free_ports(1)[0], durable=True)) as server:
        urls = {service: server.fresh_url() for service in AGES}
        with psycopg.connect(urls["user"].replace("+psycopg", ""), autocommit=True) as connection:
            # Shortened like the ages: a minute between two vacuums is nothing beside days, and much beside seconds.
            connection.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
            connection.execute("SELECT pg_reload_conf()")
        yield urls


def main() -> int:
    """Run a system under steady load. Returns the exit code: 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=240.0, help="how long the load lasts (240)")
    parser.add_argument("--rate", type=float, default=40.0, help="changes of addresses a second (40)")
    parser.add_argument("--postgresql", action="store_true", help="on a PostgreSQL server of its own")
    options = parser.parse_args()
    with _urls(postgresql=options.postgresql) as urls:
        return verdict(lambda run: play(run, options.seconds, options.rate), arranged=_arranged(urls))


if __name__ == "__main__":
    sys.exit(main())
