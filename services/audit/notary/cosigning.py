"""Witnesses of the log: each is asked to cosign a checkpoint, until the policy's quorum has."""

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from services.chassis.transparency.note import Note, NoteError

FORK = 422  # the status of a checkpoint that does not extend the witness's
TRIES = 3  # another replica may have moved the witness on in between

Prove = Callable[[int], Sequence[bytes]]  # an older size -> the proof from there to the checkpoint
log = structlog.get_logger()


class WitnessBehindError(Exception):
    """The witness has another size than `old`; `size` is what it has (status 409)."""

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness has size {size}")
        self.size = size


class WitnessRefusedError(Exception):
    """The witness does not cosign: its status and the reason."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(f"{status} {reason}")
        self.status = status


class Witness(Protocol):
    """A witness (C2SP tlog-witness)."""

    @property
    def url(self) -> str:
        """Its address."""

    def add(self, old: int, proof: Sequence[bytes], note: bytes) -> Sequence[str]:
        """Return its lines of signatures for a checkpoint that extends the one of size `old`, by the proof.

        Raises WitnessBehindError, WitnessRefusedError, and ConnectionError while it cannot be reached.
        """

    def latest(self, origin: str) -> bytes | None:
        """Return the newest checkpoint of a log that it has cosigned. Raises ConnectionError."""


class Policy(Protocol):
    """The keys that have to sign (C2SP tlog-policy)."""

    def check(self, note: bytes) -> object:
        """Check the signatures of a checkpoint. Raises NoteError without the log's or without a quorum."""


class QuorumError(ConnectionError):
    """Too few witnesses have cosigned; the message has each one's reason. Retry."""


class AheadError(Exception):
    """A witness has cosigned a larger checkpoint of this log than the one that it was asked for."""

    def __init__(self, url: str, size: int) -> None:
        super().__init__(f"the witness at {url} has cosigned {size:,} entries of this log")
        self.size = size


class RefusedError(Exception):
    """A witness refuses the checkpoint; the message has its answer."""


class Witnesses:
    """The witnesses of a policy, with the size that each is known to have."""

    def __init__(self, policy: Policy, clients: Sequence[Witness]) -> None:
        self._policy = policy
        self.clients = clients
        self._sizes: dict[str, int] = {}

    def cosigned(self, note: Note, size: int, prove: Prove) -> bytes:
        """Return a note with cosignatures of a quorum. Raises QuorumError, AheadError, and RefusedError for a fork."""
        reasons = []
        for client in self.clients:
            try:
                note = note.with_lines(self._ask(client, note, size, prove))
            except ConnectionError as error:
                reasons.append(str(error))
        try:
            self._policy.check(bytes(note))
        except NoteError as error:
            raise QuorumError("; ".join([str(error), *reasons])) from error
        if reasons:
            log.warning("a witness did not cosign", reasons=reasons, size=size)
        return bytes(note)

    def _ask(self, client: Witness, note: Note, size: int, prove: Prove) -> Sequence[str]:
        old = self._sizes.get(client.url, 0)
        for _ in range(TRIES):
            if old > size:
                raise AheadError(client.url, old)
            try:
                signatures = client.add(old, prove(old), bytes(note))
            except WitnessBehindError as error:
                old = self._sizes[client.url] = error.size
            except WitnessRefusedError as error:
                if error.status == FORK:
                    raise RefusedError(f"the witness at {client.url} answers: {error}") from error
                raise QuorumError(f"the witness at {client.url} answers: {error}") from error
            else:
                self._sizes[client.url] = size
                return signatures
        raise QuorumError(f"the witness at {client.url} has another size each time")
