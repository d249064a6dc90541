"""Records, operators' commands and strict topics: they bring a process to steps that requests do not reach."""

import asyncio
import time
import uuid
from contextlib import closing

from services.chassis.kafka.producer import Producer
from services.chassis.messages.record import Headers, Outgoing
from services.contracts import user
from services.contracts.catalog import DEAD_LETTERS, USER_EVENTS, USER_STATE
from services.contracts.envelope import schema_of, to_headers
from services.workbench.polling import until
from tests.support.broker import configure, configured
from tests.support.builders import an_envelope
from tests.support.console_process import console
from tests.support.crash.points import Point, Reach
from tests.support.crash.site import Site
from tests.support.store_effects import value

PATIENCE_S = 60.0
LIMIT, TOO_SMALL = "max.message.bytes", "100"
DEAD, PARKED = (f"SELECT count(*) FROM held WHERE state = '{state}'" for state in ("dead", "parked"))  # noqa: S608
STOPPED = "SELECT count(*) FROM stopped_events"
RETRY_HELD = ("held", "retry", "--yes", "--no-wait", "--state")  # and a state
RETRY_STOPPED = ("outbox", "retry")
STRICT = {
    Reach.LETTER: DEAD_LETTERS["notification"].name,
    Reach.REFUSED: USER_EVENTS.name,
    Reach.TAKEN: USER_EVENTS.name,
}


class Stimuli:
    """Prepares the system for a point, brings a process to it, and takes back what was prepared."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._broker = site.settings.client.kafka_bootstrap_servers
        self._limits = {topic: configured(self._broker, topic)[LIMIT] for topic in STRICT.values()}

    async def prepare(self, point: Point) -> None:
        """Bring the system, which runs under load, to the state that the point needs."""
        if point.reach in STRICT:
            configure(self._broker, STRICT[point.reach], LIMIT, TOO_SMALL)
        if point.reach in {Reach.REFUSED, Reach.TAKEN}:
            await self._until_any(point.program, STOPPED)
        if point.reach is Reach.TAKEN:
            self._relax(point)
        if point.reach is Reach.RETRY:
            self.publish_poison()
            await self._until_any(point.program, DEAD)
        if point.reach is Reach.PARKED:
            self.publish_newer()
            await self._until_any(point.program, PARKED)

    async def push(self, point: Point) -> None:
        """Bring a process that is ready to its step."""
        if point.reach is Reach.OPERATOR:
            for command in (("relay", "pause", "--reason", "a test"), ("relay", "resume")):
                await self._console(point.program, *command)
        elif point.reach in {Reach.POISON, Reach.LETTER}:
            self.publish_poison()
        elif point.reach is Reach.NEWER:
            self.publish_newer()
        elif point.reach in {Reach.REFUSED, Reach.TAKEN}:
            await self._console(point.program, *RETRY_STOPPED)
        elif point.reach is Reach.RETRY:
            await self._console(point.program, *RETRY_HELD, "dead")

    async def finish(self, point: Point) -> None:
        """Take back what was prepared, once the load has ended."""
        if point.reach not in STRICT:
            return
        self._relax(point)
        deadline = time.monotonic() + PATIENCE_S
        while left := value(self._site.url("user"), STOPPED):
            assert time.monotonic() < deadline, f"{left} events are stopped"
            await asyncio.to_thread(console, {"APP_DATABASE_URL": self._site.url("user")}, *RETRY_STOPPED)
            await asyncio.sleep(0.5)

    def _relax(self, point: Point) -> None:
        topic = STRICT[point.reach]
        configure(self._broker, topic, LIMIT, self._limits[topic])

    async def _until_any(self, service: str, query: str) -> None:
        await asyncio.to_thread(until, query, lambda: value(self._site.url(service), query), bool, PATIENCE_S)

    def publish_newer(self) -> None:
        """Publish the state of a user of its own in a version of which nobody knows the schema."""
        self._publish_state(99, b"{}")

    def publish_tombstone(self) -> None:
        """Publish the erasure of a user of its own."""
        self._publish_state(1, None)

    def _publish_state(self, shape: int, content: bytes | None) -> None:
        stranger = str(uuid.uuid4())
        about = {"source": user.STATE, "type": "user.state", "schema": schema_of("user.state", shape)}
        envelope = an_envelope(id=f"state-{stranger}", subject=stranger, **about)
        self._publish(content, stranger, to_headers(envelope))

    def publish_poison(self) -> None:
        """Publish a state that cannot be decoded."""
        self._publish(b"no JSON")

    def _publish(self, content: bytes | None, key: str = "nobody", headers: Headers | None = None) -> None:
        with closing(Producer(self._site.settings.client, "sweep")) as producer:
            producer.publish([Outgoing(USER_STATE.name, key.encode(), content, headers or [])])

    async def _console(self, service: str, *arguments: str) -> None:
        settings = {"APP_DATABASE_URL": self._site.url(service)}
        code, output = await asyncio.to_thread(console, settings, *arguments)
        assert code == 0, output
