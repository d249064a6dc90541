"""Commands of the user service and their replies: plain values between the API, the handlers and the store."""

import msgspec

from services.chassis.messages.event import Metadata
from services.contracts.user import Personal, Preferences
from services.user.domain import Changes, RefusedError


class Register(msgspec.Struct, frozen=True):
    """Registers a user. Texts are validated, here and below."""

    user_id: str
    personal: Personal
    preferences: Preferences


class Change(msgspec.Struct, frozen=True):
    """Changes a user. `expected` has the versions that the change is meant for, None for any."""

    user_id: str
    expected: frozenset[int] | None
    changes: Changes


class Deactivate(msgspec.Struct, frozen=True):
    """Deactivates a user. `expected` as in `Change`."""

    user_id: str
    expected: frozenset[int] | None


class Flag(msgspec.Struct, frozen=True):
    """Flags a user's address: mail to it bounced permanently."""

    user_id: str
    email: str
    reason: str


class Unflag(msgspec.Struct, frozen=True):
    """Clears the flag of a user's address."""

    user_id: str


Action = Register | Change | Deactivate | Flag | Unflag


class Command(msgspec.Struct, frozen=True):
    """An action with its context. `key` is its idempotency key, `fingerprint` the digest of its first request."""

    action: Action
    key: str
    fingerprint: bytes
    metadata: Metadata


class Reply(msgspec.Struct, frozen=True):
    """The result of a command that was accepted."""

    user_id: str
    version: int
    correlation_id: str


class Answered(msgspec.Struct, frozen=True):
    """A stored reply with the fingerprint of its request."""

    fingerprint: bytes
    reply: Reply


Outcome = Reply | RefusedError
