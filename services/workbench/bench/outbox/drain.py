"""Drain of a backlog: events are committed while the broker is unreachable; then the user service publishes them."""

import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec

from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import utc_now
from services.chassis.outbox import event_store
from services.chassis.outbox.lease import Leases
from services.contracts import catalog
from services.workbench.bench import ours
from services.workbench.bench.setting import JARS, READY_S
from services.workbench.bench.workload import registered
from services.workbench.local.broker import broker
from services.workbench.local.free_ports import free_ports
from services.workbench.local.system import System, service
from services.workbench.polling import until
from services.workbench.usage import of_process

CHUNK = 2000
DEADLINE_S = 600.0


class Drained(msgspec.Struct, frozen=True):
    """Seconds from the broker's return to the last acknowledgement, and the most bytes that the service held."""

    seconds: float
    peak: int


def drained(url: str, folder: Path, events: int) -> Drained:
    """Drain a backlog of the user service. Raises TimeoutError, and ProcessError when a process does not start."""
    port, controller, http, metrics = free_ports(4)
    bootstrap = f"127.0.0.1:{port}"
    ports = {"APP_HTTP_PORT": str(http), "APP_METRICS_PORT": str(metrics)}
    parts = [
        broker(port, controller, jars=JARS, state=folder / "broker"),
        service("user", ours.environment(bootstrap, url) | ports, folder),
    ]
    with System(parts) as system:
        for name in ("broker", "user"):
            system.start(name)
            system.wait_ready(READY_S, name)
            if name == "broker":
                KafkaAdmin(KafkaSettings(kafka_bootstrap_servers=bootstrap), "bench").ensure(catalog.TOPICS)
        system.stop("broker")
        _fill(url, events)
        system.start("broker")
        system.wait_ready(READY_S, "broker")
        seconds = _await(url, events)
        used = of_process(system.process("user").pid)
        system.stop("user", "broker")
    return Drained(seconds, used.peak if used else 0)


def _fill(url: str, events: int) -> None:
    with closing(Database(url)) as database:
        for start in range(1, events + 1, CHUNK):
            with database.write() as connection, event_store.appending(connection, utc_now()) as pending:
                pending.events += [registered(one).event for one in range(start, min(start + CHUNK, events + 1))]


def _await(url: str, events: int) -> float:
    started = time.perf_counter()
    with closing(Database(url)) as database:
        cursor = Leases(database, "bench", timedelta()).cursor
        until("the backlog is published", cursor, lambda sequence: sequence >= events, seconds=DEADLINE_S)
        return time.perf_counter() - started
