"""Handler of the audit consumer: appends an entry for each record, linked to its partition's chain."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from sqlalchemy import Connection

from services.audit import domain
from services.audit.domain import Chain, Entry, Search
from services.chassis.consumer.subscription import Outcome
from services.chassis.messages.clock import Clock, to_micros
from services.chassis.messages.record import Record
from services.contracts.catalog import TYPES


class Log(Protocol):
    """The log, locked until the transaction's end; see `store.Log`."""

    @property
    def size(self) -> int:
        """The number of entries, which is the next position."""

    def chain(self, topic: str, topic_id: str, partition: int) -> Chain:
        """Return the chain of a partition, which the caller extends."""

    def append(self, entries: Sequence[Entry]) -> None:
        """Write entries, their chains and nodes of the tree, and the log's size."""


class Handler(msgspec.Struct, frozen=True):
    """Handles batches of every topic; see `chassis.consumer.subscription.Handler`."""

    open_log: Callable[[Connection], Log]
    topic_id: Callable[[str], str]
    clock: Clock

    def __call__(self, connection: Connection, records: Sequence[Record]) -> Outcome:
        """Record a batch within the caller's transaction."""
        return record(self.open_log(connection), records, self.topic_id, self.clock())


def record(log: Log, records: Sequence[Record], topic_id: Callable[[str], str], now: datetime) -> Outcome:
    """Append an entry for each record that has none yet. Nothing is refused."""
    entries: list[Entry] = []
    applied: list[tuple[Record, str, datetime]] = []
    repeats: Counter[str] = Counter()
    size, recorded_at = log.size, to_micros(now)
    for one in records:
        chain = log.chain(one.topic, topic_id(one.topic), one.partition)
        if chain.has(one.offset):
            repeats[one.topic] += 1
            continue
        search = domain.search(one.headers)
        entry = _entry(one, search, chain.topic_id, size + len(entries), recorded_at)
        chain.add(entry)
        entries.append(entry)
        # The type becomes a metric's label: only types of the catalog, as a header may hold any text.
        if search.type in TYPES and search.time is not None:
            applied.append((one, search.type, search.time))
    if entries:
        log.append(entries)
    return Outcome(applied=applied, repeats=repeats)


def _entry(one: Record, search: Search, topic_id: str, position: int, recorded_at: int) -> Entry:
    return Entry(
        position=position,
        topic=one.topic,
        topic_id=topic_id,
        partition=one.partition,
        offset=one.offset,
        ts_type=one.timestamp_type,
        ts_ms=one.timestamp_ms,
        flags=domain.flags_of(one.key, one.value, one.headers),
        leaf=b"",  # set by Chain.add, as is the chain
        chain=b"",
        key=one.key,
        value=one.value,
        headers=domain.pack_headers(one.headers),
        recorded_at=recorded_at,
        type=search.type,
        subject=search.subject,
        correlation_id=search.correlation_id,
        event_time=search.event_time,
        actor=search.actor,
    )
