"""A mixed load with faults: undecodable records, repeated records, a killed service; and an operator's action."""

import contextlib
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import httpx
import msgspec

from services.chassis.kafka.producer import Producer
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.clock import utc_now
from services.chassis.messages.record import Outgoing
from services.chassis.settings.environment import variables
from services.console.tokens.found_key import given
from services.contracts.catalog import NOTIFICATION_EVENTS, USER_NOTICES
from services.user import publisher
from services.workbench.bench.workload import registered
from services.workbench.local.system import System, clean_environment
from services.workbench.local.trial import READY_S
from tests.dashboards.watched import Watched
from tests.support.console_process import argv, await_load, console

RATE, POPULATION = 40, 50
TICK_S = 3.0  # below Prometheus' interval: each sees something new
STATE, NOTICE = 1, 2  # of the three records of a registration
KNOWN, NEWER = b"urn:eventline:user.state:1", b"urn:eventline:user.state:2"
VICTIM, KILLED = "audit", 3  # at which tick: Prometheus must have seen it under this load before it is killed


def work(watched: Watched, seconds: float, folder: Path) -> None:
    """Load the system for some seconds and return when all effects are there."""
    log = folder / "load.log"
    with log.open("wb") as output:
        load = subprocess.Popen(_load(watched, seconds), env=_environment(watched), stdout=output, stderr=output)
    try:
        await_load(load, log)
        _with_faults(watched, load, seconds)
    finally:
        load.kill()
        load.wait()
    assert "Results of" in log.read_text(), f"the load has failed:\n{log.read_text()}"


def _with_faults(watched: Watched, load: subprocess.Popen[bytes], seconds: float) -> None:
    """Inject faults at each tick of the load; later ones would disturb its final count."""
    producer = Producer(watched.administrator, "dashboards")
    end, tick = time.monotonic() + seconds - 2 * TICK_S, 0
    while time.monotonic() < end:
        tick += 1
        with contextlib.suppress(subprocess.TimeoutExpired):
            load.wait(TICK_S)
        producer.publish(_nonsense())
        httpx.get(f"{watched.user_url}/users/nobody")
        if watched.system:
            _disturb(watched.system, producer, tick)
    producer.close()
    load.wait(READY_S)


def _nonsense() -> list[Outgoing]:
    """Return an undecodable record for each consumer that decodes; it becomes a dead letter."""
    return [Outgoing(topic.name, b"nobody", b"no event", []) for topic in (USER_NOTICES, NOTIFICATION_EVENTS)]


def _disturb(system: System, producer: Producer, tick: int) -> None:
    """Do what only a private system may suffer: a foreign user, a parked key, a killed service, an operator's retry."""
    known = _records(1)
    producer.publish([known[STATE], known[NOTICE]])  # from the second tick on a repeat
    producer.publish([_of_newer_code(_records(2)[STATE])])
    if tick == KILLED:
        system.kill(VICTIM)
        system.start(VICTIM)
        system.wait_ready(READY_S, VICTIM)
    if tick > KILLED:
        _operate(system)


def _operate(system: System) -> None:
    """Request a retry of all dead records, also of those that failed three times: an event of an operator's action."""
    url = system.process("user").program.environment["APP_DATABASE_URL"]
    code, output = console(
        {"APP_DATABASE_URL": url}, "held", "retry", "--state", "dead", "--force", "--yes", "--no-wait"
    )
    assert code == 0, output


def _records(user: int) -> Sequence[Outgoing]:
    return publisher.records(msgspec.structs.replace(registered(user), time=utc_now()))


def _of_newer_code(record: Outgoing) -> Outgoing:
    headers = [(name, NEWER if value == KNOWN else value) for name, value in record.headers]
    return Outgoing(record.topic, record.key, record.value, headers)


def _load(watched: Watched, seconds: float) -> tuple[str, ...]:
    options = ("--rate", str(RATE), "--seconds", f"{seconds:g}", "--population", str(POPULATION))
    return argv("load", *options, "--user-url", watched.user_url, "--audit-url", watched.audit_url)


def _environment(watched: Watched) -> dict[str, str]:
    # Records published beside the load are unexpected to it, so it always waits this long for its counts.
    return clean_environment(variables(KafkaSettings, watched.kafka) | {"APP_DEADLINE": "10s"} | given())
