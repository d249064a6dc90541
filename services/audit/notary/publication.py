"""Publication of a checkpoint: to the topic, then to the file. Both may be repeated, with the same bytes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.audit.notary.sources import file_records
from services.chassis.messages.publisher import OpenProducer, Publisher
from services.chassis.messages.record import Outgoing
from services.contracts.catalog import AUDIT_CHECKPOINTS, CHECKPOINT_TYPE

HEADERS: list[tuple[str, bytes | None]] = [("content-type", CHECKPOINT_TYPE.encode())]


class Publication:
    """Publishes the checkpoints of one log. Not thread-safe."""

    def __init__(self, origin: str, open_producer: OpenProducer, file: Path | None) -> None:
        self._origin = origin
        self._open_producer = open_producer
        self._file = file
        self._producer: Publisher | None = None

    def publish(self, size: int, note: bytes) -> None:
        """Write a note to the topic and wait for its acknowledgement, then to the file unless that has a larger one.

        Raises ConnectionError while the broker does not take it, and OSError if the file cannot be written.
        """
        self._to_topic(Outgoing(AUDIT_CHECKPOINTS.name, self._origin.encode(), note, HEADERS))
        if self._file is not None:
            to_file(self._file, self._origin, size, note)

    def poll(self) -> None:
        """Serve the producer's callbacks."""
        if self._producer is not None:
            self._producer.poll()

    def close(self) -> None:
        """Close the producer."""
        if self._producer is not None:
            self._producer.close()
            self._producer = None

    def _to_topic(self, record: Outgoing) -> None:
        if self._producer is None:
            self._producer = self._open_producer()
        try:
            self._producer.publish([record])
        except Exception:
            self.close()  # it must not be used again
            raise


def to_file(path: Path, origin: str, size: int, note: bytes) -> None:
    """Replace the file by a note, unless it has a larger one; a reader sees the old one or the new one, whole.

    Raises NotaryError for a file that is no checkpoint of this log.
    """
    with _alone_in(path.parent):
        if any(record.checkpoint.size >= size for record in file_records(path, origin)):
            return
        written = path.with_name(f".{path.name}.new")
        with written.open("wb") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        replace(written, path)


def replace(written: Path, path: Path) -> None:
    """Rename a file, for good once this returns."""
    written.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)  # released when the handle is closed, also by a kill
        yield
    finally:
        os.close(handle)
