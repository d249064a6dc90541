"""A backlog and the memory it takes: records written while nobody reads, then consumed by notification and audit."""

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import msgspec

from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.producer import Producer
from services.chassis.messages.record import Outgoing
from services.console.lag import lags, unasked
from services.contracts import catalog, user
from services.contracts.envelope import Envelope, schema_of, to_headers
from services.workbench.demo.display import Display
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.system import System, local_programs, require_ports
from services.workbench.settings import WorkbenchSettings
from services.workbench.usage import MIB, MOST_RESIDENT, Usage, of_system

VERSIONS = 10  # of each user: one registration, the rest changes of the name
EVERY_OPTED_IN = 10  # every so many users gets a welcome
CHUNK = 1000
READERS = ("notification", "audit")
PAUSE_SECONDS = 0.5


class Backlog:
    """One backlog on a system of its own in the folder `backlog`."""

    def __init__(self, settings: WorkbenchSettings, display: Display) -> None:
        self._settings = settings
        self._display = display
        self._client = settings.client
        self._topics = KafkaAdmin(self._client, "console")

    def consume(self, records: int) -> list[str]:
        """Write so many records, let both readers consume them, and return what is wrong.

        Raises what starting and stopping raise.
        """
        folder = self._settings.folder("backlog")
        require_ports(self._settings)
        shutil.rmtree(folder, ignore_errors=True)
        with System(local_programs(self._settings, folder)) as system:
            life = Lifecycle(system, self._settings, self._display.say)
            life.start(services=())
            self._write(records)
            life.launch(READERS)
            used = self._watch(system)
            life.end()
        for name, usage in used.items():
            self._display.say(
                f"{name}: at most {usage.peak / MIB:,.0f} MiB, {usage.resident / MIB:,.0f} MiB at the end"
            )
        return life.problems + [
            f"{name} held {usage.peak / MIB:,.0f} MiB, more than {MOST_RESIDENT // MIB} MiB"
            for name, usage in used.items()
            if usage.peak > MOST_RESIDENT
        ]

    def _write(self, records: int) -> None:
        started, left = time.monotonic(), records
        producer = Producer(self._settings.administrator, "console-backlog")
        try:
            for chunk in chunks(records, datetime.now(UTC)):
                producer.publish(chunk)
                left -= len(chunk)
                self._display.update({"records written": (records - left, records)})
        finally:
            producer.close()
        self._display.say(f"wrote {records - left:,} records in {time.monotonic() - started:.1f} s")

    def _watch(self, system: System) -> dict[str, Usage]:
        most, moved = 0, time.monotonic()
        started, seen = moved, -1
        while seen != 0:
            system.require_running()
            behind = sum(lag.records for lag in lags(self._topics, unasked) if lag.group in READERS)
            if behind != seen:
                seen, moved, most = behind, time.monotonic(), max(most, behind)
            elif time.monotonic() - moved > self._settings.deadline.total_seconds():
                break
            self._display.update({"records consumed": (most - behind, most)})
            time.sleep(PAUSE_SECONDS)
        self._display.say(f"consumed in {time.monotonic() - started:.1f} s, {seen:,} records are left")
        return of_system(system, *READERS)


def chunks(records: int, moment: datetime) -> Iterator[list[Outgoing]]:
    """Yield records of user.state.v1 and user.notices.v1, as the user service would have written them."""
    ready: list[Outgoing] = []
    for number in range(records // 2):
        ready += _records(number, moment)
        if len(ready) >= CHUNK:
            yield ready
            ready = []
    yield ready


def _records(number: int, moment: datetime) -> tuple[Outgoing, Outgoing]:
    user_number, version = number // VERSIONS, number % VERSIONS + 1
    user_id = f"01a20344-0000-7000-8000-{user_number:012d}"
    kind = "user.registered" if version == 1 else "user.profile_changed"
    login = f"user{user_number}"
    personal = user.Personal(login, f"{login}@example.org", f"Person {user_number} the {version}th", "en")
    preferences = user.Preferences(email=user_number % EVERY_OPTED_IN == 0)
    state = user.UserState(user_id, version, user.Status.ACTIVE, personal, preferences)
    notice = user.UserNotice(user_id, kind, version)
    origins = ((catalog.USER_STATE, user.STATE, state), (catalog.USER_NOTICES, user.NOTICES, notice))
    first, second = (_record(topic.name, source, data, (number, moment)) for topic, source, data in origins)
    return first, second


def _record(topic: str, source: str, data: user.UserState | user.UserNotice, stored: tuple[int, datetime]) -> Outgoing:
    number, moment = stored
    kind = catalog.TYPE_NAMES[type(data)]
    envelope = Envelope(
        id=f"01a20344-1111-7000-8000-{number:012d}",
        source=source,
        type=kind,
        subject=data.user_id,
        time=moment,
        schema=schema_of(kind),
        sequence=number + 1,
        version=data.version,
        correlation_id=f"backlog-{number}",
    )
    value = msgspec.json.encode(data)
    return Outgoing(topic, data.user_id.encode(), value, to_headers(envelope))
