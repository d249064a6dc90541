"""Our consumers and relays as the services put them together, each alone, timed by its own counters."""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

from prometheus_client import Counter

from services.audit import bootstrap as audit
from services.audit.settings import Settings as AuditSettings
from services.chassis.database.database import Database
from services.chassis.process.runtime import Plan, collect_rarely
from services.chassis.settings.environment import load
from services.chassis.telemetry.metrics.consuming import CONSUMED
from services.chassis.telemetry.metrics.publishing import SENT
from services.chassis.telemetry.telemetry import Telemetry, telemetry
from services.chassis.telemetry.tracing import OFF, Tracing
from services.notification import bootstrap as notification
from services.notification.settings import Settings as NotificationSettings
from services.notification.store import views
from services.user import bootstrap as user
from services.user.settings import Settings as UserSettings

LOOK_S = 0.02
DEADLINE_S = 120.0


def environment(bootstrap: str, url: str) -> dict[str, str]:
    """Return a service's settings: the broker, a database, ports of the system's choice."""
    return {
        "APP_KAFKA_BOOTSTRAP_SERVERS": bootstrap,
        "APP_DATABASE_URL": url,
        "APP_HTTP_HOST": "127.0.0.1",
        "APP_HTTP_PORT": "0",
        "APP_METRICS_PORT": "0",
    }


def plan_notification(variables: Mapping[str, str], instruments: Telemetry) -> Plan:
    """Return the notification service."""
    smtp = {"APP_SMTP_HOST": "127.0.0.1", "APP_SMTP_PORT": "1"}  # where its senders are not started
    return notification.build(load(NotificationSettings, {**smtp, **variables}), instruments)


def plan_audit(variables: Mapping[str, str], instruments: Telemetry) -> Plan:
    """Return the audit service."""
    return audit.build(load(AuditSettings, variables), instruments)


def plan_user(variables: Mapping[str, str], instruments: Telemetry) -> Plan:
    """Return the user service."""
    return user.build(load(UserSettings, variables), instruments)


PLANS: dict[str, Any] = {"notification": plan_notification, "audit": plan_audit, "user": plan_user}


def prepare(service: str, bootstrap: str, url: str) -> None:
    """Create a service's tables in a database."""
    plan = PLANS[service](environment(bootstrap, url), telemetry(service))
    plan.prepare()
    plan.close()


def consume(service: str, bootstrap: str, url: str, expected: int, traces: Tracing = OFF) -> float:
    """Consume everything from the beginning; return records per second, the first batch left out."""
    instruments = telemetry(service, traces)
    plan = PLANS[service](environment(bootstrap, url), instruments)
    plan.prepare()
    return _run(plan, "consumer", lambda: _total(instruments.metrics.counter(CONSUMED)), expected)


def relay(bootstrap: str, url: str, expected: int) -> float:
    """Publish the user service's filled event store; return records per second, the first chunk left out."""
    instruments = telemetry("user")
    plan = PLANS["user"](environment(bootstrap, url), instruments)
    return _run(plan, "relay", lambda: _total(instruments.metrics.counter(SENT)), expected)


def send(bootstrap: str, url: str, smtp_port: int, expected: int) -> float:
    """Send a store's queued mails by all senders; return mails per second until the last outcome is committed."""
    instruments = telemetry("notification")
    plan = PLANS["notification"](environment(bootstrap, url) | {"APP_SMTP_PORT": str(smtp_port)}, instruments)
    with closing(Database(url)) as database:
        unfinished = database.reader(views.unfinished)
        return _run(plan, "sender", lambda: expected - sum(state.number for state in unfinished()), expected)


def _run(plan: Plan, name: str, count: Callable[[], int], expected: int) -> float:
    """Run the components whose names begin with a name until the count is as expected."""
    collect_rarely()
    stop = threading.Event()
    parts = [part for part in plan.components if part.name.startswith(name)]
    threads = [threading.Thread(target=part.run, args=(stop,)) for part in parts]
    for thread in threads:
        thread.start()
    try:
        first, started = _await(count, 1)
        done, ended = _await(count, expected)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        plan.close()
    return (done - first) / (ended - started)


def _await(count: Callable[[], int], number: int) -> tuple[int, float]:
    deadline = time.monotonic() + DEADLINE_S
    while (seen := count()) < number:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{seen} of {number} records after {DEADLINE_S:.0f} s")
        time.sleep(LOOK_S)
    return seen, time.perf_counter()


def _total(counter: Counter) -> int:
    # Not the whole registry: the gauges that ask the database would be asked every two milliseconds.
    return int(sum(sample.value for family in counter.collect() for sample in family.samples))
