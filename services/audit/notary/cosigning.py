"""Witnesses of the log: each is asked to cosign a checkpoint, until the policy's quorum has."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog

from services.chassis.transparency.note import Note, NoteError
from services.chassis.transparency.policy import Policy
from services.chassis.transparency.witness_client import WitnessBehindError, WitnessRefusedError

FORK = 422  # the status of a checkpoint that does not extend the witness's
TRIES = 3  # another replica may have moved the witness on in between

Prove = Callable[[int], Sequence[bytes]]  # an older size -> the proof from there to the checkpoint
log = structlog.get_logger()


class Witness(Protocol):
    """A witness; see `chassis.transparency.witness_client.WitnessClient`."""

    def add(self, old: int, proof: Sequence[bytes], note: bytes) -> Sequence[str]:
        """Return its lines of signatures for a checkpoint that extends the one of size `old`, by the proof.

        Raises WitnessBehindError, WitnessRefusedError, and ConnectionError while it cannot be reached.
        """

    def latest(self, origin: str) -> bytes | None:
        """Return the newest checkpoint of a log that it has cosigned. Raises ConnectionError."""


class NotCosignedError(ConnectionError):
    """Too few witnesses have cosigned; the message has each one's reason. Retry."""


class AheadError(Exception):
    """A witness has cosigned a larger checkpoint of this log than the one that it was asked for."""

    def __init__(self, name: str, size: int) -> None:
        super().__init__(f"the witness {name} has cosigned {size:,} entries of this log")
        self.size = size


class RefusedError(Exception):
    """A witness refuses the checkpoint; the message has its answer."""


class Witnesses:
    """The witnesses of a policy by their names there, with the size that each is known to have."""

    def __init__(self, policy: Policy, clients: Mapping[str, Witness]) -> None:
        self._policy = policy
        self.clients = clients
        self._sizes: dict[str, int] = {}

    def cosigned(self, note: Note, size: int, prove: Prove) -> bytes:
        """Return a note that a quorum cosigned. Raises NotCosignedError, AheadError, and RefusedError for a fork."""
        reasons = []
        for name in self.clients:
            try:
                note = note.with_lines(self._ask(name, note, size, prove))
            except ConnectionError as error:
                reasons.append(str(error))
        try:
            self._policy.check(bytes(note))
        except NoteError as error:
            raise NotCosignedError("; ".join([str(error), *reasons])) from error
        if reasons:
            log.warning("a witness did not cosign", reasons=reasons, size=size)
        return bytes(note)

    def _ask(self, name: str, note: Note, size: int, prove: Prove) -> Sequence[str]:
        client, old = self.clients[name], self._sizes.get(name, 0)
        for _ in range(TRIES):
            if old > size:
                raise AheadError(name, old)
            try:
                signatures = client.add(old, prove(old), bytes(note))
            except WitnessBehindError as error:
                old = self._sizes[name] = error.size
            except WitnessRefusedError as error:
                if error.status == FORK:
                    raise RefusedError(f"{name}: {error}") from error
                raise NotCosignedError(f"{name}: {error}") from error
            else:
                self._sizes[name] = size
                return signatures
        raise NotCosignedError(f"the witness {name} has another size each time")
