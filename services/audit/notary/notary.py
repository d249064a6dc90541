"""The notary: a component that signs the log's tree, has it cosigned, and publishes it, while entries are added.

Each step is committed before the next one begins: the tree is signed as other transactions have committed it, the
checkpoint's row is committed before its note leaves the process, and published is what the row has. So a process
that is killed anywhere, or a second replica, goes on with the same bytes.
"""

import threading
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import structlog

from services.audit.notary import checkpoint_store
from services.audit.notary.checkpoint_store import Stored
from services.audit.notary.cosigning import AheadError, RefusedError, Witnesses
from services.audit.notary.guard import REMEDY, NotaryError, Record, Source, missing_entries
from services.audit.notary.publication import Publication
from services.audit.tree import node_store
from services.chassis.database.database import UNAVAILABLE, Database
from services.chassis.messages.clock import from_micros, seconds_since
from services.chassis.net.backoff import Backoff
from services.chassis.telemetry.periodic import Periodic
from services.chassis.telemetry.telemetry import Telemetry
from services.chassis.transparency import keys
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer
from services.chassis.transparency.note import Note
from services.chassis.transparency.tree import Edge, consistency_proof

NAME = "notary"
EVERY_S = 0.5  # an entry waits so long for its checkpoint at most, and its signature and publication
BACKOFF_S = (0.5, 1.0, 2.0, 5.0)
TRANSIENT = (*UNAVAILABLE, ConnectionError, OSError)

log = structlog.get_logger()


class SignedLog(NamedTuple):
    """The log that is signed: where it is stored, and its key, which has the origin as its name."""

    database: Database
    signer: Signer


class Outside(NamedTuple):
    """Everything outside of the database: where checkpoints are published, who cosigns, and who has older ones."""

    publication: Publication
    witnesses: Witnesses | None
    sources: tuple[Source, ...]


class Notary(Periodic):
    """Signs within a second of new entries; idle while there are none. Replicas may do so at once."""

    name = NAME

    def __init__(self, signed: SignedLog, outside: Outside, telemetry: Telemetry) -> None:
        super().__init__(telemetry.health)
        self._log = signed
        self._outside = outside
        self._clock = telemetry.clock
        self._backoff = Backoff(*BACKOFF_S)
        self._compared = False
        self._records: Sequence[Record] = ()  # what the store has not been found to continue yet
        self._reason = ""

    def check(self) -> float:
        """Go as far as is possible now. Raises NotaryError if nothing may be signed until somebody has decided."""
        try:
            is_current = self.step()
        except TRANSIENT as error:
            self._report(str(error))
            return self._backoff.next()
        if is_current:
            self._report("")
        self._backoff.reset()
        return EVERY_S

    def step(self) -> bool:
        """Take up the newest checkpoint where it stopped, or make the next one if there are new entries.

        Returns False while the store catches up with what was published before.
        """
        self._outside.publication.poll()
        if not self._may_sign():
            return False
        stored = self._current()
        if stored is None:
            return True
        if self._outside.witnesses is not None and stored.cosigned is None:
            stored = self._cosigned(self._outside.witnesses, stored)
        if stored is not None and stored.published_at is None:
            self._outside.publication.publish(stored.size, stored.content)
            with self._log.database.write() as connection:
                checkpoint_store.mark_published(connection, stored.size, self._clock())
            age = seconds_since(from_micros(stored.signed_at), self._clock())
            log.info("checkpoint published", size=stored.size, seconds_since_signed=round(age, 3))
        return True

    def run(self, stop: threading.Event) -> None:
        """Sign until `stop` is set."""
        try:
            super().run(stop)
        finally:
            self._outside.publication.close()

    def _may_sign(self) -> bool:
        """Return whether the store continues everything that was published; if it is smaller, it catches up first."""
        if not self._compared:
            self._records = [record for source in self._outside.sources for record in source()]
            self._compared = True
        if not self._records:
            return True
        with self._log.database.snapshot() as connection:
            missing = missing_entries(node_store.edge_of(connection), node_store.reader(connection), self._records)
        if missing is None:
            self._records = []
            return True
        self._report(f"{missing.place} has {missing.checkpoint.size:,} entries: nothing is signed until the store does")
        return False

    def _current(self) -> Stored | None:
        """Return the newest checkpoint, after a new one has been made if that is finished and entries were added."""
        with self._log.database.snapshot() as connection:
            stored, edge = checkpoint_store.newest(connection), node_store.edge_of(connection)
        if stored is None:
            return self._signed(edge) if edge.size else None
        if not self._is_finished(stored):
            return self._with_our_signature(stored)
        if stored.size == edge.size:
            return stored
        self._require_continuation(stored, edge)
        return self._signed(edge)

    def _is_finished(self, stored: Stored) -> bool:
        wanted = self._outside.witnesses is not None
        return stored.published_at is not None and (stored.cosigned is not None or not wanted)

    def _require_continuation(self, stored: Stored, edge: Edge) -> None:
        last = Record("the table checkpoints", Checkpoint(self._log.signer.name, stored.size, stored.root))
        with self._log.database.read() as connection:
            missing = missing_entries(edge, node_store.reader(connection), [last])
        if missing is not None:
            raise NotaryError(f"{last.place} has {stored.size:,} entries, the log has {edge.size:,}: {REMEDY}")

    def _signed(self, edge: Edge) -> Stored | None:
        root = edge.root()
        note = self._note(edge.size, root)
        with self._log.database.write() as connection:
            checkpoint_store.add(connection, edge.size, root, note, self._clock())
        return self._read_back(edge.size)

    def _with_our_signature(self, stored: Stored) -> Stored | None:
        """Return the checkpoint; one that was signed with the key before a rotation and not used is signed again."""
        note = self._note(stored.size, stored.root)
        if stored.note == note or stored.cosigned is not None:
            return stored
        with self._log.database.write() as connection:
            checkpoint_store.replace_note(connection, stored.size, note)
        return self._read_back(stored.size)

    def _note(self, size: int, root: bytes) -> bytes:
        text = Checkpoint(self._log.signer.name, size, root).text()
        return keys.signed(text, [self._log.signer])

    def _read_back(self, size: int) -> Stored | None:
        """Return the row as committed; None if another replica has made a larger one, which is the next to take up."""
        with self._log.database.read() as connection:
            stored = checkpoint_store.newest(connection)
        return stored if stored is not None and stored.size == size else None

    def _cosigned(self, witnesses: Witnesses, stored: Stored) -> Stored | None:
        try:
            content = witnesses.cosigned(Note.parse(stored.note), stored.size, partial(self._prove, stored.size))
        except AheadError as error:
            self._require_entries(error)
            return None
        except RefusedError as error:
            raise NotaryError(f"{error}: {REMEDY}") from error
        with self._log.database.write() as connection:
            checkpoint_store.keep_cosigned(connection, stored.size, content)
        return self._read_back(stored.size)

    def _prove(self, size: int, old: int) -> list[bytes]:
        with self._log.database.read() as connection:
            return consistency_proof(old, size, node_store.reader(connection))

    def _require_entries(self, ahead: AheadError) -> None:
        """Do nothing if another replica was faster. Otherwise the store has lost entries since it was compared."""
        with self._log.database.read() as connection:
            size = node_store.edge_of(connection).size
        if size < ahead.size:
            self._compared = False
            raise ConnectionError(f"{ahead}, this store has {size:,}: nothing is signed until it has caught up")

    def _report(self, reason: str) -> None:
        """Log a reason once, and show it in the readiness probe, which does not need checkpoints."""
        if reason:
            self._health.lacks(NAME, reason, needed=False)
        else:
            self._health.has(NAME)
        if reason and reason != self._reason:
            log.error("no checkpoint", reason=reason)
        self._reason = reason
