"""Stored checkpoints as a verification takes them: the newest one fulfils the policy, earlier ones are its history."""

import msgspec

from services.chassis.transparency.checkpoint import Checkpoint
from services.chassis.transparency.note import BadSignatureError, MalformedNoteError, Note, UnknownKeyError
from services.chassis.transparency.policy import Policy


class StoredNotes:
    """Reads the notes of one log. `unknown` counts earlier ones that no key of the policy signed: keys are rotated."""

    def __init__(self, origin: str, policy: Policy | None) -> None:
        self._origin = origin
        self._policy = policy
        self._earlier = None if policy is None else msgspec.structs.replace(policy, quorum=None)
        self.unknown = 0

    def newest(self, note: bytes) -> Checkpoint:
        """Return the checkpoint of a note that must fulfil the policy. Raises NoteError."""
        return self._read(note, self._policy)

    def earlier(self, note: bytes) -> Checkpoint:
        """Return the checkpoint of a note from before. Its signatures of known keys must be good. Raises NoteError."""
        try:
            return self._read(note, self._earlier)
        except UnknownKeyError:
            self.unknown += 1
            return self._read(note, None)

    def _read(self, note: bytes, policy: Policy | None) -> Checkpoint:
        if policy is not None:
            found = policy.check(note).checkpoint
        else:
            try:
                found = Checkpoint.parse(Note.parse(note).text)
            except MalformedNoteError:
                raise
            except ValueError as error:
                raise MalformedNoteError(str(error)) from None
        if found.origin != self._origin:
            raise BadSignatureError(f"it is a checkpoint of another log, {found.origin!r}")
        return found
