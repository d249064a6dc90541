"""The running system as a stop of the tour uses it: commands, records, mails, stores, parts, and checks."""

import contextlib
import functools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import msgspec

from services.chassis.database.database import Database
from services.chassis.kafka.admin import KafkaAdmin
from services.chassis.kafka.partition_reader import read_topic
from services.chassis.messages.record import Record
from services.console.lag import lags, unasked
from services.contracts.catalog import Topic
from services.user.api_schemas import UserBody
from services.workbench.api_clients import ApiAuth
from services.workbench.demo.client import Reply
from services.workbench.demo.observation import Inbox
from services.workbench.local.lifecycle import Lifecycle
from services.workbench.local.ports import HOST
from services.workbench.local.sink import Mail
from services.workbench.local.system import MAILS, System
from services.workbench.polling import until
from services.workbench.settings import WorkbenchSettings
from services.workbench.tour.screen import Screen

PATIENCE_S = 60.0
ANSWER_S = 10.0


class NotShownError(Exception):
    """The system does not show what a stop claims; the message has the claim and what was seen."""


class Place(NamedTuple):
    """The system's settings, and the folder with stores, logs and mails."""

    settings: WorkbenchSettings
    folder: Path


class Scene:
    """The system and the screen of a tour. Waits raise TimeoutError with what was last seen."""

    def __init__(self, place: Place, system: System, life: Lifecycle, screen: Screen) -> None:
        self.settings, self.folder = place
        self.system = system
        self.life = life
        self.screen = screen
        self._inbox = Inbox(self.folder / MAILS)

    @functools.cached_property
    def topics(self) -> KafkaAdmin:
        """The admin client of the broker."""
        return KafkaAdmin(self.settings.client, "tour")

    def check(self, claim: str, holds: object, seen: object) -> None:
        """Print a claim that holds. Raises NotShownError with what was seen instead."""
        if not holds:
            raise NotShownError(f"not shown: {claim}\nseen instead: {seen}")
        self.screen.evidence(claim)

    def url(self, service: str) -> str:
        """Return the address of a service's API."""
        return f"http://{HOST}:{self.settings.port(service)}"

    def register(self, full_name: str) -> Reply:
        """Register a user with a login and an address of the first name. Raises NotShownError."""
        first = full_name.split(maxsplit=1)[0].lower()
        body = {"login": first, "email": f"{first}@example.org", "full_name": full_name}
        return self.command("POST", "/users", body)

    def change(self, user: Reply, **fields: object) -> Reply:
        """Change fields of a user. Raises NotShownError."""
        return self.command("PATCH", f"/users/{user.user_id}", fields, user.version)

    def command(self, method: str, path: str, body: object = None, version: int | None = None) -> Reply:
        """Send a command, print it with its answer, and return the answer. Raises NotShownError."""
        started = time.monotonic()
        reply = self.send(method, path, body, version)
        took = f"{(time.monotonic() - started) * 1000:.0f} ms"
        sent = "" if body is None else " " + msgspec.json.encode(body).decode()
        self.screen.step(f"{method} {path}{sent} → version {reply.version}, answered in {took}")
        return reply

    def send(self, method: str, path: str, body: object = None, version: int | None = None) -> Reply:
        """Send a command and return the answer. Raises NotShownError."""
        headers = {} if version is None else {"If-Match": f'"{version}"'}
        return msgspec.json.decode(self._ask(method, self.url("user") + path, body, headers), type=Reply)

    def user(self, user_id: str, as_of: str = "") -> UserBody:
        """Return a user as the user service has it, or had it at a moment. Raises NotShownError."""
        query = f"?as_of={as_of}" if as_of else ""
        return msgspec.json.decode(self._ask("GET", f"{self.url('user')}/users/{user_id}{query}"), type=UserBody)

    def _ask(self, method: str, url: str, body: object = None, headers: dict[str, str] | None = None) -> bytes:
        try:
            answer = httpx.request(method, url, json=body, headers=headers, timeout=ANSWER_S, auth=ApiAuth())
        except httpx.TransportError as error:
            raise NotShownError(f"not shown: {method} {url} is answered\nseen instead: {error!r}") from error
        if answer.is_error:
            seen = f"{answer.status_code} {answer.text}"
            raise NotShownError(f"not shown: {method} {url} is accepted\nseen instead: {seen}")
        return answer.content

    def record(self, topic: Topic, correlation_id: str) -> Record:
        """Wait for the record of a topic that a command led to, and return it."""
        return self.records(topic, "ce_correlationid", correlation_id, 1)[0]

    def records(self, topic: Topic, header: str, value: str, number: int) -> list[Record]:
        """Wait for at least so many records of a topic with a header; those of one partition come in order."""

        def found() -> list[Record]:
            batches = read_topic(self.settings.client, topic.name, topic.partitions)
            return [record for batch in batches for record in batch if record.header(header) == value]

        what = f"{number} records on {topic.name} with {header} {value}"
        return until(what, found, lambda records: len(records) >= number, PATIENCE_S)

    def mails(self, correlation_id: str) -> list[Mail]:
        """Return the mails that a command led to, so far."""
        return [mail for mail in self._sink() if mail.correlation_id == correlation_id]

    def mailed(self) -> set[str]:
        """Return the correlation ids of all mails so far."""
        return {mail.correlation_id for mail in self._sink()}

    def _sink(self) -> list[Mail]:
        self._inbox.poll()
        return self._inbox.mails

    def mail(self, correlation_id: str) -> Mail:
        """Wait for the mail that a command led to, and return it."""
        return until(
            f"a mail with correlation id {correlation_id}", lambda: self.mails(correlation_id), bool, PATIENCE_S
        )[0]

    def lag(self, group: str) -> int:
        """Return how many records a consumer group has yet to consume."""
        return sum(lag.records for lag in lags(self.topics, unasked) if lag.group == group)

    def start(self, part: str) -> None:
        """Start a part and wait until it is ready. Raises ProcessError."""
        self.life.launch([part])

    def stop(self, part: str) -> None:
        """Stop a part in order. Raises ProcessError."""
        self.life.stop([part])

    def kill(self, part: str) -> None:
        """End a part with SIGKILL."""
        self.system.kill(part)
        self.screen.step(f"killed {part} (SIGKILL)")

    def link_journey(self, correlation_id: str) -> None:
        """Print the address of the page that draws everything a command led to."""
        url = f"{self.url('audit')}/audit/journeys/{correlation_id}.html"
        self.screen.link("All that this command led to is drawn on this page, while the tour waits here:", url)

    @contextlib.contextmanager
    def store(self, service: str) -> Iterator[Database]:
        """Yield a service's database."""
        database = Database(f"sqlite:///{self.folder / service}.db")
        try:
            yield database
        finally:
            database.close()
