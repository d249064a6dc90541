"""Our consumers as the services put them together, against a fresh database, timed by their own counters."""

import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from services.audit import bootstrap as audit
from services.audit.settings import Settings as AuditSettings
from services.chassis.runtime import Plan, collect_rarely
from services.chassis.settings import load
from services.chassis.telemetry import Telemetry, telemetry
from services.notification import bootstrap as notification
from services.notification.settings import Settings as NotificationSettings

LOOK_S = 0.002
DEADLINE_S = 120.0


def environment(bootstrap: str, path: str) -> dict[str, str]:
    """Return a service's settings: the broker, a database file, ports of the system's choice."""
    return {
        "APP_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "APP_DATABASE_URL": f"sqlite:///{path}",
        "APP_HTTP_HOST": "127.0.0.1",
        "APP_HTTP_PORT": "0",
        "APP_METRICS_PORT": "0",
    }


def plan_notification(variables: Mapping[str, str], told: Telemetry) -> Plan:
    """Return the notification service."""
    smtp = {"APP_SMTP_HOST": "127.0.0.1", "APP_SMTP_PORT": "1"}  # its senders are not started
    return notification.build(load(NotificationSettings, {**variables, **smtp}), told)


def plan_audit(variables: Mapping[str, str], told: Telemetry) -> Plan:
    """Return the audit service."""
    return audit.build(load(AuditSettings, variables), told)


PLANS: dict[str, Any] = {"notification": plan_notification, "audit": plan_audit}


def prepare(service: str, bootstrap: str, path: str) -> None:
    """Create a service's tables in a database file."""
    told = telemetry(service)
    plan = PLANS[service](environment(bootstrap, path), told)
    plan.prepare()
    plan.close()
    Path(path).stat()


def run(service: str, bootstrap: str, path: str, expected: int) -> float:
    """Consume everything from the beginning; return records per second, the first batch left out."""
    told = telemetry(service)
    plan = PLANS[service](environment(bootstrap, path), told)
    plan.prepare()
    collect_rarely()
    consumer = next(part for part in plan.components if part.name == "consumer")
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    first, started = _await(told, 1)
    done, ended = _await(told, expected)
    stop.set()
    thread.join()
    plan.close()
    return (done - first) / (ended - started)


def _await(told: Telemetry, number: int) -> tuple[int, float]:
    deadline = time.monotonic() + DEADLINE_S
    while (seen := _consumed(told)) < number:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seen} of {number} records consumed after {DEADLINE_S:.0f} s")
        time.sleep(LOOK_S)
    return seen, time.perf_counter()


def _consumed(told: Telemetry) -> int:
    # Not the whole registry: the gauges that ask the database would be asked every two milliseconds.
    return int(sum(sample.value for family in told.metrics.consumed.collect() for sample in family.samples))
