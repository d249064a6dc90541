"""The handler of a request to cosign: checks in the order of the specification, and one transaction.

What has been cosigned is committed before the answer: a witness that is killed in between refuses an older size.
"""

from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec
import structlog
from prometheus_client import Counter

from services.chassis.database.database import Database
from services.chassis.messages.clock import Clock
from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.keys import Signer, Verifier
from services.chassis.transparency.note import BadSignatureError, Note, Signature
from services.witness import domain, store
from services.witness.domain import (
    Addition,
    Cosigned,
    InconsistentError,
    MalformedError,
    UnknownLogError,
    UntrustedError,
)

Logs = Mapping[str, Sequence[Verifier]]
log = structlog.get_logger()


class Tools(msgspec.Struct, frozen=True):
    """Dependencies of the handler beside its store: the key, the clock, and the count of contradictions."""

    signer: Signer
    clock: Clock
    inconsistent: Counter


class Witness:
    """Cosigns checkpoints. `logs` has the keys of each known log by its origin."""

    def __init__(self, logs: Logs, database: Database, tools: Tools) -> None:
        self._logs = logs
        self._database = database
        self._tools = tools
        self._origins = {sha256(origin.encode()).hexdigest(): origin for origin in logs}

    def add(self, body: bytes) -> bytes:
        """Return the witness's signature line for the checkpoint in a request. Raises RefusedError."""
        addition = domain.parse(body)
        note, checkpoint = _opened(addition.note)
        signed_by, signature = self._signature(note, checkpoint.origin)
        domain.require_possible(addition, checkpoint)
        with self._database.write() as connection:
            cosigned = store.locked(connection, checkpoint.origin)
            self._require_extension(cosigned, addition, checkpoint)
            cosignature = self._tools.signer.cosign(note.text, int(self._tools.clock().timestamp()))
            kept = f"{note.text}\n{signature.line()}{cosignature}".encode()
            store.advance(connection, cosigned, store.Next(checkpoint, signed_by.vkey, kept))
        log.info("checkpoint cosigned", origin=checkpoint.origin, size=checkpoint.size)
        return cosignature.encode()

    def newest(self, digest: str) -> bytes | None:
        """Return the newest cosigned checkpoint of the log whose origin has a SHA-256, with both signatures."""
        origin = self._origins.get(digest)
        return None if origin is None else self._database.reader(store.newest)(origin)

    def _signature(self, note: Note, origin: str) -> tuple[Verifier, Signature]:
        """Return a key of a log and its signature. Raises UnknownLogError, UntrustedError: none, or a wrong one."""
        if origin not in self._logs:
            raise UnknownLogError(f"the log {origin!r} is not known")
        keys = {(verifier.name, verifier.key_id): verifier for verifier in self._logs[origin]}
        found = [(keys[at], one) for one in note.signatures if (at := (one.name, one.key_id)) in keys]
        if not found:
            raise UntrustedError("no key that is known of the log has signed the checkpoint")
        try:
            for verifier, signature in found:
                verifier.verify(note.text, signature)
        except BadSignatureError as error:
            raise UntrustedError(str(error)) from error
        return found[0]

    def _require_extension(self, cosigned: Cosigned, addition: Addition, checkpoint: Checkpoint) -> None:
        try:
            domain.require_extension(cosigned, addition, checkpoint)
        except InconsistentError as error:
            self._tools.inconsistent.inc()
            log.error("a checkpoint contradicts the cosigned one", origin=checkpoint.origin, reason=str(error))  # noqa: TRY400  # a client's fault, not ours
            raise


def _opened(content: bytes) -> tuple[Note, Checkpoint]:
    try:
        note = Note.parse(content)
        return note, Checkpoint.parse(note.text)
    except ValueError as error:
        raise MalformedError(f"the checkpoint is malformed: {error}") from error
