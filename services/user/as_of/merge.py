"""Merge of a topic's partitions by sequence number, in flat memory: repeats are skipped, a gap or a conflict stops it.

Each partition is in the order of sequence numbers, except where the relay has published events again, or later: one
that the broker had refused. Events behind a missing number wait for it, at most LATE of them.
"""

import hashlib
import heapq
from collections.abc import Iterable, Iterator, Sequence
from tempfile import TemporaryFile
from typing import IO

from services.chassis.consumer.decoding import Decoded, Decoder, Event, UnknownShapeError
from services.chassis.messages.record import Record

DIGEST_BYTES = 16
LATE = 100_000  # events that wait for an earlier one; some hundred megabytes at most


class LogError(Exception):
    """The log cannot be replayed; the message has the place and the reason."""


class MergedLog:
    """The events of all partitions, each once and in order. Iterate once.

    `skipped` counts the records that are no events, `first_skipped` has the place and reason of the first: they need
    not stop anything, because events without a gap in their sequence numbers are all events.
    """

    def __init__(self, partitions: Sequence[Iterable[Sequence[Record]]], decoder: Decoder) -> None:
        self._partitions = partitions
        self._decoder = decoder
        self.skipped = 0
        self.first_skipped = ""

    def __iter__(self) -> Iterator[Event]:
        """Yield the events in the order of their sequence numbers, from 1. Raises LogError."""
        with TemporaryFile() as file:
            ledger = _Ledger(file)
            waiting: list[tuple[int, int, Event]] = []
            streams = [self._events(partition) for partition in self._partitions]
            # Where a partition goes back to earlier events, they come first: they are the smallest.
            merged = heapq.merge(*streams, key=lambda event: event.envelope.sequence)
            for number, event in enumerate(merged):
                heapq.heappush(waiting, (event.envelope.sequence, number, event))
                while waiting and waiting[0][0] <= ledger.last + 1:
                    _, _, following = heapq.heappop(waiting)
                    if ledger.is_new(following):
                        yield following
                if len(waiting) > LATE:
                    break
            if waiting:
                raise LogError(self._gap(waiting[0][2], ledger.last))

    def _events(self, batches: Iterable[Sequence[Record]]) -> Iterator[Event]:
        for batch in batches:
            try:
                decoded = self._decoder.decode(batch)
            except UnknownShapeError:
                decoded = Decoded()
            if len(decoded.events) == len(batch):
                yield from decoded.events
                continue
            # One by one: a record behind the wanted moment must not stop what comes before it.
            for record in batch:
                yield from self._decoded(record)

    def _decoded(self, record: Record) -> Iterable[Event]:
        try:
            decoded = self._decoder.decode([record])
        except UnknownShapeError as error:
            raise LogError(f"{error}: use a newer program") from None
        if decoded.not_subscribed:
            raise LogError(f"{record.place} has a type that this program does not know: use a newer program")
        for refusal in decoded.refused:
            self.skipped += 1
            self.first_skipped = self.first_skipped or f"{record.place}: {refusal.detail}"
        return decoded.events

    def _gap(self, event: Event, last: int) -> str:
        skipped = f"; {self.skipped} records are no events, first {self.first_skipped}" if self.skipped else ""
        return (
            f"{event.record.place} has sequence {event.envelope.sequence}, {last + 1} must follow: the log has a gap"
            f"{skipped}; if the relay was publishing just now, try again or name an earlier moment"
        )


class _Ledger:
    """Digests of all events so far in a file, DIGEST_BYTES for each sequence number from 1 to `last`."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.last = 0

    def is_new(self, event: Event) -> bool:
        """Return whether an event follows the last one, False for a repeat. Raises LogError for a conflict."""
        sequence, digest = event.envelope.sequence, _digest(event)
        if sequence == self.last + 1:
            self._file.write(digest)
            self.last = sequence
            return True
        if self._known(sequence) != digest:
            place = event.record.place
            raise LogError(f"{place} has sequence {sequence}, as another event has: the log has a conflict")
        return False

    def _known(self, sequence: int) -> bytes:
        self._file.seek((sequence - 1) * DIGEST_BYTES)
        known = self._file.read(DIGEST_BYTES)
        self._file.seek(self.last * DIGEST_BYTES)
        return known


def _digest(event: Event) -> bytes:
    envelope = event.envelope
    named = f"{envelope.id} {envelope.version} {envelope.subject}\0".encode()
    return hashlib.blake2b(named + event.encoded, digest_size=DIGEST_BYTES).digest()
