"""Setting of the bench: a fresh broker with the catalog's topics, sizes from `BENCH_*`, what the machine is."""

import os
import platform
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import confluent_kafka
import msgspec
import sqlalchemy

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.contracts import catalog
from services.workbench.local.broker import broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System

JARS = Path(".eventline/kafka").absolute()
READY_S = 60.0
SYNCS = 200
PAGE = 4096


class Sizes(msgspec.Struct, frozen=True):
    """How much is measured: registrations on the log, rounds, seconds a case of (b), the earlier revision of (g)."""

    users: int = int(os.environ.get("BENCH_USERS", "20000"))
    rounds: int = int(os.environ.get("BENCH_ROUNDS", "5"))
    seconds: float = float(os.environ.get("BENCH_SECONDS", "3"))
    backlog: int = int(os.environ.get("BENCH_BACKLOG", "700000"))  # events, of (i)
    before: str = "15c6b5b"  # as it was before the work on speed began


class Place(msgspec.Struct, frozen=True):
    """A broker with the catalog's topics, a folder, and sizes."""

    bootstrap: str
    folder: Path
    sizes: Sizes

    @property
    def settings(self) -> KafkaSettings:
        """Settings of a client of the broker."""
        return KafkaSettings(kafka_bootstrap_servers=self.bootstrap)


@contextmanager
def place(sizes: Sizes) -> Iterator[Place]:
    """Yield a fresh broker in a temporary folder. Raises ProcessError when it does not start."""
    port, controller = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="eventline-bench-") as name:
        folder = Path(name)
        with System([broker(port, controller, jars=JARS, state=folder / "broker")]) as system:
            system.start("broker")
            system.wait_ready(READY_S, "broker")
            here = Place(f"127.0.0.1:{port}", folder, sizes)
            KafkaAdmin(here.settings, "bench").ensure(catalog.TOPICS)
            yield here
            system.stop("broker")


def machine() -> str:
    """Return what ran this: cores, versions, and how long the disk takes to sync a page, which (b) and (d) rest on."""
    client, library = confluent_kafka.version(), confluent_kafka.libversion()[0]
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}, "
        f"SQLite {sqlite3.sqlite_version}, SQLAlchemy {sqlalchemy.__version__}, confluent-kafka {client} "
        f"(librdkafka {library}), Apache Kafka {_kafka()}; fdatasync of a page: {_sync_s() * 1e6:.0f} µs"
    )


def _kafka() -> str:
    return next(JARS.glob("kafka-server-common-*.jar")).stem.rpartition("-")[2]


def _sync_s() -> float:
    taken = []
    with tempfile.TemporaryFile() as file:
        for number in range(SYNCS):
            os.pwrite(file.fileno(), bytes(PAGE), number * PAGE)
            started = time.perf_counter()
            os.fdatasync(file.fileno())
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)
