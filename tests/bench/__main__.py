"""`python -m tests.bench` measures and prints one table: medians, spread, ratios, machine and versions."""

import os
import platform
import sqlite3
import statistics
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import confluent_kafka
import sqlalchemy
from rich.console import Console
from rich.progress import track
from rich.table import Table

from services.chassis.kafka.topics import Topics
from services.chassis.settings import Settings
from services.console.local.broker import broker
from services.console.local.system import System
from services.contracts import catalog
from tests.bench import bare, ours, workload
from tests.ports import free_ports

USERS = int(os.environ.get("BENCH_USERS", "20000"))
ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
JOINED = ("user.state.v1", "user.notices.v1")
PUBLISHED = ("user.events.v1", *JOINED)
Measure = Callable[[], float]


def main() -> int:
    """Run every bench. Returns the exit code, which says only that it ran: ratios are for people."""
    console = Console()
    with tempfile.TemporaryDirectory(prefix="eventline-bench-") as folder:
        port, controller = free_ports(2)
        jars = Path(".eventline/kafka").absolute()
        with System([broker(port, controller, jars=jars, state=Path(folder) / "broker")]) as system:
            system.start("broker")
            system.wait_ready(60, "broker")
            settings = Settings(kafka_bootstrap_servers=f"127.0.0.1:{port}", database_url="sqlite://")
            Topics(settings, "bench").ensure(catalog.TOPICS)
            workload.publish(settings, USERS)
            console.print(_consumers(console, settings.kafka_bootstrap_servers, Path(folder)))
            system.stop("broker")
    console.print(f"{ROUNDS} rounds, ours and bare by turns; {_versions()}")
    return 0


def _consumers(console: Console, bootstrap: str, folder: Path) -> Table:
    table = Table(title=f"Bench (a): our consumers against a bare loop, {USERS} registrations, SQLite, full sync")
    for column in ("consumer", "records", "bare records/s", "ours records/s", "ratio", "ratio's spread"):
        table.add_column(column, justify="left" if column == "consumer" else "right")
    cases = (("notification", JOINED, bare.project), ("audit", PUBLISHED, bare.record))
    for service, topics, write in cases:
        expected = USERS * len(topics)
        files = (str(folder / f"{service}-{number}.db") for number in range(2 * ROUNDS))

        def measure_bare(topics: Sequence[str] = topics, write: bare.Write = write, expected: int = expected) -> float:
            path = next(files)  # noqa: B023  # used within its own turn of the loop
            ours.prepare(service, bootstrap, path)  # noqa: B023
            return bare.run(bootstrap, topics, path, write, expected)

        def measure_ours(expected: int = expected) -> float:
            return ours.run(service, bootstrap, next(files), expected)  # noqa: B023

        table.add_row(service, str(expected), *_compared(console, service, measure_bare, measure_ours))
    return table


def _compared(console: Console, name: str, first: Measure, second: Measure) -> list[str]:
    rounds = track(range(ROUNDS), name, console=console, transient=True)
    pairs = [(first(), second()) for _ in rounds]
    ratios = [mine / theirs for theirs, mine in pairs]
    middle = [statistics.median(column) for column in zip(*pairs, strict=True)]
    spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
    return [f"{middle[0]:,.0f}", f"{middle[1]:,.0f}", f"{statistics.median(ratios):.2f}", spread]


def _versions() -> str:
    client, library = confluent_kafka.version(), confluent_kafka.libversion()[0]
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, SQLAlchemy {sqlalchemy.__version__}, confluent-kafka {client} "
        f"(librdkafka {library}), Apache Kafka 4.3.1"
    )


if __name__ == "__main__":
    sys.exit(main())
