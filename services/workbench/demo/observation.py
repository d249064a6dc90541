"""Observation of arrived effects: the log, the inbox and the audit service. Counts nothing."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import aiohttp
import msgspec

from services.chassis.kafka.partition_reader import PartitionReader
from services.chassis.kafka.settings import KafkaSettings
from services.chassis.messages.record import Record, TopicPartition
from services.contracts import catalog
from services.contracts.envelope import Envelope, EnvelopeError, from_headers
from services.contracts.notification import NotificationQueued
from services.workbench.demo.counting import Effect, Sighting
from services.workbench.local.sink import AddedLines, Mail

PAGE = 1000
PATIENCE_SECONDS = 0.05
RECENT = (timedelta(minutes=1), timedelta(hours=1), timedelta(days=1))
QUEUED = catalog.TYPE_NAMES[NotificationQueued]

Offsets = Mapping[TopicPartition, int]


class Log:
    """The records of all topics of events from given offsets on."""

    def __init__(self, settings: KafkaSettings, name: str, starts: Offsets) -> None:
        topics = [topic.name for topic in catalog.EVENT_TOPICS]
        self._tail = PartitionReader(settings, name, starts)
        self.seen: dict[str, list[Sighting]] = {name: [] for name in topics}
        self.places: dict[str, list[Effect]] = {name: [] for name in topics}
        self.queued: list[tuple[str, float]] = []  # command and epoch seconds of each decision to send a mail

    def poll(self) -> None:
        """Read what is at hand. Blocks for a moment."""
        for record in self._tail.poll(PAGE, PATIENCE_SECONDS):
            self._note(record)

    def close(self) -> None:
        """Free the client."""
        self._tail.close()

    def _note(self, record: Record) -> None:
        place = _place(record.topic, record.partition, record.offset)
        self.places[record.topic].append(place)
        try:
            envelope = from_headers(record.headers or [])
        except EnvelopeError:
            self.seen[record.topic].append(Sighting(place, place))
            return
        self.seen[record.topic].append(_sighting(record.topic, envelope))
        if envelope.type == QUEUED:
            self.queued.append((envelope.correlation_id, envelope.time.timestamp()))


class Inbox:
    """The mails that the sink wrote down. A system somewhere else has its sink there: then the path is None."""

    def __init__(self, path: Path | None) -> None:
        self._lines = None if path is None else AddedLines(path)
        self.mails: list[Mail] = []

    @property
    def is_known(self) -> bool:
        """True if mails can be read."""
        return self._lines is not None

    def poll(self) -> None:
        """Read the mails that were added."""
        if self._lines:
            self.mails += [msgspec.json.decode(line, type=Mail) for line in self._lines.read()]

    def seen(self) -> list[Sighting]:
        """Return each mail by its Message-ID and as an effect of its command."""
        return [
            Sighting((mail.message_id,), (mail.correlation_id, recipient))
            for mail in self.mails
            for recipient in mail.recipients
        ]


class Entry(msgspec.Struct, frozen=True):
    """The parts of an audit entry that the demo looks at."""

    position: int
    topic: str
    partition: int
    offset: int
    correlation_id: str | None
    recorded_at: datetime


class Page(msgspec.Struct, frozen=True):
    """One answer of the audit service; `next` is None when nothing more is there yet."""

    items: list[Entry]
    next: int | None


class AuditTrail:
    """The audit service's entries for records from given offsets on."""

    def __init__(self, session: aiohttp.ClientSession, url: str, starts: Offsets) -> None:
        self._session = session
        self._url = url
        self._starts = starts
        self._after = -1
        self.entries: list[Entry] = []

    async def skip_old(self, now: datetime) -> None:
        """Begin near the end of a log that may be long: nothing recorded from now on is skipped.

        Raises aiohttp.ClientError.
        """
        for age in RECENT:
            params = {"from": (now - age).isoformat(), "limit": "1"}
            async with self._session.get(f"{self._url}/audit/entries", params=params) as response:
                response.raise_for_status()
                page = msgspec.json.decode(await response.read(), type=Page)
            if page.items:
                self._after = page.items[0].position - 1
                return

    def read_again(self) -> None:
        """Begin again: the log was restored, and its entries have other positions."""
        self._after = -1
        self.entries = []

    async def poll(self) -> None:
        """Read the entries that were added. Raises aiohttp.ClientError."""
        while True:
            params = {"after": self._after, "limit": PAGE}
            async with self._session.get(f"{self._url}/audit/entries", params=params) as response:
                response.raise_for_status()
                page = msgspec.json.decode(await response.read(), type=Page)
            self.entries += [entry for entry in page.items if self._is_ours(entry)]
            if page.items:
                self._after = page.items[-1].position
            if page.next is None:
                return

    def seen(self, topic: str) -> list[Sighting]:
        """Return the entries of a topic, each by the place of the record that it covers."""
        places = [_place(entry.topic, entry.partition, entry.offset) for entry in self.entries if entry.topic == topic]
        return [Sighting(place, place) for place in places]

    def _is_ours(self, entry: Entry) -> bool:
        return entry.offset >= self._starts.get(TopicPartition(entry.topic, entry.partition), 0)


def _place(topic: str, partition: int, offset: int) -> Effect:
    return topic, partition, offset


def _sighting(topic: str, envelope: Envelope) -> Sighting:
    what = envelope.type if topic == catalog.NOTIFICATION_EVENTS.name else envelope.version
    return Sighting((envelope.source, envelope.id), (envelope.correlation_id, what))
