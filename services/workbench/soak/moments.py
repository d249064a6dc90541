"""Any moment under load and kills: users and reservations read live then, and built from the log, byte for byte.

`python -m services.workbench.soak.moments --users 3000` kills the user service while commands are sent, dumps its
tables at 20 random moments and at the end, each in one read transaction, and builds each moment in a SQLite and in a
PostgreSQL database. Exit code 1 when a dump differs. `tests/faults` has it for some hundred commands.
"""

import argparse
import asyncio
import hashlib
import io
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import msgspec
from rich.console import Console
from sqlalchemy import Connection

from services.chassis.database.database import Database, metadata
from services.chassis.outbox.event_store import last_sequence
from services.chassis.outbox.lease import published
from services.chassis.settings.environment import load
from services.user import bootstrap
from services.user.as_of import builder, canonical
from services.user.as_of.command import Consoles, Log, Wanted
from services.user.as_of.command import run as build_as_of
from services.user.as_of.target import Target
from services.user.settings import Settings
from services.workbench.api_clients import api_session
from services.workbench.demo.campaign import Plan, campaign
from services.workbench.demo.driver import Accepted, Driver
from services.workbench.local import postgres
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import local_programs, service, service_environment
from services.workbench.local.trial import PATIENCE_S, Trial, hastened, settings_on_free_ports, trial
from services.workbench.polling import until

CLIENTS = 8
LOOK_S = 0.005

Dumps = Mapping[int, bytes]  # canonical lines, by the sequence number of the last event


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """How much is done. The seed decides commands, moments and kills."""

    users: int
    seed: int
    moments: int = 20
    kills: int = 3


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """The dumps taken live, and the moments whose dump from the log differs, by the kind of the database built in."""

    size: Size
    commands: int
    live: Dumps
    wrong: Mapping[str, Sequence[int]]

    def problems(self) -> list[str]:
        """Return what does not hold, a line each."""
        differ = [f"built in {kind}, sequence {number} differs" for kind, them in self.wrong.items() for number in them]
        short = len(self.live) <= self.size.moments
        return differ + ([f"only {len(self.live)} moments were seen: use more users"] if short else [])

    def in_words(self) -> str:
        """Return the figures for people."""
        end = self.live[last := max(self.live)]
        return (
            f"seed                 {self.size.seed}\n"
            f"commands accepted    {self.commands:,}, {self.size.kills} kills of the user service meanwhile\n"
            f"moments compared     {len(self.live)}: {', '.join(map(str, self.live))}\n"
            f"built in             {', '.join(self.wrong)}\n"
            f"at the end           {len(end.splitlines()):,} rows, {last:,} events, "
            f"sha256 {hashlib.sha256(end).hexdigest()}"
        )


@contextmanager
def system(folder: Path, url: str) -> Iterator[Trial]:
    """Yield a broker and a user service on a database."""
    settings = settings_on_free_ports(users=1)
    parts = [part for part in local_programs(settings, folder) if part.name == "broker"]
    environment = service_environment("user", settings, folder) | {"APP_DATABASE_URL": url}
    with trial(settings, [*parts, hastened(service("user", environment, folder))], folder) as run:
        yield run


def play(run: Trial, url: str, into: Mapping[str, str], size: Size) -> Seen:
    """Load and kill a system; compare each moment with the one built in empty databases. Raises what as-of raises."""
    plans = campaign(size.users, size.seed)
    with closing(Database(url)) as database:
        commands, live = asyncio.run(_loaded(run, plans, database, size))
        until("the relay has published all", lambda: _published(database), lambda last: last == max(live), PATIENCE_S)
    log = _log(run)
    wrong = {kind: _differing(log, address, live) for kind, address in into.items()}
    return Seen(size=size, commands=commands, live=live, wrong=wrong)


async def _loaded(run: Trial, plans: Sequence[Plan], database: Database, size: Size) -> tuple[int, Dumps]:
    commands = sum(len(steps) for plan in plans for steps in plan.waves)
    accepted: list[Accepted] = []
    watching = asyncio.create_task(asyncio.to_thread(_moments, database, commands, size))
    async with api_session() as session:
        driver = Driver(session, run.url("user"), "moments", PATIENCE_S)
        async with asyncio.TaskGroup() as group:
            group.create_task(_drive(driver, plans, accepted))
            group.create_task(_kill(run, accepted, commands, size))
    return len(accepted), await watching


async def _drive(driver: Driver, plans: Sequence[Plan], accepted: list[Accepted]) -> None:
    for wave in (0, 1):
        await driver.drive(plans, wave, CLIENTS, accepted.append)


async def _kill(run: Trial, accepted: Sequence[Accepted], commands: int, size: Size) -> None:
    """Kill the user service after random numbers of commands; it is restarted at once."""
    chance = random.Random(size.seed)  # noqa: S311  # seeded
    for number in sorted(chance.sample(range(1, commands), size.kills)):
        while len(accepted) < number:  # noqa: ASYNC110  # nobody sets an event: acceptance is counted, not announced
            await asyncio.sleep(LOOK_S)
        run.system.kill("user")
        run.system.start("user")
        await asyncio.sleep(0)


def _moments(database: Database, commands: int, size: Size) -> Dumps:
    """Dump at random moments, and when every command is committed: each of them leads to one event."""
    chance, dumps = random.Random(size.seed), dict[int, bytes]()  # noqa: S311  # seeded
    deadline, sequence = time.monotonic() + PATIENCE_S, 0
    while sequence < commands:
        left = size.moments - len(dumps)
        gap = chance.randint(1, max(1, (commands - sequence) // (left + 1))) if left > 0 else commands - sequence
        wanted = sequence + gap
        while (found := _sequence(database)) < wanted:
            if time.monotonic() > deadline:
                raise TimeoutError(f"sequence {found} of {wanted} after {PATIENCE_S:g} s")
            time.sleep(LOOK_S)
        sequence, dumps[sequence] = _dump(database)
        deadline = time.monotonic() + PATIENCE_S
    return dumps


def _sequence(database: Database) -> int:
    with database.read() as connection:
        return last_sequence(connection)


def _published(database: Database) -> int:
    with database.read() as connection:
        return published(connection)


def _dump(database: Database) -> tuple[int, bytes]:
    """Return a committed moment: its last sequence number, and its lines."""
    with database.snapshot() as connection:
        return last_sequence(connection), _lines(connection)


def _log(run: Trial) -> Log:
    """Return the log, read once: a client takes half a second for the first records of each partition."""
    broker = {"APP_KAFKA_BOOTSTRAP_SERVERS": run.settings.bootstrap_servers, "APP_DATABASE_URL": "sqlite://"}
    log = bootstrap.build_log(load(Settings, broker))
    read = [list(partition) for partition in log.open()]
    return Log(lambda: [(batch for batch in batches) for batches in read], log.records)


def _differing(log: Log, url: str, live: Dumps) -> list[int]:
    """Build each moment from the log in an empty database; return those that differ."""
    differing, silent = [], Console(file=io.StringIO())
    with closing(Database(url)) as database:
        for sequence, expected in live.items():
            build_as_of(log, Wanted(Target(sequence=sequence)), database, Consoles(silent, silent))
            with database.read() as connection:
                differing += [] if _lines(connection) == expected else [sequence]
            metadata.drop_all(database.engine, tables=builder.TABLES)
    return differing


def _lines(connection: Connection) -> bytes:
    return b"".join(line for _, line in canonical.lines(connection))


def main() -> int:
    """Run it on a database of each kind. Returns the exit code: 1 when a dump differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--users", type=int, default=3000, help="users, with 1.8 commands each (3000)")
    parser.add_argument("--kills", type=int, default=8, help="kills of the user service (8)")
    parser.add_argument("--seed", type=int, default=random.randrange(10_000), help="random without")  # noqa: S311  # no secret
    parser.add_argument("--postgresql", action="store_true", help="the service's own database is on PostgreSQL")
    options = parser.parse_args()
    if (binaries := postgres.binaries()) is None:
        parser.error("PostgreSQL is not installed: apt-get install postgresql")
    size = Size(users=options.users, kills=options.kills, seed=options.seed)
    with closing(postgres.Server(binaries, free_ports(1)[0])) as server, tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        into = {"SQLite": f"sqlite:///{folder}/then.db", "PostgreSQL": server.fresh_url()}
        url = server.fresh_url() if options.postgresql else f"sqlite:///{folder}/user.db"
        with system(folder, url) as run:
            found = play(run, url, into, size)
    sys.stdout.write(f"{found.in_words()}\n")
    sys.stderr.write("".join(f"BROKEN: {problem}\n" for problem in found.problems()))
    return 1 if found.problems() else 0


if __name__ == "__main__":
    sys.exit(main())
